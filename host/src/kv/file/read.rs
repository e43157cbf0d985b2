//! Reading a value and its version. Reads take no lock and write nothing.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::Path;

use chunk_store::kv::{Condition, Entry, KvError};
use chunk_store::range::Span;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::Store;
use super::attribute;
use super::errors::kv_error;

/// An open value.
struct Value {
    file: File,
    bytes: u64,
    /// `None` where it has to be digested.
    version: Option<String>,
}

impl Store {
    /// The value of a key, or the part of it.
    pub(super) fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.read(&self.value_path(key), part)
            .map_err(|error| kv_error(&error, "read a value", &self.data))
    }

    fn read(&self, path: &Path, part: Option<Span>) -> Result<Option<Entry>, Error> {
        let Some(value) = self.open_value(path)? else {
            return Ok(None);
        };
        let span = part.unwrap_or(Span::new(0, value.bytes));
        let (start, end) = (span.start.min(value.bytes), span.end.min(value.bytes));
        let bytes = read_at(&value.file, start, (end - start) as usize)?;
        let version = match value.version {
            Some(version) => version,
            None if end - start == value.bytes => blake3::hash(&bytes).to_hex().to_string(),
            None => attribute::digest(&value.file, value.bytes)?,
        };
        Ok(Some(Entry { value: bytes.into(), version: Some(version) }))
    }

    /// Whether the condition holds of the value at `path`; lasting only under the
    /// key's lock.
    pub(super) fn holds(&self, path: &Path, condition: Option<&Condition>) -> Result<bool, Error> {
        let Some(condition) = condition else {
            return Ok(true);
        };
        let value = self.open_value(path)?;
        Ok(match (condition, value) {
            (Condition::Absent, value) => value.is_none(),
            (Condition::VersionIs(_), None) => false,
            (Condition::VersionIs(version), Some(value)) => match value.version {
                Some(current) => current == *version,
                None => attribute::digest(&value.file, value.bytes)? == *version,
            },
        })
    }

    fn open_value(&self, path: &Path) -> Result<Option<Value>, Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let version = match self.attributes {
            true => attribute::read(&file)?,
            false => None,
        };
        Ok(Some(Value { file, bytes: metadata.len(), version }))
    }
}

/// `count` bytes from `start`, read into memory that was not zeroed before.
fn read_at(file: &File, start: u64, count: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        let offset = start + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}
