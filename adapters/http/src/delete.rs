//! DELETE of an object (RFC 9110, section 9.3.5).

use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use http::Response;

use crate::body::Body;
use crate::gateway::{Call, Gateway, no_content};
use crate::problem::Problem;
use crate::route::Target;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// 204; 404 where there is no object.
    pub(crate) async fn delete(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        let Target::Object(key) = &call.target else { unreachable!("only objects are deleted") };
        let demand = self.demand(key, &call.head.headers).await?;
        self.store().delete(key, demand.precondition.as_ref()).await?;
        Ok(no_content())
    }
}
