//! Cross-origin resource sharing (the Fetch standard, section 3.2): which pages may read
//! answers, and the preflight.
//!
//! Credentials in the browser's sense (cookies) are never allowed; the token is a header
//! that a page has to send itself.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::limits::{PREFLIGHT_BYTES_MAX, PREFLIGHT_HEADERS_MAX, PREFLIGHT_SECONDS};
use crate::settings::Origins;

/// Headers of answers that every page may read.
const SAFELISTED: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

/// Adds to an answer what the browser needs to show it to a page of the request's origin.
pub(crate) fn apply(origins: &Origins, request: &Parts, answer: &mut HeaderMap) {
    if *origins == Origins::Own {
        return;
    }
    if matches!(origins, Origins::Listed(_)) {
        // Whether or not this request has one: a cache must not show this answer to others.
        answer.append(VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = request.headers.get(ORIGIN) else { return };
    if !origin.to_str().is_ok_and(|origin| origins.allows(origin)) {
        return;
    }
    let allowed = match origins {
        Origins::Any => HeaderValue::from_static("*"),
        _ => origin.clone(),
    };
    let exposed: Vec<&str> =
        answer.keys().map(HeaderName::as_str).filter(|name| !SAFELISTED.contains(name)).collect();
    if let Ok(exposed) = HeaderValue::from_str(&exposed.join(", ")) {
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    let asks = request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if request.method == Method::OPTIONS && asks {
        preflight(&request.headers, answer);
    }
}

/// Allows what the resource knows, with whatever headers the page wants to send: what
/// they mean is checked when they come.
fn preflight(request: &HeaderMap, answer: &mut HeaderMap) {
    if let Some(methods) = answer.get(ALLOW).cloned() {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS)
        && let Some(names) = header_names(wanted)
    {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECONDS));
    let vary = "Access-Control-Request-Method, Access-Control-Request-Headers";
    answer.append(VARY, HeaderValue::from_static(vary));
    answer.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
}

/// The list of header names that was asked for, if it is one and not longer than anyone
/// needs.
fn header_names(wanted: &HeaderValue) -> Option<HeaderValue> {
    let wanted = wanted.to_str().ok().filter(|wanted| wanted.len() <= PREFLIGHT_BYTES_MAX)?;
    let names: Result<Vec<HeaderName>, _> = wanted
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::parse)
        .take(PREFLIGHT_HEADERS_MAX)
        .collect();
    let names: Vec<String> = names.ok()?.iter().map(HeaderName::to_string).collect();
    HeaderValue::from_str(&names.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_header_names_are_allowed(wanted in "[ -~]{0,60}") {
            let wanted = HeaderValue::from_str(&wanted).unwrap();
            if let Some(names) = header_names(&wanted) {
                let names = names.to_str().unwrap().to_string();
                prop_assert!(names.is_empty() || names.split(", ").all(|name| name.parse::<HeaderName>().is_ok()));
            }
        }
    }
}
