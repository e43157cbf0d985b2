//! curl: store, read, read parts, go on after an interruption, take one's time.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;
use chunk_store_tests::serving::Server;

use crate::{program, run, server, works};

/// `curl -sS ARGUMENTS URL/KEY`, which fails where the server does.
fn curl(server: &Server, arguments: &[&str], key: &str) -> Command {
    let url = format!("{}/{key}", server.url());
    program("curl", server, &[&["-sS", "--fail-with-body"], arguments, &[&url]].concat())
}

/// A file of random bytes beside the store.
fn file(server: &Server, name: &str, content: &[u8]) {
    fs::write(server.directory().join(name), content).unwrap();
}

#[test]
fn a_file_is_stored_and_read_back_whole_and_in_parts() {
    let server = server(&[]);
    let content = bytes(1, 5_000_000);
    file(&server, "film.mp4", &content);
    works(&mut curl(&server, &["-T", "film.mp4", "-H", "Content-Type: video/mp4"], "a/film.mp4"));
    assert!(works(&mut curl(&server, &[], "a/film.mp4")) == content);
    for (range, first, end) in
        [("0-1023", 0, 1024), ("262143-262144", 262_143, 262_145), ("-5", 4_999_995, 5_000_000)]
    {
        let part = works(&mut curl(&server, &["-r", range], "a/film.mp4"));
        assert!(part == content[first..end], "{range}");
    }
    let head = String::from_utf8(works(&mut curl(&server, &["-I"], "a/film.mp4"))).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-length: 5000000\r\n"), "{head}");
    assert!(head.contains("content-type: video/mp4\r\n"), "{head}");
    assert!(head.contains(&format!("x-digest: {}\r\n", digest(&content))), "{head}");
    works(&mut curl(&server, &["-X", "DELETE"], "a/film.mp4"));
    assert_eq!(run(&mut curl(&server, &[], "a/film.mp4")).status.code(), Some(22), "404");
}

#[test]
fn a_pipe_is_stored() {
    let server = server(&[]);
    let content = bytes(2, 3_000_000);
    // curl waits for `100 Continue` before it sends; without an answer it would for a second.
    let arguments = ["-v", "-T", "-", "-H", "Expect: 100-continue"];
    let begun = Instant::now();
    let mut child = curl(&server, &arguments, "a").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&content).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("< HTTP/1.1 100 Continue"), "{told}");
    assert!(told.contains("> Transfer-Encoding: chunked"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(works(&mut curl(&server, &[], "a")) == content);
}

#[test]
fn a_download_that_was_cut_off_goes_on() {
    let server = server(&[]);
    // More than the buffers of sockets hold.
    let content = bytes(3, 60_000_000);
    file(&server, "content", &content);
    works(&mut curl(&server, &["-T", "content"], "a"));
    let slow = ["--limit-rate", "8M", "--max-time", "1", "-o", "copy"];
    assert_eq!(run(&mut curl(&server, &slow, "a")).status.code(), Some(28), "out of time");
    let there = fs::metadata(server.directory().join("copy")).unwrap().len();
    assert!((1..60_000_000).contains(&there), "{there}");
    works(&mut curl(&server, &["-C", "-", "-o", "copy"], "a"));
    assert!(fs::read(server.directory().join("copy")).unwrap() == content);
    // A line is written when it is over with a client, which may be later than the next.
    let log = server.accesses("GET", "/a", 2);
    let of = |status: u16| log.iter().find(|line| line["status"] == status).unwrap();
    assert_eq!(of(200)["ended"], "client left");
    assert_eq!(
        (&of(206)["ended"], &of(206)["sent"]),
        (&"whole".into(), &(60_000_000 - there).into())
    );
}

#[test]
fn an_upload_that_is_killed_leaves_nothing() {
    let server = server(&[]);
    file(&server, "old", b"old");
    file(&server, "content", &bytes(4, 20_000_000));
    works(&mut curl(&server, &["-T", "old"], "a"));
    for key in ["a", "b"] {
        let mut child =
            curl(&server, &["--limit-rate", "8M", "-T", "content"], key).spawn().unwrap();
        sleep(Duration::from_millis(500));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let log = server.accesses("PUT", "/b", 1);
    assert!(log[0]["received"].as_u64().unwrap() > 0, "{log:?}");
    let log = server.accesses("PUT", "/a", 2);
    assert!(log[1]["received"].as_u64().unwrap() < 20_000_000, "{log:?}");
    assert_eq!(works(&mut curl(&server, &[], "a")), b"old");
    assert_eq!(run(&mut curl(&server, &[], "b")).status.code(), Some(22));
}

#[test]
fn who_takes_their_time_gets_all() {
    let server = server(&[]);
    let content = bytes(5, 3_000_000);
    file(&server, "content", &content);
    works(&mut curl(&server, &["--limit-rate", "2M", "-T", "content"], "a"));
    assert!(works(&mut curl(&server, &["--limit-rate", "2M"], "a")) == content);
}

#[test]
fn http2_carries_the_same() {
    let server = server(&[]);
    let content = bytes(6, 5_000_000);
    file(&server, "content", &content);
    let http2 = "--http2-prior-knowledge";
    let put = ["-v", http2, "-T", "content"];
    let output = run(&mut curl(&server, &put, "a"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("< HTTP/2 201"), "{told}");
    assert!(works(&mut curl(&server, &[http2], "a")) == content);
    assert!(works(&mut curl(&server, &[http2, "-r", "1000000-"], "a")) == content[1_000_000..]);
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server = server(&[]);
    file(&server, "content", b"content");
    works(&mut curl(&server, &["-T", "content"], "a"));
    works(&mut curl(&server, &["--etag-save", "etag", "-o", "copy"], "a"));
    let again = ["--etag-compare", "etag", "-w", "%{http_code}"];
    assert_eq!(works(&mut curl(&server, &again, "a")), b"304");
    works(&mut curl(&server, &["-R", "-o", "dated"], "a"));
    assert_eq!(works(&mut curl(&server, &["-z", "dated", "-w", "%{http_code}"], "a")), b"304");
    file(&server, "content", b"other");
    works(&mut curl(&server, &["-T", "content"], "a"));
    assert_eq!(works(&mut curl(&server, &["--etag-compare", "etag"], "a")), b"other");
}

/// `curl -C N -T` sends the rest with `Content-Range`, as if it could be put behind what
/// is there.
#[test]
fn the_rest_of_a_file_is_not_taken_for_the_whole() {
    let server = server(&[]);
    file(&server, "content", b"content");
    works(&mut curl(&server, &["-T", "content"], "a"));
    let refused = run(&mut curl(&server, &["-C", "3", "-T", "content"], "a"));
    assert_eq!(refused.status.code(), Some(22));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("/_/uploads"), "{refused:?}");
    assert_eq!(works(&mut curl(&server, &[], "a")), b"content");
}

/// curl sees that a transfer failed, and how much of it came.
#[test]
fn what_is_missing_in_the_middle_is_a_failed_transfer() {
    let server = server(&[]);
    let content = bytes(7, 20_000_000);
    file(&server, "content", &content);
    works(&mut curl(&server, &["-T", "content"], "a"));
    let chunks = server.store().join("data/c+");
    let segment = fs::read_dir(chunks).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(segment.join("00000005")).unwrap();
    let output = run(&mut curl(&server, &[], "a"));
    assert_eq!(output.status.code(), Some(18), "transferred a partial file");
    assert!(content.starts_with(&output.stdout) && output.stdout.len() < content.len());
    let output = run(&mut curl(&server, &["--http2-prior-knowledge"], "a"));
    assert_eq!(output.status.code(), Some(92), "a stream of HTTP/2 failed");
    assert!(content.starts_with(&output.stdout) && output.stdout.len() < content.len());
}
