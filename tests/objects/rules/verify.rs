//! `maintenance.verify` reads everything and says what it found.

use chunk_store::error::Error as StoreError;
use chunk_store::object::PutOptions;
use chunk_store::object::VerifyReport;
use chunk_store_tests::random::bytes;

use crate::subject::{Subject, assert_error};

pub async fn a_whole_object_has_no_problems(on: &Subject) {
    for size in [0, 1, 256 << 10, (256 << 10) + 1, 5 << 20] {
        on.put_bytes("object", &bytes(91, size)).await;
        let report = on.verify("object").await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!((report.bytes, report.problems_omitted), (size, 0));
    }
}

pub async fn every_chunk_and_byte_is_counted(on: &Subject) {
    let options = PutOptions { chunk_bytes_max: Some(64 << 10), ..PutOptions::default() };
    let info = on.put_with("object", &bytes(92, 3 << 20), options).await.unwrap();
    assert_eq!(info.chunks, 48);
    let report = on.verify("object").await.unwrap();
    assert_eq!(report, VerifyReport { chunks: 48, bytes: 3 << 20, ..VerifyReport::default() });
}

pub async fn what_is_missing_is_not_found(on: &Subject) {
    assert_error!(on.verify("object").await, StoreError::NotFound);
}

pub async fn the_store_names_what_its_backend_lost(on: &Subject) {
    on.put_bytes("object", &bytes(93, 9 << 20)).await;
    let chunks = on.kv_keys("c/").await;
    for lost in [0, 3, 6] {
        on.backend.delete(&chunks[lost], None).await.unwrap();
    }
    let report = on.verify("object").await.unwrap();
    let problems: Vec<&str> = report.problems.iter().map(String::as_str).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, lost) in problems.iter().zip([0, 3, 6]) {
        assert!(problem.contains(&chunks[lost]) && problem.contains("is missing"), "{problem}");
        assert!(problem.contains(&format!("chunk {lost} ")), "{problem}");
    }
    assert_eq!(report.chunks, 7);
}
