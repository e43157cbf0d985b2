//! Bad input, bad places and bad luck: one line that says what is wrong, the exit code
//! of `docs/errors.md`, nothing committed and nothing left behind.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chunk_store_tests::random::bytes;
use serde_json::Value;

use crate::program::{Place, Ran, failing_source, files_below, names_in};

/// A place whose store holds one object.
fn place_with_object() -> Place {
    let place = Place::new();
    place.run_with_input(&["put", "-", "old"], b"the old content").works();
    place
}

/// Asserts that the store holds that object, and nothing else.
#[track_caller]
fn nothing_changed(place: &Place) {
    assert_eq!(place.keys(), ["old"]);
    assert_eq!(place.works(&["get", "old"]), b"the old content");
    place.has_no_temporaries();
}

#[test]
fn a_missing_file() {
    let place = place_with_object();
    place.run(&["put", "nowhere.mp4"]).fails(1, &["there is no file nowhere.mp4"]);
    place.run(&["put", "nowhere.mp4", "old"]).fails(1, &["there is no file nowhere.mp4"]);
    nothing_changed(&place);
}

#[test]
fn a_directory() {
    let place = place_with_object();
    fs::create_dir(place.path("films")).unwrap();
    place.run(&["put", "films", "old"]).fails(1, &["films is a directory", "tar c films"]);
    place.run(&["put", "..", "old"]).fails(1, &["is a directory"]);
    place.run(&["put", ".."]).fails(2, &["has no name that can be a key"]);
    nothing_changed(&place);
}

#[test]
fn standard_input_without_a_key() {
    let place = place_with_object();
    place.run_with_input(&["put", "-"], b"content").fails(2, &["give a key", "put - KEY"]);
    nothing_changed(&place);
}

#[test]
fn keys_that_cannot_be() {
    let place = place_with_object();
    let file = place.file("file", b"content");
    let long = "x".repeat(5000);
    for (key, part) in [
        ("", "the key is empty"),
        (&*long, "the key has 5000 bytes"),
        ("a\nb", "control character '\\n'"),
    ] {
        place.run(&["put", &file, key]).fails(2, &[part]);
        place.run_with_input(&["put", "-", key], b"content").fails(2, &[part]);
        for command in ["get", "head", "delete", "verify"] {
            place.run(&[command, "--", key]).fails(2, &[part]);
        }
        place.run(&["get", key, "-o", "copy"]).fails(2, &[part]);
    }
    assert!(!place.path("copy").exists());
    nothing_changed(&place);
}

#[test]
fn a_file_whose_name_cannot_be_a_key() {
    let place = place_with_object();
    let file = place.file("a\nb", b"content");
    place.run(&["put", &file]).fails(2, &["give one, as in `put FILE KEY`"]);
    nothing_changed(&place);
}

#[test]
fn a_store_that_is_not_there() {
    let place = Place::new();
    for arguments in [&["get", "key"][..], &["head", "key"], &["list"], &["verify", "--all"]] {
        let mut command = place.bare_command(&["--kv", "file:typo"]);
        Ran::of(command.args(arguments)).fails(3, &["there is no store in", "typo"]);
    }
    assert!(!place.path("typo").exists(), "only a put makes one");
}

#[test]
fn a_missing_object() {
    let place = place_with_object();
    for command in ["get", "head", "delete", "verify"] {
        place.run(&[command, "missing"]).fails(3, &["\"missing\"", "no such object"]);
    }
    place.run(&["get", "missing", "-o", "copy"]).fails(3, &["\"missing\""]);
    place.run(&["get", "missing", "--range", "0-1"]).fails(3, &["\"missing\""]);
    assert!(!place.path("copy").exists());
    nothing_changed(&place);
}

#[test]
fn a_failure_is_one_object_with_json() {
    let place = place_with_object();
    for (arguments, name, code) in [
        (&["head", "missing"][..], "not-found", 3),
        (&["put", "nowhere"], "local", 1),
        (&["head", "a\nb"], "invalid-argument", 2),
        (&["get", "old", "--range", "99-"], "range-not-satisfiable", 5),
    ] {
        let ran = place.run(&[&["--json"], arguments].concat());
        assert_eq!((ran.code, &*ran.stdout), (Some(code), &b""[..]));
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"], name);
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn stores_that_cannot_be() {
    let place = place_with_object();
    let file = place.file("file", b"content");
    for (url, code, part) in [
        ("redid://host", 2, "\"redid://host\" names no known kind of store"),
        ("./store", 2, "\"./store\" names no known kind of store: a directory is file:./store;"),
        ("file:", 2, "name a directory"),
        ("file:store?sink=none", 2, "no option \"sink\""),
        ("file:store?sync=maybe", 2, "sync=\"maybe\" is not understood"),
        ("file:file", 14, "it is not a directory"),
        ("file:file/below", 14, "cannot hold a store"),
    ] {
        for arguments in [&["put", &file][..], &["get", "old"], &["list"]] {
            let mut command = place.bare_command(&["--kv", url]);
            Ran::of(command.args(arguments)).fails(code, &[part]);
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"content");
    nothing_changed(&place);
}

/// Makes the command run as a user whom permissions bind, which root is not; the
/// program has to lie where that user reaches it.
fn as_nobody(place: &Place, command: &Command) -> Command {
    let mut bound = Command::new("/proc/self/fd/0");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        bound.uid(65534).gid(65534);
    }
    // Opened by this process, so that no directory on the way is in the way.
    bound.stdin(fs::File::open(command.get_program()).unwrap());
    bound.args(command.get_args()).current_dir(place.path(""));
    bound.stdout(Stdio::piped()).stderr(Stdio::piped());
    bound
}

#[test]
fn a_store_that_may_not_be_read() {
    // In the system's place for it: the one under the target directory may not be
    // reached by other users at all.
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new();
    let [closed, open] = ["closed", "open"].map(|name| directory.path().join(name));
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for path in [&closed, &open] {
        fs::create_dir(path).unwrap();
    }
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let run = |store: &Path| {
        let url = format!("file:{}", store.display());
        let mut command = as_nobody(&place, &place.bare_command(&["--kv", &url, "list"]));
        Ran::of(command.current_dir(directory.path()))
    };
    run(&open).fails(3, &["there is no store in"]);
    run(&closed).fails(14, &["cannot hold a store", "give this user the right to read and write"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(names_in(&closed), [""; 0]);
}

/// A backup on a medium that takes no writes, another user's store.
#[test]
fn a_store_that_may_only_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new();
    let url = format!("file:{}", directory.path().join("store").display());
    let content = bytes(14, 3 << 20);
    let mut put = place.bare_command(&["--kv", &url, "put", "-", "key"]);
    Ran::of_with_input(&mut put, &content).works();
    let files = || {
        let files = files_below(directory.path()).into_iter();
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    let before = files();
    let readable = Command::new("chmod").args(["-R", "a+rX"]).arg(directory.path()).status();
    assert!(readable.unwrap().success());
    let run = |arguments: &[&str]| {
        let arguments = [&["--kv", &url][..], arguments].concat();
        let mut command = as_nobody(&place, &place.bare_command(&arguments));
        Ran::of(command.current_dir(directory.path()))
    };
    assert_eq!(run(&["get", "key"]).works(), content);
    assert_eq!(run(&["list"]).works(), b"key\n");
    run(&["verify", "--all"]).works();
    let advice = "give this user the right to read and write";
    for refused in [&["put", "/etc/passwd", "new"][..], &["delete", "key"]] {
        run(refused).fails(14, &[advice]);
    }
    assert_eq!(files(), before);
}

#[test]
fn ranges_that_cannot_be_understood() {
    let place = place_with_object();
    for range in ["", "-", "5", "a-b", "5-2", "1-2-3", "bytes=0-1", "0x1-", "99999999999999999999-"]
    {
        let ran = place.run(&["get", "old", "--range", range, "-o", "copy"]);
        assert_eq!(ran.code, Some(2), "{range:?}");
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{range:?}");
        assert!(ran.stderr.contains("--range"), "{}", ran.stderr);
    }
    assert!(!place.path("copy").exists());
}

#[test]
fn options_that_cannot_be_understood() {
    let place = place_with_object();
    for arguments in [
        &["put", "file", "--ttl", "soon"][..],
        &["put", "file", "--ttl", "0s"],
        &["put", "file", "--ttl", "-5s"],
        &["put", "file", "--chunk-max", "many"],
        &["put", "file", "--meta", "novalue"],
        &["put"],
        &["delete"],
        &["verify"],
        &["verify", "--all", "key"],
        &["fetch", "key"],
        &[],
    ] {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
    nothing_changed(&place);
}

#[test]
fn a_range_behind_the_end() {
    let place = place_with_object();
    for range in ["15-", "99-100", "-0"] {
        place.run(&["get", "old", "--range", range]).fails(5, &["\"old\"", "15 bytes"]);
        place.run(&["get", "old", "--range", range, "-o", "copy"]).fails(5, &["15 bytes"]);
    }
    assert!(!place.path("copy").exists());
    nothing_changed(&place);
}

#[test]
fn a_source_that_fails() {
    let place = place_with_object();
    let parts = ["the source of the body failed", "Input/output error", "nothing was stored"];
    for key in ["old", "new"] {
        let mut command = place.command(&["put", "-", key]);
        Ran::of(command.stdin(failing_source())).fails(7, &parts);
        place.run(&["put", "/proc/self/mem", key]).fails(7, &parts);
    }
    nothing_changed(&place);
}

#[test]
fn metadata_that_cannot_be() {
    let place = place_with_object();
    let file = place.file("file", b"content");
    let long = format!("name={}", "x".repeat(9000));
    place.run(&["put", &file, "old", "--meta", &long]).fails(2, &["at most 8192"]);
    place.run(&["put", &file, "old", "--meta", "a=1", "--meta", "a=2"]).fails(2, &["given twice"]);
    nothing_changed(&place);
}

#[test]
fn a_target_that_cannot_be_written() {
    let place = place_with_object();
    fs::create_dir(place.path("films")).unwrap();
    place.file("file", b"content");
    for (target, part) in [
        ("films", "films is a directory"),
        ("nowhere/copy", "cannot write nowhere/copy"),
        ("file/copy", "cannot write file/copy"),
        ("/proc/copy", "cannot write /proc/copy"),
    ] {
        place.run(&["get", "old", "-o", target]).fails(1, &[part]);
    }
    assert_eq!(names_in(&place.path("films")), [""; 0]);
    assert_eq!(fs::read(place.path("file")).unwrap(), b"content");
    nothing_changed(&place);
}

#[test]
fn an_output_that_is_closed_early() {
    let place = Place::new();
    let file = place.file("key", &bytes(11, 8 << 20));
    place.works(&["put", &file]);
    let mut child = place.command(&["get", "key"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of_child(child);
    ran.fails(1, &["standard output was closed before the end"]);
}

/// A file system of 4 MiB, gone when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        let ran = Ran::of(mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&at));
        assert_eq!(
            ran.code,
            Some(0),
            "a small tmpfs has to be mounted to see what a full disk does, and that takes \
             root (or CAP_SYS_ADMIN): {}",
            ran.stderr
        );
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays", self.0.display());
    }
}

#[test]
fn a_store_on_a_full_disk() {
    let place = place_with_object();
    let disk = SmallDisk::mount(place.path("disk"));
    let on_disk = |arguments: &[&str], input: &[u8]| {
        let mut command = place.bare_command(&["--kv", "file:disk"]);
        Ran::of_with_input(command.args(arguments), input)
    };
    on_disk(&["put", "-", "old"], b"the old content").works();
    for key in ["old", "new"] {
        let parts = ["No space left on device", "free space on its disk"];
        on_disk(&["put", "-", key], &bytes(12, 16 << 20)).fails(14, &parts);
        assert_eq!(on_disk(&["get", "old"], b"").works(), b"the old content");
    }
    assert_eq!(on_disk(&["list"], b"").works(), b"old\n");
    assert_eq!(names_in(&disk.0.join("tmp")), [""; 0]);
}

#[test]
fn a_target_on_a_full_disk() {
    let place = Place::new();
    let disk = SmallDisk::mount(place.path("disk"));
    let file = place.file("key", &bytes(13, 16 << 20));
    place.works(&["put", &file]);
    fs::write(disk.0.join("copy"), b"what was there").unwrap();
    let ran = place.run(&["get", "key", "-o", "disk/copy"]);
    ran.fails(1, &["cannot write disk/copy", "No space left on device"]);
    assert_eq!(names_in(&disk.0), ["copy"]);
    assert_eq!(fs::read(disk.0.join("copy")).unwrap(), b"what was there");
}
