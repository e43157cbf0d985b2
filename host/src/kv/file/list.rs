//! Listing: a walk over the directories in the keys' byte order.
//!
//! The order of names in a directory is not that of the keys below them (`a+/b` is
//! the key `a/b`, which comes before the key `a0` and after `a.`), so the walk keeps
//! what it has found ordered by the smallest key that may lie there, takes the
//! smallest, lists it if it is a value, and looks into it if it is a directory.
//!
//! What it holds is bounded: of a huge directory it keeps the smallest, and ends
//! the page where the ones that it let go of begin. A value that stands all the
//! while is listed, whatever comes and goes beside it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use chunk_store::kv::{KeyPage, KvError, ListedKey};

use super::errors::kv_error;
use super::names::{self, Name};

/// Most entries that a walk remembers at once.
const ENTRIES_MAX: usize = 8192;

/// Where a page begins. As a cursor: `a` and the key after which, or `f` and the
/// key from which on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start<'a> {
    After(&'a str),
    At(&'a str),
}

impl<'a> Start<'a> {
    fn parse(cursor: Option<&'a str>) -> Option<Self> {
        match cursor {
            None => Some(Start::At("")),
            Some(cursor) => match cursor.strip_prefix('a') {
                Some(key) => Some(Start::After(key)),
                None => cursor.strip_prefix('f').map(Start::At),
            },
        }
    }

    /// Whether the page may hold this key.
    fn includes(self, key: &str) -> bool {
        match self {
            Start::After(last) => key > last,
            Start::At(first) => key >= first,
        }
    }

    /// Whether the page may hold a key that begins like this.
    fn reaches(self, beginning: &str) -> bool {
        let (Start::After(key) | Start::At(key)) = self;
        beginning > key || key.starts_with(beginning)
    }
}

/// An entry of a directory, ordered by the smallest key that it may hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    /// The value's key, or what all keys in the directory begin with.
    key: String,
    is_value: bool,
    /// Below `data/`.
    path: String,
}

struct Walk<'a> {
    data: &'a Path,
    prefix: &'a str,
    from: Start<'a>,
    entries_max: usize,
    found: BTreeSet<Found>,
    /// The smallest key that may lie in what was let go of.
    horizon: Option<String>,
}

/// A page of at most `limit` keys with the prefix.
pub(super) fn list(
    data: &Path,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<KeyPage, KvError> {
    list_within(data, prefix, cursor, limit, ENTRIES_MAX)
}

fn list_within(
    data: &Path,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
    entries_max: usize,
) -> Result<KeyPage, KvError> {
    let from = Start::parse(cursor).ok_or_else(|| {
        KvError::Rejected("the cursor is not one that a listing here returned".into())
    })?;
    let (path, known) = names::directory_path(prefix);
    let root = Found { key: known.into(), is_value: false, path };
    let mut walk =
        Walk { data, prefix, from, entries_max, found: BTreeSet::from([root]), horizon: None };
    walk.page(limit)
}

impl Walk<'_> {
    fn page(&mut self, limit: usize) -> Result<KeyPage, KvError> {
        let mut keys: Vec<ListedKey> = Vec::new();
        while let Some(next) = self.found.pop_first() {
            if self.horizon.as_ref().is_some_and(|end| next.key >= *end) {
                break;
            }
            if !next.is_value {
                self.expand(&next)
                    .map_err(|error| kv_error(&error, "list keys", &self.data.join(&next.path)))?;
                continue;
            }
            if keys.len() == limit {
                let last = keys.last().map(|last| format!("a{}", last.key));
                return Ok(KeyPage { keys, cursor: last });
            }
            keys.push(ListedKey { key: next.key, summary: None });
        }
        let cursor = self.horizon.take().map(|end| format!("f{end}"));
        Ok(KeyPage { keys, cursor })
    }

    fn expand(&mut self, directory: &Found) -> Result<(), Error> {
        let entries = match fs::read_dir(self.data.join(&directory.path)) {
            Ok(entries) => entries,
            // Emptied and removed since it was found, or a prefix without keys.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let (text, is_value) = match names::decode(name) {
                Some(Name::Value(text)) => (text, true),
                Some(Name::Directory(text)) => (text, false),
                None => continue,
            };
            let key = format!("{}{text}", directory.key);
            if !self.wants(&key, is_value) {
                continue;
            }
            let file_type = match entry.file_type() {
                Ok(file_type) => file_type,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let path = match directory.path.as_str() {
                "" => name.into(),
                parent => format!("{parent}/{name}"),
            };
            // Of several names that read as one key, one is the key's.
            let is_ours = match is_value {
                true => file_type.is_file() && names::value_path(&key) == path,
                false => file_type.is_dir(),
            };
            if is_ours {
                self.remember(Found { key, is_value, path });
            }
        }
        Ok(())
    }

    /// Whether the page may hold this key, or one in the directory that begins so.
    fn wants(&self, key: &str, is_value: bool) -> bool {
        if self.horizon.as_ref().is_some_and(|end| key >= end.as_str()) {
            return false;
        }
        match is_value {
            true => key.starts_with(self.prefix) && self.from.includes(key),
            false => {
                (key.starts_with(self.prefix) || self.prefix.starts_with(key))
                    && self.from.reaches(key)
            }
        }
    }

    fn remember(&mut self, found: Found) {
        self.found.insert(found);
        if self.found.len() > self.entries_max {
            let last = self.found.pop_last().expect("it has more than one");
            // What was let go of before lay at or after the old horizon, and
            // nothing there was remembered since.
            self.horizon = Some(last.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn store(keys: &BTreeSet<String>) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for key in keys {
            let path = directory.path().join(names::value_path(key));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        directory
    }

    fn list_all(data: &Path, prefix: &str, limit: usize, entries_max: usize) -> Vec<String> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        for _ in 0..10_000 {
            let page = list_within(data, prefix, cursor.as_deref(), limit, entries_max).unwrap();
            assert!(page.keys.len() <= limit);
            keys.extend(page.keys.into_iter().map(|listed| listed.key));
            cursor = page.cursor;
            if cursor.is_none() {
                return keys;
            }
        }
        panic!("the listing has no end");
    }

    #[test]
    fn files_that_no_key_has_are_ignored() {
        let directory = store(&["a", "b/c"].map(String::from).into());
        let data = directory.path();
        fs::write(data.join("%41"), "").unwrap();
        fs::write(data.join("%zz"), "").unwrap();
        fs::write(data.join("e+"), "").unwrap();
        fs::create_dir(data.join("plain")).unwrap();
        fs::create_dir(data.join("%62+")).unwrap();
        fs::write(data.join("%62+/c"), "").unwrap();
        fs::create_dir(data.join("short%")).unwrap();
        fs::write(data.join("short%/x"), "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", data.join("link")).unwrap();
        assert_eq!(list_all(data, "", 10, 100), ["a", "b/c"]);
    }

    #[test]
    fn a_cursor_of_another_kind_is_rejected() {
        let directory = store(&BTreeSet::new());
        for cursor in ["", "x", "é"] {
            let page = list(directory.path(), "", Some(cursor), 1);
            assert!(matches!(page, Err(KvError::Rejected(_))), "{cursor}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn the_walk_is_in_byte_order(
            keys in prop::collection::btree_set("([a./%+!~é]{1,6}|[ab]{239,242}[a./]{0,4})", 0..40),
            prefix in "([a./%]{0,3}|a{238,241})",
            limit in 1usize..5,
            entries_max in 2usize..9,
        ) {
            let directory = store(&keys);
            let wanted: Vec<&String> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
            let listed = list_all(directory.path(), &prefix, limit, ENTRIES_MAX);
            prop_assert_eq!(&listed.iter().collect::<Vec<_>>(), &wanted);
            let bounded = list_all(directory.path(), &prefix, limit, entries_max);
            prop_assert_eq!(&bounded.iter().collect::<Vec<_>>(), &wanted);
        }
    }
}
