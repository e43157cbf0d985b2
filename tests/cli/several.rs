//! Commands over all objects with a prefix.

use serde_json::json;

use crate::program::{Place, lines};

/// A place whose store holds these, each of the same 7 bytes.
fn place_with(keys: &[&str]) -> Place {
    let place = Place::new();
    for key in keys {
        place.run_with_input(&["put", "-", key], b"content").works();
    }
    place
}

#[test]
fn a_total_counts_objects_and_their_bytes() {
    let place = place_with(&["films/a", "films/b", "notes"]);
    place.run_with_input(&["put", "-", "films/c"], &vec![7; 1 << 20]).works();
    assert_eq!(place.lines(&["list", "--total"]), ["4 objects, 1.00 MiB (1048597 bytes)"]);
    assert_eq!(place.lines(&["list", "--total", "notes"]), ["1 object, 7 B (7 bytes)"]);
    assert_eq!(place.lines(&["list", "--total", "none"]), ["0 objects, 0 B (0 bytes)"]);
    let total = json!({ "objects": 3, "bytes": (1 << 20) + 14, "unreadable": 0 });
    assert_eq!(place.json(&["list", "--total", "films/"]), [total]);
}

#[test]
fn a_total_tells_what_it_could_not_count() {
    let place = place_with(&["a", "b"]);
    std::fs::write(place.path("store/data/m+/a"), "damaged").unwrap();
    let line = "2 objects, 7 B (7 bytes), without 1 that cannot be read (see verify)";
    assert_eq!(place.lines(&["list", "--total"]), [line]);
    let total = json!({ "objects": 2, "bytes": 7, "unreadable": 1 });
    assert_eq!(place.json(&["list", "--total"]), [total]);
}

#[test]
fn delete_takes_all_with_a_prefix_and_no_others() {
    let place = place_with(&["films/a", "films/b", "filmsx", "notes"]);
    let would = ["would delete \"films/a\"", "would delete \"films/b\""];
    assert_eq!(place.lines(&["delete", "--prefix", "films/", "--dry-run"]), would);
    assert_eq!(place.keys().len(), 4, "nothing is gone");
    place.works(&["delete", "--prefix", "films/"]);
    assert_eq!(place.keys(), ["filmsx", "notes"]);
    assert_eq!(
        place.json(&["delete", "--prefix", "n", "-n"]),
        [json!({ "would-delete": "notes" })]
    );
    assert_eq!(place.json(&["delete", "--prefix", "n"]), [json!({ "deleted": "notes" })]);
    place.works(&["delete", "--prefix", "none"]);
    assert_eq!(place.keys(), ["filmsx"]);
}

#[test]
fn delete_goes_on_behind_the_first_page() {
    let place = place_with(&["key 0000", "other"]);
    let manifests = place.path("store/data/m+");
    let manifest = std::fs::read(manifests.join("key 0000")).unwrap();
    // As many as make three pages, without as many runs.
    for number in 1..2500 {
        std::fs::write(manifests.join(format!("key {number:04}")), &manifest).unwrap();
    }
    let ran = place.run(&["delete", "--prefix", "key "]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.keys(), ["other"]);
}

#[test]
fn no_prefix_is_every_object_by_mistake() {
    let place = place_with(&["a"]);
    for arguments in [&["delete", "--prefix", ""][..], &["delete", "a", "--prefix", "a"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    }
    assert_eq!(place.keys(), ["a"]);
}

#[test]
fn commands_go_by_their_usual_short_names_too() {
    let place = place_with(&["a", "b"]);
    assert_eq!(place.lines(&["ls"]), ["a", "b"]);
    assert_eq!(place.works(&["stat", "a"]), place.works(&["head", "a"]));
    place.works(&["rm", "a"]);
    assert_eq!(lines(&place.works(&["ls"])), ["b"]);
}
