//! Clients that break off what they send: nothing is committed, nothing is left.

use std::time::Duration;

use chunk_store_tests::http::{Protocol, Sending};
use chunk_store_tests::needed::assert_exact;
use chunk_store_tests::random::bytes;
use rustix::net::sockopt::set_socket_linger;

use crate::raw::Raw;
use crate::{client, server, store_of};

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// Closes the connection.
    Close,
    /// Resets it.
    Reset,
    /// Says that it sends no more, and waits for an answer.
    SayEnd,
}

/// A PUT of `key` in this framing, cut off.
fn cut(framing: &str, key: &str, content: &[u8]) -> Vec<u8> {
    let (header, body) = match framing {
        "nothing of the announced" => ("Content-Length: 4000000", vec![]),
        "less than announced" => ("Content-Length: 4000000", content.to_vec()),
        "a byte less than announced" => ("Content-Length: 1000", content[..999].to_vec()),
        "no chunk" => ("Transfer-Encoding: chunked", vec![]),
        "whole chunks without the last" => ("Transfer-Encoding: chunked", chunk(content)),
        "half a chunk" => ("Transfer-Encoding: chunked", {
            let mut body = chunk(content);
            body.truncate(body.len() - 1000);
            body
        }),
        "half of the last chunk" => {
            ("Transfer-Encoding: chunked", [&chunk(content)[..], b"0\r\n"].concat())
        }
        "a chunk that is none" => {
            ("Transfer-Encoding: chunked", [&chunk(content)[..], b"xyz\r\n"].concat())
        }
        other => unreachable!("{other}"),
    };
    let head = format!("PUT /{key} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
    [head.as_bytes(), &body].concat()
}

fn chunk(content: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

const FRAMINGS: [&str; 8] = [
    "nothing of the announced",
    "less than announced",
    "a byte less than announced",
    "no chunk",
    "whole chunks without the last",
    "half a chunk",
    "half of the last chunk",
    "a chunk that is none",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_is_cut_off_commits_nothing() {
    let server = server(&[]);
    let client = client(&server, Protocol::Http1);
    client.send("PUT /old", &[], b"old").await.is(201);
    let mut seen = 0;
    for size in [1000, 3_000_000] {
        let content = bytes(1, size);
        for framing in FRAMINGS {
            for leaving in [Leaving::Close, Leaving::Reset, Leaving::SayEnd] {
                for key in ["old", "new"] {
                    let mut raw = Raw::connect(&server);
                    assert!(raw.send(cut(framing, key, &content)), "{framing}");
                    match leaving {
                        Leaving::Close => {}
                        Leaving::Reset => {
                            // What was sent is to be read before the reset, if it can be.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            set_socket_linger(raw.stream(), Some(Duration::ZERO)).unwrap();
                        }
                        Leaving::SayEnd => {
                            raw.end();
                            let answer = raw.answer();
                            assert!(
                                answer.as_ref().is_none_or(|answer| answer.status >= 400),
                                "{framing}: {answer:?}"
                            );
                        }
                    }
                    // Of a head that a reset overtook nothing is logged.
                    seen += usize::from(!matches!(leaving, Leaving::Reset));
                }
            }
        }
    }
    // The server has done with all of them.
    for key in ["/old", "/new"] {
        server.accesses("PUT", key, seen / 2);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.send("GET /old", &[], b"").await.is(200).bytes, b"old");
    client.send("GET /new", &[], b"").await.is(404);
    let log = server.log();
    assert!(log.iter().all(|line| line["level"] != "ERROR"), "clients are no errors");
    // What they had sent is found by a sweep.
    let sweep = "POST /_/sweep?grace-seconds=0&no-writers&operations-max=100000";
    client.send(sweep, &[], b"").await.is(200);
    assert_exact(&*store_of(&server).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_reset_commits_nothing() {
    let server = server(&[]);
    let http2 = client(&server, Protocol::Http2);
    http2.send("PUT /old", &[], b"old").await.is(201);
    for key in ["old", "new"] {
        for announced in [None, Some(4_000_000)] {
            // Resets its stream.
            let body = Sending::broken(bytes(2, 3_000_000), announced);
            let answer = http2.try_send(&format!("PUT /{key}"), &[], body).await;
            assert!(answer.as_ref().map_or(true, |answer| answer.status >= 400), "{answer:?}");
            // Loses the connection under it.
            let leaver = client(&server, Protocol::Http2);
            let body = Sending::stalled(bytes(2, 3_000_000), announced);
            let line = format!("PUT /{key}");
            let sent = leaver.try_send(&line, &[], body);
            let left = tokio::time::timeout(Duration::from_millis(200), sent).await;
            assert!(left.is_err(), "there is no answer before the end");
        }
    }
    server.accesses("PUT", "/old", 5);
    server.accesses("PUT", "/new", 4);
    assert_eq!(http2.send("GET /old", &[], b"").await.is(200).bytes, b"old");
    http2.send("GET /new", &[], b"").await.is(404);
}
