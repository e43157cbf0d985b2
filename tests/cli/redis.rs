//! The command line over Redis: the same commands, and what they say of the server.

use std::fs;
use std::process::{Command, Stdio};

use chunk_store_tests::process::watch;
use chunk_store_tests::random;
use chunk_store_tests::redis::{Cluster, Server, Settings};

use crate::large::RESIDENT_BYTES_MAX;
use crate::program::{Place, Ran, lines};

const MB: u64 = 1_000_000;

/// A server, and the program on it.
struct Store {
    place: Place,
    server: Server,
    url: String,
}

impl Store {
    fn on(server: Server) -> Self {
        let url = server.url();
        Self { place: Place::new(), server, url }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.bare_command(&["--kv", &self.url]);
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    #[track_caller]
    fn works(&self, arguments: &[&str]) -> Vec<u8> {
        self.run(arguments).works()
    }
}

/// Puts, gets, lists, verifies and deletes, over one URL.
fn every_command_works(place: &Place, url: &str) {
    let run =
        |arguments: &[&str]| Ran::of(place.bare_command(&["--kv", url]).args(arguments)).works();
    let small = random::bytes(71, 1000);
    let large = random::bytes(72, 5 * MB);
    let (small_file, large_file) = (place.file("small", &small), place.file("large", &large));
    run(&["put", &small_file]);
    run(&["put", &large_file, "dir/large", "--meta", "author=Ann"]);
    assert_eq!(lines(&run(&["list"])), ["dir/large", "small"]);
    assert!(run(&["get", "small"]) == small);
    assert!(run(&["get", "dir/large"]) == large);
    assert!(run(&["get", "dir/large", "--range", "3000000-4999999"]) == large[3_000_000..]);
    let head: serde_json::Value =
        serde_json::from_slice(&run(&["--json", "head", "dir/large"])).unwrap();
    assert_eq!(head["digest"], chunk_store_tests::digest(&large));
    run(&["verify", "--all"]);
    run(&["put", &small_file, "dir/large"]);
    assert!(run(&["get", "dir/large"]) == small);
    run(&["delete", "small", "dir/large"]);
    assert!(run(&["list"]).is_empty());
    Ran::of(place.bare_command(&["--kv", url]).args(["get", "small"])).fails(3, &["small"]);
}

#[test]
fn every_command_works_by_tcp_and_by_a_socket() {
    let server = Server::start();
    let place = Place::new();
    every_command_works(&place, &server.url());
    every_command_works(&place, &format!("redis+unix:{}", server.socket().display()));
}

#[test]
fn every_command_works_with_a_password_by_tls() {
    let server = Server::with(Settings::default().with_password("p%40ss").with_tls());
    let url = server.url().replace("p%40ss", "p%2540ss");
    every_command_works(&Place::new(), &format!("{url}?ca={}", server.certificate().display()));
}

#[test]
fn every_command_works_in_a_cluster() {
    let cluster = Cluster::start();
    every_command_works(&Place::new(), &format!("redis+cluster://{}", cluster.addresses()));
}

#[test]
fn objects_are_copied_from_and_to_files_and_between_databases() {
    let server = Server::start();
    let place = Place::new();
    let content = random::bytes(76, 3 * MB);
    let file = place.file("file", &content);
    place.works(&["put", &file, "--meta", "author=Ann"]);
    let socket = |database| format!("redis+unix:{}?db={database}", server.socket().display());
    let stores = ["file:store", &server.url(), &socket(1), &socket(2), "file:back"];
    for pair in stores.windows(2) {
        Ran::of(&mut place.bare_command(&["copy", "--from", pair[0], "--to", pair[1]]));
    }
    let back = |arguments: &[&str]| {
        Ran::of(place.bare_command(&["--kv", "file:back"]).args(arguments)).works()
    };
    assert!(back(&["get", "file"]) == content);
    let copy: serde_json::Value =
        serde_json::from_slice(&back(&["--json", "head", "file"])).unwrap();
    for name in ["digest", "etag", "metadata"] {
        assert_eq!(copy[name], place.json(&["head", "file"])[0][name], "{name}");
    }
}

#[test]
fn namespaces_are_apart() {
    let store = Store::on(Server::start());
    let file = store.place.file("file", b"content");
    store.works(&["--namespace", "ann", "put", &file]);
    assert!(store.works(&["--namespace", "bob", "list"]).is_empty());
    assert_eq!(lines(&store.works(&["--namespace", "ann", "list"])), ["file"]);
}

#[test]
fn an_object_that_expires_leaves_nothing_that_lasts() {
    let store = Store::on(Server::start());
    let file = store.place.file("file", &random::bytes(73, 2 * MB));
    store.works(&["put", &file, "--ttl", "1h"]);
    for tag in "0123456789abcdef".chars() {
        for key in store.server.cli(&["ZRANGE", &format!("cs:{{{tag}}}:i"), "0", "-1"]).lines() {
            let value = format!("cs:{{{tag}}}:v:{key}");
            if key.is_empty() || key.starts_with("w/") {
                continue;
            }
            let ttl: i64 = store.server.cli(&["TTL", &value]).trim().parse().unwrap();
            assert!(ttl > 0, "{key} lives for ever");
        }
    }
}

#[test]
fn a_chunk_is_written_once_and_nothing_is_scanned() {
    let store = Store::on(Server::start());
    let size = 30 * MB;
    let content = random::bytes(74, size);
    let file = store.place.file("file", &content);
    let monitor = store.server.monitor();
    let put = store.works(&["--json", "put", &file]);
    store.works(&["list"]);
    store.works(&["verify", "--all"]);
    store.works(&["delete", "file"]);
    let commands = monitor.stop();
    let put: serde_json::Value = serde_json::from_slice(&put).unwrap();
    let chunks = put["chunks"].as_u64().unwrap();
    assert!(chunks > 5);
    // A line is `TIME [DATABASE CLIENT] "COMMAND" "KEY" ...`.
    let runs = |name: &str, key: &str| {
        let words = commands.iter().filter_map(|line| Some(line.split_once("] ")?.1));
        let runs = words.filter(|words| {
            let (command, arguments) = words.split_once(' ').unwrap_or((words, ""));
            command.trim().trim_matches('"').eq_ignore_ascii_case(name)
                && arguments.split(' ').any(|argument| argument.contains(key))
        });
        runs.count() as u64
    };
    assert_eq!(runs("SET", ":d:") + runs("SET", ":v:c/"), chunks, "one write for each chunk");
    assert_eq!(runs("RENAME", ":v:c/") + runs("SET", ":v:c/"), chunks);
    let written: u64 = commands.iter().map(|line| line.len() as u64).sum();
    // MONITOR writes a byte as up to four.
    assert!(written < 4 * size, "{written} bytes of commands for {size}");
    for scan in ["KEYS", "SCAN", "SORT"] {
        assert_eq!(runs(scan, ""), 0, "{scan}");
    }
}

#[test]
fn three_hundred_megabytes_take_little_memory_and_come_back() {
    let mut store = Store::on(Server::with(Settings::forgetful()));
    store.url.push_str("?durability=none");
    let content = random::bytes(75, 300 * MB);
    let file = store.place.file("big", &content);
    for arguments in [&["put", &*file][..], &["verify", "big"], &["get", "big", "-o", "copy"]] {
        let mut child =
            store.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let resident_bytes = watch(&mut child);
        Ran::of_child(child).works();
        assert!(resident_bytes > 0, "{arguments:?}");
        assert!(resident_bytes < RESIDENT_BYTES_MAX, "{arguments:?}: {resident_bytes}");
    }
    assert!(fs::read(store.place.path("copy")).unwrap() == content);
}

#[test]
fn what_the_server_may_lose_is_said_once() {
    let mut store = Store::on(Server::with(Settings::forgetful()));
    let file = store.place.file("file", b"content");
    let put = store.run(&["put", &file]);
    assert_eq!(put.code, Some(0), "it is a warning");
    put.says(&["chunk-store: warning: redis at ", "appendonly no", "?durability=none"]);
    let json = store.run(&["--json", "list"]);
    assert!(json.stderr.starts_with("{\"warning\":") && json.stderr.lines().count() == 1);
    store.url.push_str("?durability=none");
    store.works(&["put", &file]);
}

#[test]
fn a_server_that_cannot_be_used_is_one_line_without_a_password() {
    let store = Store::on(Server::with(Settings::default().with_password("secret")));
    let address = store.server.address();
    let list = |url: &str| Ran::of(store.place.bare_command(&["--kv", url]).args(["list"]));
    let lines = [
        list(&format!("redis://:hidden@{address}")).fails(14, &[&address, "user:password@host"]),
        list(&format!("redis://{address}")).fails(14, &[&address, "user:password@host"]),
        list("redis://:hidden@127.0.0.1:1").fails(11, &["127.0.0.1:1", "start it"]),
        list("redis://:hidden@host/zero").fails(2, &["as a number"]),
        list("redid://:hidden@host").fails(2, &["no known kind of store"]),
        list("redis://:hidden@host?sync=none").fails(2, &["no option \"sync\""]),
    ];
    assert!(lines.iter().all(|line| !line.contains("hidden")), "{lines:?}");
}

#[test]
fn the_help_does_not_show_the_password_in_the_environment() {
    let place = Place::new();
    let mut command = place.bare_command(&["--help"]);
    let help = Ran::of(command.env("CHUNK_STORE_KV", "redis://:hidden@host")).works();
    let help = String::from_utf8(help).unwrap();
    assert!(help.contains("CHUNK_STORE_KV") && !help.contains("hidden"), "{help}");
}
