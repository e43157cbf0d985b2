//! `/_/manifest/KEY`: an object and where its content lies, as JSON: `info` as in
//! `/_/head/KEY`, `chunks` in order, the `pages` that list them, and `next`.
//!
//! One answer has at most `limit` chunks (1 to 1000, [`LIST_LIMIT_DEFAULT`] without); `next`,
//! where there is one, is the `from` of the next answer: the byte of the object that its
//! first chunk holds. Content that lies in the manifest itself has no chunks.

use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use http::Response;

use crate::body::Body;
use crate::gateway::{Call, Gateway, json};
use crate::limits::LIST_LIMIT_DEFAULT;
use crate::problem::Problem;
use crate::route::Target;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn list_chunks(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let from = call.query.take_number("from")?.unwrap_or(0);
        let limit = call.query.take_number("limit")?.unwrap_or(LIST_LIMIT_DEFAULT);
        let Target::Manifest(key) = &call.target else { unreachable!("only manifests come here") };
        call.query.finish()?;
        Ok(json(&self.store().chunks(key, from, limit).await?))
    }
}
