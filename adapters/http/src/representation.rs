//! What headers an object is stored with, and described by. Pure.
//!
//! | header | of a request | of an answer | kept in the object as |
//! |---|---|---|---|
//! | `Content-Type` | PUT | GET, HEAD | content type |
//! | `Content-Encoding`, `-Language`, `-Disposition`, `Cache-Control` | PUT | GET, HEAD | metadata of the same name in lower case |
//! | `X-Meta-NAME` | PUT | GET, HEAD | metadata NAME, in lower case |
//! | `X-Digest` | PUT: stored only if the body has it | GET, HEAD, PUT: of the whole object | `blake3:` and 64 hex digits |
//! | `X-Ttl-Seconds` | PUT | | time to live |
//! | `X-Expires` | | GET, HEAD: an HTTP date | the time after which it is gone |
//! | `ETag`, `Last-Modified` | | GET, HEAD, PUT | |
//!
//! So an object put with `chunk-store put --meta author=Ann` shows `X-Meta-Author: Ann`, and
//! one put with `--meta cache-control=no-store` shows `Cache-Control: no-store`.
//!
//! Values are UTF-8, as they are. Bytes of a name that no header name can hold, and `%`,
//! are percent-encoded: `X-Meta-Gr%C3%B6%C3%9Fe`. Header names have no case, so upper-case
//! letters of a name come back in lower case.

use chunk_store::object::{ObjectInfo, PutOptions};
use headers::{AcceptRanges, ContentLength, HeaderMapExt};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::caching::cache_control;
use crate::conditions::{http_date, modified_seconds};
use crate::limits::META_HEADERS_MAX;
use crate::problem::Problem;
use crate::query::decode;

/// What the names of headers for metadata begin with.
pub(crate) const META_PREFIX: &str = "x-meta-";

/// The digest of the whole object.
pub(crate) const X_DIGEST: HeaderName = HeaderName::from_static("x-digest");

/// Seconds until an object ceases to exist.
pub(crate) const X_TTL_SECONDS: HeaderName = HeaderName::from_static("x-ttl-seconds");

/// When an object ceases to exist.
pub(crate) const X_EXPIRES: HeaderName = HeaderName::from_static("x-expires");

/// Headers that are kept as metadata of the same name, and whether several lines of them
/// are one list (RFC 9110, section 5.3).
const KEPT: [(HeaderName, bool); 4] = [
    (CACHE_CONTROL, true),
    (CONTENT_DISPOSITION, false),
    (CONTENT_ENCODING, true),
    (CONTENT_LANGUAGE, true),
];

/// The `Content-Security-Policy` of objects: a stored page has an origin of its own, in
/// which it runs no script, sends no form and opens nothing. What is passive goes without:
/// browsers play no film and show no PDF in a sandbox.
pub(crate) const SANDBOX: &str = "sandbox";

/// What a header name cannot hold (RFC 9110, section 5.6.2, `tchar`), and `%`.
const NAME_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// How the body of a PUT is to be stored, by its headers; but for its conditions. Media
/// type and length are those of the body.
pub(crate) fn put_options(headers: &HeaderMap) -> Result<PutOptions, Problem> {
    Ok(PutOptions {
        content_type: one(headers, &CONTENT_TYPE)?,
        size: content_length(headers)?,
        ..common_options(headers)?
    })
}

/// What the headers say of an object whose body comes later.
pub(crate) fn common_options(headers: &HeaderMap) -> Result<PutOptions, Problem> {
    Ok(PutOptions {
        digest: one(headers, &X_DIGEST)?,
        metadata: metadata(headers)?,
        ttl_seconds: one_number(headers, &X_TTL_SECONDS)?
            .map(|seconds| u32::try_from(seconds).map_err(|_| too_large(&X_TTL_SECONDS)))
            .transpose()?,
        ..PutOptions::default()
    })
}

/// The length that the body of a request is announced with, in bytes.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    one_number(headers, &CONTENT_LENGTH)
}

/// A header that may be there once, as text.
pub(crate) fn one(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(Problem::invalid(format!("{name} is given twice")));
    }
    text(name, line).map(Some)
}

/// A header that may be there once, as a number.
pub(crate) fn one_number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let Some(text) = one(headers, name)? else { return Ok(None) };
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::invalid(format!("{name}: {text:?} is no number")));
    }
    text.parse().map(Some).map_err(|_| too_large(name))
}

fn too_large(name: &HeaderName) -> Problem {
    Problem::invalid(format!("{name} is a larger number than is possible"))
}

fn text(name: &HeaderName, value: &HeaderValue) -> Result<String, Problem> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err(Problem::invalid(format!("the value of {name} is not UTF-8"))),
    }
}

/// The metadata that the headers give, in ascending order of names.
fn metadata(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let mut metadata: Vec<(String, String)> = Vec::new();
    for (name, is_list) in KEPT {
        let value = match is_list {
            false => one(headers, &name)?,
            true => {
                let lines = headers.get_all(&name).iter().map(|line| text(&name, line));
                let lines = lines.collect::<Result<Vec<_>, _>>()?;
                (!lines.is_empty()).then(|| lines.join(", "))
            }
        };
        metadata.extend(value.map(|value| (name.as_str().to_string(), value)));
    }
    let mut meta_headers = 0;
    for name in headers.keys() {
        let Some(encoded) = name.as_str().strip_prefix(META_PREFIX) else { continue };
        meta_headers += 1;
        if meta_headers > META_HEADERS_MAX {
            let why = format!("there are more than {META_HEADERS_MAX} headers `X-Meta-`");
            return Err(Problem::invalid(why));
        }
        let key = decode(encoded)?;
        if KEPT.iter().any(|(kept, _)| kept.as_str() == key) {
            return Err(Problem::invalid(format!("give {key} without `X-Meta-`")));
        }
        if metadata.iter().any(|(earlier, _)| *earlier == key) {
            return Err(Problem::invalid(format!("{name} is given twice")));
        }
        metadata.push((key, one(headers, name)?.unwrap_or_default()));
    }
    metadata.sort_unstable();
    Ok(metadata)
}

/// The headers that tell an object from others, and how long it may be kept: of every
/// answer about it (RFC 9110, section 15.4.5). `until` is when the caller may no longer
/// read it, in seconds since the Unix epoch.
pub(crate) fn describe_version(
    info: &ObjectInfo,
    now_ms: u64,
    until: Option<u64>,
    headers: &mut HeaderMap,
) {
    put_text(headers, ETAG, &info.etag);
    put_text(headers, LAST_MODIFIED, &http_date(modified_seconds(info)));
    let given = info.metadata.iter().find(|(name, _)| name == CACHE_CONTROL.as_str());
    let expires = info.expires.map(|expires| expires / 1000);
    let life = expires.into_iter().chain(until).min();
    let life = life.map(|end| end.saturating_sub(now_ms / 1000));
    let cache_control = cache_control(given.map(|(_, value)| &value[..]), life);
    put_text(headers, CACHE_CONTROL, &cache_control);
    if let Some(expires) = expires {
        put_text(headers, X_EXPIRES, &http_date(expires));
    }
}

/// All headers of an object but those of the body that follows.
pub(crate) fn describe(
    info: &ObjectInfo,
    now_ms: u64,
    until: Option<u64>,
    headers: &mut HeaderMap,
) {
    if let Some(content_type) = &info.content_type {
        put_text(headers, CONTENT_TYPE, content_type);
    }
    for (name, value) in &info.metadata {
        if let Some(header) = header_of(name) {
            // Names that differ in case only share a header.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(header, value);
            }
        }
    }
    describe_version(info, now_ms, until, headers);
    put_text(headers, X_DIGEST, &info.digest);
    contain(headers);
    headers.typed_insert(AcceptRanges::bytes());
    headers.typed_insert(ContentLength(info.size));
}

/// Has a browser show what was stored and run none of it: anyone who may write chooses
/// media types, and a stored page or script has the origin of this server and its
/// [page](crate::ui). `Content-Type` is the object's, and there already.
pub(crate) fn contain(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_passive) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    }
}

/// Whether browsers show a media type, or save it, without ever running what is in it: film,
/// sound and pictures, but for those written in XML, and PDF. A list of types is not: the
/// last of them counts.
fn is_passive(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim_end();
    let Some((family, kind)) = essence.split_once('/') else { return false };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".+-_".contains(&b);
    let is_media = ["video", "audio", "image"].contains(&family)
        && !kind.is_empty()
        && kind.bytes().all(plain)
        && !kind.ends_with("xml");
    !content_type.contains(',') && (is_media || essence == "application/pdf")
}

/// The header that shows metadata of this name.
fn header_of(name: &str) -> Option<HeaderName> {
    if let Some((kept, _)) = KEPT.iter().find(|(kept, _)| kept.as_str() == name) {
        return Some(kept.clone());
    }
    let encoded = percent_encode(name.as_bytes(), NAME_ENCODED);
    HeaderName::try_from(format!("{META_PREFIX}{encoded}")).ok()
}

/// Sets a header to text that the store or this crate made; text that no header can hold is
/// left out.
pub(crate) fn put_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_string(), value.to_string())
    }

    #[test]
    fn headers_become_options() {
        let digest = format!("blake3:{}", "0".repeat(64));
        let options = put_options(&headers(&[
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", "7"),
            ("Content-Encoding", "gzip"),
            ("Content-Encoding", "br"),
            ("X-Meta-Author", "Ann Käthe"),
            ("X-Meta-Gr%C3%B6%C3%9Fe", ""),
            ("X-Ttl-Seconds", "60"),
            ("X-Digest", &digest),
            ("X-Other", "not kept"),
        ]))
        .unwrap();
        assert_eq!(options.content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!((options.size, options.ttl_seconds), (Some(7), Some(60)));
        assert_eq!(options.digest, Some(digest));
        let metadata =
            [pair("author", "Ann Käthe"), pair("content-encoding", "gzip, br"), pair("größe", "")];
        assert_eq!(options.metadata, metadata);
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for pairs in [
            &[("content-type", "a/b"), ("content-type", "a/c")][..],
            &[("content-length", "-1")],
            &[("content-length", "99999999999999999999")],
            &[("x-ttl-seconds", "1h")],
            &[("x-ttl-seconds", "4294967296")],
            &[("x-meta-a", "1"), ("x-meta-a", "2")],
            &[("x-meta-a", "1"), ("x-meta-%61", "2")],
            &[("x-meta-cache-control", "no-store")],
            &[("x-meta-%ff", "1")],
            &[("x-meta-%", "1")],
        ] {
            assert_eq!(put_options(&headers(pairs)).unwrap_err().status, 400, "{pairs:?}");
        }
        let mut latin = HeaderMap::new();
        latin.insert("x-meta-a", HeaderValue::from_bytes(b"K\xe4the").unwrap());
        assert!(put_options(&latin).is_err());
        let many: HeaderMap = (0..=META_HEADERS_MAX)
            .map(|i| (format!("x-meta-{i}").parse().unwrap(), HeaderValue::from_static("")))
            .collect();
        assert!(put_options(&many).is_err());
    }

    fn info(metadata: Vec<(String, String)>) -> ObjectInfo {
        ObjectInfo {
            key: "k".into(),
            size: 3,
            digest: "blake3:00".into(),
            etag: "\"a\"".into(),
            generation: "1".into(),
            content_type: Some("text/plain".into()),
            metadata,
            modified: 1_790_000_000_500,
            expires: Some(1_790_000_060_000),
            chunks: 0,
        }
    }

    #[test]
    fn an_object_is_described_by_headers() {
        let metadata = vec![
            pair("author", "Ann"),
            pair("cache-control", "max-age=600"),
            pair("two words", "x"),
            pair("Case", "1"),
            pair("case", "2"),
        ];
        let mut headers = HeaderMap::new();
        describe(&info(metadata), 1_790_000_010_000, None, &mut headers);
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-length", "3"),
            ("etag", "\"a\""),
            ("last-modified", "Mon, 21 Sep 2026 14:13:20 GMT"),
            ("x-expires", "Mon, 21 Sep 2026 14:14:20 GMT"),
            ("x-digest", "blake3:00"),
            ("x-meta-author", "Ann"),
            ("x-meta-two%20words", "x"),
            ("cache-control", "max-age=50"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert_eq!(headers.get_all("x-meta-case").iter().count(), 2);
        describe_version(&info(Vec::new()), 0, Some(5), &mut headers);
        assert_eq!(headers["cache-control"], "no-cache");
    }

    #[test]
    fn only_what_never_runs_is_shown_outside_a_sandbox() {
        for passive in
            ["video/mp4", "audio/ogg; codecs=opus", "IMAGE/PNG", "application/pdf", "video/x-m4v;a"]
        {
            assert!(is_passive(passive), "{passive}");
        }
        for other in [
            "",
            "text/html",
            "text/plain",
            "image/svg+xml",
            "IMAGE/SVG+XML;a",
            "video/a+xml",
            "image/xml",
            "video/mp4, text/html",
            "video/mp4;a=\",text/html",
            "video/",
            "video",
            " video/mp4",
            "application/pdf+xml",
            "application/javascript",
        ] {
            assert!(!is_passive(other), "{other}");
            let mut headers = HeaderMap::new();
            put_text(&mut headers, CONTENT_TYPE, other);
            contain(&mut headers);
            assert_eq!(headers["content-security-policy"], "sandbox", "{other}");
            assert_eq!(headers["x-content-type-options"], "nosniff");
        }
    }

    proptest! {
        #[test]
        fn metadata_comes_back_as_it_was_given(
            name in "[^\\pC\\p{Lu}]{1,20}", value in "([^\\pC ][^\\pC]{0,20}[^\\pC ])?",
        ) {
            prop_assume!(KEPT.iter().all(|(kept, _)| kept.as_str() != name));
            let header = header_of(&name).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            prop_assert_eq!(metadata(&headers).unwrap(), vec![(name, value)]);
        }
    }
}
