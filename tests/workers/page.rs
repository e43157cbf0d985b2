//! The page `/_/ui`, which Cloudflare serves from files.

use std::fs;
use std::path::Path;

use crate::workerd;

#[tokio::test]
async fn the_page_is_what_every_host_serves() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters/http/src/ui");
    let headers = fs::read_to_string(page.join("headers.txt")).unwrap();
    let workerd = workerd().await;
    let client = workerd.client().with_token(None);
    let mut files = 0;
    for file in fs::read_dir(&page).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let path = match name {
            "headers.txt" => continue,
            "index.html" => "/_/ui".to_string(),
            name => format!("/_/ui/{name}"),
        };
        let answer = client.send(&format!("GET {path}"), &[], b"").await.is(200);
        assert!(answer.bytes == fs::read(&file).unwrap(), "{path}");
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap();
            assert_eq!(answer.header(name), value, "{path}");
        }
        files += 1;
    }
    assert!(files > 5);
    // All else below it is the rules'.
    client.send("GET /_/ui/none.js", &[], b"").await.is(404);
}

#[tokio::test]
async fn it_is_only_for_reading() {
    let workerd = workerd().await;
    for method in ["PUT", "POST", "DELETE"] {
        workerd.client().send(&format!("{method} /_/ui"), &[], b"").await.is(405);
    }
}
