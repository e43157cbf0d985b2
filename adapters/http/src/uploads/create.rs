//! POST: creation, with or without the first bytes.

use chunk_store::body::Source;
use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::limits::DEADLINE_SECONDS_DEFAULT;
use chunk_store::object::{PutOptions, UploadStatus};
use http::header::LOCATION;
use http::{HeaderMap, Response};

use super::metadata;
use super::protocol::{self, UPLOAD_DEFER_LENGTH, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_OFFSET};
use crate::body::Body;
use crate::conditions::http_date;
use crate::gateway::{Call, Gateway};
use crate::problem::Problem;
use crate::put::created;
use crate::representation::{common_options, content_length, one, one_number, put_text};
use crate::route::check_key;

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn create_upload<S: Source>(
        &self,
        call: Call<'_>,
        source: S,
    ) -> Result<Response<Body>, Problem> {
        let headers = &call.head.headers;
        protocol::check_version(headers)?;
        let size = announced_length(headers)?;
        let has_bytes = protocol::has_upload_bytes(headers)?;
        if !has_bytes && content_length(headers)?.is_some_and(|length| length > 0) {
            return Err(protocol::wrong_media_type());
        }
        let (key, options) = options(headers, size)?;
        call.query.finish()?;
        let demand = self.demand(&key, headers).await?;
        let options = self.options_of_write(options, demand.precondition);
        let expires = self.clock().wall_ms() / 1000 + u64::from(DEADLINE_SECONDS_DEFAULT);
        let name = self.store().begin(&key, &options).await?;
        let mut response = created();
        let headers = response.headers_mut();
        put_text(headers, LOCATION, &protocol::path_of(&name));
        put_text(headers, UPLOAD_EXPIRES, &http_date(expires));
        if has_bytes {
            let offset = self.append_first(&name, source).await?.offset;
            put_text(headers, UPLOAD_OFFSET, &offset.to_string());
        } else if size == Some(0) {
            self.store().commit_upload(&name).await?;
        }
        Ok(response)
    }

    /// Takes in what came along. Whatever stays of it can be gone on from; an upload that
    /// its client will never hear of is given up.
    async fn append_first<S: Source>(
        &self,
        name: &str,
        source: S,
    ) -> Result<UploadStatus, Problem> {
        let status = match self.store().append(name, 0, source).await {
            Err(Error::Unavailable(..)) => self.store().status(name).await,
            appended => appended,
        };
        let committed = match &status {
            Ok(status) => self.commit_if_complete(name, status, None).await,
            Err(error) => Err(error.clone()),
        };
        match (status, committed) {
            (Ok(status), Ok(())) => Ok(status),
            (_, Err(error)) | (Err(error), _) => {
                // Sweep finds it, if this does not work.
                let _ = self.store().abort(name).await;
                Err(error.into())
            }
        }
    }
}

/// The length of the whole; `None` where it comes later.
fn announced_length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let deferred = one(headers, &UPLOAD_DEFER_LENGTH)?;
    match (one_number(headers, &UPLOAD_LENGTH)?, deferred.as_deref()) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some("1")) => Ok(None),
        _ => Err(Problem::invalid("give either Upload-Length or `Upload-Defer-Length: 1`")),
    }
}

/// The key of the object, and how it is to be stored.
fn options(headers: &HeaderMap, size: Option<u64>) -> Result<(String, PutOptions), Problem> {
    let described = metadata::read(headers)?;
    check_key(&described.key)?;
    let mut options = common_options(headers)?;
    options.metadata.extend(described.metadata);
    options.content_type = described.content_type;
    options.size = size;
    options.deadline_seconds = Some(DEADLINE_SECONDS_DEFAULT);
    Ok((described.key, options))
}
