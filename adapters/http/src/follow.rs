//! `GET /KEY?follow`: the object, or else the upload under way for it, as it comes in.
//!
//! An upload has no length yet, so its body is chunked and ends when the upload is
//! committed. One that is aborted, or stands still for too long, breaks the body. A range
//! of it cannot be asked for; `Range` is passed over (RFC 9110, section 14.2).

use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use chunk_store::store::follow::Followed;
use futures::stream;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};

use crate::body::{Body, Piece};
use crate::gateway::Gateway;
use crate::limits::FOLLOW_STALL_SECONDS;
use crate::problem::Problem;
use crate::representation::contain;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// 200 with the upload under way that was begun last; 404 where there is none.
    pub(crate) async fn follow(&self, key: &str) -> Result<Response<Body>, Problem> {
        let (_, follower) = self.store().follow(key, 0, FOLLOW_STALL_SECONDS).await?;
        let pieces = stream::try_unfold(follower, async |mut follower| {
            Ok(match follower.next().await? {
                Followed::Piece(piece) => Some((Piece::from(piece), follower)),
                Followed::Committed(_) => None,
            })
        });
        let mut response = Response::new(Body::new(None, pieces));
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        contain(headers);
        Ok(response)
    }
}
