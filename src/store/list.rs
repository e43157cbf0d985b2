//! Listing objects: a page of kv keys at a time, rolled up by a delimiter.

use std::cell::Cell;

use futures::FutureExt;

use super::Store;
use super::at_once::at_once;
use crate::clock::Clock;
use crate::error::Error;
use crate::json;
use crate::key::MANIFEST_PREFIX;
use crate::kv::{Kv, ListedKey};
use crate::limits::{LIST_KV_PAGES_MAX, LIST_LIMIT_MAX};
use crate::manifest::has_expired;
use crate::metrics::On;
use crate::object::{ListOptions, ListedObject, ObjectPage, ObjectSummary};
use crate::pacing;

/// Where a listing goes on: behind a page of kv, and behind the prefix that was
/// rolled up last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cursor {
    kv: Option<String>,
    rolled_up: Option<String>,
}

impl Cursor {
    /// `<length of the kv cursor>:<kv cursor><rolled up prefix>`.
    fn encode(&self) -> String {
        let kv = self.kv.as_deref().unwrap_or_default();
        format!("{}:{kv}{}", kv.len(), self.rolled_up.as_deref().unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        let (length, rest) = text.split_once(':')?;
        let (kv, rolled_up) = rest.split_at_checked(length.parse().ok()?)?;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_string());
        Some(Self { kv: given(kv), rolled_up: given(rolled_up) })
    }
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// Objects whose keys have the prefix, in ascending byte order of the key.
    pub async fn list(&self, options: &ListOptions) -> Result<ObjectPage, Error> {
        self.counted("list", On::Key(&options.prefix), async {
            check_options(options)?;
            let mut cursor = match &options.cursor {
                None => Cursor::default(),
                Some(text) => Cursor::decode(text).ok_or_else(|| {
                    Error::InvalidArgument("the cursor is not from this store".into())
                })?,
            };
            let mut page = ObjectPage::default();
            let prefix = format!("{MANIFEST_PREFIX}{}", options.prefix);
            for _ in 0..LIST_KV_PAGES_MAX {
                let taken = page.objects.len() + page.prefixes.len();
                let left = options.limit - taken as u32;
                let keys = self.kv().list_keys(&prefix, cursor.kv.as_deref(), left).await?;
                cursor.kv = keys.cursor;
                let listed = roll_up(keys.keys, options, &mut cursor.rolled_up, &mut page.prefixes);
                page.objects.extend(self.describe(listed, options.details).await);
                if cursor.kv.is_none() {
                    return Ok(page);
                }
                if page.objects.len() + page.prefixes.len() >= options.limit as usize {
                    break;
                }
            }
            page.cursor = Some(cursor.encode());
            Ok(page)
        })
        .await
    }

    /// What can be said of each key; those known to have expired are left out.
    async fn describe(&self, keys: Vec<ListedKey>, details: bool) -> Vec<ListedObject> {
        let now = self.clock().wall_ms();
        let depth = pacing::depth(&self.limits());
        let described: Vec<_> = keys.iter().map(|_| Cell::new(None)).collect();
        let mut jobs = keys.into_iter().zip(&described).map(|(listed, place)| {
            let described = self.describe_one(listed, details, now);
            described.map(|object| place.set(object)).map(Ok).boxed_local()
        });
        // None fails.
        let _ = at_once(depth, &mut jobs).await;
        drop(jobs);
        described.into_iter().filter_map(Cell::into_inner).collect()
    }

    async fn describe_one(
        &self,
        listed: ListedKey,
        details: bool,
        now: u64,
    ) -> Option<ListedObject> {
        let key = listed.key[MANIFEST_PREFIX.len()..].to_string();
        let mut object = ListedObject { key, summary: None, info: None };
        if let Some(bytes) = listed.summary {
            object.summary = json::read::<ObjectSummary>(&bytes).ok();
        }
        if details {
            match self.load_header(&object.key).await {
                // Deleted since its key was listed.
                Ok(None) => return None,
                Ok(Some(stored)) => {
                    object.info = stored.manifest.ok().map(|manifest| manifest.info)
                }
                Err(_) => {}
            }
            object.summary = object.info.as_ref().map(ObjectSummary::from).or(object.summary);
        }
        let expires = object.summary.as_ref().and_then(|summary| summary.expires);
        (!has_expired(expires, now)).then_some(object)
    }
}

/// Takes the keys that hold the delimiter behind the prefix out, and adds what they
/// roll up into to `prefixes`, each once.
fn roll_up(
    keys: Vec<ListedKey>,
    options: &ListOptions,
    last: &mut Option<String>,
    prefixes: &mut Vec<String>,
) -> Vec<ListedKey> {
    let Some(delimiter) = &options.delimiter else { return keys };
    let mut listed = Vec::new();
    for key in keys {
        let name = &key.key[MANIFEST_PREFIX.len()..];
        let Some(at) = name[options.prefix.len()..].find(delimiter.as_str()) else {
            listed.push(key);
            continue;
        };
        let rolled_up = &name[..options.prefix.len() + at + delimiter.len()];
        if last.as_deref() != Some(rolled_up) {
            prefixes.push(rolled_up.to_string());
            *last = Some(rolled_up.to_string());
        }
    }
    listed
}

fn check_options(options: &ListOptions) -> Result<(), Error> {
    if options.limit == 0 || options.limit > LIST_LIMIT_MAX {
        return Err(Error::InvalidArgument(format!(
            "a page of {} is not possible; ask for 1 to {LIST_LIMIT_MAX}",
            options.limit
        )));
    }
    if options.delimiter.as_deref() == Some("") {
        return Err(Error::InvalidArgument("the delimiter is empty; leave it out".to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_what_they_print() {
        for cursor in [
            Cursor::default(),
            Cursor { kv: Some("12:x/".into()), rolled_up: None },
            Cursor { kv: Some("é".into()), rolled_up: Some("a/:".into()) },
        ] {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        for wrong in ["", "x", "5:abc", ":", "-1:a", "1:é"] {
            assert_eq!(Cursor::decode(wrong), None, "{wrong}");
        }
    }
}
