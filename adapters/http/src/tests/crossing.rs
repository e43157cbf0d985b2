//! CORS: whose pages may read answers.

use super::bed::{BEARER, Bed, TOKEN};

const PAGE: (&str, &str) = ("origin", "https://app.example");

fn listed() -> Bed {
    Bed::set(&[("TOKEN", TOKEN), ("PUBLIC_READ", "1"), ("CORS", "https://app.example")])
}

#[test]
fn nothing_is_said_to_pages_unless_it_is_set() {
    let bed = Bed::open();
    bed.store_with("a", &[]);
    let answer = bed.ask("GET /a", &[PAGE]);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("vary"), "");
}

#[test]
fn listed_origins_may_read_and_caches_keep_answers_apart() {
    let bed = listed();
    bed.store_with("a", &[("author", "Ann")]);
    let answer = bed.ask("GET /a", &[PAGE]);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("vary"), "Origin");
    let exposed = answer.header("access-control-expose-headers");
    for name in ["etag", "x-meta-author", "x-digest", "accept-ranges"] {
        assert!(exposed.split(", ").any(|there| there == name), "{name}: {exposed}");
    }
    for headers in [&[][..], &[("origin", "https://evil.example")]] {
        let answer = bed.ask("GET /a", headers);
        assert_eq!(answer.header("access-control-allow-origin"), "");
        assert_eq!(answer.header("vary"), "Origin");
    }
}

#[test]
fn any_origin_may_be_let_in() {
    let bed = Bed::set(&[("CORS", "*")]);
    bed.store_with("a", &[]);
    let answer = bed.ask("GET /a", &[PAGE]);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[test]
fn a_page_can_read_errors_too() {
    let bed = listed();
    for (line, headers, status) in [
        ("GET /missing", &[PAGE][..], 404),
        ("PUT /a", &[PAGE], 401),
        ("GET /_/x", &[PAGE, BEARER], 404),
    ] {
        let answer = bed.ask(line, headers);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    }
}

#[test]
fn a_preflight_needs_no_token_and_allows_what_was_asked_for() {
    let bed = listed();
    let asked = [
        PAGE,
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,tus-resumable, Upload-Offset"),
    ];
    let answer = bed.ask("OPTIONS /_/uploads/x", &asked);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, PATCH, DELETE, OPTIONS");
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "authorization, tus-resumable, upload-offset"
    );
    assert_eq!(answer.header("access-control-max-age"), "7200");
    assert_eq!(answer.headers.get_all("vary").iter().count(), 2);
    let stranger = [("origin", "https://evil.example"), asked[1], asked[2]];
    let answer = bed.ask("OPTIONS /_/uploads/x", &stranger);
    assert_eq!(answer.header("access-control-allow-methods"), "");
}

#[test]
fn a_preflight_that_asks_for_no_header_names_gets_none() {
    let bed = listed();
    for wanted in ["a b", "x: y", &"x".repeat(9000)] {
        let asked = [
            PAGE,
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", wanted),
        ];
        assert_eq!(bed.ask("OPTIONS /a", &asked).header("access-control-allow-headers"), "");
    }
}
