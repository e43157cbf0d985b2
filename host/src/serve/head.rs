//! What a request's head has to say before the component sees it.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};

/// Whether a request's body is what its client means (RFC 9112, section 6.1): `chunked` is
/// undone by the time it is read, and no other coding is.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    let mut codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => one.trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// A request's target in absolute form (RFC 9112, section 3.3): the component is told the
/// host by it.
pub(super) fn target<B>(request: &Request<B>) -> Result<Uri, &'static str> {
    if request.method() == Method::CONNECT {
        return Err("this is no proxy");
    }
    let authority = match request.uri().authority() {
        Some(authority) => authority.clone(),
        None => host(request)?,
    };
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    Uri::from_parts(parts).map_err(|_| "the request's target is no URI")
}

fn host<B>(request: &Request<B>) -> Result<Authority, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes())
            .map_err(|_| "the Host header is not understood; write HOST or HOST:PORT"),
        (None, _) if request.version() < Version::HTTP_11 => {
            Ok(Authority::from_static("localhost"))
        }
        _ => Err("there has to be one Host header (RFC 9112, section 3.2)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(
        method: &str,
        uri: &str,
        hosts: &[&str],
        version: Version,
    ) -> Result<Uri, &'static str> {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        target(&request.body(()).unwrap())
    }

    #[test]
    fn the_host_is_the_one_that_the_client_named() {
        let of = |uri, hosts: &[&str]| {
            target_of("GET", uri, hosts, Version::HTTP_11).map(|uri| uri.to_string())
        };
        assert_eq!(of("/a?b", &["h:8080"]).unwrap(), "http://h:8080/a?b");
        assert_eq!(of("http://other/a", &["h"]).unwrap(), "http://other/a");
        assert_eq!(of("*", &["h"]).unwrap(), "http://h*");
        assert!(of("/a", &[]).is_err(), "HTTP/1.1 has to say it");
        assert!(of("/a", &["h", "h"]).is_err() && of("/a", &["h h"]).is_err());
        let old = target_of("GET", "/a", &[], Version::HTTP_10).unwrap();
        assert_eq!(old.to_string(), "http://localhost/a");
        assert!(target_of("CONNECT", "h:80", &["h:80"], Version::HTTP_11).is_err());
    }
}
