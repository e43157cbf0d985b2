//! Reading what is still being written, by another process.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use chunk_store_tests::random::bytes;

use crate::program::{Place, Ran};
use crate::uploads::wait_until;

const RATE: u64 = 20_000_000;

/// The largest chunk of such an object, a poll of who follows, and what a loaded machine
/// may take for all else.
const CHUNK: u64 = 4 << 20;
const POLL: Duration = Duration::from_millis(100);
const SLACK: Duration = Duration::from_millis(150);

/// Writes at a steady rate, and counts what the program has taken.
fn write_slowly(child: &mut Child, content: &[u8], given: &AtomicU64) {
    let mut stdin = child.stdin.take().unwrap();
    let begun = Instant::now();
    for piece in content.chunks(100_000) {
        let due = Duration::from_secs_f64(given.load(Relaxed) as f64 / RATE as f64);
        thread::sleep(due.saturating_sub(begun.elapsed()));
        stdin.write_all(piece).unwrap();
        given.fetch_add(piece.len() as u64, Relaxed);
    }
}

#[test]
fn who_follows_keeps_within_a_chunk_and_a_poll_of_the_writer() {
    let place = Place::with_store();
    let content = bytes(71, 5 * RATE);
    let given = AtomicU64::new(0);
    let mut command = place.command(&["put", "-", "live", "--live"]);
    let mut writer = command.stdin(Stdio::piped()).spawn().unwrap();
    let (read, behind) = thread::scope(|scope| {
        scope.spawn(|| write_slowly(&mut writer, &content, &given));
        thread::sleep(Duration::from_secs(1));
        let mut reader = place.command(&["get", "live", "--follow"]).spawn().unwrap();
        let mut stdout = reader.stdout.take().unwrap();
        let (mut read, mut behind) = (Vec::new(), Vec::new());
        let mut piece = vec![0; 1 << 20];
        loop {
            let count = stdout.read(&mut piece).unwrap();
            if count == 0 {
                break;
            }
            read.extend_from_slice(&piece[..count]);
            // Before that it catches up.
            if read.len() as u64 > 2 * RATE {
                behind.push(given.load(Relaxed) - read.len() as u64);
            }
        }
        Ran::of_child(reader).works();
        (read, behind)
    });
    assert_eq!(Ran::of_child(writer).code, Some(0));
    assert!(read == content, "{} bytes were read of {}", read.len(), content.len());
    assert!(place.works(&["get", "live", "--follow"]) == content, "and when it is committed");

    let mut behind = behind;
    behind.sort();
    let median = behind[behind.len() / 2];
    let allowed = CHUNK + ((POLL + SLACK).as_secs_f64() * RATE as f64) as u64;
    assert!(median <= allowed, "{median} bytes behind, {allowed} at most");
}

#[test]
fn a_writer_that_is_killed_is_given_up_after_the_stall_time() {
    let place = Place::with_store();
    let content = bytes(72, 12 << 20);
    let mut command = place.command(&["put", "-", "live", "--live"]);
    let mut writer = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(&content).unwrap();
    wait_until("it can be followed", || !place.json(&["uploads", "list"]).is_empty());
    let follow = ["get", "live", "--follow", "--stall", "2s", "-o", "copy"];
    let reader = place.command(&follow).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    writer.kill().unwrap();
    let killed = Instant::now();
    Ran::of_child(writer);
    let ran = Ran::of_child(reader);
    let waited = killed.elapsed();
    ran.fails(11, &["\"live\"", "has not grown for", "its writer may be gone"]);
    assert!(waited > Duration::from_millis(1000), "{waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert!(!place.path("copy").exists());
    place.has_no_temporaries();
}

#[test]
fn from_a_byte_on() {
    let place = Place::with_store();
    let content = bytes(73, 9 << 20);
    let mut command = place.command(&["put", "-", "live", "--live"]);
    let mut writer = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(&content[..5 << 20]).unwrap();
    wait_until("it can be followed", || !place.json(&["uploads", "list"]).is_empty());
    let range = ["--range", "5000000-"];
    let follow = [&["get", "live", "--follow", "-o", "part"], &range[..]].concat();
    let reader = place.command(&follow).spawn().unwrap();
    place.run(&["get", "live", "--follow", "--range", "0-9"]).fails(2, &["from a byte on only"]);
    stdin.write_all(&content[5 << 20..]).unwrap();
    drop(stdin);
    assert_eq!(Ran::of_child(writer).code, Some(0));
    Ran::of_child(reader).works();
    assert!(std::fs::read(place.path("part")).unwrap() == content[5_000_000..]);
}

#[test]
fn nothing_there_and_nothing_under_way_is_not_found() {
    let place = Place::with_store();
    place.run(&["get", "none", "--follow"]).fails(3, &["\"none\"", "none is being written"]);
    place.run(&["get", "none"]).fails(3, &["\"none\": no such object"]);
}
