//! `/_/list`, `/_/head`, `/_/health`.

use crate::site::Site;

async fn store(site: &Site) {
    for key in ["/a/1", "/a/2", "/b/1", "/c", "/d%20e"] {
        site.put(key, &[("x-meta-author", "Ann")], b"x").await;
    }
}

pub async fn objects_are_listed_in_pages(site: &Site) {
    store(site).await;
    let mut keys = Vec::new();
    let mut cursor = String::new();
    loop {
        let line = format!("GET /_/list?prefix={}&limit=2&cursor={cursor}", site.key(""));
        let answer = site.ask(&line, &[]).await.is(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        let page = answer.json();
        let objects = page["objects"].as_array().unwrap();
        assert!(objects.len() <= 2);
        keys.extend(objects.iter().map(|object| object["key"].as_str().unwrap().to_string()));
        match page["cursor"].as_str() {
            Some(next) => cursor = in_query(next),
            None => break,
        }
    }
    assert_eq!(keys, ["a/1", "a/2", "b/1", "c", "d e"].map(|name| site.key(name)));
}

/// As a value in a query.
pub fn in_query(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

pub async fn objects_are_rolled_up(site: &Site) {
    store(site).await;
    let line = format!("GET /_/list?prefix={}&delimiter=%2F", site.key(""));
    let page = site.ask(&line, &[]).await.is(200).json();
    assert_eq!(page["prefixes"], serde_json::json!([site.key("a/"), site.key("b/")]));
    assert_eq!(page["objects"][1]["key"], site.key("d e"));
    let line = format!("GET /_/list?prefix={}&details", site.key("a/"));
    let page = site.ask(&line, &[]).await.is(200).json();
    assert_eq!(page["objects"].as_array().unwrap().len(), 2);
    assert_eq!(page["objects"][0]["info"]["metadata"][0][1], "Ann");
    assert_eq!(page["objects"][0]["info"]["size"], 1);
}

pub async fn an_object_is_described_as_json(site: &Site) {
    let etag = site.put("/a%20b", &[], b"content").await;
    let described = format!("/_/head/{}", site.key("a%20b"));
    let info = site.ask(&format!("GET {described}"), &[]).await.is(200).json();
    assert_eq!((&info["size"], &info["etag"]), (&7.into(), &etag.into()));
    assert_eq!(info["key"], site.key("a b"));
    site.ask(&format!("HEAD {described}"), &[]).await.is(200);
    site.ask(&format!("GET /_/head/{}", site.key("none")), &[]).await.fails(404, "not-found");
}

pub async fn parameters_that_mean_nothing_are_refused(site: &Site) {
    for line in [
        "GET /_/list?limit=0",
        "GET /_/list?limit=1001",
        "GET /_/list?limit=ten",
        "GET /_/list?detials=true",
        "GET /_/list?cursor=x",
        "GET /_/list?prefix=a&prefix=b",
        "GET /_/list?prefix=%FF",
        "GET /_/uploads?limit=1001",
        "GET /_/head/a?x",
        "GET /_/health?x",
        "POST /_/sweep?operations-max=1",
        "POST /_/sweep?grace=1",
    ] {
        site.ask(line, &[]).await.fails(400, "invalid-argument");
    }
}

/// Whether a line is of the text format of Prometheus, version 0.0.4.
fn is_metrics_line(line: &str) -> bool {
    let is_name = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.starts_with("chunk_store_") && name.chars().all(plain)
    };
    if let Some(rest) = line.strip_prefix("# HELP ") {
        return rest.split_once(' ').is_some_and(|(name, help)| is_name(name) && !help.is_empty());
    }
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        return rest.split_once(' ').is_some_and(|(name, kind)| {
            is_name(name) && ["counter", "gauge", "histogram"].contains(&kind)
        });
    }
    let Some((series, value)) = line.rsplit_once(' ') else { return false };
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').map(|labels| labels.split_terminator(','));
    is_name(name)
        && value.parse::<f64>().is_ok()
        && labels.is_some_and(|mut labels| {
            labels.all(|label| {
                label.split_once('=').is_some_and(|(_, value)| {
                    value.len() > 2 && value.starts_with('"') && value.ends_with('"')
                })
            })
        })
}

pub async fn a_server_tells_what_it_has_done(site: &Site) {
    site.put("/a", &[], b"content").await;
    let answer = site.ask_exactly("GET /_/metrics", &[]).await.is(200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = String::from_utf8(answer.bytes).unwrap();
    for line in text.lines() {
        assert!(is_metrics_line(line), "{line}");
    }
    assert!(text.ends_with('\n'));
    // Another instance may have done what was done above; its memory every one has.
    assert!(text.contains("\nchunk_store_guest_memory_bytes "), "{text}");
    let head = site.ask_exactly("HEAD /_/metrics", &[]).await.is(200);
    assert!(head.bytes.is_empty());
    site.ask_exactly("GET /_/metrics?x=1", &[]).await.fails(400, "invalid-argument");
}

pub async fn a_server_tells_that_it_is_well(site: &Site) {
    let answer = site.ask("GET /_/health", &[]).await.is(200);
    assert_eq!(answer.json()["status"], "ok");
    assert_eq!(answer.header("cache-control"), "no-store");
}
