//! An operation proceeds exactly where its precondition holds.

use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, ObjectInfo, Precondition, PutOptions};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;
use futures::future::join_all;
use tokio::io::AsyncWriteExt;

use crate::subject::{Subject, store_error};

const OTHER_ETAG: &str = "\"00000000000000000000000000000000\"";
const OTHER_GENERATION: &str = "00000000000000000000000000000000";

/// Every form, with whether it holds of this object, and whether where there is none.
fn forms(info: &ObjectInfo) -> Vec<(Precondition, bool, bool)> {
    use Precondition::*;
    let (etag, other) = (info.etag.clone(), OTHER_ETAG.to_string());
    vec![
        (Absent, false, true),
        (Exists, true, false),
        (EtagIn(vec![etag.clone()]), true, false),
        (EtagIn(vec![other.clone(), etag.clone()]), true, false),
        (EtagIn(vec![other.clone()]), false, false),
        (EtagIn(Vec::new()), false, false),
        (EtagNotIn(vec![other.clone()]), true, true),
        (EtagNotIn(Vec::new()), true, true),
        (EtagNotIn(vec![etag.clone()]), false, true),
        (EtagNotIn(vec![other, etag]), false, true),
        (GenerationIs(info.generation.clone()), true, false),
        (GenerationIs(OTHER_GENERATION.to_string()), false, false),
        (GenerationIs("no generation at all".to_string()), false, false),
    ]
}

fn failed(info: Option<&ObjectInfo>) -> StoreError {
    StoreError::PreconditionFailed(info.cloned().map(Box::new))
}

/// An object of each kind: in the manifest, and in chunks.
fn contents() -> [Vec<u8>; 2] {
    [bytes(21, 1000), bytes(22, 700_000)]
}

pub async fn put_keeps_them(on: &Subject) {
    for content in contents() {
        let put = |key: &'static str, precondition| {
            let options = PutOptions { precondition: Some(precondition), ..Default::default() };
            on.put_with(key, &content, options)
        };
        let mut there = on.put_bytes("there", b"old").await;
        for (index, _) in forms(&there).into_iter().enumerate() {
            let (form, holds, holds_of_none) = forms(&there).swap_remove(index);
            let ended = put("there", form.clone()).await;
            if holds {
                assert_eq!(ended.unwrap(), on.head("there", None).await.unwrap(), "{form:?}");
                assert!(on.read("there").await == content, "{form:?}");
                there = on.put_bytes("there", b"old").await;
            } else {
                assert_eq!(store_error(ended), failed(Some(&there)), "{form:?}");
                assert_eq!(on.read("there").await, b"old", "{form:?}");
            }
            let ended = put("missing", form.clone()).await;
            if holds_of_none {
                assert_eq!(ended.unwrap(), on.head("missing", None).await.unwrap(), "{form:?}");
                on.delete("missing", None).await.unwrap();
            } else {
                assert_eq!(store_error(ended), failed(None), "{form:?}");
                assert_eq!(on.keys().await, ["there"], "{form:?}");
            }
        }
    }
}

pub async fn get_keeps_them(on: &Subject) {
    for content in contents() {
        let there = on.put_bytes("there", &content).await;
        for (form, holds, holds_of_none) in forms(&there) {
            let options =
                || GetOptions { precondition: Some(form.clone()), ..GetOptions::default() };
            match on.get("there", options()).await {
                Ok(reader) if holds => assert_eq!(*reader.info(), there, "{form:?}"),
                ended => assert_eq!(store_error(ended), failed(Some(&there)), "{form:?}"),
            }
            let error = store_error(on.get("missing", options()).await);
            let expected = if holds_of_none { StoreError::NotFound } else { failed(None) };
            assert_eq!(error, expected, "{form:?}");
        }
    }
}

pub async fn head_keeps_them(on: &Subject) {
    for content in contents() {
        let there = on.put_bytes("there", &content).await;
        for (form, holds, holds_of_none) in forms(&there) {
            match on.head("there", Some(form.clone())).await {
                Ok(info) if holds => assert_eq!(info, there, "{form:?}"),
                ended => assert_eq!(store_error(ended), failed(Some(&there)), "{form:?}"),
            }
            let error = store_error(on.head("missing", Some(form.clone())).await);
            let expected = if holds_of_none { StoreError::NotFound } else { failed(None) };
            assert_eq!(error, expected, "{form:?}");
        }
    }
}

pub async fn delete_keeps_them(on: &Subject) {
    for content in contents() {
        let mut there = on.put_bytes("there", &content).await;
        for (index, _) in forms(&there).into_iter().enumerate() {
            let (form, holds, holds_of_none) = forms(&there).swap_remove(index);
            let ended = on.delete("there", Some(form.clone())).await;
            if holds {
                ended.unwrap();
                assert_eq!(store_error(on.head("there", None).await), StoreError::NotFound);
                there = on.put_bytes("there", &content).await;
            } else {
                assert_eq!(store_error(ended), failed(Some(&there)), "{form:?}");
                assert_eq!(on.head("there", None).await.unwrap(), there, "{form:?}");
            }
            let error = store_error(on.delete("missing", Some(form.clone())).await);
            let expected = if holds_of_none { StoreError::NotFound } else { failed(None) };
            assert_eq!(error, expected, "{form:?}");
        }
    }
}

pub async fn a_failed_one_carries_the_object_there_is(on: &Subject) {
    let options = PutOptions {
        content_type: Some("text/plain".into()),
        metadata: vec![("a".into(), "b".into())],
        ttl_seconds: Some(1000),
        ..PutOptions::default()
    };
    let info = on.put_with("object", b"content", options).await.unwrap();
    let StoreError::PreconditionFailed(Some(carried)) =
        store_error(on.head("object", Some(Precondition::Absent)).await)
    else {
        panic!("it carries the object")
    };
    assert_eq!(*carried, info);
    assert_eq!(carried.content_type.as_deref(), Some("text/plain"));
    assert!(carried.expires.is_some());
}

pub async fn a_put_that_cannot_be_kept_does_not_wait_for_its_body(on: &Subject) {
    let info = on.put_bytes("object", b"content").await;
    for (form, holds, _) in forms(&info) {
        if !holds {
            let body = Body::of(bytes(23, 1000)).then_silent();
            let options = PutOptions { precondition: Some(form), ..PutOptions::default() };
            assert_eq!(store_error(on.put("object", body, options).await), failed(Some(&info)));
        }
    }
}

pub async fn a_put_is_decided_by_what_is_there_at_the_commit(on: &Subject) {
    for size in [1000, 5 << 20] {
        let (mut writer, body) = tokio::io::duplex(64 << 10);
        let options =
            PutOptions { precondition: Some(Precondition::Absent), ..PutOptions::default() };
        let writing = async {
            // Once this is taken the put has begun, and nothing stood in its way.
            writer.write_all(&bytes(24, size)).await.unwrap();
            let meanwhile = on.put_bytes("object", b"meanwhile").await;
            drop(writer);
            meanwhile
        };
        let (put, meanwhile) = tokio::join!(on.put("object", body, options), writing);
        assert_eq!(store_error(put), failed(Some(&meanwhile)));
        assert_eq!(on.read("object").await, b"meanwhile");
        on.delete("object", None).await.unwrap();
    }
}

pub async fn one_of_many_creators_wins(on: &Subject) {
    for size in [100, 300_000] {
        let contents: Vec<Vec<u8>> = (0..16).map(|seed| bytes(seed, size)).collect();
        let puts = join_all(contents.iter().map(|content| {
            let precondition = Some(Precondition::Absent);
            on.put_with("object", content, PutOptions { precondition, ..Default::default() })
        }));
        let ended = puts.await;
        let winners: Vec<usize> = (0..16).filter(|put| ended[*put].is_ok()).collect();
        let [winner] = winners[..] else { panic!("{winners:?} have won") };
        assert!(on.read("object").await == contents[winner]);
        let there = on.head("object", None).await.unwrap();
        for (_, lost) in ended.into_iter().enumerate().filter(|(put, _)| *put != winner) {
            assert_eq!(store_error(lost), failed(Some(&there)));
        }
        on.delete("object", None).await.unwrap();
    }
}
