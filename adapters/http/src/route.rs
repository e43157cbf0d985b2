//! Which resource a path names, and what can be done with it. Pure.
//!
//! An object's path is `/` and its key, percent-encoded where it has to be; `/` stays as
//! it is. Everything else lies under `/_/`.

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::limits::TARGET_BYTES_MAX;
use crate::problem::Problem;
use crate::query::decode;

/// What no object's key may begin with.
pub(crate) const RESERVED_PREFIX: &str = "_/";

/// What stays as it is in the path of a key: RFC 3986, `pchar` without sub-delimiters,
/// and `/`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The object of this key: `/KEY`.
    Object(String),
    /// `/_/uploads`: uploads under way, and where tus creates them.
    Uploads,
    /// `/_/uploads/NAME`: one of them.
    Upload(String),
    /// `/_/list`.
    List,
    /// `/_/head/KEY`: an object's description as JSON.
    Head(String),
    /// `/_/manifest/KEY`: where an object's content lies.
    Manifest(String),
    /// `/_/sign/KEY`: a link that works without the token.
    Sign(String),
    /// `/_/ui` and what follows it: the web page and its files.
    Ui(String),
    /// `/_/sweep`.
    Sweep,
    /// `/_/metrics`.
    Metrics,
    /// `/_/health`.
    Health,
    /// `/`: leads people to the page.
    Root,
    /// `OPTIONS *`.
    Server,
}

impl Target {
    /// What a path names.
    pub fn of(path: &str) -> Result<Self, Problem> {
        if path.len() > TARGET_BYTES_MAX {
            return Err(Problem::too_long("path"));
        }
        if path == "*" {
            return Ok(Self::Server);
        }
        let Some(path) = path.strip_prefix('/') else {
            return Err(Problem::invalid("the path does not begin with `/`"));
        };
        if path.is_empty() {
            return Ok(Self::Root);
        }
        let Some(inside) = path.strip_prefix(RESERVED_PREFIX) else {
            return Ok(Self::Object(decode_key(path)?));
        };
        match inside.split_once('/') {
            None => match inside {
                "uploads" => Ok(Self::Uploads),
                "list" => Ok(Self::List),
                "ui" => Ok(Self::Ui(String::new())),
                "sweep" => Ok(Self::Sweep),
                "metrics" => Ok(Self::Metrics),
                "health" => Ok(Self::Health),
                _ => Err(Problem::no_such_resource()),
            },
            Some(("uploads", name)) => Ok(Self::Upload(decode(name)?)),
            Some(("head", key)) => Ok(Self::Head(decode_key(key)?)),
            Some(("manifest", key)) => Ok(Self::Manifest(decode_key(key)?)),
            Some(("sign", key)) => Ok(Self::Sign(decode_key(key)?)),
            Some(("ui", file)) => Ok(Self::Ui(format!("/{file}"))),
            Some(_) => Err(Problem::no_such_resource()),
        }
    }

    /// The methods that it knows.
    pub fn methods(&self, read_only: bool) -> &'static [Method] {
        const READ: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];
        const NONE: &[Method] = &[Method::OPTIONS];
        match self {
            Self::Object(_) if !read_only => {
                &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS]
            }
            Self::Uploads if !read_only => {
                &[Method::GET, Method::HEAD, Method::POST, Method::OPTIONS]
            }
            Self::Upload(_) if !read_only => {
                &[Method::GET, Method::HEAD, Method::PATCH, Method::DELETE, Method::OPTIONS]
            }
            Self::Sweep if !read_only => &[Method::POST, Method::OPTIONS],
            // Nothing is written by it.
            Self::Sign(_) => &[Method::POST, Method::OPTIONS],
            Self::Sweep | Self::Server => NONE,
            _ => READ,
        }
    }
}

/// The key that a path names.
fn decode_key(raw: &str) -> Result<String, Problem> {
    let key = decode(raw)?;
    check_key(&key)?;
    Ok(key)
}

/// Refuses keys that cannot be used over HTTP. `.` and `..` are taken out of paths by
/// browsers and proxies, which then ask for another object.
pub(crate) fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() {
        return Err(Problem::invalid("the key is empty"));
    }
    if key.starts_with(RESERVED_PREFIX) {
        return Err(Problem::invalid("keys that begin with `_/` cannot be used over HTTP"));
    }
    if key.chars().any(char::is_control) {
        return Err(Problem::invalid("the key holds a control character"));
    }
    if key.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Problem::invalid(
            "the key holds `.` or `..`, which browsers take out of paths",
        ));
    }
    Ok(())
}

/// The path of an object: `/` and its key, percent-encoded.
pub fn path_of(key: &str) -> String {
    format!("/{}", utf8_percent_encode(key, ENCODED))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key_of(path: &str) -> Option<String> {
        match Target::of(path) {
            Ok(Target::Object(key)) => Some(key),
            _ => None,
        }
    }

    #[test]
    fn a_key_is_the_decoded_rest_of_the_path() {
        for (path, key) in [
            ("/a", "a"),
            ("/videos/a%20b.mp4", "videos/a b.mp4"),
            ("/a%2Fb", "a/b"),
            ("/%C3%BC+%25", "ü+%"),
            ("//a//", "/a//"),
            ("/_", "_"),
            ("/_a/b", "_a/b"),
            ("/a/_/b", "a/_/b"),
            ("/a..b/...", "a..b/..."),
        ] {
            assert_eq!(key_of(path).as_deref(), Some(key), "{path}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for path in [
            "/%00",
            "/a%0Ab",
            "/a%7F",
            "/%C2%85",
            "/%ff",
            "/%zz",
            "/%",
            "/%5F/list",
            "/_%2Fa",
            "/..",
            "/a/../b",
            "/a/%2e%2E/b",
            "/./a",
            "a",
            "",
            "http://a/",
        ] {
            let problem = Target::of(path).unwrap_err();
            assert_eq!(problem.status, 400, "{path}");
        }
        assert_eq!(Target::of(&format!("/{}", "a".repeat(9000))).unwrap_err().status, 414);
    }

    #[test]
    fn everything_else_lies_under_one_prefix() {
        for (path, target) in [
            ("/_/uploads", Target::Uploads),
            ("/_/uploads/a-b", Target::Upload("a-b".into())),
            ("/_/list", Target::List),
            ("/_/head/a/b", Target::Head("a/b".into())),
            ("/_/manifest/a/b", Target::Manifest("a/b".into())),
            ("/_/sign/a%20b", Target::Sign("a b".into())),
            ("/_/ui", Target::Ui("".into())),
            ("/_/ui/main.js", Target::Ui("/main.js".into())),
            ("/_/health", Target::Health),
            ("/_/sweep", Target::Sweep),
            ("*", Target::Server),
        ] {
            assert_eq!(Target::of(path), Ok(target), "{path}");
        }
        for path in ["/_/", "/_/nothing", "/_/list/", "/_/health/a", "/_/Uploads"] {
            assert_eq!(Target::of(path).unwrap_err().status, 404, "{path}");
        }
        assert_eq!(Target::of("/_/head/_/a").unwrap_err().status, 400);
    }

    proptest! {
        #[test]
        fn the_path_of_a_key_names_it(key in "[^\\pC]{1,40}") {
            let names_none = key.split('/').any(|part| part == "." || part == "..");
            prop_assume!(!names_none && !key.starts_with("_/"));
            let path = path_of(&key);
            prop_assert!(path.parse::<http::Uri>().is_ok());
            prop_assert_eq!(key_of(&path), Some(key));
        }

        #[test]
        fn any_path_is_read_or_refused(path in "\\PC{0,40}") {
            let _ = Target::of(&path);
        }
    }
}
