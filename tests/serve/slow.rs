//! Clients that take their time, and clients that do nothing: others are answered quickly.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use chunk_store_host::serve::limits::HEAD_TIMEOUT;
use chunk_store_tests::random::bytes;
use chunk_store_tests::serving::Server;

use crate::raw::{Raw, request};
use crate::server;

const IDLE: usize = 1000;
const SLOW: usize = 8;

/// Somebody else's request takes no longer than this while they are there.
const QUICK: Duration = Duration::from_secs(2);

/// Sends a head byte by byte, one a second, until the server has had enough; gives when.
fn drip(server: &Server) -> Duration {
    let begun = Instant::now();
    let mut raw = Raw::connect(server);
    raw.stream().set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    for byte in request("GET /a", "X-Slow: 1234567890123456789012345678901234567890\r\n").bytes() {
        if !raw.send([byte]) {
            break;
        }
        // A second, unless the connection ends before.
        let mut answer = [0; 1000];
        match raw.stream().read(&mut answer) {
            Ok(0) => break,
            Ok(count) => assert!(answer[..count].starts_with(b"HTTP/1.1 408"), "{answer:?}"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    begun.elapsed()
}

/// Takes 1 KB a second of an answer, as long as the others are looked at.
fn sip(server: &Server, over: &AtomicBool) {
    let mut raw = Raw::connect(server);
    raw.send(request("GET /large", ""));
    let mut buffer = [0; 1000];
    while !over.load(Relaxed) {
        raw.stream().read_exact(&mut buffer).expect("it is not cut off while it takes something");
        sleep(Duration::from_secs(1));
    }
}

/// Sends 1 KB a second of a body, then the rest at once.
fn trickle(server: &Server, key: usize, content: &[u8], over: &AtomicBool) {
    let mut raw = Raw::connect(server);
    let length = format!("Content-Length: {}\r\n", content.len());
    raw.send(request(&format!("PUT /trickled/{key}"), &length));
    let mut left = content;
    while !over.load(Relaxed) {
        let (now, later) = left.split_at(1000);
        assert!(raw.send(now), "it is not cut off while it sends something");
        left = later;
        sleep(Duration::from_secs(1));
    }
    raw.send(left);
    assert_eq!(raw.answer().unwrap().status, 201);
}

/// What everybody else does meanwhile.
fn others(server: &Server, content: &[u8]) -> Duration {
    let begun = Instant::now();
    let mut raw = Raw::connect(server);
    let length = format!("Content-Length: {}\r\n", content.len());
    raw.send(request("PUT /other", &length));
    raw.send(content);
    assert!([201, 204].contains(&raw.answer().unwrap().status));
    raw.send(request("GET /other", ""));
    assert!(raw.answer().unwrap().body == content);
    begun.elapsed()
}

#[test]
fn others_are_answered_while_some_take_their_time() {
    rlimit::increase_nofile_limit(u64::MAX).expect("it can be asked");
    let server = server(&[]);
    let content = bytes(1, 1_000_000);
    let large = bytes(2, 20_000_000);
    let mut raw = Raw::connect(&server);
    raw.send(request("PUT /large", "Content-Length: 20000000\r\n"));
    raw.send(&large);
    assert_eq!(raw.answer().unwrap().status, 201);

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let drips: Vec<_> = (0..SLOW).map(|_| scope.spawn(|| drip(&server))).collect();
        for key in 0..SLOW {
            scope.spawn(|| sip(&server, &over));
            scope.spawn({
                let (server, content, over) = (&server, &content, &over);
                move || trickle(server, key, content, over)
            });
        }
        let mut idle: Vec<TcpStream> =
            (0..IDLE).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
        let mut slowest = Duration::ZERO;
        let mut rounds = 0;
        while drips.iter().any(|drip| !drip.is_finished()) {
            slowest = slowest.max(others(&server, &content));
            rounds += 1;
            sleep(Duration::from_millis(100));
        }
        over.store(true, Relaxed);
        println!("{rounds} rounds beside the slow and the idle, the slowest {slowest:?}");
        assert!(rounds > 10 && slowest < QUICK, "{rounds} rounds, the slowest {slowest:?}");
        for drip in drips {
            let took = drip.join().unwrap();
            let limit = HEAD_TIMEOUT + Duration::from_secs(5);
            assert!((Duration::from_secs(5)..limit).contains(&took), "cut off after {took:?}");
        }
        // Those that said nothing were let go as well.
        let said_nothing = &mut idle[0];
        said_nothing.set_read_timeout(Some(HEAD_TIMEOUT)).unwrap();
        assert_eq!(said_nothing.read(&mut [0]).unwrap_or(0), 0);
        let _ = said_nothing.write_all(b"x");
    });
    let mut raw = Raw::connect(&server);
    raw.send(request("GET /trickled/0", ""));
    assert!(raw.answer().unwrap().body == content);
    println!("most memory: {} MiB", server.peak_bytes() >> 20);
}
