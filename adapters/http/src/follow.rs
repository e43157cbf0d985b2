//! `GET /KEY?follow`: the object, or else the upload under way for it, as it comes in.
//!
//! An upload has no length yet, so its body is chunked and ends when the upload is
//! committed. One that is aborted, or stands still for too long, breaks the body. A range
//! of it cannot be asked for; `Range` is passed over (RFC 9110, section 14.2).

use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::store::follow::{Followed, Follower};
use futures::future::LocalBoxFuture;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};

use crate::body::{Body, Piece, Pieces};
use crate::gateway::Gateway;
use crate::limits::FOLLOW_STALL_SECONDS;
use crate::problem::Problem;
use crate::representation::contain;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// 200 with the upload under way that was begun last; 404 where there is none.
    pub(crate) async fn follow(&self, key: &str) -> Result<Response<Body>, Problem> {
        let (_, follower) = self.store().follow(key, 0, FOLLOW_STALL_SECONDS).await?;
        let mut response = Response::new(Body::new(None, OfUpload(follower)));
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        contain(headers);
        Ok(response)
    }
}

struct OfUpload<K, C>(Follower<K, C>);

impl<K: Kv + 'static, C: Clock + 'static> Pieces for OfUpload<K, C> {
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Result<Piece, Error>>> {
        Box::pin(async {
            match self.0.next().await {
                Ok(Followed::Piece(piece)) => Some(Ok(piece)),
                Ok(Followed::Committed(_)) => None,
                Err(error) => Some(Err(error)),
            }
        })
    }

    fn put_back(&mut self, bytes: u64) {
        self.0.put_back(bytes);
    }
}
