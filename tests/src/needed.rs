//! What a kv has to hold for its committed objects, worked out from their manifests by
//! itself: after everything unneeded has been swept it holds exactly that.

use std::collections::BTreeSet;

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

/// Of every object among these keys: its manifest, the records of its segments, its chunks
/// and its pages.
pub async fn keys_needed(kv: &dyn Backend, there: &BTreeSet<String>) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for manifest_key in there.iter().filter(|key| key.starts_with("m/")) {
        let value = read(kv, manifest_key).await;
        let (manifest, _) = codec::decode_manifest(&value).expect(manifest_key);
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
                        let page = read(kv, &page_key).await;
                        let below = codec::decode_page(&page, &node, offset, &manifest.segments);
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

async fn read(kv: &dyn Backend, key: &str) -> bytes::Bytes {
    kv.get(key, None).await.expect(key).unwrap_or_else(|| panic!("{key} is missing")).value
}

/// Asserts that there is nothing but what committed objects need, and all of that.
pub async fn assert_exact(kv: &dyn Backend) {
    let there = keys_there(kv).await;
    let needed = keys_needed(kv, &there).await;
    let missing: Vec<_> = needed.difference(&there).collect();
    let unneeded: Vec<_> = there.difference(&needed).collect();
    assert!(missing.is_empty() && unneeded.is_empty(), "missing {missing:?}, left {unneeded:?}");
}
