//! Listing: reads the directories that a [`Walk`] asks for.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use chunk_store::kv::{KeyPage, KvError};
use chunk_store_filesystem::walk::{Found, Step, Walk};

use super::errors::kv_error;

/// A page of at most `limit` keys with the prefix.
pub(super) fn list(
    data: &Path,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<KeyPage, KvError> {
    let mut walk = Walk::new(prefix, cursor, limit)?;
    loop {
        match walk.step() {
            Step::Page(page) => return Ok(page),
            Step::Read(directory) => {
                let path = data.join(directory.path());
                read(&mut walk, &directory, &path)
                    .map_err(|error| kv_error(&error, "list keys", &path))?;
            }
        }
    }
}

fn read(walk: &mut Walk<'_>, directory: &Found, path: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        // Emptied and removed since it was found, or a prefix without keys.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(found) = name.to_str().and_then(|name| walk.wants(directory, name)) else {
            continue;
        };
        let file_type = match entry.file_type() {
            Ok(file_type) => file_type,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if (found.is_value() && file_type.is_file()) || (!found.is_value() && file_type.is_dir()) {
            walk.find(found);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_no_key_has_are_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        fs::write(data.join("a"), "").unwrap();
        fs::create_dir(data.join("b+")).unwrap();
        fs::write(data.join("b+/c"), "").unwrap();
        fs::write(data.join("e+"), "").unwrap();
        fs::create_dir(data.join("f")).unwrap();
        fs::create_dir(data.join("plain")).unwrap();
        fs::write(data.join("plain/x"), "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", data.join("link")).unwrap();
        let page = list(data, "", None, 10).unwrap();
        let keys: Vec<_> = page.keys.into_iter().map(|listed| listed.key).collect();
        assert_eq!(keys, ["a", "b/c"]);
    }
}
