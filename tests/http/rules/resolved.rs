//! Where a platform reads requests first, as browsers read URLs.

use crate::site::Site;

pub async fn dots_between_slashes_are_resolved(site: &Site) {
    site.put("/b", &[], b"content").await;
    for path in ["/a/../b", "/./b", "/a/%2e%2E/b"] {
        assert_eq!(site.content(path).await.unwrap(), b"content", "{path}");
    }
}

pub async fn a_method_that_nobody_knows_is_501(site: &Site) {
    site.ask("BREW /a", &[]).await.is(501);
}
