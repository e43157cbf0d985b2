//! What commands tell of what they did: `--stats` and `--log-operations`.

use std::io::{BufRead, BufReader, Read};

use chunk_store_tests::collector::{Collector, attribute};
use chunk_store_tests::random::bytes;
use serde_json::Value;

use crate::program::{Place, lines};

const METRICS: &str = include_str!("../../docs/metrics.md");

const MIB: u64 = 1 << 20;

/// What the object holds: so much is read by one instance, and is one operation.
const SIZE: u64 = 4 * MIB;

/// A place with a file, stored as `object`.
fn place_with_object() -> (Place, Vec<u8>) {
    let place = Place::new();
    let content = bytes(1, SIZE);
    place.works(&["put", &place.file("file", &content), "object"]);
    (place, content)
}

/// What the family counts with these values of its labels.
#[track_caller]
fn value(stats: &Value, family: &str, labels: &[(&str, &str)]) -> u64 {
    let samples = stats[family].as_array().unwrap_or_else(|| panic!("no {family}: {stats}"));
    let sample = samples.iter().find(|it| labels.iter().all(|(name, value)| it[name] == *value));
    sample.unwrap_or_else(|| panic!("{family} {labels:?}: {stats}"))["value"].as_u64().unwrap()
}

/// The lines of a log of operations.
fn operations(stderr: &str) -> Vec<Value> {
    let lines = stderr.lines().map(|line| serde_json::from_str(line).expect(line));
    lines.filter(|line: &Value| line["target"] == "chunk_store::operations").collect()
}

#[test]
fn people_get_a_table_beside_the_results() {
    let (place, content) = place_with_object();
    let got = place.run(&["get", "object", "--stats"]);
    assert_eq!(got.code, Some(0));
    assert!(got.stdout == content, "nothing but the content");
    let line = |name: &str| {
        let found = got.stderr.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name}: {}", got.stderr)).trim().to_string()
    };
    assert!(line("operations").starts_with("get: 1 ok; took "), "{}", got.stderr);
    assert_eq!(line("content"), "0 B in, 4.00 MiB out");
    assert!(line("chunks").starts_with("5 read, "), "{}", got.stderr);
    assert!(line("store below").starts_with("get: 6 ok; took "), "{}", got.stderr);
    assert!(line("memory").contains("of 16.00 MiB at most"), "{}", got.stderr);
}

#[test]
fn json_gets_the_families_of_the_documentation_as_the_last_result() {
    let (place, content) = place_with_object();
    let file = place.file("again", &content);
    let results = place.json(&["put", &file, "again", "--stats"]);
    assert_eq!(results.len(), 2);
    assert_eq!(results[0]["key"], "again");
    let stats = &results[1]["stats"];
    let puts = [("operation", "put"), ("outcome", "ok")];
    assert_eq!(value(stats, "chunk_store_operations_total", &puts), 1);
    assert_eq!(value(stats, "chunk_store_body_bytes_total", &[("direction", "in")]), SIZE);
    assert!(value(stats, "chunk_store_buffer_peak_bytes", &[]) >= 2 * MIB);
    let sets = &stats["chunk_store_kv_seconds"].as_array().unwrap()[..];
    let sets = sets.iter().find(|it| it["operation"] == "set").unwrap();
    // Five chunks, the segment's record, the manifest.
    assert_eq!(sets["count"], 7);
    assert_eq!(sets["buckets"].as_array().unwrap().last().unwrap()[1], 7);
}

#[test]
fn beside_content_on_standard_output_json_stands_on_standard_error() {
    let (place, content) = place_with_object();
    let got = place.run(&["get", "object", "--stats", "--json"]);
    assert!(got.stdout == content);
    let line: Value = serde_json::from_str(&got.stderr).unwrap();
    let out = value(&line["stats"], "chunk_store_body_bytes_total", &[("direction", "out")]);
    assert_eq!(out, SIZE);
}

#[test]
fn commands_that_fail_tell_too() {
    let place = Place::with_store();
    let failed = place.run(&["head", "missing", "--stats", "--json"]);
    assert_eq!(failed.code, Some(3));
    let line: Value = serde_json::from_slice(&failed.stdout).unwrap();
    let missed = [("operation", "head"), ("outcome", "not-found")];
    assert_eq!(value(&line["stats"], "chunk_store_operations_total", &missed), 1);
}

#[test]
fn a_copy_tells_of_both_stores() {
    let (place, _) = place_with_object();
    let copy = ["copy", "--from", "file:store", "--to", "file:other", "--stats"];
    let mut json = place.bare_command(&[&copy[..], &["--json"]].concat());
    let results = lines(&json.output().unwrap().stdout);
    let results: Vec<Value> =
        results.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |which| &results.iter().find(|line| line["store"] == which).unwrap()["stats"];
    let bytes = |which, direction| {
        value(of(which), "chunk_store_body_bytes_total", &[("direction", direction)])
    };
    assert_eq!((bytes("source", "out"), bytes("destination", "in")), (SIZE, SIZE));
    let people = place.bare_command(&copy).output().unwrap().stderr;
    let people = String::from_utf8(people).unwrap();
    assert!(people.starts_with("source:\noperations") && people.contains("\ndestination:\n"));
}

#[test]
fn a_server_tells_when_it_stops() {
    let place = Place::with_store();
    let listen = ["serve", "--listen", "127.0.0.1:0", "--stats", "--instances", "1"];
    let mut server = place.command(&listen).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("listening on "), "{line}");
    chunk_store_tests::signal(&server, "TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("\nmemory       "), "{said}");
}

#[test]
fn each_operation_is_logged_once_with_what_it_did() {
    let (place, content) = place_with_object();
    let file = place.file("again", &content);
    let put = place.run(&["put", &file, "again", "--log-operations", "--json"]);
    let [put] = &operations(&put.stderr)[..] else { panic!("{}", put.stderr) };
    let expected = [("operation", "put"), ("key", "again"), ("outcome", "ok")];
    expected.iter().for_each(|(name, is)| assert_eq!(put[name], *is, "{put}"));
    assert_eq!((&put["received"], &put["sent"]), (&Value::from(SIZE), &Value::from(0)));
    assert_eq!((&put["chunks_written"], &put["kv_retries"]), (&Value::from(5), &Value::from(0)));
    assert!(put["ms"].as_f64().unwrap() > 0.0 && put["kv_written"].as_u64().unwrap() > SIZE);
    let get = place.run(&["get", "again", "-o", "got", "--log-operations", "--json"]);
    let [get] = &operations(&get.stderr)[..] else { panic!("{}", get.stderr) };
    assert_eq!((&get["operation"], &get["sent"]), (&Value::from("get"), &Value::from(SIZE)));
    assert!(get["first_byte_ms"].as_f64().unwrap() <= get["ms"].as_f64().unwrap(), "{get}");
}

#[test]
fn the_documentation_lists_the_fields_of_these_events() {
    let (place, _) = place_with_object();
    let got = place.run(&["get", "object", "-o", "got", "--log-operations", "--json"]);
    let [event] = &operations(&got.stderr)[..] else { panic!("{}", got.stderr) };
    let section = METRICS.split("## One event").nth(1).unwrap().split("\n## ").next().unwrap();
    for field in event.as_object().unwrap().keys() {
        let of_all_events = ["timestamp", "level", "target"].contains(&&field[..]);
        assert!(of_all_events || section.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn operations_that_fail_are_logged_with_why() {
    let place = Place::with_store();
    let failed = place.run(&["head", "missing", "--log-operations", "--json"]);
    let [head] = &operations(&failed.stderr)[..] else { panic!("{}", failed.stderr) };
    assert_eq!(
        (&head["outcome"], &head["failure"]),
        (&"not-found".into(), &"no such object".into())
    );
}

#[test]
fn operations_are_sent_to_a_collector_before_the_command_ends() {
    let place = Place::with_store();
    let collector = Collector::start();
    let put = place.run_with_input(&["put", "-", "object", "--otlp", &collector.url()], b"content");
    put.works();
    let spans = collector.spans(1);
    assert_eq!((spans.len(), &spans[0].name[..]), (1, "put"));
    assert_eq!(attribute(&spans[0], "chunk_store.key").as_deref(), Some("object"));
}

#[test]
fn a_collector_that_cannot_be_is_refused_before_anything_is_done() {
    let place = Place::new();
    let refused = place.run(&["put", "/dev/null", "object", "--otlp", "localhost"]);
    refused.fails(2, &["--otlp", "like http://127.0.0.1:4318"]);
    assert_eq!(place.run(&["list"]).code, Some(3), "no store was made");
}

#[test]
fn an_upload_is_logged_step_by_step_under_its_name() {
    let place = Place::with_store();
    let file = place.file("large", &bytes(2, 65 * MIB));
    let put = place.run(&["put", &file, "large", "--log-operations", "--json"]);
    let steps = operations(&put.stderr);
    let what: Vec<_> = steps.iter().map(|it| it["operation"].as_str().unwrap()).collect();
    assert_eq!(what, ["begin", "append", "commit"]);
    assert!(steps.iter().all(|it| it["key"] == "large" && it["upload"] == steps[0]["upload"]));
    assert_eq!(steps[1]["received"], 65 * MIB);
}
