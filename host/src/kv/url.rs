//! Backends by URL: `memory:`, `file:DIR`, `redis://HOST`, and what follows a `?`.
//!
//! Read by hand, not as an RFC 3986 URL: `file:data` is to be the directory
//! `data` below the current one, and a directory's name is to be taken as it
//! stands, with its `%`, spaces and dots.

use std::path::PathBuf;
use std::sync::Arc;

use super::Backend;
use super::file::{Durability, FileBackend, FileOptions};
use super::memory::MemoryBackend;
use super::redis::RedisBackend;

/// What there is to choose from, for messages.
const SCHEMES: &str = "memory:, file:DIR, redis://HOST, rediss://HOST, redis+unix:/SOCKET and redis+cluster://HOST,HOST";

/// Why a backend could not be opened; each message is one line and says what to
/// do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The URL has no scheme, or one that no backend has.
    #[error("{url:?} names no known kind of store: {advice}")]
    Scheme {
        /// What was asked for.
        url: String,
        /// What to write instead.
        advice: String,
    },
    /// What stands after the scheme is not what the scheme takes.
    #[error("{url:?} is not understood: {advice}")]
    Place {
        /// What was asked for.
        url: String,
        /// What to write instead.
        advice: &'static str,
    },
    /// An option that the scheme does not have.
    #[error("{scheme} has no option {option:?}: {known}")]
    Option {
        /// The scheme, with its colon.
        scheme: &'static str,
        /// The option's name as given.
        option: String,
        /// Which options the scheme has.
        known: &'static str,
    },
    /// An option with a value that it cannot have.
    #[error("{option}={value:?} is not understood: write {known}")]
    OptionValue {
        /// The option's name.
        option: &'static str,
        /// Its value as given.
        value: String,
        /// Which values it can have.
        known: &'static str,
    },
    /// The directory cannot hold a store.
    #[error("{} cannot hold a store: {reason}", directory.display())]
    Directory {
        /// The directory, resolved.
        directory: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// There is no store, and none was to be made.
    #[error("there is no store in {}; put something there first, or name another one", directory.display())]
    Missing {
        /// The directory as given.
        directory: PathBuf,
    },
    /// A file that an option names cannot be used.
    #[error("{option}={path}: {reason}")]
    File {
        /// The option's name.
        option: &'static str,
        /// The file as given.
        path: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The server does not answer, or not now.
    #[error("{server} cannot be used now: {reason}; start it, or correct the URL")]
    Unreachable {
        /// Which server, without user and password.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server refuses.
    #[error("{server} refuses: {reason}")]
    Denied {
        /// Which server, without user and password.
        server: String,
        /// What it says and what to do.
        reason: String,
    },
    /// A namespace's name that cannot be one.
    #[error("{name:?} is no namespace: use 1 to 64 letters, digits, '.', '_' or '-'")]
    Namespace {
        /// The name as given.
        name: String,
    },
}

/// Opens the backend that `url` names.
///
/// * `memory:` holds everything in this process's memory, and forgets it.
/// * `file:DIR` (also `file:///DIR`) holds it in files below a directory, which is
///   made if it is missing; a relative one is resolved now. The name is taken as it
///   stands up to a `?`; there is no percent-decoding.
///   `?sync=full` (the default) makes durable what is to be durable,
///   `?sync=none` leaves that to the operating system.
/// * `redis://[user:password@]host[:port][/database]` holds it in Redis; `rediss://` by
///   TLS (`?ca=FILE` names the certificates to trust in place of the system's,
///   `?cert=FILE&key=FILE` the client's own), `redis+unix:/socket` (with `?db=`,
///   `?user=`, `?password=`) by a socket of this machine, `redis+cluster://host:port,...`
///   and `rediss+cluster://` in a cluster, of which some nodes are named. User and
///   password are percent-decoded. `?durability=none` says that the server may lose
///   what it has acknowledged: nothing is warned about.
///
/// Unknown schemes and options are refused, not ignored. Call it within a tokio
/// runtime.
pub async fn open(url: &str) -> Result<Arc<dyn Backend>, OpenError> {
    open_with(url, true).await
}

/// Opens the backend that `url` names, which must be there already:
/// [`OpenError::Missing`] where [`open`] would make it. A directory that may only be read is
/// opened too, and refuses each write.
pub async fn open_existing(url: &str) -> Result<Arc<dyn Backend>, OpenError> {
    open_with(url, false).await
}

async fn open_with(url: &str, create: bool) -> Result<Arc<dyn Backend>, OpenError> {
    let scheme_error = || unknown_scheme(url);
    let place_error = |advice| OpenError::Place { url: shown(url), advice };
    let (scheme, rest) = url.split_once(':').ok_or_else(scheme_error)?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let options = ::url::form_urlencoded::parse(query.as_bytes());
    match scheme {
        "memory" => {
            if !place.is_empty() {
                return Err(place_error("memory: takes no path"));
            }
            if let Some((option, _)) = options.into_iter().next() {
                return Err(OpenError::Option {
                    scheme: "memory:",
                    option: option.into_owned(),
                    known: "it has none",
                });
            }
            Ok(Arc::new(MemoryBackend::new()))
        }
        "file" => {
            let directory = match place.strip_prefix("//") {
                None if !place.is_empty() => place,
                Some(absolute) if absolute.starts_with('/') => absolute,
                None => return Err(place_error("name a directory, as in file:data")),
                Some(_) => {
                    return Err(place_error("write file:DIR or file:///DIR, there are no hosts"));
                }
            };
            let mut file = FileOptions { create, ..FileOptions::default() };
            for (option, value) in options {
                if option != "sync" {
                    return Err(OpenError::Option {
                        scheme: "file:",
                        option: option.into_owned(),
                        known: "it has sync",
                    });
                }
                file.durability = match &*value {
                    "full" => Durability::Full,
                    "none" => Durability::None,
                    _ => {
                        return Err(OpenError::OptionValue {
                            option: "sync",
                            value: value.into_owned(),
                            known: "sync=full or sync=none",
                        });
                    }
                };
            }
            Ok(Arc::new(FileBackend::open(directory, file).await?))
        }
        "redis" | "rediss" | "redis+unix" | "redis+cluster" | "rediss+cluster" => {
            Ok(Arc::new(RedisBackend::open(url).await?))
        }
        _ => Err(scheme_error()),
    }
}

/// The error for a URL without a scheme that is known.
pub(super) fn unknown_scheme(url: &str) -> OpenError {
    // Who gives a path means a directory.
    let advice = match url.contains(':') || url.is_empty() {
        true => format!("there are {SCHEMES}"),
        false => format!("a directory is file:{url}; there are {SCHEMES}"),
    };
    OpenError::Scheme { url: shown(url), advice }
}

/// A URL as messages may show it: without user and password.
pub(super) fn shown(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut shown = match (place.find("://"), place.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}***{}", &place[..scheme + 3], &place[at..])
        }
        _ => place.to_string(),
    };
    for (index, option) in query.split('&').filter(|option| !option.is_empty()).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match option.split_once('=') {
            Some(("password", _)) => shown.push_str("password=***"),
            _ => shown.push_str(option),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: &str) -> String {
        match open(url).await {
            Ok(_) => panic!("{url} was opened"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn what_is_unknown_is_refused_by_name_with_what_there_is() {
        for (url, wanted) in [
            ("", "there are memory:, file:DIR, redis://HOST"),
            ("data", "\"data\" names no known kind of store: a directory is file:data;"),
            ("redid://x", "\"redid://x\" names no known kind"),
            ("memory:x", "memory: takes no path"),
            ("memory:?sync=none", "memory: has no option \"sync\": it has none"),
            ("file:", "as in file:data"),
            ("file:?sync=none", "as in file:data"),
            ("file://host/dir", "there are no hosts"),
            ("file:/tmp?sink=none", "no option \"sink\": it has sync"),
            (
                "file:/tmp?sync=maybe",
                "sync=\"maybe\" is not understood: write sync=full or sync=none",
            ),
        ] {
            let message = refusal(url).await;
            assert!(message.contains(wanted), "{url}: {message}");
            assert!(!message.contains('\n'), "{url}: {message}");
        }
    }

    #[test]
    fn a_message_shows_no_password() {
        for (url, wanted) in [
            ("redid://ann:hidden@host/1", "redid://***@host/1"),
            ("redis://:hid@den@host", "redis://***@host"),
            ("x:/s?db=1&password=hidden", "x:/s?db=1&password=***"),
            ("file:a@b", "file:a@b"),
            ("redis://host", "redis://host"),
        ] {
            assert_eq!(shown(url), wanted);
        }
    }

    #[tokio::test]
    async fn each_form_opens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        for url in [
            "memory:".to_string(),
            format!("file:{path}/a"),
            format!("file://{path}/a b%20"),
            format!("file:{path}/a?sync=none"),
            format!("file:{path}/a?sync=full"),
        ] {
            assert!(open(&url).await.is_ok(), "{url}");
        }
        assert!(directory.path().join("a b%20/data").is_dir());
    }

    #[tokio::test]
    async fn a_store_that_has_to_be_there_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("file:{}/typo", directory.path().display());
        let Err(error) = open_existing(&url).await else { panic!("it was opened") };
        assert!(matches!(error, OpenError::Missing { .. }), "{error}");
        assert!(!directory.path().join("typo").exists());
        open(&url).await.unwrap();
        open_existing(&url).await.unwrap();
    }
}
