//! SIGTERM: what is under way ends, nothing new begins. A second one: at once.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chunk_store_tests::http::Protocol;
use chunk_store_tests::random::bytes;
use chunk_store_tests::serving::Server;

use crate::raw::{Raw, request};
use crate::{client, server, tmp};

const SOON: Duration = Duration::from_secs(10);

/// Stores an object that no socket's buffers hold; gives its content.
fn store_large(server: &Server) -> Vec<u8> {
    let content = bytes(1, 40_000_000);
    let mut raw = Raw::connect(server);
    raw.send(request("PUT /large", "Content-Length: 40000000\r\n"));
    raw.send(&content);
    assert_eq!(raw.answer().unwrap().status, 201);
    content
}

/// A GET under way, of which nothing has been read.
fn begin_get(server: &Server) -> Raw {
    let mut raw = Raw::connect(server);
    raw.send(request("GET /large", ""));
    raw
}

/// A PUT under way, of which half has been sent.
fn begin_put(server: &Server, content: &[u8]) -> Raw {
    let mut raw = Raw::connect(server);
    raw.send(request("PUT /put", &format!("Content-Length: {}\r\n", content.len())));
    raw.send(&content[..content.len() / 2]);
    raw
}

/// Waits until nobody can connect any more.
fn wait_until_refused(server: &Server) {
    let begun = Instant::now();
    while TcpStream::connect(server.address()).is_ok() {
        assert!(begun.elapsed() < SOON, "new connections are taken");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_is_under_way_ends_and_nothing_new_begins() {
    let mut server = server(&[]);
    let large = store_large(&server);
    let mut idle = Raw::connect(&server);
    idle.send(request("GET /none", ""));
    assert_eq!(idle.answer().unwrap().status, 404);
    let mut get = begin_get(&server);
    let content = bytes(2, 3_000_000);
    let mut put = begin_put(&server, &content);
    sleep(Duration::from_millis(300));
    server.signal("TERM");
    wait_until_refused(&server);
    assert!(idle.closed().0 < SOON, "a connection without a request is let go");
    assert!(server.process().id() > 0 && get.answer().unwrap().body == large);
    put.send(&content[content.len() / 2..]);
    assert_eq!(put.answer().unwrap().status, 201);
    assert_eq!(server.ended(SOON), Some(0));

    server.restart(tmp());
    let mut raw = Raw::connect(&server);
    raw.send(request("GET /put", ""));
    assert!(raw.answer().unwrap().body == content, "what was acknowledged is there");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = server(&[]);
    store_large(&server);
    let _get = begin_get(&server);
    sleep(Duration::from_millis(300));
    server.signal("TERM");
    wait_until_refused(&server);
    assert!(server.process().id() > 0);
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended(SOON), Some(128 + 15));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn who_does_not_go_on_is_cut_off_after_the_grace() {
    let mut server = server(&["--grace", "1s"]);
    let large = store_large(&server);
    let mut get = begin_get(&server);
    let mut put = begin_put(&server, &bytes(2, 3_000_000));
    sleep(Duration::from_millis(300));
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended(SOON), Some(0));
    assert!((1..5).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!(get.answer().unwrap().body.len() < large.len(), "the client sees that it is not whole");
    assert_eq!(put.answer(), None);
    server.restart(tmp());
    let mut raw = Raw::connect(&server);
    raw.send(request("GET /put", ""));
    assert_eq!(raw.answer().unwrap().status, 404);
}

#[tokio::test]
async fn streams_of_http2_end_too() {
    let mut server = server(&[]);
    let client = client(&server, Protocol::Http2);
    let content = bytes(3, 40_000_000);
    client.send("PUT /a", &[], &content).await.is(201);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        server.signal("TERM");
    };
    let (got, ()) = tokio::join!(client.send("GET /a", &[], b""), stop);
    assert!(got.is(200).bytes == content);
    assert_eq!(server.ended(SOON), Some(0));
}
