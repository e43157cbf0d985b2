//! PUT of an object (RFC 9110, section 9.3.4), and how writes keep their conditions.

use chunk_store::body::Source;
use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::limits::CHUNK_BYTES_USUAL;
use chunk_store::object::{ObjectInfo, Precondition, PutOptions};
use http::header::{CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, Response, StatusCode};

use crate::body::Body;
use crate::conditions::{Conditions, Guard, http_date, modified_seconds};
use crate::gateway::{Call, Gateway, no_content};
use crate::problem::Problem;
use crate::representation::{X_DIGEST, put_options, put_text};
use crate::route::Target;

/// What a write demands of the object, and what is known of it already.
pub(crate) struct Demand {
    pub precondition: Option<Precondition>,
    /// Whether there is an object to replace.
    pub exists: Option<bool>,
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn put<S: Source>(
        &self,
        call: Call<'_>,
        source: S,
    ) -> Result<Response<Body>, Problem> {
        let Target::Object(key) = &call.target else { unreachable!("only objects are put") };
        let headers = &call.head.headers;
        // Part of an object stored as the whole would be damage (section 14.5).
        if headers.contains_key(CONTENT_RANGE) {
            let why = "a part of an object cannot be put; use an upload at /_/uploads";
            return Err(Problem::invalid(why));
        }
        let options = put_options(headers)?;
        let demand = self.demand(key, headers).await?;
        let exists = match demand.exists {
            Some(exists) => exists,
            None => self.exists(key).await?,
        };
        let options = self.options_of_write(options, demand.precondition);
        let info = self.store().put(key, source, &options).await?;
        let mut response = match exists {
            true => no_content(),
            false => created(),
        };
        describe_stored(&info, response.headers_mut());
        Ok(response)
    }

    /// What a write has to hold to. Conditions that the store cannot be told in one are
    /// looked at here, and what was seen is pinned.
    pub(crate) async fn demand(&self, key: &str, headers: &HeaderMap) -> Result<Demand, Problem> {
        let conditions = Conditions::of_write(headers)?;
        if let Guard::Told(precondition) = conditions.guard() {
            let exists = match &precondition {
                None | Some(Precondition::EtagNotIn(_)) => None,
                Some(Precondition::Absent) => Some(false),
                Some(_) => Some(true),
            };
            return Ok(Demand { precondition, exists });
        }
        if !self.store().limits().conditional_write {
            return Err(Problem::from(Error::Unsupported(
                "this platform has no conditional writes, so a write cannot have conditions".into(),
            )));
        }
        let current = match self.store().head(key, None).await {
            Ok(info) => Some(info),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        if !conditions.allow_write(current.as_ref()) {
            return Err(Problem::condition_failed(current.as_ref().map(|info| &info.etag[..])));
        }
        let exists = Some(current.is_some());
        let precondition = Some(match current {
            Some(info) => Precondition::GenerationIs(info.generation),
            None => Precondition::Absent,
        });
        Ok(Demand { precondition, exists })
    }

    /// What the headers say, under this precondition. Chunks stay as small as usual where
    /// operations are not counted: each client that takes its time holds one.
    pub(crate) fn options_of_write(
        &self,
        options: PutOptions,
        precondition: Option<Precondition>,
    ) -> PutOptions {
        let counted = self.store().limits().operations_max.is_some();
        let chunk_bytes_max = (!counted).then_some(CHUNK_BYTES_USUAL as u32);
        PutOptions { precondition, chunk_bytes_max, ..options }
    }

    /// Whether there is an object to replace. Where misses are remembered nobody may look
    /// for a key that may hold nothing, and an answer claims no more than is known.
    async fn exists(&self, key: &str) -> Result<bool, Problem> {
        if self.store().limits().staleness_ms > 0 {
            return Ok(true);
        }
        match self.store().head(key, None).await {
            // One that cannot be read can be replaced.
            Ok(_) | Err(Error::Corrupt(_)) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// 201 without content.
pub(crate) fn created() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// What the writer may want to know of the object; it was stored as it was sent, so its
/// validators hold (section 9.3.4).
pub(crate) fn describe_stored(info: &ObjectInfo, headers: &mut HeaderMap) {
    put_text(headers, ETAG, &info.etag);
    put_text(headers, LAST_MODIFIED, &http_date(modified_seconds(info)));
    put_text(headers, X_DIGEST, &info.digest);
}
