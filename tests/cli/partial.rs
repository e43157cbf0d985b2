//! Gets to a file that are gone on with.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

use chunk_store_tests::random::bytes;
use chunk_store_tests::signal;

use crate::program::{Place, Ran, names_in};
use crate::uploads::wait_until;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 400 * MIB;

/// What was kept beside the file `copy`.
fn partials(place: &Place) -> Vec<PathBuf> {
    let names = names_in(&place.path("")).into_iter();
    names.filter(|name| name.starts_with(".copy.")).map(|name| place.path(&name)).collect()
}

/// Starts a get, and kills it when about half is there.
fn kill_half_way(place: &Place, get: &[&str]) -> u64 {
    let mut child = place.command(get).spawn().unwrap();
    let written = || partials(place).first().and_then(|path| path.metadata().ok());
    wait_until("half is written", || written().is_some_and(|file| file.len() >= SIZE / 2));
    child.kill().unwrap();
    assert_eq!(Ran::of_child(child).code, None, "it was killed");
    written().unwrap().len()
}

fn stored(seed: u64) -> (Place, Vec<u8>) {
    let place = Place::with_store();
    let content = bytes(seed, SIZE);
    let file = place.file("source", &content);
    place.works(&["put", &file, "key"]);
    (place, content)
}

#[test]
fn a_get_that_was_killed_reads_only_the_rest() {
    let (place, content) = stored(81);
    let had = kill_half_way(&place, &["get", "key", "-o", "copy"]);
    assert!(!place.path("copy").exists());
    let got = place.json(&["get", "key", "-o", "copy", "--resume"]).remove(0);
    assert_eq!(got["received-bytes"], SIZE - had);
    assert!(fs::read(place.path("copy")).unwrap() == content);
    place.has_no_temporaries();

    // Without --resume it is read from its beginning.
    kill_half_way(&place, &["get", "key", "-o", "copy"]);
    let got = place.json(&["get", "key", "-o", "copy"]).remove(0);
    assert_eq!(got["received-bytes"], SIZE);
    place.has_no_temporaries();
}

#[test]
fn an_interrupted_get_keeps_what_it_has_and_tells_how_to_go_on() {
    let (place, content) = stored(86);
    let mut child = place.command(&["get", "key", "-o", "copy"]).spawn().unwrap();
    let written = || partials(&place).first().and_then(|path| path.metadata().ok());
    wait_until("some is written", || written().is_some_and(|file| file.len() >= SIZE / 8));
    signal(&child, "INT");
    let interrupted = Instant::now();
    child.wait().unwrap();
    let took = interrupted.elapsed();
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, Some(130), "after {took:?}");
    ran.says(&["interrupted; what has been written is kept", "--resume"]);
    let had = written().unwrap().len();
    assert!(had < SIZE, "it did not go on to the end");
    let got = place.json(&["get", "key", "-o", "copy", "--resume"]).remove(0);
    assert_eq!(got["received-bytes"], SIZE - had);
    assert!(fs::read(place.path("copy")).unwrap() == content);
}

#[test]
fn what_was_damaged_since_is_not_taken() {
    let (place, content) = stored(82);
    kill_half_way(&place, &["get", "key", "-o", "copy"]);
    let partial = OpenOptions::new().write(true).open(&partials(&place)[0]).unwrap();
    partial.write_all_at(&[!content[5000]], 5000).unwrap();
    let resume = ["get", "key", "-o", "copy", "--resume"];
    place.run(&resume).fails(10, &["copy was damaged since", "run this again"]);
    assert!(!place.path("copy").exists());
    place.has_no_temporaries();
    place.works(&resume);
    assert!(fs::read(place.path("copy")).unwrap() == content);
}

#[test]
fn another_object_under_the_key_is_read_from_its_beginning() {
    let (place, _) = stored(83);
    kill_half_way(&place, &["get", "key", "-o", "copy"]);
    let new = bytes(84, SIZE);
    let file = place.file("source", &new);
    place.works(&["put", &file, "key"]);
    let got = place.json(&["get", "key", "-o", "copy", "--resume"]).remove(0);
    assert_eq!(got["received-bytes"], SIZE);
    assert!(fs::read(place.path("copy")).unwrap() == new);
    place.has_no_temporaries();
}

#[test]
fn two_do_not_write_one_file() {
    let (place, content) = stored(85);
    kill_half_way(&place, &["get", "key", "-o", "copy"]);
    let held = OpenOptions::new().write(true).open(&partials(&place)[0]).unwrap();
    held.lock().unwrap();
    let get = ["get", "key", "-o", "copy"];
    place.run(&get).fails(1, &["another command is writing copy"]);
    held.unlock().unwrap();
    place.works(&get);
    assert!(fs::read(place.path("copy")).unwrap() == content);
}

#[test]
fn standard_output_cannot_be_gone_on_with() {
    let place = Place::with_store();
    place.run(&["get", "key", "-o", "-", "--resume"]).fails(2, &["give -o FILE"]);
}
