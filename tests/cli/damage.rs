//! Damaged stores: nothing wrong is written, and what is damaged is named.

use std::fs;
use std::path::PathBuf;

use chunk_store_tests::random::bytes;

use crate::program::{Place, chunk_files, names_in};

const SIZE: u64 = 12 << 20;

/// Where the chunk begins that is damaged, and which one it is.
const START: u64 = 2 << 20;
const CHUNK: usize = 4;

/// A store with an object of seven chunks; its content, and the chunk to damage.
fn place() -> (Place, Vec<u8>, PathBuf) {
    let place = Place::new();
    let content = bytes(21, SIZE);
    let file = place.file("object", &content);
    place.works(&["put", &file]);
    fs::remove_file(file).unwrap();
    let chunk = chunk_files(&place.path("store"))[CHUNK].clone();
    (place, content, chunk)
}

fn flip_bit(file: &PathBuf) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(file, bytes).unwrap();
}

/// Asserts that every way of reading the object ends in these words, and that none
/// leaves anything wrong behind.
fn cannot_be_read(place: &Place, content: &[u8], words: &str) {
    let parts = ["\"object\" cannot be read", &format!("chunk {CHUNK} (c/"), words];
    fs::write(place.path("before"), b"what was there").unwrap();
    place.run(&["get", "object", "-o", "copy"]).fails(10, &parts);
    place.run(&["get", "object", "-o", "before"]).fails(10, &parts);
    let range = format!("{START}-{START}");
    place.run(&["get", "object", "--range", &range, "-o", "copy"]).fails(10, &parts);
    place.run(&["get", "object", "--range", &range]).fails(10, &parts);
    assert!(!place.path("copy").exists());
    assert_eq!(fs::read(place.path("before")).unwrap(), b"what was there");
    place.has_no_temporaries();

    let ran = place.run(&["get", "object"]);
    assert_eq!(ran.code, Some(10));
    assert!(content.starts_with(&ran.stdout), "a right prefix, and no wrong byte");
    assert!(ran.stdout.len() as u64 <= START);
    ran.says(&parts);

    let before = format!("0-{}", START - 1);
    let got = place.works(&["get", "object", "--range", &before]);
    assert!(got == content[..START as usize], "a range before it works");
}

#[test]
fn a_deleted_chunk_is_named_and_nothing_wrong_is_written() {
    let (place, content, chunk) = place();
    fs::remove_file(chunk).unwrap();
    cannot_be_read(&place, &content, "is missing");
}

#[test]
fn a_flipped_bit_is_named_and_nothing_wrong_is_written() {
    let (place, content, chunk) = place();
    flip_bit(&chunk);
    cannot_be_read(&place, &content, "does not hold the bytes that were written");
}

#[test]
fn a_chunk_cut_short_is_named_and_nothing_wrong_is_written() {
    let (place, content, chunk) = place();
    let length = fs::metadata(&chunk).unwrap().len();
    fs::File::options().write(true).open(&chunk).unwrap().set_len(length - 1000).unwrap();
    cannot_be_read(&place, &content, &format!("has {} bytes in place of {length}", length - 1000));
}

#[test]
fn a_swapped_pair_is_named_and_nothing_wrong_is_written() {
    let (place, content, chunk) = place();
    let next = chunk.with_file_name("00000005");
    let aside = chunk.with_file_name("aside");
    fs::rename(&chunk, &aside).unwrap();
    fs::rename(&next, &chunk).unwrap();
    fs::rename(&aside, &next).unwrap();
    cannot_be_read(&place, &content, "in place of");
}

#[test]
fn a_manifest_of_garbage_is_named_and_nothing_is_written() {
    let (place, _, _) = place();
    fs::write(place.path("store/data/m+/object"), b"garbage").unwrap();
    let parts = ["\"object\" cannot be read: the manifest is cut short"];
    for arguments in [
        &["get", "object"][..],
        &["get", "object", "--range", "0-9"],
        &["get", "object", "-o", "copy"],
        &["head", "object"],
        &["verify", "object"],
    ] {
        place.run(arguments).fails(10, &parts);
    }
    assert!(!place.path("copy").exists());
    let listed = place.lines(&["list", "-l"]);
    assert!(listed[0].contains("unreadable") && listed[0].ends_with("object"), "{listed:?}");
    place.works(&["delete", "object"]);
    assert_eq!(place.keys(), [""; 0]);
}

#[test]
fn verify_names_each_object_and_chunk() {
    let (place, _, chunk) = place();
    for key in ["a good one", "z garbage", "z good"] {
        place.run_with_input(&["put", "-", key], b"content").works();
    }
    flip_bit(&chunk);
    let segment = chunk.parent().unwrap().to_path_buf();
    fs::remove_file(segment.join("00000001")).unwrap();
    fs::write(place.path("store/data/m+/z garbage"), b"garbage").unwrap();

    let ran = place.run(&["verify", "--all"]);
    assert_eq!(ran.code, Some(10));
    let text = String::from_utf8(ran.stdout.clone()).unwrap();
    ran.says(&["\"z garbage\" cannot be read"]);
    let [good, damaged, first, second, last] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert!(good.starts_with("ok ") && good.contains("a good one"), "{good}");
    assert!(damaged.starts_with("damaged ") && damaged.ends_with("object"), "{damaged}");
    assert!(first.contains("chunk 1 (c/") && first.contains("is missing"), "{first}");
    assert!(second.contains("chunk 4 (c/") && second.contains("does not hold"), "{second}");
    assert!(last.starts_with("ok ") && last.contains("z good"), "{last}");

    let ran = place.run(&["--json", "verify", "object"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(10), ""));
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["problems"].as_array().unwrap().len(), 2);
    assert_eq!(report["chunks"], 7);
    place.run(&["verify", "z garbage"]).fails(10, &["\"z garbage\""]);
}

#[test]
fn a_damaged_object_is_mended_by_putting_it_again() {
    let (place, content, chunk) = place();
    fs::remove_file(chunk).unwrap();
    assert_eq!(place.run(&["verify", "--all"]).code, Some(10));
    place.run_with_input(&["put", "-", "object"], &content).works();
    assert!(place.works(&["get", "object"]) == content);
    place.works(&["verify", "--all"]);
    assert_eq!(names_in(&place.path("store/data/m+")), ["object"]);
}
