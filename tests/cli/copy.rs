//! `copy`: what it moves and leaves alone, what it says of each object, how it goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::{Duration, Instant};

use chunk_store::object::PutOptions;
use chunk_store_host::{ChunkStore, kv};
use chunk_store_tests::body::Body;
use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;
use serde_json::{Value, json};

use crate::program::{Place, Ran, chunk_files, lines};

const MIB: u64 = 1 << 20;

/// The program on two stores of the place: `store`, and `other`.
const BOTH: [&str; 5] = ["copy", "--from", "file:store?sync=none", "--to", "file:other?sync=none"];

fn copy(place: &Place, arguments: &[&str]) -> Ran {
    Ran::of(place.bare_command(&[&BOTH, arguments].concat()).env("CHUNK_STORE_KV", "file:nowhere"))
}

/// What a copy with `--json` printed of each object, and of all.
fn told(printed: &[u8]) -> (BTreeMap<String, Value>, Value) {
    let mut objects = BTreeMap::new();
    let mut printed: Vec<Value> =
        lines(printed).iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let mut summary = printed.pop().expect("it prints a summary");
    for object in printed {
        let key = object["key"].as_str().unwrap().to_string();
        assert_eq!(objects.insert(key, object), None, "an object is told of once");
    }
    (objects, summary["summary"].take())
}

/// Copies, which works; what is said of each object, and of all.
#[track_caller]
fn copies(place: &Place, arguments: &[&str]) -> (BTreeMap<String, Value>, Value) {
    told(&copy(place, &[&["--json"], arguments].concat()).works())
}

/// The counts that are not zero.
fn counts(summary: &Value) -> BTreeMap<&str, u64> {
    let names = ["copied", "would-copy", "already-there", "kept", "gone", "failed"];
    let counted = names.map(|name| (name, summary[name].as_u64().unwrap()));
    counted.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// The program on the store of this name.
#[track_caller]
fn in_store(place: &Place, store: &str, arguments: &[&str]) -> Vec<u8> {
    let url = format!("file:{store}?sync=none");
    Ran::of(place.bare_command(&["--kv", &url]).args(arguments)).works()
}

#[track_caller]
fn head(place: &Place, store: &str, key: &str) -> Value {
    serde_json::from_slice(&in_store(place, store, &["--json", "head", key])).unwrap()
}

#[track_caller]
fn keys(place: &Place, store: &str) -> Vec<String> {
    lines(&in_store(place, store, &["list"]))
}

/// Puts objects of these sizes into `store` without a process for each.
fn fill(place: &Place, objects: impl IntoIterator<Item = (String, u64)>) {
    let url = format!("file:{}?sync=none", place.path("store").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = ChunkStore::new(kv::open(&url).await.unwrap()).unwrap();
        for (key, size) in objects {
            let body = Body::of(bytes(size, size));
            store.put(&key, body, PutOptions::default()).await.unwrap();
        }
    });
}

fn put(place: &Place, key: &str, content: &[u8], options: &[&str]) {
    place.run_with_input(&[&["put", "-", key], options].concat(), content).works();
}

#[test]
fn an_object_is_the_same_at_the_destination() {
    let place = Place::new();
    let content = bytes(61, 5 * MIB + 1);
    let described = ["--content-type", "a/b", "--meta", "author=Ann", "--meta", "note=x=y"];
    put(&place, "large", &content, &described);
    put(&place, "small", b"content", &["--meta", "a=b"]);
    put(&place, "empty", b"", &[]);
    put(&place, "dir/é", b"nested", &[]);
    assert_eq!(copy(&place, &[]).works(), b"", "it is quiet in a pipe");
    assert_eq!(keys(&place, "other"), ["dir/é", "empty", "large", "small"]);
    for key in keys(&place, "store") {
        let [there, here] = ["other", "store"].map(|store| head(&place, store, &key));
        for field in ["key", "size", "digest", "etag", "content-type", "metadata", "expires"] {
            assert_eq!(there[field], here[field], "{field} of {key}");
        }
    }
    assert_eq!(head(&place, "other", "large")["digest"], digest(&content));
    assert!(in_store(&place, "other", &["get", "large"]) == content);
    in_store(&place, "other", &["verify", "--all"]);
}

#[test]
fn an_object_expires_when_it_does_at_the_source() {
    let place = Place::new();
    put(&place, "key", b"content", &["--ttl", "1h"]);
    // Some of it has passed when it is copied.
    let began = Instant::now();
    thread::sleep(Duration::from_millis(1500));
    copy(&place, &[]).works();
    let expires = |store| head(&place, store, "key")["expires"].as_u64().unwrap();
    let (there, here) = (expires("other"), expires("store"));
    let took = began.elapsed().as_millis() as u64 - 1500;
    assert!(there + 1000 > here && there <= here + took, "{there} for {here}, in {took} ms");
    assert_eq!(counts(&copies(&place, &[]).1), [("already-there", 1)].into());
}

#[test]
fn another_expiry_is_another_object() {
    let place = Place::new();
    put(&place, "key", b"content", &["--ttl", "1h"]);
    copy(&place, &[]).works();
    for options in [&["--ttl", "2h"][..], &[], &["--ttl", "30m"]] {
        put(&place, "key", b"content", options);
        assert_eq!(counts(&copies(&place, &[]).1), [("copied", 1)].into(), "{options:?}");
        assert_eq!(counts(&copies(&place, &[]).1), [("already-there", 1)].into(), "{options:?}");
    }
}

#[test]
fn chunk_boundaries_need_not_be_the_same() {
    let place = Place::new();
    let content = bytes(62, 3 * MIB);
    put(&place, "key", &content, &["--chunk-max", "64KiB"]);
    copy(&place, &[]).works();
    let [there, here] = ["other", "store"].map(|store| head(&place, store, "key"));
    assert_eq!((here["chunks"].as_u64(), there["chunks"].as_u64()), (Some(48), Some(5)));
    assert_eq!((&there["digest"], &there["etag"]), (&here["digest"], &here["etag"]));
    assert!(in_store(&place, "other", &["get", "key"]) == content);
}

#[test]
fn json_tells_of_each_object_and_of_all() {
    let place = Place::new();
    put(&place, "a", b"content", &["--meta", "a=b"]);
    put(&place, "b", &bytes(63, MIB), &[]);
    let (objects, summary) = copies(&place, &[]);
    for key in ["a", "b"] {
        let mut expected = head(&place, "other", key);
        expected["outcome"] = json!("copied");
        expected["replaced"] = json!(false);
        assert_eq!(objects[key], expected);
    }
    assert_eq!(counts(&summary), [("copied", 2)].into());
    assert_eq!(summary["bytes"], 7 + MIB);
    for field in ["elapsed-ms", "guest-memory-bytes"] {
        assert!(summary[field].as_u64().is_some(), "{field} is not in {summary}");
    }
    let (objects, summary) = copies(&place, &[]);
    assert_eq!(objects["a"], json!({ "key": "a", "outcome": "already-there" }));
    assert_eq!((counts(&summary), &summary["bytes"]), ([("already-there", 2)].into(), &json!(0)));
}

#[test]
fn what_differs_is_replaced_and_nothing_is_deleted() {
    let place = Place::new();
    put(&place, "content", b"old", &[]);
    put(&place, "metadata", b"same", &["--meta", "a=b"]);
    put(&place, "untouched", b"same", &[]);
    copy(&place, &[]).works();
    put(&place, "content", b"new", &[]);
    put(&place, "metadata", b"same", &["--meta", "a=c"]);
    place.works(&["delete", "untouched"]);
    let (objects, _) = copies(&place, &[]);
    assert_eq!(objects.len(), 2);
    for key in ["content", "metadata"] {
        assert_eq!(
            (&objects[key]["outcome"], &objects[key]["replaced"]),
            (&json!("copied"), &json!(true))
        );
        assert_eq!(head(&place, "other", key)["etag"], head(&place, "store", key)["etag"]);
    }
    assert_eq!(in_store(&place, "other", &["get", "untouched"]), b"same");
}

#[test]
fn what_exists_is_kept_if_so_asked() {
    let place = Place::new();
    put(&place, "a", b"theirs", &[]);
    put(&place, "same", b"same", &[]);
    copy(&place, &[]).works();
    put(&place, "a", b"ours", &[]);
    put(&place, "b", b"new", &[]);
    let (objects, summary) = copies(&place, &["--keep-existing"]);
    assert_eq!(objects["a"], json!({ "key": "a", "outcome": "kept" }));
    assert_eq!(counts(&summary), [("copied", 1), ("already-there", 1), ("kept", 1)].into());
    assert_eq!(in_store(&place, "other", &["get", "a"]), b"theirs");
    assert_eq!(in_store(&place, "other", &["get", "b"]), b"new");
}

#[test]
fn a_dry_run_shows_what_would_be_copied_and_makes_nothing() {
    let place = Place::new();
    put(&place, "a", b"content", &[]);
    put(&place, "b", b"same", &[]);
    assert_eq!(
        lines(&copy(&place, &["--dry-run"]).works()),
        ["new      a  7 B", "new      b  4 B"]
    );
    assert!(!place.path("other").exists());
    copy(&place, &[]).works();
    put(&place, "a", b"new content", &[]);
    assert_eq!(lines(&copy(&place, &["-n"]).works()), ["replace  a  11 B"]);
    let (objects, summary) = copies(&place, &["-n"]);
    let expected = json!({ "key": "a", "outcome": "would-copy", "replaces": true, "size": 11 });
    assert_eq!(objects["a"], expected);
    assert_eq!(counts(&summary), [("would-copy", 1), ("already-there", 1)].into());
    assert_eq!(summary["bytes"], 11);
    assert_eq!(in_store(&place, "other", &["get", "a"]), b"content");
}

#[test]
fn a_prefix_leaves_out_the_rest() {
    let place = Place::new();
    for key in ["a", "b/1", "b/2", "b0"] {
        put(&place, key, b"content", &[]);
    }
    assert_eq!(counts(&copies(&place, &["b/"]).1), [("copied", 2)].into());
    assert_eq!(keys(&place, "other"), ["b/1", "b/2"]);
    assert_eq!(counts(&copies(&place, &["nothing"]).1), BTreeMap::new());
}

#[test]
fn an_empty_source_is_copied_too() {
    let place = Place::new();
    put(&place, "key", b"content", &[]);
    place.works(&["delete", "key"]);
    let (objects, summary) = copies(&place, &[]);
    assert_eq!((objects.len(), counts(&summary)), (0, BTreeMap::new()));
    assert_eq!(keys(&place, "other"), [""; 0]);
}

#[test]
fn many_small_objects_go_across_pages() {
    let place = Place::new();
    fill(&place, (0..2100).map(|number| (format!("{number:04}"), number % 50)));
    assert_eq!(counts(&copies(&place, &[]).1), [("copied", 2100)].into());
    assert_eq!(keys(&place, "other"), keys(&place, "store"));
    for number in [0, 999, 1000, 2099_u64] {
        let content = bytes(number % 50, number % 50);
        assert_eq!(in_store(&place, "other", &["get", &format!("{number:04}")]), content);
    }
    assert_eq!(counts(&copies(&place, &[]).1), [("already-there", 2100)].into());
}

/// Starts a copy with `--json`, and kills it once it has told of an object. What it
/// tells of the others fills the pipe, so it cannot have come to its end.
fn killed_in_the_middle(place: &Place) {
    let arguments = [&BOTH[..], &["--json"]].concat();
    let mut child = place.bare_command(&arguments).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("copied"), "{first}");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed");
}

#[test]
fn a_copy_that_was_killed_goes_on_with_the_rest() {
    let place = Place::new();
    fill(&place, (0..1000).map(|number| (format!("object number {number:04}"), 1000 + number)));
    killed_in_the_middle(&place);
    let there = keys(&place, "other").len() as u64;
    assert!((1..1000).contains(&there), "{there} were copied");
    let (_, summary) = copies(&place, &[]);
    let expected = [("copied", 1000 - there), ("already-there", there)];
    assert_eq!(counts(&summary), expected.into());
    assert_eq!(keys(&place, "other"), keys(&place, "store"));
    in_store(&place, "other", &["verify", "--all"]);
}

/// Starts a copy of one object, and kills it when it has written some chunks; whether
/// that was before the commit.
fn cut_off(place: &Place) -> bool {
    let mut child = place.bare_command(&BOTH).spawn().unwrap();
    while chunk_files(&place.path("other")).len() < 3 && child.try_wait().unwrap().is_none() {}
    child.kill().unwrap();
    child.wait().unwrap();
    keys(place, "other").is_empty()
}

#[test]
fn an_object_that_was_cut_off_is_sent_from_its_beginning() {
    let place = Place::new();
    let content = bytes(64, 256 * MIB);
    put(&place, "object", &content, &[]);
    // On a busy machine the copy may come to its end before the kill does.
    let mut tries = 0;
    while !cut_off(&place) {
        tries += 1;
        assert!(tries < 20, "it is never cut off");
        fs::remove_dir_all(place.path("other")).unwrap();
    }
    let (_, summary) = copies(&place, &[]);
    assert_eq!((counts(&summary), &summary["bytes"]), ([("copied", 1)].into(), &json!(256 * MIB)));
    assert_eq!(head(&place, "other", "object")["digest"], digest(&content));
}

#[test]
fn a_corrupt_object_is_named_and_the_others_are_copied() {
    let place = Place::new();
    put(&place, "damaged chunk", &bytes(65, MIB), &[]);
    fs::write(&chunk_files(&place.path("store"))[1], b"garbage").unwrap();
    for key in ["a", "damaged manifest", "z"] {
        put(&place, key, &bytes(66, MIB), &[]);
    }
    fs::write(place.path("store/data/m+/damaged manifest"), b"garbage").unwrap();

    let ran = copy(&place, &["--json"]);
    assert_eq!(ran.code, Some(10));
    let (objects, summary) = told(&ran.stdout);
    assert_eq!(counts(&summary), [("copied", 2), ("failed", 2)].into());
    for key in ["damaged chunk", "damaged manifest"] {
        let expected = json!({ "key": key, "outcome": "failed", "error": "corrupt" });
        assert_eq!(objects[key], expected);
        let start = format!("source: \\\"{key}\\\" cannot be read: ");
        assert!(ran.stderr.lines().any(|line| line.contains(&start)), "{}", ran.stderr);
    }
    assert_eq!(keys(&place, "other"), ["a", "z"]);
    place.works(&["delete", "damaged manifest"]);
    let parts = ["source: \"damaged chunk\" cannot be read: chunk 1 (c/"];
    copy(&place, &[]).fails(10, &parts);
    place.has_no_temporaries();
}

#[test]
fn a_damaged_object_at_the_destination_is_replaced() {
    let place = Place::new();
    put(&place, "key", b"content", &[]);
    copy(&place, &[]).works();
    fs::write(place.path("other/data/m+/key"), b"garbage").unwrap();
    copy(&place, &[]).works();
    assert_eq!(in_store(&place, "other", &["get", "key"]), b"content");
}

#[test]
fn the_same_store_on_both_sides_is_refused() {
    let place = Place::new();
    put(&place, "key", b"content", &[]);
    std::os::unix::fs::symlink("store", place.path("link")).unwrap();
    let absolute = format!("file://{}", place.path("store").display());
    for to in ["file:store", "file:./store/", "file:store?sync=none", "file:link", &absolute] {
        let mut command = place.bare_command(&["copy", "--from", "file:store", "--to", to]);
        Ran::of(&mut command).fails(2, &["the same store", "--to-namespace"]);
        command.args(["--from-namespace", "x", "--to-namespace", "x"]);
        Ran::of(&mut command).fails(2, &["the same store"]);
    }
}

#[test]
fn namespaces_of_one_store_are_two_places() {
    let place = Place::new();
    put(&place, "key", b"content", &[]);
    let within = |arguments: &[&str]| {
        let both = ["copy", "--from", "file:store", "--to", "file:store"];
        Ran::of(place.bare_command(&both).args(arguments)).works();
    };
    within(&["--to-namespace", "one"]);
    within(&["--from-namespace", "one", "--to-namespace", "two"]);
    within(&["--namespace", "two", "--to-namespace", "three"]);
    for namespace in ["one", "two", "three"] {
        assert_eq!(place.works(&["--namespace", namespace, "get", "key"]), b"content");
    }
    assert_eq!(place.keys(), ["key"]);
}

#[test]
fn a_namespace_is_that_of_both_sides() {
    let place = Place::new();
    put(&place, "outside", b"content", &[]);
    put(&place, "inside", b"content", &["--namespace", "one"]);
    copy(&place, &["--namespace", "one"]).works();
    assert_eq!(keys(&place, "other"), [""; 0]);
    let inside = in_store(&place, "other", &["--namespace", "one", "list"]);
    assert_eq!(lines(&inside), ["inside"]);
}

#[test]
fn the_other_commands_store_is_refused() {
    let place = Place::new();
    put(&place, "key", b"content", &[]);
    for arguments in [&["--kv", "file:third"][..], &["--kv=file:store"]] {
        let ran = copy(&place, arguments);
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0));
        assert!(ran.stderr.contains("in place of --kv give --from and --to"), "{}", ran.stderr);
        let ran = copy(&place, &[arguments, &["--json"]].concat());
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!((ran.code, &error["error"]), (Some(2), &json!("invalid-argument")));
    }
    let before = Ran::of(place.command(&BOTH).env("CHUNK_STORE_KV", "file:nowhere"));
    assert_eq!(before.code, Some(2));
    assert!(!place.path("other").exists());
}

#[test]
fn a_source_that_is_not_there_makes_no_destination() {
    let place = Place::new();
    let mut command = place.bare_command(&["copy", "--from", "file:typo", "--to", "file:other"]);
    Ran::of(&mut command).fails(3, &["source: there is no store in", "typo"]);
    assert!(!place.path("other").exists() && !place.path("typo").exists());
}

#[test]
fn a_side_that_cannot_be_is_named() {
    let place = Place::new();
    put(&place, "key", b"content", &[]);
    place.file("file", b"");
    for (from, to, code, part) in [
        ("redid://x", "file:other", 2, "source: \"redid://x\" names no known kind of store"),
        ("file:store", "other", 2, "destination: \"other\" names no known kind of store"),
        ("file:store", "file:file", 14, "destination: "),
    ] {
        let mut command = place.bare_command(&["copy", "--from", from, "--to", to]);
        Ran::of(&mut command).fails(code, &[part]);
    }
    for (side, name) in [("--from-namespace", "source"), ("--to-namespace", "destination")] {
        let parts = [name, "\"a/b\" is no namespace"];
        copy(&place, &[side, "a/b"]).fails(2, &parts);
    }
}
