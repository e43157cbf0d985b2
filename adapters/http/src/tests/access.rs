//! Who may do what.

use chunk_store::clock::Clock;

use super::bed::{BEARER, BEGIN, Bed, TOKEN};
use crate::sign;

/// Every kind of request that needs more than everybody has.
const INSIDE: [&str; 8] = [
    "GET /_/list",
    "GET /_/uploads",
    "GET /_/head/a",
    "GET /_/manifest/a",
    "POST /_/sign/a",
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
fn a_wrong_token_is_refused_where_none_is_needed() {
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
fn a_link_lasts_until_its_second() {
    let bed = Bed::set(&[("TOKEN", TOKEN)]);
    bed.store_with("a b", &[("cache-control", "public, max-age=999")]);
    let link = sign(TOKEN, "a b", BEGIN + 60);
    let answer = bed.ask(&format!("GET {link}"), &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    bed.clock.pass_seconds(59);
    assert_eq!(bed.ask(&format!("GET {link}"), &[]).status, 200);
    bed.clock.pass_seconds(1);
    assert_eq!(bed.clock.wall_ms() / 1000, BEGIN + 60);
    assert_eq!(bed.ask(&format!("GET {link}"), &[]).status, 403);
}

#[test]
fn who_has_the_token_gets_links_signed() {
    let bed = Bed::set(&[("TOKEN", TOKEN), ("READ_ONLY", "true")]);
    bed.store_with("a b", &[]);
    let answer = bed.ask("POST /_/sign/a%20b?seconds=60", &[BEARER]);
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    let signed = answer.json();
    assert_eq!(signed["expires"], BEGIN + 60);
    assert_eq!(signed["path"], sign(TOKEN, "a b", BEGIN + 60));
    assert_eq!(bed.ask(&format!("GET {}", signed["path"].as_str().unwrap()), &[]).status, 200);
    assert_eq!(bed.ask("POST /_/sign/a", &[BEARER]).json()["expires"], BEGIN + 3600);
    for query in ["seconds=0", "seconds=604801", "seconds=-1", "seconds=1h", "second=1"] {
        let answer = bed.ask(&format!("POST /_/sign/a?{query}"), &[BEARER]);
        assert_eq!(answer.status, 400, "{query}");
    }
    assert_eq!(bed.ask("POST /_/sign/a?seconds=604800", &[BEARER]).status, 200);
    assert_eq!(bed.ask("POST /_/sign/_/list", &[BEARER]).status, 400);
    assert_eq!(bed.ask("GET /_/sign/a", &[BEARER]).status, 405);
}

/// A link must not sign others: its holder could go on for ever.
#[test]
fn a_link_signs_nothing() {
    let bed = Bed::set(&[("TOKEN", TOKEN)]);
    let link = sign(TOKEN, "a", BEGIN + 60);
    assert_eq!(bed.ask(&format!("POST /_/sign{link}"), &[]).status, 401);
}

#[test]
fn where_every_link_works_the_plain_one_is_given() {
    let signed = Bed::open().ask("POST /_/sign/a%20b", &[]).json();
    assert_eq!(signed, serde_json::json!({ "path": "/a%20b", "expires": null }));
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
