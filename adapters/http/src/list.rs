//! `/_/list` and `/_/head/KEY`: what there is, as JSON with the field names of
//! `wit/objects.wit` and `wit/types.wit`.
//!
//! `/_/list` takes `prefix`, `delimiter`, `cursor` (from the page before), `limit` (1 to 1000,
//! [`LIST_LIMIT_DEFAULT`] without) and `details` (each object's description).

use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use chunk_store::object::ListOptions;
use http::Response;

use crate::body::Body;
use crate::gateway::{Call, Gateway, json};
use crate::limits::LIST_LIMIT_DEFAULT;
use crate::problem::Problem;
use crate::route::Target;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn list(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let query = &mut call.query;
        let options = ListOptions {
            prefix: query.take("prefix").unwrap_or_default(),
            delimiter: query.take("delimiter").filter(|delimiter| !delimiter.is_empty()),
            cursor: query.take("cursor").filter(|cursor| !cursor.is_empty()),
            limit: query.take_number("limit")?.unwrap_or(LIST_LIMIT_DEFAULT),
            details: query.take_switch("details")?,
        };
        call.query.finish()?;
        Ok(json(&self.store().list(&options).await?))
    }

    pub(crate) async fn describe_object(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        let Target::Head(key) = &call.target else { unreachable!("only objects are described") };
        call.query.finish()?;
        Ok(json(&self.store().head(key, None).await?))
    }
}
