//! Who may do what: tokens and signed links.

use std::time::{SystemTime, UNIX_EPOCH};

use chunk_store_http::sign;

use crate::site::{Site, WRONG_TOKEN};

/// A request of each kind that needs the token.
const GUARDED: [&str; 15] = [
    "GET /a",
    "HEAD /a",
    "GET /a?follow",
    "PUT /a",
    "DELETE /a",
    "GET /_/list",
    "GET /_/head/a",
    "GET /_/manifest/a",
    "POST /_/sign/a",
    "GET /_/uploads",
    "GET /_/uploads/x",
    "POST /_/uploads",
    "PATCH /_/uploads/x",
    "POST /_/sweep?dry-run",
    "GET /_/metrics",
];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub async fn nothing_is_done_without_the_token(site: &Site) {
    site.put("/a", &[], b"content").await;
    let stranger = site.seen_with(None);
    for line in GUARDED {
        let answer = stranger.ask(line, &[]).await.is(401);
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"chunk-store\"", "{line}");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("content\""));
        let known = site.ask(line, &[]).await;
        assert!(![401, 403].contains(&known.status), "{line}: {known:?}");
        // Some of these have changed it.
        site.put("/a", &[], b"content").await;
    }
    stranger.ask("GET /_/health", &[]).await.is(200);
    stranger.ask("OPTIONS /a", &[]).await.is(204);
}

pub async fn a_wrong_token_is_refused_whatever_is_asked(site: &Site) {
    site.put("/a", &[], b"content").await;
    for line in GUARDED {
        let answer = site.seen_with(Some(WRONG_TOKEN)).ask(line, &[]).await.is(401);
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{line}: {answer:?}");
    }
    let token = site.token();
    for given in [
        &format!("Bearer {token}x"),
        &format!("Bearer {}", &token[..token.len() - 1]),
        &format!("Bearer {}", token.to_uppercase()),
        &format!("Basic {token}"),
        token,
        "Bearer",
        "Basic YTpi",
        "x",
    ] {
        let answer = site.ask("GET /a", &[("authorization", given)]).await.is(401);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{given}: {answer:?}");
    }
    assert_eq!(site.content("/a").await.unwrap(), b"content");
}

pub async fn a_signed_link_reads_one_object(site: &Site) {
    site.put("/a%20b", &[("cache-control", "public, max-age=9999")], b"content").await;
    site.put("/b", &[], b"secret").await;
    let link = sign(site.token(), &site.key("a b"), now() + 600);
    let holder = site.seen_with(None);
    let got = holder.ask_exactly(&format!("GET {link}"), &[]).await.is(200);
    assert_eq!(got.bytes, b"content");
    let cached = got.header("cache-control").strip_prefix("public, max-age=").unwrap();
    assert!(cached.parse::<u64>().unwrap() <= 600, "not longer than the link: {cached}");
    holder.ask_exactly(&format!("HEAD {link}"), &[]).await.is(200);
    let part = holder.ask_exactly(&format!("GET {link}"), &[("range", "bytes=0-1")]).await.is(206);
    assert_eq!(part.bytes, b"co");
    for method in ["PUT", "DELETE", "POST"] {
        let answer = holder.ask_exactly(&format!("{method} {link}"), &[]).await;
        assert!([401, 405].contains(&answer.status), "{method}: {answer:?}");
    }
    let query = &link[link.find('?').unwrap()..];
    holder.ask_exactly(&format!("GET /_/list{query}"), &[]).await.is(401);
    assert_eq!(site.content("/a%20b").await.unwrap(), b"content");
}

pub async fn a_link_that_has_expired_or_was_altered_is_refused(site: &Site) {
    site.put("/a", &[], b"content").await;
    site.put("/b", &[], b"secret").await;
    let key = site.key("a");
    let link = sign(site.token(), &key, now() + 600);
    let longer = sign(site.token(), &key, now() + 601);
    let (path, signature) = link.split_once("&signature=").unwrap();
    let (longer_path, _) = longer.split_once("&signature=").unwrap();
    let holder = site.seen_with(None);
    for wrong in [
        sign(site.token(), &key, now() - 1),
        sign(site.token(), &key, 0),
        sign(WRONG_TOKEN, &key, now() + 600),
        link.replace("/a?", "/b?"),
        format!("{longer_path}&signature={signature}"),
        format!("{link}A"),
        format!("{path}&signature="),
        format!("{path}&signature=%00"),
    ] {
        holder.ask_exactly(&format!("GET {wrong}"), &[]).await.fails(403, "denied");
    }
    holder.ask_exactly(&format!("GET {path}"), &[]).await.fails(401, "unauthorized");
    holder.ask_exactly(&format!("GET {link}"), &[]).await.is(200);
}
