//! A value's version, kept in an extended attribute of its file.
//!
//! So the file itself holds the value's bytes and nothing else, and the attribute,
//! set before the file gets its name, is never seen without its value. It reads
//! `1 <version>`: the form, and 32 hexadecimal digits drawn at random for each set. What
//! follows them is not looked at; there was an expiry once.
//!
//! The version of a file without it, one that was copied into the directory or that lies
//! on a file system without such attributes, is the BLAKE3 digest of its content.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use xattr::FileExt as _;

const NAME: &str = "user.chunk-store";

/// How much of a file is read at once to digest it.
const DIGEST_BYTES: usize = 256 << 10;

/// The version of an open file; `None` where it has no attribute.
///
/// One that cannot be read is an error: what a form to come says of its value, this version
/// would not heed.
pub(super) fn read(file: &File) -> Result<Option<String>, Error> {
    let Some(text) = file.get_xattr(NAME)? else { return Ok(None) };
    let version = parse(&text).ok_or_else(|| {
        let text = String::from_utf8_lossy(&text);
        let why = format!("the attribute {NAME} is {text:?}, which this version cannot read");
        Error::new(ErrorKind::Unsupported, why)
    })?;
    Ok(Some(version.to_string()))
}

fn parse(text: &[u8]) -> Option<&str> {
    let rest = str::from_utf8(text).ok()?.strip_prefix("1 ")?;
    let version = rest.split(' ').next()?;
    let is_one = version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(version)
}

/// Gives a version that nobody has drawn before to a file that has no name yet.
pub(super) fn write(file: &File) -> Result<(), Error> {
    file.set_xattr(NAME, format!("1 {}", random_name()?).as_bytes())
}

/// Whether the file system of `file`, an empty one, takes such attributes.
pub(super) fn are_supported(file: &File) -> Result<bool, Error> {
    match write(file) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::Unsupported | ErrorKind::PermissionDenied => Ok(false),
            // A full disk says nothing of the file system. Taking it for a no would give
            // values other versions.
            _ => Err(error),
        },
    }
}

/// Whether there may be such attributes where this file or directory lies.
pub(super) fn can_be_read(path: &Path) -> Result<bool, Error> {
    match xattr::get(path, NAME) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
        Err(error) => Err(error),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_form_is_read() {
        let version = "0123456789abcdef0123456789abcdef";
        for text in [format!("1 {version}"), format!("1 {version} -"), format!("1 {version} 17")] {
            assert_eq!(parse(text.as_bytes()), Some(version));
        }
        for text in ["", "1", "1 ", &format!("2 {version}"), &format!("1 {}", &version[1..])] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
