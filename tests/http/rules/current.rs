//! What shows at once where reads are current.

use chunk_store_tests::http::Sending;
use chunk_store_tests::random::bytes;
use serde_json::Value;

use super::listing::in_query;
use super::uploads::{BYTES, TUS, begin, look, name_of, patch};
use crate::site::Site;

pub async fn a_put_says_whether_it_made_or_replaced_the_object(site: &Site) {
    let made = site.send("PUT /a", &[], b"one").await.is(201);
    assert_eq!(made.header("content-length"), "0");
    site.send("PUT /a", &[], b"two").await.is(204);
    site.ask("DELETE /a", &[]).await.is(204);
    site.send("PUT /a", &[], b"three").await.is(201);
}

pub async fn what_came_before_an_upload_broke_off_is_kept(site: &Site) {
    let content = bytes(3, 2_000_000);
    let upload = begin(site, &[("upload-length", "2000000")]).await;
    let headers = [TUS, BYTES, ("upload-offset", "0")];
    let sent = Sending::broken(content[..1_500_000].to_vec(), Some(2_000_000));
    // Its end is known a moment later; until then another append may find it in its way.
    let _ = site.try_send(&format!("PATCH {upload}"), &headers, sent).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let offset: usize = look(site, &upload).await.is(200).header("upload-offset").parse().unwrap();
    assert!(offset > 0 && offset <= 1_500_000, "{offset}");
    assert_eq!(site.content("/a").await, None);
    patch(site, &upload, offset, &content[offset..]).await.is(204);
    assert!(site.content("/a").await.unwrap() == content);
}

pub async fn uploads_under_way_are_listed(site: &Site) {
    let upload = begin(site, &[("upload-length", "5")]).await;
    patch(site, &upload, 0, b"hel").await.is(204);
    let name = name_of(&upload);
    let listed = uploads_for(site, "a").await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["name"], &listed[0]["offset"]), (&name.into(), &3.into()));
    assert_eq!(listed[0]["key"], site.key("a"));
    assert!(uploads_for(site, "b").await.is_empty());
    assert_eq!(site.ask(&format!("GET {upload}"), &[]).await.is(200).json()["offset"], 3);
    patch(site, &upload, 3, b"lo").await.is(204);
    assert!(uploads_for(site, "a").await.is_empty());
}

/// All uploads under way for keys that begin so. A page may hold none of them, and be
/// followed by others.
async fn uploads_for(site: &Site, prefix: &str) -> Vec<Value> {
    let mut uploads = Vec::new();
    let mut cursor = String::new();
    loop {
        let prefix = site.key(prefix);
        let line = format!("GET /_/uploads?prefix={prefix}&limit=10&cursor={cursor}");
        let page = site.ask(&line, &[]).await.is(200).json();
        uploads.extend(page["uploads"].as_array().unwrap().iter().cloned());
        match page["cursor"].as_str() {
            Some(next) => cursor = in_query(next),
            None => return uploads,
        }
    }
}
