//! The headers of tus. Pure.

use chunk_store::object::UploadStatus;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::conditions::http_date;
use crate::problem::Problem;
use crate::representation::{one, put_text};
use crate::route::Target;

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,expiration,termination";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// Where uploads are made.
const PATH: &str = "/_/uploads";

/// Whether a path is one that tus clients use.
pub(crate) fn is_for_uploads(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where an upload is gone on with: relative, since a proxy may stand in front.
pub(super) fn path_of(name: &str) -> String {
    format!("{PATH}/{name}")
}

/// What every answer there has.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
}

/// What this server can do, for OPTIONS.
pub(crate) fn describe(headers: &mut HeaderMap) {
    headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
}

/// The method of a request: of one that is sent by POST since something on its way passes
/// no other, the one that it means.
pub(crate) fn method(head: &Parts, target: &Target) -> Result<Method, Problem> {
    if head.method != Method::POST || !matches!(target, Target::Uploads | Target::Upload(_)) {
        return Ok(head.method.clone());
    }
    match one(&head.headers, &METHOD_OVERRIDE)?.as_deref() {
        None | Some("POST") => Ok(Method::POST),
        Some("PATCH") => Ok(Method::PATCH),
        Some("DELETE") => Ok(Method::DELETE),
        Some("HEAD") => Ok(Method::HEAD),
        Some(other) => Err(Problem::invalid(format!("{other:?} cannot be sent as a POST"))),
    }
}

/// Refuses another version of the protocol, with 412 as it says.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match one(headers, &TUS_RESUMABLE)?.as_deref() {
        Some(VERSION) => Ok(()),
        _ => {
            let detail = format!("this takes tus {VERSION}: send `Tus-Resumable: {VERSION}`");
            let status = StatusCode::PRECONDITION_FAILED;
            Err(Problem::new(status, "invalid-argument", detail).with(TUS_VERSION, VERSION))
        }
    }
}

/// Whether the request has the media type of bytes for an upload.
pub(super) fn has_upload_bytes(headers: &HeaderMap) -> Result<bool, Problem> {
    let content_type = one(headers, &CONTENT_TYPE)?;
    Ok(content_type.is_some_and(|given| {
        let essence = given.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/offset+octet-stream")
    }))
}

/// 415.
pub(super) fn wrong_media_type() -> Problem {
    let detail = "send bytes for an upload as application/offset+octet-stream";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid-argument", detail)
}

/// Tells how far an upload has come, and how long it can be gone on with.
pub(super) fn tell_standing(status: &UploadStatus, headers: &mut HeaderMap) {
    put_text(headers, UPLOAD_OFFSET, &status.offset.to_string());
    put_text(headers, UPLOAD_EXPIRES, &http_date(status.deadline / 1000));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_uploads() {
        for path in ["/_/uploads", "/_/uploads/", "/_/uploads/a"] {
            assert!(is_for_uploads(path), "{path}");
        }
        for path in ["/_/uploadsx", "/_/list", "/uploads", "/"] {
            assert!(!is_for_uploads(path), "{path}");
        }
    }
}
