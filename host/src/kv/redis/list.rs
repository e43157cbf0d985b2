//! Listing: the keys of all tags, merged.
//!
//! Each tag has its keys in an index of its own. A page asks every index for its
//! share of the keys behind the cursor and a few more, and ends at the last key up to
//! which all of them have told everything. Keys in an index whose value has expired
//! or was evicted are left out, and taken out of the index.

use std::collections::BTreeMap;

use bytes::Bytes;
use chunk_store::kv::{KeyPage, KvError, ListedKey};
use futures::future::try_join_all;
use redis::{Pipeline, Value};

use super::errors::odd;
use super::lane::{Weight, text};
use super::layout::{self, TAGS};
use super::scripts::Script;
use super::servers::Servers;

/// Keys that an index is asked for besides its share of the page: shares differ by
/// chance, and a page that ends early costs another round.
const SPARE: usize = 16;

/// The keys of the tags up to the end of a page.
struct Found {
    /// In byte order.
    keys: Vec<String>,
    /// Where the next page begins; `None` if there is none.
    cursor: Option<String>,
}

/// One page; the cursor is the last key that was looked at.
pub(super) async fn list(
    servers: &Servers,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<KeyPage, KvError> {
    let found = keys(servers, prefix, cursor, limit).await?;
    let mut by_tag: [Vec<String>; TAGS] = Default::default();
    for key in found.keys {
        by_tag[layout::tag(&key)].push(key);
    }
    let described = by_tag.into_iter().enumerate().filter(|(_, keys)| !keys.is_empty());
    let described = try_join_all(described.map(|(tag, keys)| describe(servers, tag, keys))).await?;
    let summaries: BTreeMap<String, Option<Bytes>> = described.into_iter().flatten().collect();
    let keys = summaries.into_iter().map(|(key, summary)| ListedKey { key, summary }).collect();
    Ok(KeyPage { keys, cursor: found.cursor })
}

/// Merges what the indexes tell.
async fn keys(
    servers: &Servers,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Found, KvError> {
    let share = (limit / TAGS + SPARE).min(limit);
    let (from, to) = range(prefix, cursor);
    let (from, to) = (&from, &to);
    let asked = (0..TAGS).map(|tag| {
        servers.call(tag, Weight::Small, move |_| {
            let mut commands = Pipeline::new();
            let range = commands.cmd("ZRANGEBYLEX").arg(layout::index_key(tag)).arg(from);
            range.arg(to).arg("LIMIT").arg(0).arg(share);
            commands
        })
    });
    let mut all = Vec::new();
    // Up to here every index has told all it has.
    let mut told: Option<String> = None;
    for answers in try_join_all(asked.collect::<Vec<_>>()).await? {
        let keys = strings(answers)?;
        if keys.len() == share
            && let Some(last) = keys.last()
            && told.as_ref().is_none_or(|told| last < told)
        {
            told = Some(last.clone());
        }
        all.extend(keys);
    }
    all.sort_unstable();
    if let Some(told) = &told {
        all.truncate(all.partition_point(|key| key <= told));
    }
    let more = told.is_some() || all.len() > limit;
    all.truncate(limit);
    let cursor = if more { all.last().cloned() } else { None };
    Ok(Found { keys: all, cursor })
}

/// The bounds of `ZRANGEBYLEX` for the keys with a prefix, behind a cursor.
fn range(prefix: &str, cursor: Option<&str>) -> (Vec<u8>, Vec<u8>) {
    let from = match cursor {
        // A cursor from elsewhere must not reach below the prefix.
        Some(cursor) if cursor >= prefix => [b"(", cursor.as_bytes()].concat(),
        _ => [b"[", prefix.as_bytes()].concat(),
    };
    let to = match prefix.as_bytes().split_last() {
        None => b"+".to_vec(),
        // No byte of UTF-8 is the last one there is.
        Some((last, rest)) => [b"(", rest, &[last + 1]].concat(),
    };
    (from, to)
}

/// The keys of one tag that hold values, with their summaries.
async fn describe(
    servers: &Servers,
    tag: usize,
    keys: Vec<String>,
) -> Result<Vec<(String, Option<Bytes>)>, KvError> {
    let answers = servers.call(tag, Weight::Small, |link| {
        let mut heads = link.script(Script::Heads, keys.len());
        for key in &keys {
            heads.arg(layout::value_key(key));
        }
        let mut commands = Pipeline::new();
        commands.add_command(heads);
        commands
    });
    let mut heads = match answers.await?.pop() {
        Some(Value::Array(heads)) if heads.len() == keys.len() => heads,
        _ => return Err(odd()),
    };
    let mut described = Vec::with_capacity(keys.len());
    let mut gone = Vec::new();
    for (key, head) in keys.into_iter().zip(heads.drain(..)) {
        match head {
            Value::BulkString(head) if head.is_empty() => gone.push(key),
            Value::BulkString(head) => described.push((key, layout::summary(head)?)),
            _ => return Err(odd()),
        }
    }
    if !gone.is_empty() {
        prune(servers, tag, &gone).await?;
    }
    Ok(described)
}

/// Takes keys out of the index of their tag, those that hold a value again excepted.
async fn prune(servers: &Servers, tag: usize, keys: &[String]) -> Result<(), KvError> {
    let pruned = servers.call(tag, Weight::Small, |link| {
        let mut prune = link.script(Script::Prune, 2 + keys.len());
        prune.arg(layout::index_key(tag)).arg(layout::expiry_key(tag));
        for key in keys {
            prune.arg(layout::value_key(key));
        }
        prune.arg(keys);
        let mut commands = Pipeline::new();
        commands.add_command(prune);
        commands
    });
    pruned.await.map(|_| ())
}

/// The only answer, a list of strings.
fn strings(mut answers: Vec<Value>) -> Result<Vec<String>, KvError> {
    let Some(Value::Array(values)) = answers.pop() else { return Err(odd()) };
    let strings = values.into_iter().map(text);
    strings.collect::<Option<_>>().ok_or_else(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_the_keys_with_the_prefix_behind_the_cursor() {
        for (prefix, cursor, from, to) in [
            ("", None, "[", "+"),
            ("", Some("k"), "(k", "+"),
            ("a/", None, "[a/", "(a0"),
            ("a/", Some("a/b"), "(a/b", "(a0"),
            ("a/", Some("A"), "[a/", "(a0"),
            ("\0", None, "[\0", "(\u{1}"),
        ] {
            let wanted = (from.as_bytes().to_vec(), to.as_bytes().to_vec());
            assert_eq!(range(prefix, cursor), wanted, "{prefix:?} {cursor:?}");
        }
        let (_, to) = range("\u{10ffff}", None);
        assert_eq!(to, b"(\xf4\x8f\xbf\xc0");
    }
}
