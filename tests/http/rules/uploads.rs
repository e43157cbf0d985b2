//! `/_/uploads`: tus 1.0.0 (<https://tus.io/protocols/resumable-upload>).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chunk_store_tests::digest;
use chunk_store_tests::http::Answer;
use chunk_store_tests::random::bytes;

use crate::site::Site;

pub const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
pub const BYTES: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn metadata(pairs: &[(&str, &str)]) -> String {
    let write = |(name, value): &(&str, &str)| format!("{name} {}", BASE64_STANDARD.encode(value));
    pairs.iter().map(write).collect::<Vec<_>>().join(",")
}

async fn create(site: &Site, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let metadata = metadata(&[("key", &site.key("a"))]);
    let headers = [&[TUS, ("upload-metadata", &metadata)], headers].concat();
    site.send("POST /_/uploads", &headers, body).await
}

/// The path of an upload that was begun.
fn path_of(created: &Answer) -> String {
    let location = created.header("location");
    let start = location.find("/_/uploads/").unwrap_or_else(|| panic!("{created:?}"));
    location[start..].to_string()
}

/// The name of an upload, of its path.
pub fn name_of(path: &str) -> &str {
    path.strip_prefix("/_/uploads/").unwrap()
}

/// Begins an upload for `/a`; gives its path.
pub async fn begin(site: &Site, headers: &[(&str, &str)]) -> String {
    path_of(&create(site, headers, b"").await.is(201))
}

pub async fn patch(site: &Site, path: &str, offset: usize, body: &[u8]) -> Answer {
    let offset = offset.to_string();
    site.send(&format!("PATCH {path}"), &[TUS, BYTES, ("upload-offset", &offset)], body).await
}

pub async fn look(site: &Site, path: &str) -> Answer {
    site.ask(&format!("HEAD {path}"), &[TUS]).await
}

async fn offset(site: &Site, path: &str) -> String {
    look(site, path).await.is(200).header("upload-offset").to_string()
}

pub async fn options_tell_what_of_tus_there_is(site: &Site) {
    let answer = site.ask("OPTIONS /_/uploads", &[]).await.is(204);
    assert_eq!(answer.header("tus-version"), "1.0.0");
    assert_eq!(
        answer.header("tus-extension"),
        "creation,creation-with-upload,creation-defer-length,expiration,termination"
    );
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
}

pub async fn an_object_is_sent_in_parts_and_appears_with_the_last(site: &Site) {
    let content = bytes(1, 2_500_000);
    let path = begin(site, &[("upload-length", "2500000")]).await;
    let mut at = 0;
    for part in content.chunks(1_000_000) {
        assert_eq!(site.content("/a").await, None);
        let answer = patch(site, &path, at, part).await.is(204);
        at += part.len();
        assert_eq!(answer.header("upload-offset"), at.to_string());
        assert!(answer.header("upload-expires").ends_with(" GMT"), "{answer:?}");
        assert_eq!(answer.header("tus-resumable"), "1.0.0");
    }
    assert!(site.content("/a").await.unwrap() == content);
    assert_eq!(offset(site, &path).await, "2500000", "also when it has been committed");
}

pub async fn head_tells_where_to_go_on(site: &Site) {
    let path = begin(site, &[("upload-length", "10")]).await;
    patch(site, &path, 0, b"hello").await.is(204);
    let answer = look(site, &path).await.is(200);
    let told = metadata(&[("key", &site.key("a"))]);
    for (name, value) in [
        ("upload-offset", "5"),
        ("upload-length", "10"),
        ("cache-control", "no-store"),
        ("upload-metadata", &*told),
        ("upload-defer-length", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

pub async fn bytes_for_another_offset_are_409_with_the_right_one(site: &Site) {
    let path = begin(site, &[("upload-length", "10")]).await;
    patch(site, &path, 0, b"hello").await.is(204);
    for wrong in [3, 6] {
        let answer = patch(site, &path, wrong, b"lo").await.is(409);
        assert_eq!(answer.json()["offset"], 5);
        assert_eq!(answer.header("tus-resumable"), "1.0.0");
    }
    assert_eq!(offset(site, &path).await, "5");
}

pub async fn more_than_was_announced_is_refused(site: &Site) {
    let path = begin(site, &[("upload-length", "4")]).await;
    patch(site, &path, 0, b"hello").await.is(400);
    assert_eq!(site.content("/a").await, None);
    patch(site, &path, 0, b"hell").await.is(204);
    patch(site, &path, 4, b"o").await.fails(400, "body-mismatch");
    assert_eq!(site.content("/a").await.as_deref(), Some(&b"hell"[..]));
}

pub async fn who_did_not_hear_the_end_is_told_again(site: &Site) {
    let path = begin(site, &[("upload-length", "5")]).await;
    patch(site, &path, 0, b"hello").await.is(204);
    let again = patch(site, &path, 5, b"").await.is(204);
    assert_eq!(again.header("upload-offset"), "5");
    assert_eq!(patch(site, &path, 0, b"hello").await.is(409).json()["offset"], 5);
    site.ask("DELETE /a", &[]).await.is(204);
    assert_eq!(offset(site, &path).await, "5");
    assert_eq!(site.content("/a").await, None, "a look brings nothing back");
}

pub async fn the_first_bytes_may_come_with_the_creation(site: &Site) {
    let created = create(site, &[BYTES, ("upload-length", "10")], b"hello").await.is(201);
    assert_eq!(created.header("upload-offset"), "5");
    patch(site, &path_of(&created), 5, b" you!").await.is(204);
    assert_eq!(site.content("/a").await.unwrap(), b"hello you!");
    let whole = create(site, &[BYTES, ("upload-length", "2")], b"ok").await.is(201);
    assert_eq!(whole.header("upload-offset"), "2");
    assert_eq!(site.content("/a").await.unwrap(), b"ok");
    let typed = [("content-type", "text/plain"), ("upload-length", "2")];
    create(site, &typed, b"ok").await.is(415);
}

pub async fn an_upload_that_nobody_hears_of_is_given_up(site: &Site) {
    create(site, &[BYTES, ("upload-length", "2")], b"hello").await.is(400);
    let line = format!("GET /_/uploads?prefix={}", site.key("a"));
    assert_eq!(site.ask(&line, &[]).await.is(200).json()["uploads"], serde_json::json!([]));
}

pub async fn an_upload_of_nothing_is_an_empty_object(site: &Site) {
    begin(site, &[("upload-length", "0")]).await;
    assert_eq!(site.content("/a").await.unwrap(), b"");
}

pub async fn the_length_may_come_later(site: &Site) {
    let path = begin(site, &[("upload-defer-length", "1")]).await;
    patch(site, &path, 0, b"hello").await.is(204);
    let answer = look(site, &path).await.is(200);
    assert_eq!((answer.header("upload-defer-length"), answer.header("upload-length")), ("1", ""));
    let last = async |offset, length, body: &[u8]| {
        let headers = [TUS, BYTES, ("upload-offset", offset), ("upload-length", length)];
        site.send(&format!("PATCH {path}"), &headers, body).await
    };
    last("5", "4", b"").await.is(400);
    last("5", "7", b"").await.is(204);
    assert_eq!(site.content("/a").await, None, "it is not reached");
    last("5", "7", b"ab").await.is(204);
    assert_eq!(site.content("/a").await.unwrap(), b"helloab");
    assert_eq!(look(site, &path).await.is(200).header("upload-length"), "7");
    last("7", "7", b"").await.is(204);
    last("7", "8", b"c").await.is(400);
}

pub async fn a_body_beyond_a_length_that_came_later_is_not_committed(site: &Site) {
    let path = begin(site, &[("upload-defer-length", "1")]).await;
    let headers = [TUS, BYTES, ("upload-offset", "0"), ("upload-length", "3")];
    site.send(&format!("PATCH {path}"), &headers, b"hello").await.is(400);
    assert_eq!(site.content("/a").await, None);
}

pub async fn an_upload_can_be_given_up(site: &Site) {
    let path = begin(site, &[("upload-length", "5")]).await;
    patch(site, &path, 0, b"hel").await.is(204);
    site.ask(&format!("DELETE {path}"), &[TUS]).await.is(204);
    assert_eq!(look(site, &path).await.status, 404);
    patch(site, &path, 3, b"lo").await.is(404);
    assert_eq!(site.content("/a").await, None);
}

pub async fn another_version_of_the_protocol_is_412_with_the_one_there_is(site: &Site) {
    let path = begin(site, &[("upload-length", "5")]).await;
    for line in [
        "POST /_/uploads",
        &format!("PATCH {path}"),
        &format!("HEAD {path}"),
        &format!("DELETE {path}"),
    ] {
        for headers in [&[][..], &[("tus-resumable", "0.2.2")]] {
            let answer = site.ask(line, headers).await.is(412);
            assert_eq!(answer.header("tus-version"), "1.0.0", "{line}");
        }
    }
}

pub async fn a_creation_that_says_too_little_or_too_much_is_refused(site: &Site) {
    for (headers, status) in [
        (&[][..], 400),
        (&[("upload-length", "5"), ("upload-defer-length", "1")], 400),
        (&[("upload-defer-length", "2")], 400),
        (&[("upload-length", "-5")], 400),
        (&[("upload-length", "5"), ("x-ttl-seconds", "0")], 400),
        (&[("upload-length", "18446744073709551615")], 413),
    ] {
        let answer = create(site, headers, b"").await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    for pairs in [&[("title", "a")][..], &[("key", "_/a")], &[("key", "../a")], &[("name", "a\nb")]]
    {
        let metadata = metadata(pairs);
        let headers = [TUS, ("upload-length", "5"), ("upload-metadata", &metadata)];
        site.ask("POST /_/uploads", &headers).await.fails(400, "invalid-argument");
    }
    let not_base64 = [TUS, ("upload-length", "5"), ("upload-metadata", "key ???")];
    site.ask("POST /_/uploads", &not_base64).await.fails(400, "invalid-argument");
}

pub async fn a_part_that_says_too_little_is_refused(site: &Site) {
    let path = begin(site, &[("upload-length", "5")]).await;
    for (headers, status) in [
        (&[TUS, ("upload-offset", "0")][..], 415),
        (&[TUS, ("upload-offset", "0"), ("content-type", "text/plain")], 415),
        (&[TUS, BYTES], 400),
        (&[TUS, BYTES, ("upload-offset", "x")], 400),
    ] {
        let answer = site.send(&format!("PATCH {path}"), headers, b"hello").await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    site.ask("HEAD /_/uploads/x", &[TUS]).await.is(400);
}

pub async fn what_describes_the_object_comes_with_the_creation(site: &Site) {
    let pairs = [("filename", &*site.key("v/a.mp4")), ("filetype", "video/mp4"), ("title", "Ü")];
    let metadata = metadata(&pairs);
    let digest = digest(b"hello");
    let headers = [
        TUS,
        BYTES,
        ("upload-length", "5"),
        ("upload-metadata", &metadata),
        ("x-meta-author", "Ann"),
        ("cache-control", "max-age=7"),
        ("x-digest", &digest),
    ];
    site.send("POST /_/uploads", &headers, b"hullo").await.fails(400, "body-mismatch");
    site.send("POST /_/uploads", &headers, b"hello").await.is(201);
    let answer = site.ask("GET /v/a.mp4", &[]).await.is(200);
    assert_eq!(answer.header("content-type"), "video/mp4");
    assert_eq!(answer.header("x-meta-author"), "Ann");
    assert_eq!(answer.header("cache-control"), "max-age=7");
    assert_eq!(answer.headers["x-meta-title"].as_bytes(), "Ü".as_bytes());
}

pub async fn a_method_that_does_not_come_through_may_be_sent_as_a_post(site: &Site) {
    let path = begin(site, &[("upload-length", "5")]).await;
    let instead = async |method, headers: &[(&str, &str)], body: &[u8]| {
        let headers = [headers, &[TUS, ("x-http-method-override", method)]].concat();
        site.send(&format!("POST {path}"), &headers, body).await
    };
    instead("PATCH", &[BYTES, ("upload-offset", "0")], b"hel").await.is(204);
    assert_eq!(instead("HEAD", &[], b"").await.header("upload-offset"), "3");
    instead("PUT", &[], b"").await.is(400);
    instead("DELETE", &[], b"").await.is(204);
    let object = [("x-http-method-override", "DELETE")];
    site.ask("POST /a", &object).await.is(405);
}
