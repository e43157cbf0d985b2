//! What can go wrong with a server, as kv errors that say what to do.

use std::error::Error;
use std::io;
use std::sync::Arc;

use chunk_store::kv::KvError;
use redis::{ErrorKind, RedisError, ServerError};

use super::super::OpenError;

/// Why a server did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There was no answer: what was asked for may have happened.
    Lost(String),
    /// The server said no, by its code and in its words.
    Refused { code: String, detail: String },
}

impl Trouble {
    /// An error that the server answered with.
    pub(super) fn of_server(error: &ServerError) -> Self {
        let detail = error.details().unwrap_or_default();
        Self::Refused { code: error.code().into(), detail: detail.into() }
    }

    /// An answer that Redis does not give.
    pub(super) fn odd() -> Self {
        Self::Refused { code: "ERR".into(), detail: "it does not answer as Redis does".into() }
    }

    /// A server of the wrong kind for the URL.
    pub(super) fn wrong_kind(detail: &str) -> Self {
        Self::Refused { code: KIND.into(), detail: detail.into() }
    }

    /// Whether the server did nothing and asks for the request elsewhere, or once
    /// more: for a slot that has moved the node's address, and whether only this once.
    pub(super) fn redirect(&self) -> Option<(&str, bool)> {
        let Self::Refused { code, detail } = self else { return None };
        let address = detail.split_ascii_whitespace().nth(1)?;
        match &**code {
            "MOVED" => Some((address, false)),
            "ASK" => Some((address, true)),
            _ => None,
        }
    }

    /// Whether the connection lacks a script.
    pub(super) fn lacks_script(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "NOSCRIPT")
    }

    /// What to do about errors that only whoever runs the server can end; `None` for
    /// those that may go by themselves.
    fn advice(&self) -> Option<&'static str> {
        let Self::Refused { code, detail } = self else { return None };
        Some(match &**code {
            "NOAUTH" | "WRONGPASS" | AUTHENTICATION => {
                "give a user and password that it accepts, as in redis://user:password@host"
            }
            "NOPERM" => "let this user run the commands that docs/redis.md lists, on keys cs:*",
            TLS => "name the certificates to trust as in rediss://host?ca=FILE",
            KIND => "for a cluster write redis+cluster://host:port,host:port",
            "ERR" if detail.contains("cluster support disabled") => {
                "for a server that is no cluster write redis://host"
            }
            "MISCONF" => "it cannot write to its own disk: free space there, see its log",
            "WRONGTYPE" => {
                "something else stands under a key that begins with cs: - use another database"
            }
            "OOM" => OUT_OF_MEMORY,
            _ if detail.contains("OOM command") => OUT_OF_MEMORY,
            "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" | "READONLY" | "MASTERDOWN" | "BUSY"
            | "MOVED" | "ASK" | "NOSCRIPT" | "NOREPLICAS" | "UNBLOCKED" => return None,
            _ if detail.contains("max number of clients") => return None,
            _ => "see docs/redis.md for what the server has to be",
        })
    }

    /// What happened and what to do, in one line.
    pub(super) fn reason(&self) -> String {
        let said = match self {
            Self::Lost(how) => how.clone(),
            // Not a code of the server's.
            Self::Refused { code, detail } if code == KIND || code == TLS => detail.clone(),
            Self::Refused { code, detail } => format!("{code} {detail}").trim().to_string(),
        };
        let said = said.split(['\r', '\n']).collect::<Vec<_>>().join(" ");
        match self.advice() {
            Some(advice) => format!("{said}; {advice}"),
            None => said,
        }
    }

    /// The error of an operation on the server at `place`: rejected is what only its
    /// owner can mend.
    pub(super) fn kv_error(&self, place: &str) -> KvError {
        let line = format!("redis at {place}: {}", self.reason());
        match self.advice() {
            Some(_) => KvError::Rejected(line),
            None => KvError::Unavailable(line),
        }
    }

    /// Why the server at `place` could not be opened.
    pub(super) fn open_error(&self, place: &str) -> OpenError {
        let server = format!("redis at {place}");
        match self.advice() {
            Some(_) => OpenError::Denied { server, reason: self.reason() },
            None => OpenError::Unreachable { server, reason: self.reason() },
        }
    }

    /// Whether trying again later cannot help.
    pub(super) fn is_final(&self) -> bool {
        self.advice().is_some()
    }
}

/// An answer of the wrong type.
pub(super) fn odd() -> KvError {
    KvError::Rejected("redis does not answer as it should; see docs/redis.md".into())
}

/// What the client library says in place of the server's `WRONGPASS`.
const AUTHENTICATION: &str = "AUTH";

/// In place of a code, where the server is not who it should be.
const TLS: &str = "TLS";

/// In place of a code, where the URL is another kind's.
const KIND: &str = "KIND";

const OUT_OF_MEMORY: &str = "raise its maxmemory or delete something";

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => {
                Self::Refused { code: AUTHENTICATION.into(), detail: "failed".into() }
            }
            ErrorKind::Io if error.is_timeout() => Self::Lost("no answer in time".into()),
            ErrorKind::Io if is_distrust(&error) => {
                Self::Refused { code: TLS.into(), detail: error.to_string() }
            }
            ErrorKind::Io => Self::Lost(error.to_string()),
            _ => match ServerError::try_from(error) {
                Ok(error) => Self::of_server(&error),
                // The library's own words; after an answer that it does not understand
                // the connection is given up.
                Err(error) => Self::Lost(error.to_string()),
            },
        }
    }
}

/// Whether the connection failed for the server's certificate, or for ours.
fn is_distrust(error: &RedisError) -> bool {
    // The library's source is its own pointer to the error, not the error.
    let inner =
        error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let tls = inner.and_then(|inner| inner.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, detail: &str) -> Trouble {
        Trouble::Refused { code: code.into(), detail: detail.into() }
    }

    #[test]
    fn an_error_says_whether_to_try_again() {
        for (code, detail, rejected) in [
            ("LOADING", "Redis is loading the dataset in memory", false),
            ("CLUSTERDOWN", "The cluster is down", false),
            ("TRYAGAIN", "Multiple keys request during rehashing of slot", false),
            ("READONLY", "You can't write against a read only replica.", false),
            ("BUSY", "Redis is busy running a script.", false),
            ("ERR", "max number of clients reached", false),
            ("OOM", "command not allowed when used memory > 'maxmemory'.", true),
            ("ERR", "Error running script: -OOM command not allowed", true),
            ("NOAUTH", "Authentication required.", true),
            ("WRONGPASS", "invalid username-password pair or user is disabled.", true),
            ("NOPERM", "this user has no permissions to run the 'set' command", true),
            ("WRONGTYPE", "Operation against a key holding the wrong kind of value", true),
            ("MISCONF", "Errors writing to the AOF file: No space left on device", true),
        ] {
            let error = refused(code, detail).kv_error("host:1");
            assert_eq!(matches!(error, KvError::Rejected(_)), rejected, "{code}: {error}");
            let line = error.to_string();
            assert!(line.starts_with(&format!("redis at host:1: {code} ")), "{line}");
            assert!(!rejected || line.contains("; "), "it says what to do: {line}");
        }
        let lost = Trouble::Lost("broken\r\npipe".into()).kv_error("host:1");
        assert_eq!(lost, KvError::Unavailable("redis at host:1: broken  pipe".into()));
    }

    #[test]
    fn a_moved_slot_names_its_node() {
        let moved = refused("MOVED", "3999 127.0.0.1:6381");
        assert_eq!(moved.redirect(), Some(("127.0.0.1:6381", false)));
        let ask = refused("ASK", "3999 127.0.0.1:6381");
        assert_eq!(ask.redirect(), Some(("127.0.0.1:6381", true)));
        assert_eq!(refused("TRYAGAIN", "a b c").redirect(), None);
    }
}
