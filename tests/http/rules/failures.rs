//! What fails is told as such: by a status where that can be, else by a body that breaks.

use chunk_store::body::Source;
use chunk_store_host::kv::Backend;
use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;

use crate::server::Server;

/// A body that breaks off.
struct BreaksOff<'a>(&'a [u8]);

impl Source for BreaksOff<'_> {
    async fn read(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let room = buffer.capacity() - buffer.len();
        let (now, later) = self.0.split_at(room.min(self.0.len()));
        buffer.extend_from_slice(now);
        self.0 = later;
        (buffer, later.is_empty())
    }

    async fn done(&mut self) -> Result<(), String> {
        Err("the client has gone".to_string())
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let server = Server::open();
    server.put("/a", b"old").await;
    for size in [0, 1000, 3_000_000] {
        let content = bytes(1, size);
        let answer = server.send_source("PUT /a", &[], BreaksOff(&content)).await;
        answer.fails(400, "the client has gone");
        let length = size.to_string();
        let headers = [("content-length", &*length)];
        server.send_source("PUT /a", &headers, BreaksOff(&content)).await.is(400);
    }
    assert_eq!(server.get("/a", &[]).await.bytes, b"old");
}

#[tokio::test]
async fn a_body_of_another_length_or_digest_than_announced_stores_nothing() {
    let server = Server::open();
    let content = bytes(2, 600_000);
    for length in ["599999", "600001", "0"] {
        let answer = server.send("PUT /a", &[("content-length", length)], &content).await;
        answer.fails(400, "announced");
    }
    let other = digest(b"other");
    server.send("PUT /a", &[("x-digest", &other)], &content).await.is(400);
    server.get("/a", &[]).await.is(404);
    let right = digest(&content);
    server.send("PUT /a", &[("x-digest", &right)], &content).await.is(201);
}

#[tokio::test]
async fn what_is_missing_in_the_middle_breaks_the_body() {
    let server = Server::open();
    let content = bytes(3, 3_000_000);
    server.put("/a", &content).await;
    server.lose("c/", "/00000003").await;
    let answer = server.get("/a", &[]).await;
    assert_eq!(answer.status.as_u16(), 200, "the head has gone out");
    assert!(answer.broken.is_some_and(|why| why.contains("chunk 3")));
    assert!(answer.bytes.len() < content.len() && content.starts_with(&answer.bytes));
    // What can be read is read, and what begins with the gap is an error with a status.
    assert!(server.get("/a", &[("range", "bytes=0-99")]).await.is(206).bytes == content[..100]);
    let answer = server.get("/a", &[("range", "bytes=1048576-1048577")]).await;
    answer.fails(500, "chunk 3");
}

#[tokio::test]
async fn what_was_damaged_is_no_content() {
    let server = Server::open();
    server.put("/a", &bytes(4, 1000)).await;
    let manifest = server.kv.get("m/a", None).await.unwrap().unwrap().value;
    let mut damaged = manifest.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    server.kv.set("m/a", damaged.into(), Default::default()).await.unwrap();
    server.get("/a", &[]).await.fails(500, "cannot be read");
}
