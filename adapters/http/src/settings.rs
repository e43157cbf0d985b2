//! What whoever runs the server decides, read from names and values such as those of
//! environment variables. Pure.
//!
//! | name | value | without it |
//! |---|---|---|
//! | `CHUNK_STORE_HTTP_TOKEN` | what `Authorization: Bearer` has to give, 16 to 512 characters of `A-Z a-z 0-9 - . _ ~ + /` and `=` | objects can be read by anyone, and nothing else |
//! | `CHUNK_STORE_HTTP_PUBLIC_READ` | `true`: objects can be read without the token | the token, or a signed link |
//! | `CHUNK_STORE_HTTP_READ_ONLY` | `true`: nothing can be written | |
//! | `CHUNK_STORE_HTTP_OPEN` | `true`: everything without a token; for a server that listens on loopback only | |
//! | `CHUNK_STORE_HTTP_CORS` | `*`, or origins such as `https://example.org`, with commas or spaces between | pages of other origins cannot read answers |

use std::fmt;

use crate::limits::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN};
use crate::links::LinkKey;

/// What the names of all settings begin with. Other names are not looked at.
pub const SETTING_PREFIX: &str = "CHUNK_STORE_HTTP_";

/// How a gateway is to behave. The default takes no writes and answers nothing under
/// `/_/` but its health; anyone may read objects.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What callers have to know; `None` leaves reading to anyone and refuses the rest,
    /// unless `open`.
    pub token: Option<Token>,
    /// Whether objects can be read without the token.
    pub public_read: bool,
    /// Whether every write is refused.
    pub read_only: bool,
    /// Whether callers without a token may do everything: where no token is set and the
    /// server listens on loopback only.
    pub open: bool,
    /// Whose pages may read answers.
    pub origins: Origins,
}

/// The origins whose pages may read answers (CORS).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// None but the server's own.
    #[default]
    Own,
    /// All.
    Any,
    /// These, each as `scheme://host` or `scheme://host:port` in lower case.
    Listed(Vec<String>),
}

impl Origins {
    /// Whether pages of an origin, as its browser sends it, may read answers.
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            Origins::Own => false,
            Origins::Any => true,
            Origins::Listed(origins) => origins.iter().any(|one| one == origin),
        }
    }
}

/// A token, kept as digests: what it is cannot be printed, and comparing takes the same
/// time whatever is given.
#[derive(Clone)]
pub struct Token {
    digest: blake3::Hash,
    pub(crate) link_key: LinkKey,
}

impl Token {
    /// Takes a token that a `Bearer` header can carry (RFC 6750, section 2.1), of 16 to
    /// 512 characters; says in one line why not.
    pub fn new(token: &str) -> Result<Self, String> {
        if token.len() < TOKEN_BYTES_MIN || token.len() > TOKEN_BYTES_MAX {
            return Err(format!(
                "the token has {} characters; give {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX}",
                token.len()
            ));
        }
        let body = token.trim_end_matches('=');
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
        if body.is_empty() || !body.bytes().all(fits) {
            return Err("the token holds characters that a header cannot carry; \
                        take letters, digits and any of -._~+/"
                .to_string());
        }
        Ok(Self { digest: blake3::hash(token.as_bytes()), link_key: LinkKey::of(token) })
    }

    /// Whether it is the one given, in constant time.
    pub(crate) fn is(&self, given: &str) -> bool {
        // Equality of `blake3::Hash` takes constant time.
        self.digest == blake3::hash(given.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Settings {
    /// Reads settings from names and values; names without [`SETTING_PREFIX`] are not
    /// looked at. An unknown name, or a value that means nothing, is refused in one line:
    /// a misspelt `READ_ONLY` must not leave a store open.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref().trim());
            if let Some(setting) = name.strip_prefix(SETTING_PREFIX) {
                settings.set(setting, value).map_err(|why| format!("{name}: {why}"))?;
            }
        }
        if settings.open && settings.token.is_some() {
            return Err(format!(
                "{SETTING_PREFIX}OPEN and {SETTING_PREFIX}TOKEN contradict each other; set one"
            ));
        }
        Ok(settings)
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<(), String> {
        match setting {
            "TOKEN" => self.token = Some(Token::new(value)?),
            "PUBLIC_READ" => self.public_read = parse_flag(value)?,
            "READ_ONLY" => self.read_only = parse_flag(value)?,
            "OPEN" => self.open = parse_flag(value)?,
            "CORS" => self.origins = origins(value)?,
            _ => {
                return Err("there is no such setting; there are TOKEN, PUBLIC_READ, READ_ONLY, \
                            OPEN and CORS"
                    .to_string());
            }
        }
        Ok(())
    }
}

/// Reads the value of a setting that is on or off: `true` or `1`; `false`, `0` or nothing.
pub fn parse_flag(value: &str) -> Result<bool, String> {
    match value.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(format!("{value:?} is not understood; write true or false")),
    }
}

fn origins(value: &str) -> Result<Origins, String> {
    let given: Vec<&str> =
        value.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()).collect();
    match given[..] {
        [] => Ok(Origins::Own),
        ["*"] => Ok(Origins::Any),
        _ => {
            let origins: Result<Vec<String>, String> = given.into_iter().map(origin).collect();
            Ok(Origins::Listed(origins?))
        }
    }
}

/// An origin as browsers send it (RFC 6454, section 6.2), in lower case.
fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no origin; write one like https://example.org");
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let authority: http::uri::Authority = authority.parse().map_err(|_| wrong())?;
    if !scheme_fits || authority.host().is_empty() || authority.as_str().contains(['@', '*']) {
        return Err(wrong());
    }
    Ok(lower)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::parse(
            pairs.iter().map(|(name, value)| (format!("{SETTING_PREFIX}{name}"), value)),
        )
    }

    #[test]
    fn nothing_set_takes_no_writes() {
        let settings = Settings::parse([("PATH", "/bin"), ("CHUNK_STORE_KV", "x")]).unwrap();
        assert!(settings.token.is_none() && !settings.open);
        assert_eq!(settings.origins, Origins::Own);
    }

    #[test]
    fn each_setting_is_read() {
        let settings = parse(&[
            ("TOKEN", TOKEN),
            ("PUBLIC_READ", "true"),
            ("READ_ONLY", "1"),
            ("CORS", "https://a.example, http://Localhost:5173"),
        ])
        .unwrap();
        assert!(settings.token.as_ref().unwrap().is(TOKEN));
        assert!(settings.public_read && settings.read_only && !settings.open);
        assert!(settings.origins.allows("http://localhost:5173"));
        assert!(!settings.origins.allows("https://b.example"));
        assert!(parse(&[("CORS", "*")]).unwrap().origins.allows("null"));
        assert!(parse(&[("OPEN", "true")]).unwrap().open);
    }

    #[test]
    fn what_means_nothing_is_refused_in_one_line() {
        for (pairs, part) in [
            (&[("READONLY", "1")][..], "no such setting"),
            (&[("READ_ONLY", "yes")], "true or false"),
            (&[("TOKEN", "short")], "16 to 512"),
            (&[("TOKEN", "0123456789 abcdef")], "cannot carry"),
            (&[("TOKEN", "================")], "cannot carry"),
            (&[("CORS", "example.org")], "no origin"),
            (&[("CORS", "https://a.example/")], "no origin"),
            (&[("CORS", "https://*.example")], "no origin"),
            (&[("TOKEN", TOKEN), ("OPEN", "1")], "contradict"),
        ] {
            let error = parse(pairs).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
            assert!(error.contains(SETTING_PREFIX), "{error}");
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let settings = parse(&[("TOKEN", TOKEN)]).unwrap();
        assert!(!format!("{settings:?}").contains(TOKEN));
    }

    proptest! {
        #[test]
        fn any_value_is_read_or_refused(name in "[A-Z_]{0,12}", value in "\\PC{0,80}") {
            for name in [&name[..], "TOKEN", "CORS", "OPEN"] {
                if let Err(line) = parse(&[(name, &value)]) {
                    prop_assert!(!line.contains('\n'));
                }
            }
        }
    }
}
