//! Several processes on one store, and processes that are killed.

use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;

use chunk_store_tests::digest;
use chunk_store_tests::random::{Random, bytes};

use crate::program::{Place, Ran};

const MIB: u64 = 1 << 20;

/// The digest that the store has of an object.
#[track_caller]
fn digest_of(place: &Place, key: &str) -> String {
    place.json(&["head", key])[0]["digest"].as_str().unwrap().to_string()
}

/// Reads a little of an object, lets something happen to it, and reads the rest.
fn read_across(place: &Place, content: &[u8], change: impl FnOnce()) {
    let mut child = place.command(&["get", "object"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut read = vec![0; 100_000];
    stdout.read_exact(&mut read).unwrap();
    change();
    stdout.read_to_end(&mut read).unwrap();
    Ran::of_child(child).works();
    assert!(read == content, "the old content is whole");
}

#[test]
fn a_slow_reader_gets_the_old_content_whole_while_it_is_overwritten() {
    let place = Place::new();
    let (old, new) = (bytes(41, 64 * MIB), bytes(42, 5 * MIB));
    place.run_with_input(&["put", "-", "object"], &old).works();
    read_across(&place, &old, || {
        place.run_with_input(&["put", "-", "object"], &new).works();
    });
    assert!(place.works(&["get", "object"]) == new);
}

#[test]
fn a_slow_reader_gets_the_old_content_whole_while_it_is_deleted() {
    let place = Place::new();
    let old = bytes(43, 64 * MIB);
    place.run_with_input(&["put", "-", "object"], &old).works();
    read_across(&place, &old, || assert_eq!(place.works(&["delete", "object"]), b""));
    place.run(&["get", "object"]).fails(3, &["no such object"]);
}

/// Starts to overwrite the object, and kills the program when so many bytes of the
/// new content were taken. With `ended`, the body's end is sent before.
fn kill_while_overwriting(place: &Place, new: &[u8], bytes_before: usize, ended: bool) {
    let mut command = place.command(&["put", "-", "object"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&new[..bytes_before]).unwrap();
    if ended {
        drop(stdin);
        child.kill().unwrap();
    } else {
        child.kill().unwrap();
        drop(stdin);
    }
    let ran = Ran::of_child(child);
    assert!(ran.code.is_none() || ended, "it was killed: {ran:?}");
}

#[test]
fn a_kill_in_the_middle_of_an_overwrite_leaves_the_old_object() {
    let place = Place::new();
    let (old, new) = (bytes(44, 9 * MIB + 1), bytes(45, 48 * MIB));
    place.run_with_input(&["put", "-", "object"], &old).works();
    let mut random = Random::new(46);
    for _ in 0..20 {
        let moment = random.below(new.len() as u64) as usize;
        kill_while_overwriting(&place, &new, moment, false);
        assert_eq!(digest_of(&place, "object"), digest(&old), "killed after {moment} bytes");
        place.works(&["verify", "--all"]);
    }
    assert!(place.works(&["get", "object"]) == old);
    assert_eq!(place.keys(), ["object"]);
    place.run_with_input(&["put", "-", "object"], &new).works();
    assert!(place.works(&["get", "object"]) == new);
    place.works(&["verify", "--all"]);
}

#[test]
fn a_kill_around_the_commit_leaves_the_old_object_or_the_new_one() {
    let place = Place::new();
    let contents = [bytes(47, 3 * MIB), bytes(48, 3 * MIB + 7)];
    place.run_with_input(&["put", "-", "object"], &contents[0]).works();
    for round in 0..20 {
        let new = &contents[(round + 1) % 2];
        kill_while_overwriting(&place, new, new.len(), true);
        let there = place.works(&["get", "object"]);
        assert!(contents.contains(&there), "one of the two, whole");
        place.works(&["verify", "--all"]);
    }
}

#[test]
fn processes_that_put_different_objects_do_not_meet() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..2).map(|seed| bytes(seed, 20 * MIB + seed)).collect();
    thread::scope(|scope| {
        for (process, content) in contents.iter().enumerate() {
            let place = &place;
            scope.spawn(move || {
                for object in 0..8 {
                    let key = format!("{process}/{object}");
                    let part = &content[object * 100_000..];
                    place.run_with_input(&["put", "-", &key], part).works();
                }
            });
        }
    });
    assert_eq!(place.keys().len(), 16);
    for (process, content) in contents.iter().enumerate() {
        for object in 0..8 {
            let key = format!("{process}/{object}");
            assert_eq!(digest_of(&place, &key), digest(&content[object * 100_000..]), "{key}");
        }
    }
    place.works(&["verify", "--all"]);
}

#[test]
fn processes_that_put_one_object_leave_one_of_theirs_whole() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..2).map(|seed| bytes(50 + seed, 3 * MIB + seed)).collect();
    thread::scope(|scope| {
        for content in &contents {
            scope.spawn(|| {
                for _ in 0..10 {
                    place.run_with_input(&["put", "-", "object"], content).works();
                }
            });
        }
    });
    let there = place.works(&["get", "object"]);
    assert!(contents.contains(&there), "one of the two, whole");
    place.works(&["verify", "--all"]);
    assert_eq!(place.keys(), ["object"]);
}

#[test]
fn one_of_two_processes_creates_an_object() {
    let place = Place::new();
    for round in 0..5 {
        let key = format!("object {round}");
        let codes = thread::scope(|scope| {
            let runs = ["one", "other"].map(|content| {
                let (place, key) = (&place, &key);
                scope.spawn(move || {
                    let arguments = ["put", "-", key, "--if-absent"];
                    place.run_with_input(&arguments, content.as_bytes()).code.unwrap()
                })
            });
            let mut codes = runs.map(|run| run.join().unwrap());
            codes.sort();
            codes
        });
        assert_eq!(codes, [0, 4], "{key}");
    }
}
