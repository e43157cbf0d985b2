//! Listings: in order, complete, in pages of any size.

use chunk_store::object::{ListOptions, ListedObject, ObjectSummary, PutOptions};
use chunk_store_tests::random::bytes;

use crate::subject::Subject;

const KEYS: [&str; 12] =
    ["!", "a", "a/", "a/b", "a/b/c", "a/c", "a0", "b/1", "b/2", "b/2/x", "é", "日本/語"];

async fn objects(on: &Subject) {
    // Not in the order in which they are to come.
    for key in KEYS.iter().rev() {
        on.put_bytes(key, key.as_bytes()).await;
    }
}

fn page_of(limit: u32) -> ListOptions {
    ListOptions { limit, ..ListOptions::default() }
}

fn keys(objects: &[ListedObject]) -> Vec<&str> {
    objects.iter().map(|object| &*object.key).collect()
}

pub async fn keys_come_in_byte_order(on: &Subject) {
    objects(on).await;
    let page = on.list(page_of(1000)).await.unwrap();
    assert_eq!(keys(&page.objects), KEYS);
    assert_eq!((page.prefixes.len(), page.cursor), (0, None));
}

pub async fn a_prefix_selects_and_the_empty_one_selects_all(on: &Subject) {
    objects(on).await;
    for prefix in ["", "a", "a/", "a/b", "a/b/c", "b", "日", "c", "a/b/c/d"] {
        let selected: Vec<&str> = KEYS.into_iter().filter(|key| key.starts_with(prefix)).collect();
        let options = ListOptions { prefix: prefix.to_string(), ..page_of(1000) };
        assert_eq!(keys(&on.list_all(options).await.objects), selected, "{prefix:?}");
    }
}

pub async fn pages_of_every_size_give_the_same(on: &Subject) {
    objects(on).await;
    for limit in [1, 2, 3, 5, 11, 12, 13] {
        for details in [false, true] {
            let listed = on.list_all(ListOptions { details, ..page_of(limit) }).await;
            assert_eq!(keys(&listed.objects), KEYS, "pages of {limit}");
        }
    }
}

pub async fn a_delimiter_rolls_up(on: &Subject) {
    objects(on).await;
    for (prefix, delimiter, objects, prefixes) in [
        ("", "/", vec!["!", "a", "a0", "é"], vec!["a/", "b/", "日本/"]),
        ("a/", "/", vec!["a/", "a/b", "a/c"], vec!["a/b/"]),
        ("a", "/", vec!["a", "a0"], vec!["a/"]),
        ("b/", "/", vec!["b/1", "b/2"], vec!["b/2/"]),
        (
            "",
            "/b",
            vec!["!", "a", "a/", "a/c", "a0", "b/1", "b/2", "b/2/x", "é", "日本/語"],
            vec!["a/b"],
        ),
        ("", "none has it", KEYS.to_vec(), vec![]),
        ("nothing", "/", vec![], vec![]),
    ] {
        let options = ListOptions {
            prefix: prefix.to_string(),
            delimiter: Some(delimiter.to_string()),
            ..page_of(1000)
        };
        let page = on.list_all(options).await;
        assert_eq!(keys(&page.objects), objects, "{prefix:?} {delimiter:?}");
        assert_eq!(page.prefixes, prefixes, "{prefix:?} {delimiter:?}");
    }
}

pub async fn pages_of_every_size_roll_up_the_same(on: &Subject) {
    objects(on).await;
    for limit in [1, 2, 3, 4, 7] {
        let options = ListOptions { delimiter: Some("/".to_string()), ..page_of(limit) };
        let page = on.list_all(options).await;
        assert_eq!(keys(&page.objects), ["!", "a", "a0", "é"], "pages of {limit}");
        assert_eq!(page.prefixes, ["a/", "b/", "日本/"], "each once, pages of {limit}");
    }
}

pub async fn details_describe_each_object(on: &Subject) {
    let mut put = Vec::new();
    for (index, key) in ["inline", "in chunks"].into_iter().enumerate() {
        let options = PutOptions {
            content_type: Some(format!("type/{index}")),
            metadata: vec![("key".into(), key.into())],
            ..PutOptions::default()
        };
        put.push(on.put_with(key, &bytes(61, 10 + 700_000 * index as u64), options).await.unwrap());
    }
    put.sort_by(|one, other| one.key.cmp(&other.key));
    let listed = on.list_all(ListOptions { details: true, ..page_of(10) }).await.objects;
    for (listed, put) in listed.iter().zip(&put) {
        assert_eq!(listed.info.as_ref(), Some(put));
        assert_eq!(listed.summary, Some(ObjectSummary::from(put)));
    }
    assert_eq!(listed.len(), 2);
}

pub async fn summaries_come_where_the_platform_keeps_them(on: &Subject) {
    let options = PutOptions { content_type: Some("a/b".into()), ..PutOptions::default() };
    let put = on.put_with("object", b"content", options).await.unwrap();
    let listed = on.list(page_of(10)).await.unwrap().objects.remove(0);
    let kept = on.backend.limits().summary_bytes_max > 0;
    assert_eq!(listed.summary, kept.then(|| ObjectSummary::from(&put)));
    assert_eq!(listed.info, None);
}

pub async fn what_was_put_and_deleted_is_as_never_there(on: &Subject) {
    objects(on).await;
    for key in KEYS.iter().filter(|key| key.starts_with("a/")) {
        on.delete(key, None).await.unwrap();
    }
    assert_eq!(on.keys().await, ["!", "a", "a0", "b/1", "b/2", "b/2/x", "é", "日本/語"]);
    let options = ListOptions { delimiter: Some("/".into()), ..page_of(1000) };
    assert_eq!(on.list_all(options).await.prefixes, ["b/", "日本/"]);
}

pub async fn a_listing_of_nothing_is_empty(on: &Subject) {
    for delimiter in [None, Some("/".to_string())] {
        let page = on.list(ListOptions { delimiter, ..page_of(1) }).await.unwrap();
        assert_eq!((page.objects.len(), page.prefixes.len(), page.cursor), (0, 0, None));
    }
}
