//! Errors as `application/problem+json` (RFC 9457), by the table in `docs/errors.md`.

use bytes::Bytes;
use chunk_store::error::Error;
use headers::{ContentLength, HeaderMapExt};
use http::header::{CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::body::Body;
use crate::limits::RETRY_AFTER_SECONDS_DEFAULT;

/// Why a request was not served, for the server's log: an extension of the response. It
/// may name what callers that have no token are not told, such as a path on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

/// The answer of a server that refuses a request before it comes to the
/// [`Gateway`](crate::Gateway), as the gateway would put it: `name` is one of
/// `docs/errors.md`, `detail` a line that says what to do.
pub fn refusal(status: StatusCode, name: &'static str, detail: &str) -> Response<Bytes> {
    Problem::new(status, name, detail).into_bytes(false)
}

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub status: StatusCode,
    /// As in `docs/errors.md`.
    name: &'static str,
    detail: String,
    /// The detail tells of the platform below; only callers with the token see it.
    private: bool,
    /// What a program wants to know: where an upload stands, how large an object is.
    offset: Option<u64>,
    size: Option<u64>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// An error of this status and name.
    pub fn new(status: StatusCode, name: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (offset, size) = (None, None);
        Self { status, name, detail, private: false, offset, size, headers: Vec::new() }
    }

    /// 400: the request can never work; says why.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-argument", detail)
    }

    /// 414: path or query is longer than anyone needs.
    pub fn too_long(what: &str) -> Self {
        let detail = format!("the {what} is too long");
        Self::new(StatusCode::URI_TOO_LONG, "limit-exceeded", detail)
    }

    /// 404: nothing is served there.
    pub fn no_such_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here")
    }

    /// 403: the caller cannot change that by saying who it is.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "denied", detail)
    }

    /// 412: a condition of the request does not hold (RFC 9110, section 15.5.13).
    pub fn condition_failed(etag: Option<&str>) -> Self {
        let detail = match etag {
            None => "a condition of the request does not hold: there is no such object".to_string(),
            Some(etag) => {
                format!("a condition of the request does not hold; the object has the etag {etag}")
            }
        };
        let mut problem = Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail);
        if let Some(value) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            problem.headers.push((ETAG, value));
        }
        problem
    }

    /// 416 for an object of so many bytes (RFC 9110, section 15.5.17).
    pub fn range_not_satisfiable(size: u64, detail: impl Into<String>) -> Self {
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        let problem = Self::new(status, "range-not-satisfiable", detail)
            .with(CONTENT_RANGE, &format!("bytes */{size}"));
        Self { size: Some(size), ..problem }
    }

    /// The same with a header; `value` is visible ASCII.
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("visible ASCII");
        self.headers.push((name, value));
        self
    }

    fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// The response. `trusted`: the caller may be told of the platform below.
    pub fn into_response(self, trusted: bool) -> Response<Body> {
        self.into_bytes(trusted).map(Body::whole)
    }

    fn into_bytes(self, trusted: bool) -> Response<Bytes> {
        let reason = self.status.canonical_reason().unwrap_or("error");
        let detail = match self.private && !trusted {
            true => "the store below cannot do that now; its operator can see why",
            false => &self.detail,
        };
        let told = Told {
            detail,
            error: self.name,
            offset: self.offset,
            size: self.size,
            status: self.status.as_u16(),
            title: reason,
            kind: "about:blank",
        };
        let bytes = Bytes::from(serde_json::to_vec(&told).expect("plain data"));
        let length = bytes.len() as u64;
        let mut response = Response::new(bytes);
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response.headers_mut().typed_insert(ContentLength(length));
        // Some errors may be cached without a word (RFC 9110, section 15.1), and an object
        // that is missing now may be there in a second.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(Failure(self.detail));
        response
    }
}

/// The body of the answer (RFC 9457, section 3.1).
#[derive(Serialize)]
struct Told<'a> {
    detail: &'a str,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    status: u16,
    title: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (detail, name) = (error.to_string(), error.name());
        let is = |status| Self::new(status, name, detail.clone());
        match error {
            Error::NotFound => is(StatusCode::NOT_FOUND),
            Error::PreconditionFailed(current) => {
                Self::condition_failed(current.as_ref().map(|info| &info.etag[..]))
            }
            Error::RangeNotSatisfiable(size) => Self::range_not_satisfiable(size, detail),
            Error::InvalidArgument(_) => is(StatusCode::BAD_REQUEST),
            Error::LimitExceeded(_) => is(StatusCode::PAYLOAD_TOO_LARGE),
            Error::BodyMismatch(_) => is(StatusCode::BAD_REQUEST),
            Error::OffsetMismatch(offset) => {
                Self { offset: Some(offset), ..is(StatusCode::CONFLICT) }
            }
            Error::Replaced => is(StatusCode::CONFLICT),
            Error::Corrupt(_) => is(StatusCode::INTERNAL_SERVER_ERROR).private(),
            Error::Unavailable(_, after_ms) => {
                let seconds = after_ms.map_or(RETRY_AFTER_SECONDS_DEFAULT, |ms| ms.div_ceil(1000));
                is(StatusCode::SERVICE_UNAVAILABLE)
                    .with(RETRY_AFTER, &seconds.max(1).to_string())
                    .private()
            }
            Error::Uncertain(_) => is(StatusCode::INTERNAL_SERVER_ERROR).private(),
            Error::Unsupported(_) => is(StatusCode::NOT_IMPLEMENTED),
            Error::Denied(why) if is_full(&why) => is(StatusCode::INSUFFICIENT_STORAGE).private(),
            Error::Denied(_) => is(StatusCode::FORBIDDEN).private(),
        }
    }
}

/// Whether a platform refused because it is full. kv has one case for all that it
/// refuses, so only its words tell: those of operating systems and of Redis.
fn is_full(why: &str) -> bool {
    ["No space left", "free space", "uota", "OOM"].iter().any(|word| why.contains(word))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::Value;

    use super::*;

    fn body_of(problem: Problem, trusted: bool) -> Value {
        serde_json::from_slice(&problem.into_response(trusted).into_body().into_whole()).unwrap()
    }

    fn headers_of(error: Error) -> HeaderMap {
        Problem::from(error).into_response(false).into_parts().0.headers
    }

    /// The table in `docs/errors.md`, row by row.
    #[test]
    fn each_error_has_the_status_of_the_table() {
        let table = include_str!("../../../docs/errors.md");
        let say = || "why".to_string();
        for error in [
            Error::NotFound,
            Error::PreconditionFailed(None),
            Error::RangeNotSatisfiable(7),
            Error::InvalidArgument(say()),
            Error::LimitExceeded(say()),
            Error::BodyMismatch(say()),
            Error::OffsetMismatch(7),
            Error::Replaced,
            Error::Corrupt(say()),
            Error::Unavailable(say(), Some(1500)),
            Error::Uncertain(say()),
            Error::Unsupported(say()),
            Error::Denied(say()),
            Error::Denied("No space left on device".into()),
        ] {
            let problem = Problem::from(error);
            let row = table.lines().find(|row| row.starts_with(&format!("| `{}`", problem.name)));
            let cell = row.unwrap().trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
            let status = problem.status.as_str();
            assert!(cell.contains(status), "{}: {status} is not in {cell:?}", problem.name);
            assert_eq!(body_of(problem.clone(), true)["error"], problem.name);
        }
    }

    #[test]
    fn a_program_finds_what_it_needs() {
        let mismatch = Problem::from(Error::OffsetMismatch(7));
        assert_eq!(body_of(mismatch, false)["offset"], 7);
        let range = headers_of(Error::RangeNotSatisfiable(10));
        assert_eq!(range[CONTENT_RANGE], "bytes */10");
        for (after_ms, seconds) in [(Some(1500), "2"), (Some(1), "1"), (None, "1")] {
            let headers = headers_of(Error::Unavailable("x".into(), after_ms));
            assert_eq!(headers[RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn only_callers_with_the_token_are_told_of_the_platform() {
        let denied = Problem::from(Error::Denied("cannot write in /srv/store".into()));
        assert!(body_of(denied.clone(), true)["detail"].as_str().unwrap().contains("/srv"));
        let response = denied.into_response(false);
        let logged = response.extensions().get::<Failure>().cloned();
        assert!(logged.unwrap().0.contains("/srv"));
        let body = response.into_body().into_whole();
        assert!(!String::from_utf8_lossy(&body).contains("/srv"));
    }
}
