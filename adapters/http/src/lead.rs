//! The way from `/` to the page `/_/ui`.

use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::gateway::Call;
use crate::problem::Problem;

/// Leads from `/` to the page. Not for good: a server in front may have a start page of its
/// own one day, and browsers remember what is permanent.
pub(crate) fn lead(call: Call<'_>) -> Result<Response<Body>, Problem> {
    call.query.finish()?;
    Ok(moved(StatusCode::TEMPORARY_REDIRECT, "_/ui"))
}

/// A redirect to a relative place: a proxy may stand in front.
pub(crate) fn moved(status: StatusCode, to: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
    response
}
