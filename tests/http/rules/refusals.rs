//! Bodies that are not what they should be store nothing; what fails is told.

use std::time::Duration;

use chunk_store_tests::digest;
use chunk_store_tests::http::Sending;
use chunk_store_tests::random::bytes;

use crate::site::Site;

pub async fn a_body_with_another_digest_is_not_stored(site: &Site) {
    let content = bytes(2, 600_000);
    let other = digest(b"other");
    let answer = site.send("PUT /a", &[("x-digest", &other)], &content).await;
    answer.fails(400, "body-mismatch");
    for wrong in ["blake3:", "sha-256=:x:", "md5"] {
        let answer = site.send("PUT /a", &[("x-digest", wrong)], &content).await;
        answer.fails(400, "invalid-argument");
    }
    assert_eq!(site.content("/a").await, None);
    let right = digest(&content);
    site.put("/a", &[("x-digest", &right)], &content).await;
    assert!(site.content("/a").await.unwrap() == content);
}

pub async fn a_body_that_breaks_off_is_not_stored(site: &Site) {
    site.put("/old", &[], b"old").await;
    for size in [1, 1000, 3_000_000] {
        for announced in [None, Some(size + 1), Some(10 * size)] {
            for path in ["/old", "/new"] {
                let body = Sending::broken(bytes(1, size), announced);
                let answer = site.try_send(&format!("PUT {path}"), &[], body).await;
                // Who has broken off seldom hears of it.
                assert!(answer.as_ref().is_ok_and(|got| got.status >= 400) || answer.is_err());
            }
        }
    }
    // What was done in spite of that would show by now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(site.content("/old").await.unwrap(), b"old");
    assert_eq!(site.content("/new").await, None);
}

pub async fn a_part_is_not_taken_for_the_whole(site: &Site) {
    let headers = [("content-range", "bytes 0-2/10")];
    let answer = site.send("PUT /a", &headers, b"abc").await.fails(400, "invalid-argument");
    assert!(answer.json()["detail"].as_str().unwrap().contains("/_/uploads"), "what to do");
    assert_eq!(site.content("/a").await, None);
}

pub async fn every_error_is_a_problem_that_no_cache_keeps(site: &Site) {
    for (line, status, error, title) in [
        ("GET /missing", 404, "not-found", "Not Found"),
        ("POST /a", 405, "invalid-argument", "Method Not Allowed"),
        ("GET /%00", 400, "invalid-argument", "Bad Request"),
        ("GET /_/nothing", 404, "not-found", "Not Found"),
    ] {
        let answer = site.ask(line, &[]).await.fails(status, error);
        assert_eq!(answer.json()["title"], title, "{line}");
    }
}
