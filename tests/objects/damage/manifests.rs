//! Damaged manifests, and content that lies in one.

use super::*;
use chunk_store::object::{ListOptions, Precondition};
use chunk_store_tests::random::{Random, bytes};

async fn in_chunks() -> Stored {
    Stored::new(bytes(121, 3 << 20), PutOptions::default()).await
}

async fn inline() -> Stored {
    let stored = Stored::new(bytes(122, 50_000), PutOptions::default()).await;
    assert_eq!(list(&stored.on.data()), [stored.on.data().join("m+")]);
    stored
}

/// Asserts that nothing can be done with the object but to replace or delete it.
async fn cannot_be_read(stored: &Stored) {
    let on = &stored.on;
    let range = Some(ByteRange::Between(0, 1));
    for error in [
        store_error(on.get("object", GetOptions::default()).await),
        store_error(on.get("object", GetOptions { range, ..GetOptions::default() }).await),
        store_error(on.head("object", None).await),
        store_error(on.verify("object").await),
        store_error(on.delete("object", Some(Precondition::Exists)).await),
    ] {
        let text = assert_error!(Err::<(), _>(error.into()), StoreError::Corrupt(_));
        assert_names(&text, &["\"object\" cannot be read: "]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_place_of_a_manifest_is_refused() {
    let stored = in_chunks().await;
    let length = fs::metadata(stored.manifest()).unwrap().len();
    for garbage in [
        Vec::new(),
        b"x".to_vec(),
        b"chunkst".to_vec(),
        vec![0; length as usize],
        bytes(123, length),
        bytes(124, 1 << 20),
        b"{\"key\":\"object\"}".to_vec(),
    ] {
        fs::write(stored.manifest(), garbage).unwrap();
        cannot_be_read(&stored).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_cut_short_or_lengthened_is_refused() {
    let stored = in_chunks().await;
    let whole = fs::read(stored.manifest()).unwrap();
    for length in [0, 1, 31, 32, 33, whole.len() / 2, whole.len() - 1] {
        fs::write(stored.manifest(), &whole[..length]).unwrap();
        cannot_be_read(&stored).await;
    }
    fs::write(stored.manifest(), [&whole[..], b"x"].concat()).unwrap();
    cannot_be_read(&stored).await;
    fs::write(stored.manifest(), &whole).unwrap();
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_anywhere_in_a_manifest_is_noticed() {
    let stored = in_chunks().await;
    let length = fs::metadata(stored.manifest()).unwrap().len();
    let mut random = Random::new(125);
    let sample = (0..100).map(|_| random.below(length));
    for byte in (0..32).chain(sample) {
        let bit = (byte % 8) as u8;
        flip_bit(&stored.manifest(), byte as usize, bit);
        cannot_be_read(&stored).await;
        flip_bit(&stored.manifest(), byte as usize, bit);
    }
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_of_another_object_is_refused() {
    let stored = in_chunks().await;
    stored.on.put_bytes("other", b"content").await;
    fs::copy(stored.manifest().with_file_name("other"), stored.manifest()).unwrap();
    cannot_be_read(&stored).await;
    assert_eq!(stored.on.read("other").await, b"content");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_manifest_is_garbage_can_be_replaced_and_deleted() {
    let stored = in_chunks().await;
    fs::write(stored.manifest(), b"garbage").unwrap();
    stored.on.put_bytes("object", &stored.content).await;
    stored.is_whole().await;
    fs::write(stored.manifest(), b"garbage").unwrap();
    stored.on.delete("object", None).await.unwrap();
    assert!(stored.on.keys().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_behind_a_manifest_of_garbage() {
    let stored = in_chunks().await;
    let last = stored.on.put_bytes("z", b"content").await;
    fs::write(stored.manifest(), b"garbage").unwrap();
    for details in [false, true] {
        let options = ListOptions { limit: 10, details, ..ListOptions::default() };
        let listed = stored.on.list(options).await.unwrap().objects;
        assert_eq!((&*listed[0].key, &listed[0].info), ("object", &None));
        assert_eq!((&*listed[1].key, &listed[1].info), ("z", &details.then_some(last.clone())));
    }
}

/// Asserts that inline content cannot be read, though it can be described.
async fn content_cannot_be_read(stored: &Stored) {
    for range in [None, Some(ByteRange::Between(0, 1)), Some(ByteRange::Last(1))] {
        let ended = stored.on.get("object", GetOptions { range, ..GetOptions::default() }).await;
        let text = assert_error!(ended, StoreError::Corrupt(_));
        assert_names(&text, &["\"object\" cannot be read: the content in the manifest"]);
    }
    stored.on.head("object", None).await.unwrap();
    stored.verify_names(&[&["the content in the manifest"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_inline_content_is_noticed() {
    let stored = inline().await;
    let length = fs::metadata(stored.manifest()).unwrap().len() as usize;
    for from_the_end in [1, 2, 25_000, 49_999, 50_000] {
        flip_bit(&stored.manifest(), length - from_the_end, 6);
        content_cannot_be_read(&stored).await;
        flip_bit(&stored.manifest(), length - from_the_end, 6);
    }
    stored.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inline_content_cut_short_is_noticed() {
    let stored = inline().await;
    let whole = fs::read(stored.manifest()).unwrap();
    for missing in [1, 1000, 50_000] {
        fs::write(stored.manifest(), &whole[..whole.len() - missing]).unwrap();
        content_cannot_be_read(&stored).await;
    }
    fs::write(stored.manifest(), [&whole[..], b"x"].concat()).unwrap();
    let error = store_error(stored.on.get("object", GetOptions::default()).await);
    assert_names(&error.to_string(), &["\"object\" cannot be read", "1 bytes too many"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_manifest_is_an_object_that_is_not_there() {
    let stored = in_chunks().await;
    fs::remove_file(stored.manifest()).unwrap();
    assert_error!(stored.on.get("object", GetOptions::default()).await, StoreError::NotFound);
    assert_error!(stored.on.verify("object").await, StoreError::NotFound);
    assert!(stored.on.keys().await.is_empty());
}
