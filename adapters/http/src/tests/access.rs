//! Who may do what.

use chunk_store::clock::Clock;

use super::bed::{BEARER, BEGIN, Bed, TOKEN};
use crate::sign;

/// Every kind of request that needs more than everybody has.
const INSIDE: [&str; 6] = [
    "GET /_/list",
    "GET /_/uploads",
    "GET /_/head/a",
    "GET /_/uploads/x",
    "POST /_/sweep",
    "POST /_/uploads",
];

const WRITES: [&str; 2] = ["PUT /a", "DELETE /a"];

#[test]
fn without_a_token_setting_objects_can_be_read_and_nothing_else() {
    let bed = Bed::set(&[]);
    bed.store_with("a", &[]);
    assert_eq!(bed.ask("GET /a", &[]).status, 200);
    assert_eq!(bed.ask("GET /_/health", &[]).status, 200);
    for line in INSIDE.iter().chain(&WRITES) {
        let answer = bed.ask(line, &[BEARER]);
        assert_eq!((answer.status, &answer.json()["error"]), (403, &"denied".into()), "{line}");
    }
    assert_eq!(bed.ask("GET /a", &[]).status, 200, "it is still there");
}

#[test]
fn with_a_token_everything_needs_it() {
    let bed = Bed::set(&[("TOKEN", TOKEN)]);
    bed.store_with("a", &[]);
    for line in INSIDE.iter().chain(&WRITES).chain(&["GET /a", "HEAD /a", "GET /a?follow"]) {
        let answer = bed.ask(line, &[]);
        assert_eq!(answer.status, 401, "{line}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"chunk-store\"");
        assert_ne!(bed.ask(line, &[BEARER]).status, 401, "{line}");
    }
    assert_eq!(bed.ask("GET /_/health", &[]).status, 200);
    assert_eq!(bed.ask("OPTIONS /a", &[]).status, 204);
}

#[test]
fn a_wrong_token_is_refused_whatever_is_asked() {
    let bed = Bed::set(&[("TOKEN", TOKEN), ("PUBLIC_READ", "1")]);
    bed.store_with("a", &[]);
    for given in
        ["Bearer x", "Bearer 0123456789abcdeF", "Basic YTpi", "Bearer", "", "0123456789abcdef"]
    {
        let answer = bed.ask("GET /a", &[("authorization", given)]);
        assert_eq!(answer.status, 401, "{given}");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
}

#[test]
fn public_read_is_for_objects_only() {
    let bed = Bed::set(&[("TOKEN", TOKEN), ("PUBLIC_READ", "true")]);
    bed.store_with("a", &[]);
    assert_eq!(bed.ask("GET /a", &[]).status, 200);
    for line in INSIDE.iter().chain(&WRITES) {
        assert_eq!(bed.ask(line, &[]).status, 401, "{line}");
    }
}

#[test]
fn a_read_only_server_takes_no_writes_from_anyone() {
    let bed = Bed::set(&[("TOKEN", TOKEN), ("READ_ONLY", "true")]);
    bed.store_with("a", &[]);
    let writes = ["PUT /a", "DELETE /a", "POST /_/sweep", "POST /_/uploads", "PATCH /_/uploads/x"];
    for line in writes {
        assert_eq!(bed.ask(line, &[BEARER]).status, 403, "{line}");
    }
    assert_eq!(bed.ask("GET /a", &[BEARER]).status, 200);
    assert_eq!(bed.ask("GET /_/list", &[BEARER]).status, 200);
}

#[test]
fn a_signed_link_reads_one_object_until_it_expires() {
    let bed = Bed::set(&[("TOKEN", TOKEN)]);
    bed.store_with("a b", &[("cache-control", "public, max-age=999")]);
    bed.store_with("b", &[]);
    let link = sign(TOKEN, "a b", BEGIN + 60);
    let answer = bed.ask(&format!("GET {link}"), &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    assert_eq!(bed.ask(&format!("HEAD {link}"), &[]).status, 200);
    assert_eq!(bed.ask(&format!("GET {link}"), &[("range", "bytes=0-0")]).status, 206);
    for line in [
        format!("GET {}", link.replace("a%20b", "b")),
        format!("GET {}", link.replace("expires=17", "expires=18")),
        format!("GET {}", link.replace("expires", "x")),
        format!("GET {link}A"),
        format!("GET {}", sign("another-token-01", "a b", BEGIN + 60)),
    ] {
        assert_eq!(bed.ask(&line, &[]).status, 403, "{line}");
    }
    for method in ["PUT", "DELETE"] {
        assert_eq!(bed.ask(&format!("{method} {link}"), &[]).status, 401, "{method}");
    }
    let listing = link.replace("/a%20b", "/_/list");
    assert_eq!(bed.ask(&format!("GET {listing}"), &[]).status, 401);
    bed.clock.pass_seconds(59);
    assert_eq!(bed.ask(&format!("GET {link}"), &[]).status, 200);
    bed.clock.pass_seconds(1);
    assert_eq!(bed.clock.wall_ms() / 1000, BEGIN + 60);
    assert_eq!(bed.ask(&format!("GET {link}"), &[]).status, 403);
}

#[test]
fn an_open_server_does_what_it_is_asked() {
    let bed = Bed::open();
    assert_eq!(bed.send("PUT /a", &[("host", "127.0.0.1:8080")], b"1").status, 201);
    assert_eq!(bed.ask("GET /_/list", &[("host", "localhost:8080")]).status, 200);
    assert_eq!(bed.ask("GET /a", &[("host", "[::1]:8080")]).status, 200);
}

/// A page whose name is made to resolve to this machine could else read everything.
#[test]
fn an_open_server_answers_to_names_of_its_own_machine_only() {
    let bed = Bed::open();
    bed.store_with("a", &[]);
    for line in ["GET /a", "GET /_/list", "PUT /a", "POST /_/sweep"] {
        assert_eq!(bed.ask(line, &[("host", "evil.example:8080")]).status, 403, "{line}");
    }
    assert_eq!(bed.ask("GET http://evil.example/a", &[]).status, 403);
}

/// A page can send a POST without asking first; that it cannot read the answer helps
/// nobody whose store was swept.
#[test]
fn pages_of_other_origins_cannot_write_to_an_open_server() {
    let bed = Bed::set(&[("OPEN", "1"), ("CORS", "https://good.example")]);
    let from =
        |origin| bed.ask("POST /_/sweep", &[("host", "localhost:8080"), ("origin", origin)]).status;
    assert_eq!(from("https://evil.example"), 403);
    assert_eq!(from("null"), 403);
    assert_eq!(from("http://localhost:9090"), 403);
    assert_eq!(from("http://localhost:8080"), 200);
    assert_eq!(from("https://good.example"), 200);
}
