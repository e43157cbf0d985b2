//! A value's version and expiry, kept in one extended attribute of its file.
//!
//! So the file itself holds the value's bytes and nothing else, and the attribute,
//! set before the file gets its name, is never seen without its value. It reads
//! `1 <version> <expiry>`: the form, 32 hexadecimal digits drawn at random for each
//! set, and milliseconds since 1970 or `-` for never.
//!
//! A file without it, one that was copied into the directory or that lies on a file
//! system without such attributes, never expires; its version is the BLAKE3 digest
//! of its content.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xattr::FileExt as _;

const NAME: &str = "user.chunk-store";

/// How much of a file is read at once to digest it.
const DIGEST_BYTES: usize = 256 << 10;

/// Version and expiry of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Differs between any two sets.
    pub(super) version: String,
    /// When the value ends, in milliseconds since 1970; `None` if never.
    pub(super) expires_ms: Option<u64>,
}

impl Attribute {
    /// That of a value set now, which lives for so many seconds.
    pub(super) fn new(ttl_seconds: Option<u32>) -> Result<Self, Error> {
        Ok(Self {
            version: random_name()?,
            expires_ms: ttl_seconds.map(|seconds| now_ms() + u64::from(seconds) * 1000),
        })
    }

    /// That of an open file; `None` where it has none.
    ///
    /// One that cannot be read is an error: to take the value for one that never
    /// expires would be a guess.
    pub(super) fn read(file: &File) -> Result<Option<Self>, Error> {
        Self::found(file.get_xattr(NAME)?)
    }

    /// That of the file at `path`, as [`read`](Self::read) gives it.
    pub(super) fn at(path: &Path) -> Result<Option<Self>, Error> {
        Self::found(xattr::get(path, NAME)?)
    }

    fn found(text: Option<Vec<u8>>) -> Result<Option<Self>, Error> {
        let Some(text) = text else {
            return Ok(None);
        };
        match Self::parse(&text) {
            Some(attribute) => Ok(Some(attribute)),
            None => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the attribute {NAME} is {:?}, which this version cannot read",
                    String::from_utf8_lossy(&text)
                ),
            )),
        }
    }

    /// Gives it to a file that has no name yet.
    pub(super) fn write(&self, file: &File) -> Result<(), Error> {
        let expires = match self.expires_ms {
            Some(ms) => ms.to_string(),
            None => "-".into(),
        };
        file.set_xattr(NAME, format!("1 {} {expires}", self.version).as_bytes())
    }

    /// For how long the value has been over; `None` if it is not.
    pub(super) fn expired_since(&self) -> Option<Duration> {
        now_ms().checked_sub(self.expires_ms?).map(Duration::from_millis)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (version, expires) = text.strip_prefix("1 ")?.split_once(' ')?;
        if version.len() != 32 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        Some(Self {
            version: version.into(),
            expires_ms: match expires {
                "-" => None,
                ms => Some(ms.parse().ok()?),
            },
        })
    }
}

/// Whether the file system of `file`, an empty one, takes such attributes.
pub(super) fn are_supported(file: &File) -> Result<bool, Error> {
    let probe = Attribute { version: "0".repeat(32), expires_ms: None };
    match probe.write(file) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::Unsupported | ErrorKind::PermissionDenied => Ok(false),
            // A full disk says nothing of the file system. Taking it for a no
            // would show values again that have expired.
            _ => Err(error),
        },
    }
}

/// The version of a value without the attribute: the digest of its `size` bytes.
pub(super) fn digest(file: &File, size: u64) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; DIGEST_BYTES.min(size as usize)];
    let mut offset = 0;
    while offset < size {
        let bytes = (size - offset).min(buffer.len() as u64) as usize;
        file.read_exact_at(&mut buffer[..bytes], offset)?;
        hasher.update(&buffer[..bytes]);
        offset += bytes as u64;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// 32 hexadecimal digits that nobody has drawn before.
pub(super) fn random_name() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Error::other)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn now_ms() -> u64 {
    // A clock before 1970 expires nothing.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_form_is_read() {
        let version = "0123456789abcdef0123456789abcdef";
        let read = |text: String| Attribute::parse(text.as_bytes()).map(|read| read.expires_ms);
        assert_eq!(read(format!("1 {version} -")), Some(None));
        assert_eq!(read(format!("1 {version} 17")), Some(Some(17)));
        for text in [
            String::new(),
            format!("2 {version} -"),
            format!("1 {version}"),
            format!("1 {version} "),
            format!("1 {version} -1"),
            format!("1 {version} 1 2"),
            format!("1 {} -", &version[1..]),
        ] {
            assert_eq!(read(text.clone()), None, "{text}");
        }
    }
}
