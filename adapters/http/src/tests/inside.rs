//! What lies under `/_/` besides uploads.

use super::bed::{Bed, able, content};
use chunk_store::kv::KvLimits;

fn with_objects() -> Bed {
    let bed = Bed::open();
    for key in ["a/1", "a/2", "b/1", "c", "d e"] {
        bed.store_with(key, &[("author", "Ann")]);
    }
    bed
}

#[test]
fn a_listing_names_objects_and_prefixes() {
    let bed = with_objects();
    let answer = bed.ask("GET /_/list?delimiter=%2F", &[]);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let page = answer.json();
    assert_eq!(page["prefixes"], serde_json::json!(["a/", "b/"]));
    assert_eq!(page["objects"][1]["key"], "d e");
    let page = bed.ask("GET /_/list?prefix=a/&details", &[]).json();
    assert_eq!(page["objects"].as_array().unwrap().len(), 2);
    assert_eq!(page["objects"][0]["info"]["metadata"][0][1], "Ann");
}

#[test]
fn a_listing_comes_in_pages() {
    let bed = with_objects();
    let mut keys = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bed.ask(&format!("GET /_/list?limit=2&cursor={cursor}"), &[]).json();
        let objects = page["objects"].as_array().unwrap();
        assert!(objects.len() <= 2);
        keys.extend(objects.iter().map(|object| object["key"].as_str().unwrap().to_string()));
        match page["cursor"].as_str() {
            Some(next) => cursor = next.replace(':', "%3A"),
            None => break,
        }
    }
    assert_eq!(keys, ["a/1", "a/2", "b/1", "c", "d e"]);
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let bed = Bed::open();
    for line in [
        "GET /_/list?limit=0",
        "GET /_/list?limit=1001",
        "GET /_/list?limit=ten",
        "GET /_/list?detials=true",
        "GET /_/list?cursor=x",
        "GET /_/list?prefix=a&prefix=b",
        "GET /_/uploads?limit=1001",
        "GET /_/head/a?x",
        "GET /_/manifest/a?limit=0",
        "GET /_/manifest/a?limit=1001",
        "GET /_/manifest/a?from=-1",
        "GET /_/manifest/a?form=1",
        "GET /_/ui?x",
        "GET /_/health?x",
        "POST /_/sweep?operations-max=1",
        "POST /_/sweep?grace=1",
    ] {
        assert_eq!(bed.ask(line, &[]).status, 400, "{line}");
    }
}

#[test]
fn an_object_is_described_as_json() {
    let bed = with_objects();
    let info = bed.ask("GET /_/head/d%20e", &[]).json();
    assert_eq!((&info["key"], &info["size"]), (&"d e".into(), &1.into()));
    assert_eq!(bed.ask("GET /_/head/x", &[]).status, 404);
    let head = bed.ask("HEAD /_/head/c", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_manifest_tells_where_the_content_lies() {
    let bed = Bed::open();
    bed.store_in_chunks("a", &content(200_000));
    let answer = bed.ask("GET /_/manifest/a?limit=3", &[]).json();
    assert_eq!((&answer["info"]["size"], &answer["next"]), (&200_000.into(), &196_608.into()));
    assert_eq!(answer["pages"], serde_json::json!([]));
    let chunks = answer["chunks"].as_array().unwrap();
    assert_eq!(chunks.len(), 3);
    let chunk = chunks[1].as_object().unwrap();
    let names: Vec<&str> = chunk.keys().map(String::as_str).collect();
    assert_eq!(names, ["chaining-value", "index", "offset", "segment", "size", "value"]);
    assert_eq!((&chunk["index"], &chunk["offset"]), (&1.into(), &65_536.into()));
    assert!(bed.kv.keys("c/").contains(&chunk["value"].as_str().unwrap().to_string()));
    let rest = bed.ask("GET /_/manifest/a?from=196608", &[]).json();
    assert_eq!((&rest["chunks"][0]["index"], &rest["next"]), (&3.into(), &().into()));
    bed.send("PUT /small", &[], b"hello");
    assert_eq!(bed.ask("GET /_/manifest/small", &[]).json()["chunks"], serde_json::json!([]));
    assert_eq!(bed.ask("GET /_/manifest/x", &[]).status, 404);
}

#[test]
fn a_sweep_gives_back_what_was_deleted() {
    let bed = Bed::open();
    bed.store_in_chunks("a", &content(100_000));
    bed.ask("DELETE /a", &[]);
    let sweep = |query: &str| bed.ask(&format!("POST /_/sweep?{query}"), &[]).json();
    let all = "grace-seconds=0&no-writers=true";
    assert_eq!(sweep(&format!("{all}&dry-run"))["segments-examined"], 1);
    assert!(!bed.kv.keys("c/").is_empty());
    assert_eq!(sweep(all)["segments-deleted"], 1);
    assert!(bed.kv.keys("c/").is_empty());
}

#[test]
fn a_sweep_by_request_is_bounded_unless_it_says_otherwise() {
    let bed = Bed::open();
    for i in 0..600 {
        bed.store_in_chunks(&format!("{i}"), b"x");
    }
    assert!(bed.ask("POST /_/sweep", &[]).json()["cursor"].is_string());
    assert!(bed.ask("POST /_/sweep?operations-max=100000", &[]).json()["cursor"].is_null());
}

#[test]
fn a_store_that_cannot_be_used_at_all_still_says_so() {
    let bed = Bed::new(KvLimits { value_bytes_max: 1000, ..able() }, &[("OPEN", "true")]);
    let answer = bed.send("PUT /a", &[], &content(300_000));
    assert_eq!((answer.status, &answer.json()["error"]), (413, &"limit-exceeded".into()));
}
