//! Where requests come to the rules as they were sent: what no platform has resolved or
//! refused before.

use crate::site::Site;

pub async fn dots_between_slashes_are_refused(site: &Site) {
    site.put("/b", &[], b"content").await;
    for path in ["/..", "/.", "/a/../b", "/a/./b", "/%2e%2e/b", "/a/%2e%2E/b", "/%2e"] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = site.ask(&format!("{method} {path}"), &[]).await;
            answer.fails(400, "invalid-argument");
        }
    }
    for target in ["/_/../b", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"] {
        let answer = site.ask_exactly(&format!("PUT {target}"), &[]).await;
        assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
    }
    assert_eq!(site.content("/b").await.unwrap(), b"content");
}

pub async fn a_method_that_nobody_knows_is_405(site: &Site) {
    let answer = site.ask("BREW /a", &[]).await.is(405);
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
}
