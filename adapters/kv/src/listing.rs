//! A page of keys, out of all there are in whatever order. Pure.

use std::collections::BTreeSet;

use chunk_store::kv::{KeyPage, ListedKey};

/// The page that is being made. It holds one key more than it will give.
pub struct Listing<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    keys: BTreeSet<String>,
}

impl<'a> Listing<'a> {
    /// The first `limit` keys with the prefix behind the cursor, which is the last key of
    /// the page before.
    pub fn new(prefix: &'a str, cursor: Option<&'a str>, limit: u32) -> Self {
        Self { prefix, after: cursor, limit: limit as usize, keys: BTreeSet::new() }
    }

    /// Takes note of a key; those that come twice count once.
    pub fn offer(&mut self, key: String) {
        let behind = self.after.is_none_or(|after| key.as_str() > after);
        if behind && key.starts_with(self.prefix) {
            self.keys.insert(key);
            if self.keys.len() > self.limit + 1 {
                self.keys.pop_last();
            }
        }
    }

    /// The page, when all keys were offered.
    pub fn page(mut self) -> KeyPage {
        let more = self.keys.len() > self.limit;
        if more {
            self.keys.pop_last();
        }
        let cursor = self.keys.last().filter(|_| more).cloned();
        let keys = self.keys.into_iter().map(|key| ListedKey { key, summary: None });
        KeyPage { keys: keys.collect(), cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(all: &[&str], prefix: &str, cursor: Option<&str>, limit: u32) -> KeyPage {
        let mut listing = Listing::new(prefix, cursor, limit);
        all.iter().for_each(|key| listing.offer(key.to_string()));
        listing.page()
    }

    fn keys(page: &KeyPage) -> Vec<&str> {
        page.keys.iter().map(|listed| listed.key.as_str()).collect()
    }

    #[test]
    fn keys_come_in_order_each_once_with_the_prefix_only() {
        let listed = page(&["b/2", "a", "b/10", "b/2", "b", "c", "b/1"], "b/", None, 10);
        assert_eq!(keys(&listed), ["b/1", "b/10", "b/2"]);
        assert_eq!(listed.cursor, None);
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_and_the_last_has_no_cursor() {
        let all = ["e", "a", "d", "b", "c", "a", "f"];
        let mut cursor = None;
        let mut seen = Vec::new();
        loop {
            let listed = page(&all, "", cursor.as_deref(), 2);
            seen.extend(keys(&listed).into_iter().map(String::from));
            cursor = listed.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn what_is_kept_does_not_grow_with_the_keys_there_are() {
        let mut listing = Listing::new("", None, 3);
        for number in (0..1000).rev() {
            listing.offer(format!("{number:04}"));
            assert!(listing.keys.len() <= 4);
        }
        assert_eq!(keys(&listing.page()), ["0000", "0001", "0002"]);
    }
}
