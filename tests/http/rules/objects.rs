//! PUT, GET, HEAD, DELETE, OPTIONS (RFC 9110, section 9.3), and what is kept with an object.

use std::time::Duration;

use chunk_store_tests::digest;
use chunk_store_tests::http::Sending;
use chunk_store_tests::random::bytes;

use crate::site::Site;

pub async fn what_was_put_comes_back_with_what_describes_it(site: &Site) {
    let given = [
        ("content-type", "text/plain"),
        ("content-language", "en"),
        ("content-disposition", "attachment; filename=\"a.txt\""),
        ("content-encoding", "gzip"),
        ("cache-control", "max-age=5"),
        ("x-meta-author", "Ann"),
    ];
    for size in [0, 1, 1000, 3_000_000] {
        let content = bytes(size, size);
        let path = format!("/docs/{size}%20bytes");
        let put = site.send(&format!("PUT {path}"), &given, &content).await;
        assert!([201, 204].contains(&put.status), "{put:?}");
        let got = site.ask(&format!("GET {path}"), &[]).await.is(200);
        assert!(got.bytes == content, "{size}");
        for (name, value) in given {
            assert_eq!(got.header(name), value, "{name}");
        }
        assert_eq!(got.header("content-length"), size.to_string());
        assert_eq!(got.header("accept-ranges"), "bytes");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("x-digest"), digest(&content));
        assert!(got.header("etag").starts_with('"'));
        for name in ["etag", "last-modified", "x-digest"] {
            assert!(!put.header(name).is_empty(), "{name}");
            assert_eq!(got.header(name), put.header(name), "{name}");
        }
    }
}

pub async fn the_length_of_a_body_need_not_be_known(site: &Site) {
    for size in [0, 5, 700_000] {
        let content = bytes(1, size);
        let answer = site.send("PUT /a", &[], Sending::unannounced(content.clone())).await;
        assert!([201, 204].contains(&answer.status), "{answer:?}");
        assert!(site.content("/a").await.unwrap() == content, "{size}");
    }
}

pub async fn an_object_is_replaced_as_a_whole(site: &Site) {
    let first = site.put("/a", &[("x-meta-author", "Ann")], b"one").await;
    let second = site.put("/a", &[], b"two").await;
    assert_ne!(first, second);
    let got = site.ask("GET /a", &[]).await.is(200);
    assert_eq!((&got.bytes[..], got.header("etag")), (&b"two"[..], &*second));
    assert_eq!(got.header("x-meta-author"), "", "the new object has its own");
}

pub async fn head_is_get_without_the_body(site: &Site) {
    site.put("/a", &[("x-ttl-seconds", "600")], &bytes(1, 500_000)).await;
    for path in ["/a", "/none"] {
        let mut get = site.ask(&format!("GET {path}"), &[]).await;
        let mut head = site.ask(&format!("HEAD {path}"), &[]).await;
        assert_eq!((head.status, head.bytes.len()), (get.status, 0));
        // A second may have passed.
        for name in ["date", "cache-control"] {
            get.headers.remove(name);
            head.headers.remove(name);
        }
        assert_eq!(head.headers, get.headers);
    }
    for path in ["/_/list", "/_/health"] {
        let head = site.ask(&format!("HEAD {path}"), &[]).await.is(200);
        assert_eq!(head.header("content-type"), "application/json", "{path}");
    }
}

pub async fn what_is_deleted_is_gone(site: &Site) {
    site.put("/a", &[], b"content").await;
    site.ask("DELETE /a", &[]).await.is(204);
    site.ask("GET /a", &[]).await.fails(404, "not-found");
    site.ask("DELETE /a", &[]).await.fails(404, "not-found");
}

pub async fn an_object_lives_for_as_long_as_was_asked(site: &Site) {
    site.put("/a", &[("x-ttl-seconds", "2"), ("cache-control", "max-age=600")], b"content").await;
    let got = site.ask("GET /a", &[]).await.is(200);
    assert!(got.header("x-expires").ends_with(" GMT"), "{got:?}");
    assert!(["max-age=2", "max-age=1"].contains(&got.header("cache-control")), "{got:?}");
    tokio::time::sleep(Duration::from_millis(3100)).await;
    site.ask("GET /a", &[]).await.fails(404, "not-found");
    for wrong in ["soon", "0", "-1", "99999999999"] {
        let answer = site.ask("PUT /b", &[("x-ttl-seconds", wrong)]).await;
        answer.fails(400, "invalid-argument");
    }
}

pub async fn keys_are_what_paths_decode_to(site: &Site) {
    for (path, read) in [
        ("/a%20b", "/a%20b"),
        ("/%C3%BC", "/%c3%bc"),
        ("/a/b/c", "/a%2Fb/c"),
        ("/a//b", "/a//b"),
        ("/...", "/%2E.."),
        ("/%61+b", "/a%2Bb"),
        ("/a%3Fb%23", "/a%3fb%23"),
        ("/a&b;c=d'e", "/a%26b;c%3Dd'e"),
    ] {
        site.put(path, &[], path.as_bytes()).await;
        assert_eq!(site.content(read).await.unwrap(), path.as_bytes(), "{read}");
    }
    // Another key by one byte is another object.
    for path in ["/a%2520b", "/A%20b", "/a/b", "/a/b/c/"] {
        assert_eq!(site.content(path).await, None, "{path}");
    }
}

pub async fn no_path_leads_out(site: &Site) {
    site.put("/b", &[], b"content").await;
    for path in [
        "/%00",
        "/a%00b",
        "/a%0Ab",
        "/a%0d%0ab",
        "/%7F",
        "/%FF",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%2f..%2fb",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = site.ask(&format!("{method} {path}"), &[]).await;
            answer.fails(400, "invalid-argument");
        }
    }
    for target in ["/", "/%5F/x"] {
        let answer = site.ask_exactly(&format!("PUT {target}"), &[]).await;
        assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
    }
    assert_eq!(site.content("/b").await.unwrap(), b"content");
}

pub async fn a_method_that_is_not_known_there_is_told_with_those_that_are(site: &Site) {
    for (line, allow) in [
        ("POST /a", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("PUT /_/health", "GET, HEAD, OPTIONS"),
        ("GET /_/sweep", "POST, OPTIONS"),
        ("PUT /_/list", "GET, HEAD, OPTIONS"),
    ] {
        let answer = site.ask(line, &[]).await.is(405);
        assert_eq!(answer.header("allow"), allow, "{line}");
    }
    let answer = site.ask_exactly("PUT /", &[]).await.is(405);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
}

pub async fn options_tell_what_can_be_done(site: &Site) {
    let answer = site.ask("OPTIONS /a", &[]).await.is(204);
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
}

pub async fn what_describes_an_object_is_bounded(site: &Site) {
    let long = "x".repeat(9000);
    for (path, headers, status) in [
        ("/a", &[("x-meta-a", &*long)][..], 400),
        ("/a", &[("content-type", &long)], 400),
        (&format!("/{}", "k".repeat(2000)), &[], 400),
        (&format!("/{long}"), &[], 414),
        (&format!("/a?{long}"), &[], 414),
    ] {
        let answer = site.ask(&format!("PUT {path}"), headers).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let names: Vec<String> = (0..65).map(|n| format!("x-meta-{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "1")).collect();
    site.ask("PUT /a", &headers).await.fails(400, "invalid-argument");
    assert_eq!(site.content("/a").await, None);
    site.put("/a", &headers[..64], b"content").await;
    assert_eq!(site.ask("GET /a", &[]).await.is(200).header("x-meta-63"), "1");
}

/// Else a page that somebody stored could do in this server's origin whatever its page can.
pub async fn a_stored_page_is_kept_from_the_origin(site: &Site) {
    site.put("/page", &[("content-type", "text/html")], b"<script>").await;
    site.put("/film", &[("content-type", "video/mp4")], b"film").await;
    for (line, headers) in
        [("GET /page", &[][..]), ("HEAD /page", &[]), ("GET /page", &[("range", "bytes=0-1")])]
    {
        let answer = site.ask(line, headers).await;
        assert_eq!(answer.header("content-security-policy"), "sandbox");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let film = site.ask("GET /film", &[]).await.is(200);
    assert_eq!(film.header("content-security-policy"), "", "browsers play none in it");
    assert_eq!(film.header("x-content-type-options"), "nosniff");
}
