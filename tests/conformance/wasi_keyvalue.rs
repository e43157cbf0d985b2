//! What holds of the adapter over `wasi:keyvalue` beyond the rules.

use chunk_store::kv::{KvError, SetOptions};
use chunk_store_host::kv::Backend as _;
use chunk_store_tests::wasi_keyvalue::{Keyvalue, Listing};

use crate::subject::wasi_keyvalue_adapter;

#[tokio::test]
async fn a_value_is_stored_by_its_key_and_as_it_is() {
    let keyvalue = Keyvalue::new(Listing::Whole);
    let adapter = wasi_keyvalue_adapter(&keyvalue, &[]).await;
    adapter.set("m/films/a.mp4", "bytes".into(), SetOptions::default()).await.unwrap();
    assert_eq!(keyvalue.all(), [("m/films/a.mp4".to_string(), b"bytes".to_vec())]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_of() {
    let keyvalue = Keyvalue::new(Listing::Whole);
    let adapter = wasi_keyvalue_adapter(&keyvalue, &[("CHUNK_STORE_KV_STORE", "films")]).await;
    let refused = adapter.get("a", None).await;
    let Err(KvError::Rejected(line)) = refused else { panic!("{refused:?}") };
    assert!(
        line.contains("no bucket \"films\"") && line.contains("CHUNK_STORE_KV_STORE"),
        "{line}"
    );
}

#[tokio::test]
async fn what_the_host_refuses_for_a_reason_of_its_own_may_be_tried_again() {
    let keyvalue = Keyvalue::new(Listing::Whole);
    let settings = [("CHUNK_STORE_KV_VALUE_BYTES_MAX", "2000000")];
    let adapter = wasi_keyvalue_adapter(&keyvalue, &settings).await;
    let refused = adapter.set("a", vec![0; 1_500_000].into(), SetOptions::default()).await;
    assert_eq!(refused, Err(KvError::Unavailable("the host says: it is too large".into())));
}
