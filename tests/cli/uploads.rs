//! Puts that are gone on with, and the uploads that they are.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chunk_store_tests::random::bytes;
use chunk_store_tests::{digest, signal};
use serde_json::Value;

use crate::program::{Place, Ran, chunk_files, failing_source};

const MIB: u64 = 1 << 20;

/// Waits until `holds`, for as long as a loaded machine may take.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stored_bytes(place: &Place) -> u64 {
    let files = chunk_files(&place.path("store")).into_iter();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Starts a put, and kills it when so many bytes are in chunks.
fn kill_after(place: &Place, put: &[&str], stored: u64) {
    let before = stored_bytes(place);
    let mut child = place.command(put).spawn().unwrap();
    wait_until("so many bytes are stored", || stored_bytes(place) >= before + stored);
    child.kill().unwrap();
    assert_eq!(Ran::of_child(child).code, None, "it was killed");
}

#[track_caller]
fn the_upload(place: &Place) -> Value {
    let uploads = place.json(&["uploads", "list"]);
    let [upload] = &uploads[..] else { panic!("{uploads:?}") };
    upload.clone()
}

#[track_caller]
fn offset(upload: &Value) -> u64 {
    upload["offset"].as_u64().unwrap()
}

#[test]
fn a_put_of_a_gibibyte_that_was_killed_sends_only_the_rest() {
    let place = Place::with_store();
    let size = 1 << 30;
    let content = bytes(61, size);
    let file = place.file("big.bin", &content);
    kill_after(&place, &["put", &file], size * 6 / 10);
    assert!(place.keys().is_empty(), "nothing is committed");
    let upload = the_upload(&place);
    let accepted = offset(&upload);
    // What was not written down yet when it was killed is sent again.
    assert!(accepted > size * 3 / 10, "{accepted} of {size}");

    let put = place.json(&["put", &file, "--resume"]).remove(0);
    assert_eq!(put["sent-bytes"], size - accepted);
    assert_eq!((&put["size"], &put["digest"]), (&size.into(), &digest(&content).into()));
    place.works(&["get", "big.bin", "-o", "copy"]);
    assert!(std::fs::read(place.path("copy")).unwrap() == content, "the copy is the file");
    assert!(place.json(&["uploads", "list"]).is_empty());

    place.works(&["sweep", "--no-writers", "--grace", "0s"]);
    assert_eq!(stored_bytes(&place), size, "what was sent twice is given back");
}

#[test]
fn a_put_may_be_killed_again_and_again() {
    let place = Place::with_store();
    let content = bytes(62, 96 * MIB);
    let file = place.file("film.mp4", &content);
    let mut sent_before = 0;
    for _ in 0..3 {
        kill_after(&place, &["put", &file, "--resume"], 24 * MIB);
        let accepted = offset(&the_upload(&place));
        assert!(accepted >= sent_before, "{accepted} after {sent_before}");
        sent_before = accepted;
    }
    let put = place.json(&["put", &file, "--resume"]).remove(0);
    assert_eq!(put["sent-bytes"], 96 * MIB - sent_before);
    assert_eq!(put["content-type"], "video/mp4");
    assert!(place.works(&["get", "film.mp4"]) == content);
}

#[test]
fn nothing_to_go_on_with_is_a_put_from_the_beginning() {
    let place = Place::with_store();
    let content = bytes(63, 300_000);
    let file = place.file("small", &content);
    let put = place.json(&["put", &file, "--resume"]).remove(0);
    assert_eq!(put["sent-bytes"], 300_000);
    assert!(place.works(&["get", "small"]) == content);
}

#[test]
fn other_content_is_not_mixed_in() {
    let place = Place::with_store();
    let content = bytes(64, 70 * MIB);
    let file = place.file("file", &content);
    kill_after(&place, &["put", &file, "key"], 30 * MIB);
    let before = the_upload(&place);

    let mut changed = content.clone();
    changed[1000] ^= 1;
    let same_size = place.file("changed", &changed);
    let longer = place.file("longer", &[&content[..], b"x"].concat());
    for other in [&same_size, &longer] {
        let put = ["put", other, "key", "--resume"];
        place.run(&put).fails(2, &["\"key\"", "other content", "leave --resume out"]);
    }
    let shorter = &content[..1000];
    place.run_with_input(&["put", "-", "key", "--resume"], shorter).fails(2, &["other content"]);
    assert_eq!(the_upload(&place), before, "it can still be gone on with");
    place.works(&["put", &file, "key", "--resume"]);
    assert!(place.works(&["get", "key"]) == content);
}

#[test]
fn standard_input_is_gone_on_with_by_the_same_content() {
    let place = Place::with_store();
    let content = bytes(65, 20 * MIB);
    let mut child = place.command(&["put", "-", "key", "--live"]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&content[..10 << 20]).unwrap();
    wait_until("half is accepted", || {
        let uploads = place.json(&["uploads", "list"]);
        uploads.first().is_some_and(|upload| offset(upload) >= 4 * MIB)
    });
    child.kill().unwrap();
    assert_eq!(Ran::of_child(child).code, None);
    drop(stdin);
    let accepted = offset(&the_upload(&place));
    let resume = ["--json", "put", "-", "key", "--resume"];
    let printed = place.run_with_input(&resume, &content).works();
    let put: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(put["sent-bytes"], 20 * MIB - accepted);
    assert!(place.works(&["get", "key"]) == content);
}

#[test]
fn an_interrupted_put_tells_how_to_go_on() {
    let place = Place::with_store();
    let content = bytes(66, 30 * MIB);
    let mut command = place.command(&["put", "-", "key", "--live"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&content[..10 << 20]).unwrap();
    wait_until("something is accepted", || !place.json(&["uploads", "list"]).is_empty());
    // As Ctrl-C does.
    signal(&child, "INT");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, Some(130));
    ran.says(&["interrupted; what has arrived is kept", "--resume"]);
    place.run_with_input(&["put", "-", "key", "--resume"], &content).works();
    assert!(place.works(&["get", "key"]) == content);
}

#[test]
fn a_source_that_fails_leaves_what_came_of_it() {
    let place = Place::with_store();
    let mut command = place.command(&["put", "-", "key", "--live"]);
    let ran = Ran::of(command.stdin(failing_source()));
    ran.fails(7, &["\"key\"", "the source of the body failed", "--resume"]);
    assert!(place.keys().is_empty());
    assert_eq!(offset(&the_upload(&place)), 0);
}

#[test]
fn an_upload_that_can_never_be_committed_is_not_kept() {
    let place = Place::with_store();
    let file = place.file("file", &bytes(67, 70 * MIB));
    place.run_with_input(&["put", "-", "key"], b"first").works();
    place.run(&["put", &file, "key", "--if-absent"]).fails(4, &["precondition"]);
    assert!(place.json(&["uploads", "list"]).is_empty());
    assert_eq!(place.works(&["get", "key"]), b"first");
}

#[test]
fn uploads_are_listed_described_and_discarded() {
    let place = Place::with_store();
    let content = bytes(68, 70 * MIB);
    let file = place.file("file", &content);
    kill_after(&place, &["put", &file, "films/a"], 20 * MIB);
    kill_after(&place, &["put", &file, "b"], 20 * MIB);

    let keys = |uploads: Vec<Value>| uploads.iter().map(|u| u["key"].clone()).collect::<Vec<_>>();
    assert_eq!(keys(place.json(&["uploads", "list"])), ["b", "films/a"]);
    assert_eq!(keys(place.json(&["uploads", "list", "films/"])), ["films/a"]);
    let line = place.lines(&["uploads", "list", "films/"]).remove(0);
    assert!(line.contains(" of 70.00 MiB") && line.contains("films/a"), "{line}");

    let shown = place.json(&["uploads", "show", "films/a"]).remove(0);
    let accepted = &content[..offset(&shown) as usize];
    assert_eq!((&shown["digest"], &shown["sealed"]), (&digest(accepted).into(), &false.into()));
    let name = shown["upload"].as_str().unwrap();
    assert_eq!(place.json(&["uploads", "show", name]), std::slice::from_ref(&shown));
    let described = String::from_utf8(place.works(&["uploads", "show", name])).unwrap();
    assert!(described.contains("films/a") && described.contains("deadline"), "{described}");

    place.works(&["uploads", "abort", name, "b"]);
    assert!(place.json(&["uploads", "list"]).is_empty());
    for gone in [name, "b"] {
        place.run(&["uploads", "show", gone]).fails(3, &["no upload of that name"]);
        place.run(&["uploads", "abort", gone]).says(&["no upload of that name"]);
    }
    place.works(&["sweep", "--no-writers", "--grace", "0s"]);
    assert_eq!(stored_bytes(&place), 0);
}
