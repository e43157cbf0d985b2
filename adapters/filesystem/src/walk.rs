//! Listing: a walk over the directories in the keys' byte order. Pure: whoever walks reads
//! the directories that it asks for.
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

use chunk_store::kv::{KeyPage, KvError, ListedKey};

use crate::names::{self, Name};

/// Most entries that a walk remembers at once.
const ENTRIES_MAX: usize = 8192;

/// Where a page begins. As a cursor: `a` and the key after which, or `f` and the
/// key from which on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    After(String),
    At(String),
}

impl Start {
    fn parse(cursor: Option<&str>) -> Option<Self> {
        let Some(cursor) = cursor else { return Some(Self::At(String::new())) };
        match cursor.strip_prefix('a') {
            Some(key) => Some(Self::After(key.into())),
            None => cursor.strip_prefix('f').map(|key| Self::At(key.into())),
        }
    }

    /// Whether the page may hold this key.
    fn includes(&self, key: &str) -> bool {
        match self {
            Self::After(last) => key > last.as_str(),
            Self::At(first) => key >= first.as_str(),
        }
    }

    /// Whether the page may hold a key that begins like this.
    fn reaches(&self, beginning: &str) -> bool {
        let (Self::After(key) | Self::At(key)) = self;
        beginning > key.as_str() || key.starts_with(beginning)
    }
}

/// An entry of a directory, ordered by the smallest key that it may hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The value's key, or what all keys in the directory begin with.
    key: String,
    is_value: bool,
    /// Below `data/`; empty for that one itself.
    path: String,
}

impl Found {
    /// Whether it is a value, which has to be a file; else it has to be a directory.
    pub fn is_value(&self) -> bool {
        self.is_value
    }

    /// Its path below `data/`; empty for that one itself.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// What a walk needs next.
#[derive(Debug)]
pub enum Step {
    /// Every entry of this directory: [`Walk::wants`] says which are to be found. It may be
    /// gone, with all values in it.
    Read(Found),
    /// Nothing: this is the page. Another step goes on to the next, with what was found
    /// already: see [`Walk::has_left_of`].
    Page(KeyPage),
}

/// A walk for a page, and for those behind it while what it has found stays true.
#[derive(Debug)]
pub struct Walk {
    prefix: String,
    from: Start,
    limit: usize,
    entries_max: usize,
    found: BTreeSet<Found>,
    /// The smallest key that may lie in what was let go of.
    horizon: Option<String>,
    keys: Vec<ListedKey>,
}

impl Walk {
    /// A walk for a page of at most `limit` keys with the prefix.
    pub fn new(prefix: &str, cursor: Option<&str>, limit: usize) -> Result<Self, KvError> {
        Self::within(prefix, cursor, limit, ENTRIES_MAX)
    }

    fn within(
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
        entries_max: usize,
    ) -> Result<Self, KvError> {
        let from = Start::parse(cursor).ok_or_else(|| {
            KvError::Rejected("the cursor is not one that a listing here returned".into())
        })?;
        let (path, known) = names::directory_path(prefix);
        let root = Found { key: known.into(), is_value: false, path };
        let found = BTreeSet::from([root]);
        let (prefix, keys) = (prefix.into(), Vec::new());
        Ok(Self { prefix, from, limit, entries_max, found, horizon: None, keys })
    }

    /// Whether something that was found in this directory is still to come. The walk may go on
    /// to another page as long as all directories of which it has something left are as they
    /// were when it read them, and it has something left at all.
    pub fn has_left_of(&self, directory: &Found) -> bool {
        self.found.first().is_some_and(|next| next.key.starts_with(&directory.key))
    }

    /// Says how many keys the next page has at most.
    pub fn limit_to(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Goes on to the next directory, or to the end.
    pub fn step(&mut self) -> Step {
        while let Some(next) = self.found.pop_first() {
            if self.horizon.as_ref().is_some_and(|end| next.key >= *end) {
                break;
            }
            if !next.is_value {
                return Step::Read(next);
            }
            if self.keys.len() == self.limit {
                self.found.insert(next);
                let cursor = self.keys.last().map(|last| format!("a{}", last.key));
                return Step::Page(KeyPage { keys: std::mem::take(&mut self.keys), cursor });
            }
            self.keys.push(ListedKey { key: next.key, summary: None });
        }
        self.found.clear();
        let cursor = self.horizon.take().map(|end| format!("f{end}"));
        Step::Page(KeyPage { keys: std::mem::take(&mut self.keys), cursor })
    }

    /// What the entry with this name in `directory` would be, if the page may hold it. If
    /// its [type](Found::is_value) is right, it is to be [found](Walk::find).
    pub fn wants(&self, directory: &Found, name: &str) -> Option<Found> {
        let (text, is_value) = match names::decode(name)? {
            Name::Value(text) => (text, true),
            Name::Directory(text) => (text, false),
        };
        let key = format!("{}{text}", directory.key);
        if !self.may_hold(&key, is_value) {
            return None;
        }
        let path = match directory.path.as_str() {
            "" => name.into(),
            parent => format!("{parent}/{name}"),
        };
        // Of several names that read as one key, one is the key's.
        (!is_value || names::value_path(&key) == path).then_some(Found { key, is_value, path })
    }

    /// Whether the page may hold this key, or one in the directory that begins so.
    fn may_hold(&self, key: &str, is_value: bool) -> bool {
        if self.horizon.as_ref().is_some_and(|end| key >= end.as_str()) {
            return false;
        }
        match is_value {
            true => key.starts_with(&self.prefix) && self.from.includes(key),
            false => {
                (key.starts_with(&self.prefix) || self.prefix.starts_with(key))
                    && self.from.reaches(key)
            }
        }
    }

    /// Takes note of what was found; once more does no harm.
    pub fn find(&mut self, found: Found) {
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

    /// Paths of files, below `data/`.
    type Files = BTreeSet<String>;

    /// Names in a directory, and which are files.
    fn entries<'a>(files: &'a Files, directory: &str) -> BTreeSet<(&'a str, bool)> {
        let below = match directory {
            "" => String::new(),
            path => format!("{path}/"),
        };
        let names = files.iter().filter_map(|path| {
            let rest = path.strip_prefix(&below)?;
            Some(rest.split_once('/').map_or((rest, true), |(name, _)| (name, false)))
        });
        names.collect()
    }

    fn page(
        files: &Files,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
        entries_max: usize,
    ) -> KeyPage {
        page_of(files, &mut Walk::within(prefix, cursor, limit, entries_max).unwrap())
    }

    fn page_of(files: &Files, walk: &mut Walk) -> KeyPage {
        loop {
            let directory = match walk.step() {
                Step::Read(directory) => directory,
                Step::Page(page) => return page,
            };
            for (name, is_file) in entries(files, directory.path()) {
                if let Some(found) = walk.wants(&directory, name)
                    && found.is_value() == is_file
                {
                    walk.find(found);
                }
            }
        }
    }

    fn list_all(files: &Files, prefix: &str, limit: usize, entries_max: usize) -> Vec<String> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        for _ in 0..10_000 {
            let page = page(files, prefix, cursor.as_deref(), limit, entries_max);
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
        let files = ["a", "b+/c", "%41", "%zz", "e+", "plain/x", "%62+/c", "short%/x"];
        let files: Files = files.map(String::from).into();
        assert_eq!(list_all(&files, "", 10, 100), ["a", "b/c"]);
    }

    #[test]
    fn a_cursor_of_another_kind_is_rejected() {
        for cursor in ["", "x", "é"] {
            let walk = Walk::new("", Some(cursor), 1);
            assert!(matches!(walk, Err(KvError::Rejected(_))), "{cursor}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn the_walk_is_in_byte_order(
            keys in prop::collection::btree_set("([a./%+!~é]{1,6}|[ab]{239,242}[a./]{0,4})", 0..40),
            prefix in "([a./%]{0,3}|a{238,241})",
            limit in 1usize..5,
            entries_max in 2usize..9,
        ) {
            let files: Files = keys.iter().map(|key| names::value_path(key)).collect();
            let wanted: Vec<&String> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
            let listed = list_all(&files, &prefix, limit, ENTRIES_MAX);
            prop_assert_eq!(&listed.iter().collect::<Vec<_>>(), &wanted);
            let bounded = list_all(&files, &prefix, limit, entries_max);
            prop_assert_eq!(&bounded.iter().collect::<Vec<_>>(), &wanted);
        }

        #[test]
        fn a_walk_that_goes_on_gives_what_a_new_one_would(
            keys in prop::collection::btree_set("[a./%+!~é]{1,6}", 0..40),
            limits in prop::collection::vec(1usize..5, 1..5),
            entries_max in 2usize..40,
        ) {
            let files: Files = keys.iter().map(|key| names::value_path(key)).collect();
            let mut walk = Walk::within("", None, 1, entries_max).unwrap();
            let mut cursor = None;
            for limit in limits.into_iter().cycle() {
                walk.limit_to(limit);
                let went_on = page_of(&files, &mut walk);
                let new = page(&files, "", cursor.as_deref(), limit, ENTRIES_MAX);
                // It may end sooner, where it has let go of what it found.
                prop_assert!(new.keys.starts_with(&went_on.keys));
                match went_on.cursor {
                    None => {
                        prop_assert_eq!(new.cursor, None);
                        break;
                    }
                    Some(next) => {
                        if next.starts_with('f') {
                            walk = Walk::within("", Some(&next), 1, entries_max).unwrap();
                        }
                        cursor = Some(next);
                    }
                }
            }
        }
    }
}
