//! The app.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response};
use wasip3::{spawn_local, wit_stream};

use self::bindings::streaming::chunk_store::objects::{self, GetOptions, PutOptions};
use self::bindings::streaming::chunk_store::types::Error;

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "example:films/app",
        generate_all,
    });
}

wasip3::http::service::export!(App);

struct App;

impl Guest for App {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let key = path.trim_start_matches('/').to_string();
        let answer = match request.get_method() {
            Method::Put => put(key, request).await,
            Method::Get => get(key).await,
            _ => return text(405, "PUT or GET\n".into()),
        };
        answer.or_else(|error| text(status(&error), format!("{error:?}\n")))
    }
}

async fn put(key: String, request: Request) -> Result<Response, Error> {
    let (_taken, taken) = wasip3::wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, taken);
    // A body that was cut off ends its stream like a whole one; only its trailers tell.
    let (end, ended) = bindings::wit_future::new(|| Err(cut_off("the app stopped".into())));
    spawn_local(async move {
        let whole = trailers.await.map(|_| ()).map_err(|code| cut_off(code.to_string()));
        // An error means that the store has refused already.
        let _ = end.write(whole).await;
    });
    let options = PutOptions {
        size: None,
        digest: None,
        content_type: None,
        metadata: Vec::new(),
        ttl_seconds: None,
        precondition: None,
        inline_bytes_max: None,
        chunk_bytes_max: None,
        deadline_seconds: None,
    };
    let stored = objects::put(key, body, Some(ended), options).await?;
    Ok(text(201, format!("{}\n", stored.digest)).expect("the status and headers are right"))
}

fn cut_off(why: String) -> Error {
    Error::BodyMismatch(why)
}

async fn get(key: String) -> Result<Response, Error> {
    let options = GetOptions { range: None, precondition: None, stripe: None };
    let (content, body, ended) = objects::get(key, options).await?;
    let (trailers, sent) = wasip3::wit_future::new(|| Ok(None));
    spawn_local(async move {
        // So that a body that breaks off does not look like a whole one.
        let end = ended.await.map(|()| None);
        let _ = trailers
            .write(end.map_err(|why| ErrorCode::InternalError(Some(format!("{why:?}")))))
            .await;
    });
    let length = content.info.size.to_string().into_bytes();
    let headers = Fields::from_list(&[("content-length".into(), length)]);
    Ok(Response::new(headers.expect("a header as it should be"), Some(body), sent).0)
}

fn text(status: u16, text: String) -> Result<Response, ErrorCode> {
    let (mut writer, body) = wit_stream::new();
    let (end, ended) = wasip3::wit_future::new(|| Ok(None));
    spawn_local(async move {
        writer.write_all(text.into_bytes()).await;
        drop(writer);
        let _ = end.write(Ok(None)).await;
    });
    let (response, _sent) = Response::new(Fields::new(), Some(body), ended);
    let set = response.set_status_code(status);
    set.map_err(|()| ErrorCode::InternalError(Some(format!("{status} is no status"))))?;
    Ok(response)
}

fn status(error: &Error) -> u16 {
    match error {
        Error::NotFound => 404,
        Error::InvalidArgument(_) | Error::BodyMismatch(_) => 400,
        Error::LimitExceeded(_) => 413,
        Error::Unavailable(_) => 503,
        _ => 500,
    }
}
