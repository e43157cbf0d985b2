//! Objects written in several calls, by one store or several, and read meanwhile.

use chunk_store::error::Error as StoreError;
use chunk_store::object::{Precondition, PutOptions, UploadStatus};
use chunk_store_host::{ChunkStore, Error, UploadReader};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;
use futures::future::join;

use crate::subject::{Subject, assert_error};

async fn begin(on: &Subject, key: &str) -> String {
    on.begin_upload(key, PutOptions::default()).await.unwrap()
}

async fn append(on: &Subject, upload: &str, offset: u64, bytes: &[u8]) -> UploadStatus {
    on.append(upload, offset, Body::of(bytes.to_vec())).await.unwrap()
}

async fn followed(mut reader: UploadReader) -> (Vec<u8>, Result<UploadReader, Error>) {
    let mut read = Vec::new();
    while let Some(piece) = reader.next().await {
        match piece {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => return (read, Err(error)),
        }
    }
    (read, Ok(reader))
}

pub async fn any_store_goes_on_where_another_stopped(on: &Subject) {
    let content = bytes(91, 6_000_000);
    let (first, rest) = content.split_at(2_345_678);
    let upload = begin(on, "object").await;
    assert_eq!(append(on, &upload, 0, first).await.offset, first.len() as u64);
    assert_error!(on.head("object", None).await, StoreError::NotFound);

    let other = ChunkStore::new(on.backend.clone()).unwrap();
    let status = other.upload_status(&upload).await.unwrap();
    assert_eq!((status.offset, &*status.key), (first.len() as u64, "object"));
    assert_eq!(status.digest, Some(chunk_store_tests::digest(first)));
    other.append(&upload, status.offset, Body::of(rest.to_vec())).await.unwrap();
    let info = other.commit_upload(&upload).await.unwrap();
    assert_eq!(info.digest, chunk_store_tests::digest(&content));
    assert_eq!(on.head("object", None).await.unwrap(), info);
    assert!(on.read("object").await == content);
    assert_eq!(on.verify("object").await.unwrap().problems, [""; 0]);
}

pub async fn an_append_elsewhere_tells_where_to_go_on(on: &Subject) {
    let upload = begin(on, "object").await;
    append(on, &upload, 0, &bytes(92, 100_000)).await;
    for offset in [0, 99_999, 100_001, u64::MAX] {
        let appended = on.append(&upload, offset, Body::of(b"x".to_vec())).await;
        assert_error!(appended, StoreError::OffsetMismatch(100_000));
    }
    assert_eq!(on.upload_status(&upload).await.unwrap().offset, 100_000);
}

pub async fn a_body_that_breaks_off_leaves_what_came_of_it(on: &Subject) {
    let content = bytes(93, 3_000_000);
    let upload = begin(on, "object").await;
    let body = Body::of(content[..2_000_000].to_vec()).then_failing("the line is down");
    let error = on.append(&upload, 0, body).await.unwrap_err();
    assert!(matches!(&error, Error::Source(why) if why.contains("the line is down")), "{error}");
    let offset = on.upload_status(&upload).await.unwrap().offset;
    assert_eq!(offset, 2_000_000);
    append(on, &upload, offset, &content[2_000_000..]).await;
    on.commit_upload(&upload).await.unwrap();
    assert!(on.read("object").await == content);
}

pub async fn an_append_that_is_given_up_ends_its_body(on: &Subject) {
    let content = bytes(94, 1_500_000);
    let upload = begin(on, "object").await;
    let silent = Body::of(content[..1_000_000].to_vec()).then_silent();
    let given_up =
        tokio::time::timeout(std::time::Duration::from_millis(300), on.append(&upload, 0, silent));
    assert!(given_up.await.is_err(), "its body never ends");
    let mut offset = 0;
    for _ in 0..1000 {
        offset = on.upload_status(&upload).await.unwrap().offset;
        if offset == 1_000_000 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(offset, 1_000_000, "what came of it is kept");
    append(on, &upload, offset, &content[1_000_000..]).await;
    on.commit_upload(&upload).await.unwrap();
    assert!(on.read("object").await == content);
}

pub async fn of_two_appends_at_once_one_wins(on: &Subject) {
    let [one, other] = [95, 96].map(|seed| bytes(seed, 2_000_000));
    let upload = begin(on, "object").await;
    let (a, b) = join(
        on.append(&upload, 0, Body::of(one.clone()).in_pieces_of(100_000)),
        on.append(&upload, 0, Body::of(other.clone()).in_pieces_of(100_000)),
    )
    .await;
    let loser = match (a, b) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
        both => panic!("{both:?}"),
    };
    assert!(matches!(loser, Error::Store(StoreError::OffsetMismatch(_))), "{loser}");
    on.commit_upload(&upload).await.unwrap();
    let there = on.read("object").await;
    assert!(there == one || there == other, "one of the two, whole");
}

pub async fn what_was_announced_is_kept_to(on: &Subject) {
    let content = bytes(97, 700_000);
    let options = PutOptions {
        size: Some(700_000),
        digest: Some(chunk_store_tests::digest(&content)),
        ..PutOptions::default()
    };
    let upload = on.begin_upload("object", options).await.unwrap();
    let longer = Body::of([&content[..], b"x"].concat());
    assert_error!(on.append(&upload, 0, longer).await, StoreError::BodyMismatch(_));
    let offset = on.upload_status(&upload).await.unwrap().offset;
    assert!(offset <= 700_000, "{offset}");
    assert_error!(on.commit_upload(&upload).await, StoreError::BodyMismatch(_));
    assert_error!(on.head("object", None).await, StoreError::NotFound);
    append(on, &upload, offset, &content[offset as usize..]).await;
    on.commit_upload(&upload).await.unwrap();
    assert!(on.read("object").await == content);
}

pub async fn a_commit_counts_once(on: &Subject) {
    let upload = begin(on, "object").await;
    append(on, &upload, 0, b"content").await;
    let info = on.commit_upload(&upload).await.unwrap();
    on.put_bytes("object", b"newer").await;
    assert_eq!(on.commit_upload(&upload).await.unwrap(), info);
    assert_eq!(on.read("object").await, b"newer", "nothing newer is replaced");
    let appended = on.append(&upload, 7, Body::of(b"x".to_vec())).await;
    assert_error!(appended, StoreError::InvalidArgument(_));
    assert_error!(on.abort_upload(&upload).await, StoreError::InvalidArgument(_));
}

pub async fn a_precondition_is_kept_at_the_commit(on: &Subject) {
    let options = PutOptions { precondition: Some(Precondition::Absent), ..PutOptions::default() };
    let upload = on.begin_upload("object", options.clone()).await.unwrap();
    append(on, &upload, 0, b"content").await;
    on.put_bytes("object", b"other").await;
    assert_error!(on.commit_upload(&upload).await, StoreError::PreconditionFailed(Some(_)));
    assert_error!(
        on.begin_upload("object", options).await,
        StoreError::PreconditionFailed(Some(_))
    );
    on.delete("object", None).await.unwrap();
    on.commit_upload(&upload).await.unwrap();
    assert_eq!(on.read("object").await, b"content");
}

pub async fn an_aborted_upload_is_gone(on: &Subject) {
    let upload = begin(on, "object").await;
    append(on, &upload, 0, b"content").await;
    on.abort_upload(&upload).await.unwrap();
    assert_error!(on.upload_status(&upload).await, StoreError::NotFound);
    assert_error!(on.commit_upload(&upload).await, StoreError::NotFound);
    assert_error!(on.abort_upload(&upload).await, StoreError::NotFound);
    assert!(on.list_uploads("", None, 1000).await.unwrap().uploads.is_empty());
}

pub async fn uploads_under_way_are_listed(on: &Subject) {
    for key in ["a/1", "a/2", "b"] {
        begin(on, key).await;
    }
    let committed = begin(on, "a/3").await;
    on.commit_upload(&committed).await.unwrap();
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = on.list_uploads("a/", cursor, 1).await.unwrap();
        assert!(page.uploads.len() <= 1);
        keys.extend(page.uploads.into_iter().map(|(_, status)| status.key));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    keys.sort();
    assert_eq!(keys, ["a/1", "a/2"]);
    assert_error!(on.list_uploads("", None, 0).await, StoreError::InvalidArgument(_));
    assert_error!(on.list_uploads("", None, 1001).await, StoreError::InvalidArgument(_));
}

pub async fn who_follows_gets_all_that_is_added_and_the_object(on: &Subject) {
    let content = bytes(98, 5_000_000);
    let upload = begin(on, "object").await;
    append(on, &upload, 0, &content[..1_000_000]).await;
    let from_the_start = on.follow("object", 0, 60).await.unwrap();
    let from_later = on.follow("object", 1_234_567, 60).await.unwrap();
    assert_eq!(from_the_start.status().offset, 1_000_000);
    let write = async {
        append(on, &upload, 1_000_000, &content[1_000_000..4_000_000]).await;
        append(on, &upload, 4_000_000, &content[4_000_000..]).await;
        on.commit_upload(&upload).await.unwrap()
    };
    let (info, ((all, ended), (part, _))) =
        join(write, join(followed(from_the_start), followed(from_later))).await;
    assert!(all == content && part == content[1_234_567..]);
    assert_eq!(ended.unwrap().committed(), Some(&info));
    assert_error!(on.follow("object", 0, 60).await.map(drop), StoreError::NotFound);
}

pub async fn who_follows_is_told_of_an_abort_and_of_a_stall(on: &Subject) {
    let upload = begin(on, "object").await;
    append(on, &upload, 0, b"content").await;
    let (read, ended) = followed(on.follow("object", 0, 0).await.unwrap()).await;
    assert_eq!(read, b"content");
    assert_error!(ended, StoreError::Unavailable(..));

    let reader = on.follow("object", 0, 60).await.unwrap();
    on.abort_upload(&upload).await.unwrap();
    let (_, ended) = followed(reader).await;
    assert_error!(ended, StoreError::NotFound);
}
