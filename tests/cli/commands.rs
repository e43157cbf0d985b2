//! What each command does and prints when all is well.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;
use serde_json::{Value, json};

use crate::program::{Place, Ran, files_below, lines};

/// The fields of `types.object-info`.
const INFO_FIELDS: [&str; 10] = [
    "key",
    "size",
    "digest",
    "etag",
    "generation",
    "content-type",
    "metadata",
    "modified",
    "expires",
    "chunks",
];

#[track_caller]
fn assert_fields(object: &Value, fields: &[&str]) {
    let found: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, fields.iter().copied().collect());
}

#[test]
fn put_and_get_are_quiet_in_a_pipe() {
    let place = Place::new();
    let content = bytes(1, 3 << 20);
    let file = place.file("film.mp4", &content);
    assert_eq!(place.works(&["put", &file]), b"");
    assert!(place.works(&["get", "film.mp4"]) == content);
    assert_eq!(place.works(&["get", "film.mp4", "-o", "copy"]), b"");
    assert!(std::fs::read(place.path("copy")).unwrap() == content);
    assert!(place.works(&["get", "film.mp4", "-o", "-"]) == content);
    place.has_no_temporaries();
}

#[test]
fn the_key_is_the_files_name_unless_given() {
    let place = Place::new();
    let file = place.file("a b.txt", b"content");
    place.works(&["put", &file]);
    place.works(&["put", &file, "another/key"]);
    assert_eq!(place.keys(), ["a b.txt", "another/key"]);
}

#[test]
fn standard_input_is_stored_under_the_key_given() {
    let place = Place::new();
    let content = bytes(2, 3_000_000);
    assert_eq!(place.run_with_input(&["put", "-", "key"], &content).works(), b"");
    assert!(place.works(&["get", "key"]) == content);
    assert_eq!(place.run_with_input(&["put", "-", "empty"], b"").works(), b"");
    assert_eq!(place.works(&["get", "empty"]), b"");
}

#[test]
fn put_prints_the_object_and_its_cost_as_json() {
    let place = Place::new();
    let content = bytes(3, 1 << 20);
    let file = place.file("film.mp4", &content);
    let printed = place.json(&["put", &file]);
    let [put] = &printed[..] else { panic!("{printed:?}") };
    assert_fields(
        put,
        &[&INFO_FIELDS[..], &["sent-bytes", "elapsed-ms", "guest-memory-bytes"]].concat(),
    );
    assert_eq!(put["key"], "film.mp4");
    assert_eq!(put["size"], 1 << 20);
    assert_eq!(put["digest"], digest(&content));
    assert_eq!(put["content-type"], "video/mp4");
    assert_eq!((&put["metadata"], &put["expires"]), (&json!([]), &Value::Null));
    // The first mebibyte of a film comes in pieces of 256 KiB.
    assert_eq!(put["chunks"], 4);
    assert!(put["guest-memory-bytes"].as_u64().unwrap() > 0);
}

#[test]
fn head_describes_the_object() {
    let place = Place::new();
    let file = place.file("page.html", b"<p>");
    let arguments = ["put", &file, "--meta", "author=Ann", "--meta", "note=a=b", "--ttl", "1h"];
    let mut put = place.json(&arguments).remove(0);
    let head = place.json(&["head", "page.html"]).remove(0);
    assert_fields(&head, &INFO_FIELDS);
    put.as_object_mut().unwrap().retain(|name, _| INFO_FIELDS.contains(&&**name));
    assert_eq!(head, put);
    assert_eq!(head["metadata"], json!([["author", "Ann"], ["note", "a=b"]]));
    assert_eq!(head["expires"].as_u64().unwrap() - head["modified"].as_u64().unwrap(), 3_600_000);
    let text = String::from_utf8(place.works(&["head", "page.html"])).unwrap();
    for part in ["page.html", "3 bytes", &digest(b"<p>"), "text/html", "author=Ann", "note=a=b"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    for field in ["key", "size", "digest", "etag", "generation", "modified", "expires"] {
        assert!(text.lines().any(|line| line.starts_with(field)), "{field} is not in:\n{text}");
    }
}

#[test]
fn the_content_type_is_guessed_unless_given() {
    let place = Place::new();
    for (name, arguments, expected) in [
        ("a.png", &[][..], json!("image/png")),
        ("a.json", &[], json!("application/json")),
        ("unknown", &[], Value::Null),
        ("b.png", &["--content-type", "x/y"], json!("x/y")),
    ] {
        let file = place.file(name, b"content");
        let put = place.json(&[&["put", &file], arguments].concat());
        assert_eq!(put[0]["content-type"], expected, "{name}");
    }
}

#[test]
fn if_absent_stores_once() {
    let place = Place::new();
    let file = place.file("key", b"first");
    place.works(&["put", &file, "--if-absent"]);
    let file = place.file("key", b"second");
    let etag = place.json(&["head", "key"])[0]["etag"].as_str().unwrap().to_string();
    place.run(&["put", &file, "--if-absent"]).fails(4, &["\"key\"", &etag]);
    assert_eq!(place.works(&["get", "key"]), b"first");
    place.works(&["put", &file]);
    assert_eq!(place.works(&["get", "key"]), b"second");
}

#[test]
fn what_is_announced_has_to_come() {
    let place = Place::new();
    let [right, wrong] = [b"content", b"another"].map(|content| digest(content));
    let put = |digest: &str, size: &str| {
        let arguments = ["put", "-", "key", "--digest", digest, "--size", size];
        place.run_with_input(&arguments, b"content")
    };
    put(&wrong, "7").fails(7, &["not the announced"]);
    for size in ["6", "8"] {
        put(&right, size).fails(7, &[size]);
    }
    put("content", "7").fails(2, &["give `blake3:` and 64 hex digits"]);
    assert_eq!(place.keys(), [""; 0]);
    put(&right, "7").works();
    assert_eq!(place.works(&["get", "key"]), b"content");
}

#[test]
fn sizes_of_chunks_and_of_inline_objects_are_as_asked() {
    let place = Place::new();
    let file = place.file("key", &bytes(4, 1 << 20));
    for (arguments, chunks) in [
        (&["--chunk-max", "64KiB"][..], 16),
        (&["--chunk-max", "131072"], 8),
        (&["--inline-max", "1MiB"], 0),
        (&["--inline-max", "1048575"], 3),
        (&[], 3),
    ] {
        let put = place.json(&[&["put", &file], arguments].concat());
        assert_eq!(put[0]["chunks"], chunks, "{arguments:?}");
    }
    place.run(&["put", &file, "--chunk-max", "1KiB"]).fails(2, &["at least 65536"]);
}

#[test]
fn a_range_is_inclusive() {
    let place = Place::new();
    let content = bytes(5, 700_000);
    let file = place.file("key", &content);
    place.works(&["put", &file]);
    for (range, slice) in [
        ("0-0", 0..1),
        ("10-19", 10..20),
        ("262143-262144", 262_143..262_145),
        ("699999-", 699_999..700_000),
        ("-5", 699_995..700_000),
        ("0-99999999999", 0..700_000),
        ("-99999999999", 0..700_000),
    ] {
        assert!(
            place.works(&["get", "key", "--range", range]) == content[slice.clone()],
            "{range}"
        );
        let got = place.json(&["get", "key", "--range", range, "-o", "part"]).remove(0);
        assert!(std::fs::read(place.path("part")).unwrap() == content[slice.clone()], "{range}");
        assert_eq!(got["part"], json!({ "start": slice.start, "end": slice.end }));
        let more = ["part", "received-bytes", "elapsed-ms", "guest-memory-bytes"];
        assert_fields(&got, &[&INFO_FIELDS[..], &more].concat());
    }
}

#[test]
fn list_prints_keys_in_order_and_rolls_up() {
    let place = Place::new();
    let file = place.file("file", b"content");
    for key in ["b/2", "a", "b/1", "c/d/e", "é"] {
        place.works(&["put", &file, key]);
    }
    assert_eq!(place.keys(), ["a", "b/1", "b/2", "c/d/e", "é"]);
    assert_eq!(place.lines(&["list", "b"]), ["b/1", "b/2"]);
    assert_eq!(place.lines(&["list", "--delimiter", "/"]), ["a", "b/", "c/", "é"]);
    assert_eq!(place.lines(&["list", "nothing"]), [""; 0]);
    let long = place.lines(&["list", "-l", "b"]);
    assert_eq!(long.len(), 2);
    assert!(long[0].contains("7 B") && long[0].ends_with("b/1"), "{long:?}");
    let rolled_up = place.json(&["list", "--delimiter", "/"]);
    assert_eq!(rolled_up[1], json!({ "prefix": "b/" }));
    assert_eq!(rolled_up[0], json!({ "key": "a", "summary": null, "info": null }));
    let details = place.json(&["list", "-l", "a"]);
    assert_eq!(details[0]["info"], place.json(&["head", "a"])[0]);
    assert_fields(&details[0]["summary"], &["size", "etag", "modified", "expires", "content-type"]);
}

#[test]
fn list_goes_on_behind_the_first_page() {
    let place = Place::new();
    let manifests = place.path("store/data/m+");
    place.run_with_input(&["put", "-", "key 0000"], b"content").works();
    // As many as make three pages, without as many runs; they need not be readable.
    for number in 1..2500 {
        std::fs::write(manifests.join(format!("key {number:04}")), b"").unwrap();
    }
    let keys = place.keys();
    assert_eq!(keys, (0..2500).map(|number| format!("key {number:04}")).collect::<Vec<_>>());
}

#[test]
fn delete_takes_several_and_goes_on_behind_one_that_is_missing() {
    let place = Place::new();
    let file = place.file("file", b"content");
    for key in ["a", "b", "c"] {
        place.works(&["put", &file, key]);
    }
    place.run(&["delete", "a", "missing", "b"]).fails(3, &["\"missing\"", "no such object"]);
    assert_eq!(place.keys(), ["c"]);
    assert_eq!(place.json(&["delete", "c"]), [json!({ "deleted": "c" })]);
    assert_eq!(place.keys(), [""; 0]);
}

#[test]
fn verify_says_that_all_is_well() {
    let place = Place::new();
    let file = place.file("file", &bytes(6, 3 << 20));
    place.works(&["put", &file, "a"]);
    place.works(&["put", &file, "b"]);
    let verified = place.lines(&["verify", "--all"]);
    assert_eq!(verified.len(), 2);
    assert!(verified.iter().all(|line| line.starts_with("ok ")), "{verified:?}");
    let expected = |key| json!({ "key": key, "chunks": 5, "bytes": 3 << 20, "problems": [], "problems-omitted": 0 });
    assert_eq!(place.json(&["verify", "a"]), [expected("a")]);
    assert_eq!(place.json(&["verify", "--all"]), [expected("a"), expected("b")]);
    place.run(&["verify", "missing"]).fails(3, &["\"missing\"", "no such object"]);
}

#[test]
fn a_time_to_live_ends_the_object() {
    let place = Place::new();
    let file = place.file("key", b"content");
    place.works(&["put", &file, "--ttl", "1s"]);
    while place.run(&["head", "key"]).code == Some(0) {}
    place.run(&["head", "key"]).fails(3, &["\"key\"", "no such object"]);
    place.run(&["get", "key"]).fails(3, &["\"key\"", "no such object"]);
    assert_eq!(place.lines(&["list", "-l"]), [""; 0]);
}

#[test]
fn a_sweep_gives_back_the_space_of_what_has_expired() {
    let place = Place::new();
    for (key, bytes) in [("a/inline", 10), ("chunked", 300_000)] {
        place.run_with_input(&["put", "-", key, "--ttl", "1s"], &vec![7; bytes]).works();
    }
    while place.run(&["head", "chunked"]).code == Some(0) {}
    let files = || files_below(&place.path("store/data"));
    assert!(files().len() > 3, "{:?}", files());
    place.works(&["verify", "--all"]);
    place.works(&["sweep", "--no-writers", "--grace", "0s"]);
    assert!(files().is_empty(), "{:?}", files());
}

#[test]
fn namespaces_are_kept_apart() {
    let place = Place::new();
    for (namespace, content) in [("one", "1"), ("two", "2")] {
        let arguments = ["--namespace", namespace, "put", "-", "key"];
        place.run_with_input(&arguments, content.as_bytes()).works();
    }
    assert_eq!(place.works(&["get", "key", "--namespace", "one"]), b"1");
    assert_eq!(place.works(&["get", "key", "--namespace", "two"]), b"2");
    assert_eq!(place.keys(), [""; 0]);
    let mut command = place.command(&["list"]);
    assert_eq!(lines(&Ran::of(command.env("CHUNK_STORE_NAMESPACE", "one")).works()), ["key"]);
    place.works(&["delete", "key", "--namespace", "one"]);
    assert_eq!(place.works(&["get", "key", "--namespace", "two"]), b"2");
    place.run(&["--namespace", "a/b", "list"]).fails(2, &["\"a/b\" is no namespace"]);
}

#[test]
fn the_store_is_taken_from_the_environment() {
    let place = Place::new();
    place.run_with_input(&["put", "-", "key"], b"content").works();
    let mut command = place.bare_command(&["get", "key"]);
    assert_eq!(Ran::of(command.env("CHUNK_STORE_KV", "file:store")).works(), b"content");
    let mut other = place.bare_command(&["--kv", "memory:", "get", "key"]);
    Ran::of(other.env("CHUNK_STORE_KV", "file:store")).fails(3, &["no such object"]);
}

#[test]
fn the_store_is_in_the_current_directory_unless_named() {
    let place = Place::new();
    Ran::of_with_input(&mut place.bare_command(&["put", "-", "key"]), b"content").works();
    assert!(place.path("chunk-store-data/data/m+/key").is_file());
    assert_eq!(Ran::of(&mut place.bare_command(&["get", "key"])).works(), b"content");
}

#[test]
fn there_are_completions_for_shells() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(place.works(&["completions", shell])).unwrap();
        for word in ["chunk-store", "put", "verify", "if-absent", "chunk-max"] {
            assert!(script.contains(word), "{word} is not in the completions of {shell}");
        }
    }
    assert_eq!(place.run(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn bash_completes_options_of_commands() {
    let place = Place::new();
    let script = String::from_utf8(place.works(&["completions", "bash"])).unwrap();
    for (command, option) in [("get", "--output"), ("uploads", "list"), ("serve", "--read-only")] {
        let ask = format!(
            "{script}\nCOMP_WORDS=(chunk-store {command} ''); COMP_CWORD=2; complete -p chunk-store\n\
             _chunk_store chunk-store '' {command}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let bash = std::process::Command::new("bash").arg("-c").arg(ask).output().unwrap();
        let told = String::from_utf8(bash.stdout).unwrap();
        let complete = told.lines().next().unwrap_or_default();
        assert!(
            complete.contains("-F _chunk_store") && complete.ends_with(" chunk-store"),
            "{told}"
        );
        assert!(told.lines().any(|line| line == option), "{command}: {told}");
    }
}

#[test]
fn a_server_is_set_by_the_environment_too() {
    let place = Place::with_store();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--sweep-every", "1h"]);
    command.env("CHUNK_STORE_HTTP_READ_ONLY", "true");
    Ran::of(&mut command).fails(2, &["takes no writes", "CHUNK_STORE_HTTP_READ_ONLY"]);
    // As the gateway reads it in any other host.
    command.env("CHUNK_STORE_HTTP_READ_ONLY", "yes");
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("\"yes\" is not understood; write true or false"), "{ran:?}");
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    let mut command = place.bare_command(&["get"]);
    let refused = Ran::of(command.arg(std::ffi::OsStr::from_bytes(b"\xff")));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("UTF-8"), "{}", refused.stderr);
    let missing = place.run(&["get", "--json"]);
    assert!(missing.stderr.contains("<KEY>"), "{}", missing.stderr);
}

#[test]
fn help_has_examples() {
    let place = Place::new();
    for arguments in [
        &["--help"][..],
        &["put", "--help"],
        &["get", "--help"],
        &["list", "--help"],
        &["verify", "--help"],
        &["copy", "--help"],
        &["uploads", "--help"],
        &["sweep", "--help"],
        &["delete", "--help"],
    ] {
        let help = String::from_utf8(place.works(arguments)).unwrap();
        let (_, examples) = help.split_once("Examples:\n").expect("it has examples");
        assert!(examples.lines().count() >= 2, "{help}");
        assert!(examples.lines().all(|line| line.contains("chunk-store ")), "{examples}");
    }
    let version = String::from_utf8(place.works(&["--version"])).unwrap();
    assert!(version.starts_with("chunk-store "), "{version}");
}

#[test]
fn a_target_keeps_what_it_is() {
    let place = Place::new();
    let file = place.file("file", b"content");
    place.run(&["put", &file, "key"]).works();
    place.file("private", b"old");
    let private = place.path("private");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("private", place.path("link")).unwrap();
    place.run(&["get", "key", "-o", "link"]).works();
    assert_eq!(fs::read(&private).unwrap(), b"content");
    assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(place.path("link")).unwrap().is_symlink());

    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    place.run(&["get", "key", "-o", "pipe"]).works();
    assert_eq!(reader.join().unwrap(), b"content");
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn results_that_cannot_be_written_are_a_failure() {
    let place = Place::new();
    let file = place.file("file", b"content");
    place.run(&["put", &file, "key"]).works();
    for arguments in [&["list"][..], &["head", "key"], &["verify", "key"], &["get", "key"]] {
        let mut command = place.command(arguments);
        command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
        let ended = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        let message = String::from_utf8(ended.stderr).unwrap();
        assert!(message.starts_with("chunk-store: cannot write standard output"), "{message}");
    }
}
