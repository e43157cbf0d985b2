//! What a kv has to hold for its committed objects, worked out from their manifests by
//! itself: after everything unneeded has been swept it holds exactly that.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chunk_store::key;
use chunk_store::manifest::{Place, codec};
use chunk_store_host::kv::Backend;

/// Every key there is.
pub async fn keys_there(kv: &dyn Backend) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut cursor = None;
    loop {
        let page = kv.list_keys("", cursor.as_deref(), 1000).await.expect("it can be listed");
        keys.extend(page.keys.into_iter().map(|listed| listed.key));
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}

/// The keys that committed objects need: their manifests, the records of their segments,
/// and what they list. `values` has all manifests and pages at least.
pub fn keys_needed(values: &BTreeMap<String, Bytes>) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for (manifest_key, value) in values.iter().filter(|(key, _)| key.starts_with("m/")) {
        let (manifest, _) = codec::decode_manifest(value).expect(manifest_key);
        needed.insert(manifest_key.clone());
        needed.extend(manifest.segments.iter().map(|segment| key::segment(*segment)));
        let mut lists = vec![(0, manifest.nodes)];
        while let Some((mut offset, nodes)) = lists.pop() {
            for node in nodes {
                match node.place {
                    Place::Chunk { segment, number } => {
                        needed.insert(key::chunk(segment, number));
                    }
                    Place::Page { segment, number, .. } => {
                        let page_key = key::page(segment, number);
                        let page = values.get(&page_key);
                        let page = page.unwrap_or_else(|| panic!("{page_key} is gone"));
                        let below = codec::decode_page(page, &node, offset, &manifest.segments);
                        lists.push((offset, below.expect(&page_key)));
                        needed.insert(page_key);
                    }
                }
                offset += node.length;
            }
        }
    }
    needed
}

/// Asserts that there is nothing but what committed objects need, and all of that; gives
/// how many keys that is.
pub async fn assert_exact(kv: &dyn Backend) -> usize {
    let there = keys_there(kv).await;
    let mut values = BTreeMap::new();
    for key in there.iter().filter(|key| key.starts_with("m/") || key.starts_with("x/")) {
        let entry = kv.get(key, None).await.expect(key).expect(key);
        values.insert(key.clone(), entry.value);
    }
    let needed = keys_needed(&values);
    let missing: Vec<_> = needed.difference(&there).collect();
    let unneeded: Vec<_> = there.difference(&needed).collect();
    assert!(missing.is_empty() && unneeded.is_empty(), "missing {missing:?}, left {unneeded:?}");
    needed.len()
}
