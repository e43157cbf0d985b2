//! `/_/uploads`: tus 1.0.0 (<https://tus.io/protocols/resumable-upload>).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chunk_store_tests::random::bytes;

use crate::server::{Answer, Server};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const PIECE: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn metadata(key: &str, content_type: &str) -> String {
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    format!("filename {},filetype {}", encoded(key), encoded(content_type))
}

/// Begins an upload of so many bytes; gives where it is.
async fn create(server: &Server, length: usize) -> String {
    let (length, metadata) = (length.to_string(), metadata("film.mp4", "video/mp4"));
    let headers = [TUS, ("upload-length", &*length), ("upload-metadata", &*metadata)];
    let created = server.send("POST /_/uploads", &headers, b"").await.is(201);
    let location = created.header("location");
    location[location.find("/_/uploads/").unwrap()..].to_string()
}

async fn patch(server: &Server, at: &str, offset: usize, bytes: &[u8]) -> Answer {
    let offset = offset.to_string();
    let headers = [TUS, PIECE, ("upload-offset", &*offset)];
    server.send(&format!("PATCH {at}"), &headers, bytes).await
}

async fn offset(server: &Server, at: &str) -> String {
    let head = server.send(&format!("HEAD {at}"), &[TUS], b"").await.is(200);
    head.header("upload-offset").to_string()
}

#[tokio::test]
async fn an_object_is_sent_in_pieces_and_appears_with_the_last() {
    let server = Server::open();
    let content = bytes(1, 2_500_000);
    let at = create(&server, content.len()).await;
    assert_eq!(offset(&server, &at).await, "0");
    let answer = patch(&server, &at, 0, &content[..1_000_000]).await.is(204);
    assert_eq!(answer.header("upload-offset"), "1000000");
    server.get("/film.mp4", &[]).await.is(404);
    patch(&server, &at, 1_000_000, &content[1_000_000..]).await.is(204);
    assert_eq!(offset(&server, &at).await, "2500000", "also when it has been committed");
    let got = server.get("/film.mp4", &[]).await.is(200);
    assert!(got.bytes == content);
    assert_eq!(got.header("content-type"), "video/mp4");
}

#[tokio::test]
async fn the_first_piece_may_come_with_the_beginning() {
    let server = Server::open();
    let metadata = metadata("a", "text/plain");
    let headers = [TUS, PIECE, ("upload-length", "7"), ("upload-metadata", &*metadata)];
    let created = server.send("POST /_/uploads", &headers, b"content").await.is(201);
    assert_eq!(created.header("upload-offset"), "7");
    assert_eq!(server.get("/a", &[]).await.is(200).bytes, b"content");
}

#[tokio::test]
async fn a_piece_elsewhere_is_a_conflict() {
    let server = Server::open();
    let at = create(&server, 100).await;
    patch(&server, &at, 0, &[1; 50]).await.is(204);
    patch(&server, &at, 49, &[1; 10]).await.is(409);
    assert_eq!(offset(&server, &at).await, "50");
}

#[tokio::test]
async fn the_length_may_come_later() {
    let server = Server::open();
    let metadata = metadata("a", "text/plain");
    let headers = [TUS, ("upload-defer-length", "1"), ("upload-metadata", &*metadata)];
    let created = server.send("POST /_/uploads", &headers, b"").await.is(201);
    let location = created.header("location");
    let at = location[location.find("/_/uploads/").unwrap()..].to_string();
    patch(&server, &at, 0, b"con").await.is(204);
    let headers = [TUS, PIECE, ("upload-offset", "3"), ("upload-length", "7")];
    server.send(&format!("PATCH {at}"), &headers, b"tent").await.is(204);
    assert_eq!(server.get("/a", &[]).await.is(200).bytes, b"content");
}

#[tokio::test]
async fn what_is_terminated_or_late_is_gone() {
    let server = Server::open();
    let at = create(&server, 100).await;
    server.send(&format!("DELETE {at}"), &[TUS], b"").await.is(204);
    let answer = server.send(&format!("HEAD {at}"), &[TUS], b"").await;
    assert!([404, 410].contains(&answer.status.as_u16()), "{answer:?}");
    let at = create(&server, 100).await;
    server.later(25 * 3600);
    let answer = patch(&server, &at, 0, &[1; 100]).await;
    assert!([404, 410].contains(&answer.status.as_u16()), "{answer:?}");
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused() {
    let server = Server::open();
    let headers = [("tus-resumable", "0.2.2"), ("upload-length", "1")];
    let answer = server.send("POST /_/uploads", &headers, b"").await.is(412);
    assert_eq!(answer.header("tus-version"), "1.0.0");
    let options = server.send("OPTIONS /_/uploads", &[], b"").await.is(204);
    assert_eq!(options.header("tus-version"), "1.0.0");
    for extension in ["creation", "creation-with-upload", "expiration", "termination"] {
        assert!(options.header("tus-extension").contains(extension), "{options:?}");
    }
}

#[tokio::test]
async fn what_is_under_way_is_listed_and_followed() {
    let server = Server::open();
    let at = create(&server, 300).await;
    patch(&server, &at, 0, &[1; 200]).await.is(204);
    let listed = server.get("/_/uploads", &[]).await.is(200).json();
    assert_eq!(listed["uploads"][0]["key"], "film.mp4");
    assert_eq!(listed["uploads"][0]["offset"], 200);
    let follow = server.get("/film.mp4?follow", &[]);
    let rest = async {
        tokio::task::yield_now().await;
        patch(&server, &at, 200, &[2; 100]).await.is(204)
    };
    let (followed, _) = tokio::join!(follow, rest);
    let followed = followed.is(200);
    assert!(followed.bytes == [&[1; 200][..], &[2; 100]].concat());
    assert!(!followed.headers.contains_key("content-length"));
}
