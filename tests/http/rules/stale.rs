//! Where misses are remembered nobody may look for what may not be there
//! (ARCHITECTURE.md, invariant 10).

use crate::site::Site;

pub async fn a_put_does_not_say_more_than_it_knows(site: &Site) {
    for body in [b"one", b"two"] {
        site.send("PUT /a", &[], body).await.is(204);
        assert_eq!(site.content("/a").await.unwrap(), body);
    }
}
