//! Many at once: each gets what is theirs, and memory is bounded.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chunk_store_host::serve::limits::{
    GATHERED_BYTES_MAX, QUEUE_MAX, QUEUE_TIMEOUT, READ_AHEAD_BODIES_MAX,
};
use chunk_store_tests::http::{Client, Protocol, Sending};
use chunk_store_tests::random::bytes;
use chunk_store_tests::serving::Server;

use crate::raw::{Raw, request};
use crate::{client, server};

const GETS: u64 = 64;
const PUTS: u64 = 200;
const SIZE: u64 = 2_000_000;

/// What a server with `--instances 2 --memory 32MiB` may take: 48 MiB for each instance, which
/// has buffers of 16 and the gaps between them; the same buffers in the host, which has the
/// chunks that are on their way to and from the files; what of bodies is received ahead; up to
/// 64 KiB each way for a connection (one of HTTP/2 has up to 12.5 MiB of bodies); and 64 MiB
/// for the program, its compiled code and what the allocator keeps.
const PEAK_BYTES_MAX: u64 =
    (2 * 48 + 2 * 16 + 64) * MIB + RECEIVED_AHEAD + (GETS + PUTS) * 128 * KIB;
const RECEIVED_AHEAD: u64 = 3 * (READ_AHEAD_BODIES_MAX * GATHERED_BYTES_MAX) as u64;
const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

fn small() -> Server {
    server(&["--instances", "2", "--memory", "32MiB"])
}

fn assert_bounded(server: &Server, what: &str) {
    let peak = server.peak_bytes();
    println!("{what}: at most {} MiB, allowed {} MiB", peak / MIB, PEAK_BYTES_MAX / MIB);
    assert!(peak < PEAK_BYTES_MAX, "{what}: {} MiB", peak / MIB);
}

/// The object of this number.
fn content(number: u64) -> Bytes {
    // Beginning at another place of the same bytes is quicker than drawing others.
    static ALL: LazyLock<Bytes> = LazyLock::new(|| bytes(1, SIZE + 1000 * PUTS).into());
    let start = (1000 * number) as usize;
    ALL.slice(start..start + SIZE as usize)
}

/// Does one thing for each number at once, over this many connections of HTTP/1.1, or one of
/// HTTP/2.
async fn at_once<F: Future<Output = ()> + Send + 'static>(
    client: &Arc<Client>,
    count: u64,
    one: impl Fn(Arc<Client>, u64) -> F,
) {
    let all: Vec<_> = (0..count).map(|number| tokio::spawn(one(client.clone(), number))).collect();
    for done in all {
        done.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_what_is_theirs() {
    let server = small();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let client = Arc::new(client(&server, protocol));
        at_once(&client, PUTS, async |client: Arc<Client>, number| {
            let answer = client.send(&format!("PUT /{number}"), &[], content(number)).await;
            assert!([201, 204].contains(&answer.status), "{answer:?}");
        })
        .await;
        assert_bounded(&server, &format!("{PUTS} PUTs at once, {protocol:?}"));
        at_once(&client, GETS, async |client: Arc<Client>, number| {
            let answer = client.send(&format!("GET /{number}"), &[], b"").await.is(200);
            assert!(answer.bytes == content(number), "{number}");
        })
        .await;
        assert_bounded(&server, &format!("{GETS} GETs at once, {protocol:?}"));
    }
    let log = server.log();
    assert!(log.iter().all(|line| line["level"] == "INFO"), "nothing went wrong");
}

/// Of those who write one object at once each is answered, and one has written it. Who was
/// overtaken again and again is told to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_writers_of_an_object_has_written_it() {
    let server = small();
    let client = Arc::new(client(&server, Protocol::Http1));
    at_once(&client, 50, async |client: Arc<Client>, number| {
        let body = Sending::from(content(number).slice(..300_000));
        let answer = client.send("PUT /a", &[], body).await;
        assert!([201, 204, 503].contains(&answer.status), "{}", answer.status);
        assert_eq!(answer.status == 503, !answer.header("retry-after").is_empty());
    })
    .await;
    let stored = client.send("GET /a", &[], b"").await.is(200).bytes;
    assert!((0..50).any(|number| stored == content(number)[..300_000]));
    let created = Arc::new(AtomicUsize::new(0));
    at_once(&client, 50, |client, number| {
        let created = created.clone();
        async move {
            let body = Sending::from(content(number).slice(..300_000));
            let answer = client.send("PUT /b", &[("if-none-match", "*")], body).await;
            assert!([201, 412].contains(&answer.status), "{}", answer.status);
            created.fetch_add(usize::from(answer.status == 201), Relaxed);
        }
    })
    .await;
    assert_eq!(created.load(Relaxed), 1, "one has created it");
}

/// Each that waits may hold what its client has sent ahead.
#[test]
fn those_that_wait_for_their_turn_are_bounded() {
    rlimit::increase_nofile_limit(u64::MAX).expect("it can be asked");
    let server = server(&["--requests-max", "1"]);
    let mut first = Raw::connect(&server);
    first.send(request("PUT /a", "Content-Length: 1\r\nExpect: 100-continue\r\n"));
    assert_eq!(first.answer().unwrap().status, 100, "it is under way");
    let begun = Instant::now();
    let mut others: Vec<Raw> = (0..QUEUE_MAX + 50)
        .map(|_| {
            let mut other = Raw::connect(&server);
            other.send(request("GET /_/health", ""));
            other.stream().set_nonblocking(true).unwrap();
            other
        })
        .collect();
    let refused = loop {
        if let Some(at) = others.iter().position(|other| other.stream().peek(&mut [0]).is_ok()) {
            break at;
        }
        sleep(Duration::from_millis(10));
    };
    assert!(begun.elapsed() < QUEUE_TIMEOUT, "it did not wait");
    let mut refused = others.swap_remove(refused);
    refused.stream().set_nonblocking(false).unwrap();
    let answer = refused.answer().unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    first.send("a");
    assert_eq!(first.answer().unwrap().status, 201);
}
