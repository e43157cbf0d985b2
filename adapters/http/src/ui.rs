//! `/_/ui`: a web page to browse, upload, play and look into objects.
//!
//! The page holds no data, so it is served to anyone; what it shows it asks for with the
//! token that its user gives it. It is compiled in, unless the platform serves it by itself.
//! Nothing is fetched from elsewhere, which its `Content-Security-Policy` makes sure of. Stored
//! objects have the same origin; see [`SANDBOX`](crate::representation::SANDBOX) for why they
//! cannot act in it.

use bytes::Bytes;
use headers::{ETag, HeaderMapExt, IfNoneMatch};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::gateway::Call;
use crate::lead::moved;
use crate::problem::Problem;
use crate::route::Target;

/// One file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $media_type:literal,)*) => {
        [$(Asset {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!(concat!("ui/", $name)),
        },)*]
    };
}

/// All of them; the first is the page.
static ASSETS: [Asset; 13] = assets! {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": "text/javascript; charset=utf-8",
    "server.js": "text/javascript; charset=utf-8",
    "dialogs.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "format.js": "text/javascript; charset=utf-8",
    "browse.js": "text/javascript; charset=utf-8",
    "object.js": "text/javascript; charset=utf-8",
    "chunks.js": "text/javascript; charset=utf-8",
    "tus.js": "text/javascript; charset=utf-8",
    "uploads.js": "text/javascript; charset=utf-8",
};

/// What the page is sent with: on each line a name and a value.
///
/// It may run and show its own files, ask its own server, play objects. Text never becomes markup
/// (`require-trusted-types-for`), and no other page may frame it. It is asked for before each use,
/// so that a new version of the server shows at once.
const HEADERS: &str = include_str!("ui/headers.txt");

/// Answers with a file of the page, or 304.
pub(crate) fn serve(call: Call<'_>) -> Result<Response<Body>, Problem> {
    let Target::Ui(name) = &call.target else { unreachable!("only the page comes here") };
    let asset = match &name[..] {
        "" => &ASSETS[0],
        "/" => return Ok(moved(StatusCode::PERMANENT_REDIRECT, "../ui")),
        name => {
            let named = ASSETS[1..].iter().find(|asset| name.strip_prefix('/') == Some(asset.name));
            named.ok_or_else(Problem::no_such_resource)?
        }
    };
    call.query.finish()?;
    let hash = blake3::hash(asset.bytes).to_hex();
    let etag: ETag = format!("\"{}\"", &hash[..32]).parse().expect("hex digits in quotes");
    let known = call.head.headers.typed_get::<IfNoneMatch>();
    let unchanged = known.is_some_and(|known| !known.precondition_passes(&etag));
    let mut response = match unchanged {
        true => Response::new(Body::empty()),
        false => Response::new(Body::whole(Bytes::from_static(asset.bytes))),
    };
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.typed_insert(etag);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    for (name, value) in HEADERS.lines().filter_map(|line| line.split_once(": ")) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
