//! `/_/uploads`: objects written in several requests, by the tus protocol 1.0.0
//! (<https://tus.io/protocols/resumable-upload>): core, creation, creation-with-upload,
//! creation-defer-length, expiration and termination.
//!
//! `POST /_/uploads` begins one. Its key comes in `Upload-Metadata` ([`metadata`]); headers
//! that a PUT takes for the object (`X-Meta-*`, `X-Ttl-Seconds`, `X-Digest`, `Cache-Control`,
//! conditions, ...) count here too. When the last byte is there the upload is committed,
//! before the answer to the request that brought it: who is told the full offset has an
//! object. Where the commit failed, the next `HEAD` or `PATCH` commits again.
//!
//! With `Upload-Defer-Length` the length comes with a `PATCH`, as `Upload-Length`. It is not
//! kept: it is good for that request, which commits if it reaches it; a later one has to
//! give it again (an empty one will do).
//!
//! Without tus, `GET /_/uploads` lists what is under way (`prefix`, `cursor`, `limit`) and
//! `GET /_/uploads/NAME` tells how one stands, as JSON with the field names of
//! `wit/types.wit`.

mod append;
mod bounded;
mod create;
mod metadata;
mod protocol;

pub(crate) use protocol::{describe, is_for_uploads, mark, method};

use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::object::UploadStatus;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::body::Body;
use crate::gateway::{Call, Gateway, json, no_content};
use crate::limits::LIST_LIMIT_DEFAULT;
use crate::problem::Problem;
use crate::representation::put_text;
use crate::route::Target;

/// An upload under way as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    #[serde(flatten)]
    status: &'a UploadStatus,
}

#[derive(Serialize)]
struct Page<'a> {
    uploads: Vec<Listed<'a>>,
    cursor: Option<String>,
}

/// The upload that a request is about.
fn name_of<'a>(call: &'a Call<'_>) -> &'a str {
    let Target::Upload(name) = &call.target else { unreachable!("only uploads come here") };
    name
}

/// How long all of an upload is, if it is known: what was announced, or what its commit
/// fixed.
fn length_of(status: &UploadStatus) -> Option<u64> {
    status.size.or(status.sealed.then_some(status.offset))
}

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn list_uploads(&self, mut call: Call<'_>) -> Result<Response<Body>, Problem> {
        let query = &mut call.query;
        let prefix = query.take("prefix").unwrap_or_default();
        let cursor = query.take("cursor").filter(|cursor| !cursor.is_empty());
        let limit = query.take_number("limit")?.unwrap_or(LIST_LIMIT_DEFAULT);
        call.query.finish()?;
        let page = self.store().list_uploads(&prefix, cursor.as_deref(), limit).await?;
        let uploads = page.uploads.iter().map(|(name, status)| Listed { name, status }).collect();
        Ok(json(&Page { uploads, cursor: page.cursor }))
    }

    pub(crate) async fn describe_upload(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        let name = name_of(&call);
        let status = self.store().status(name).await?;
        let answer = json(&Listed { name, status: &status });
        call.query.finish()?;
        Ok(answer)
    }

    /// HEAD: how far the upload has come. One that is complete is committed, if it is not
    /// yet, before the full offset is told.
    pub(crate) async fn look_at_upload(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        protocol::check_version(&call.head.headers)?;
        let name = name_of(&call);
        let status = self.store().status(name).await?;
        self.commit_if_complete(name, &status, None).await?;
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        protocol::tell_standing(&status, headers);
        match length_of(&status) {
            Some(length) => put_text(headers, protocol::UPLOAD_LENGTH, &length.to_string()),
            None => put_text(headers, protocol::UPLOAD_DEFER_LENGTH, "1"),
        }
        put_text(headers, protocol::UPLOAD_METADATA, &metadata::of_key(&status.key));
        Ok(response)
    }

    /// DELETE: termination. One whose commit has begun cannot be taken back.
    pub(crate) async fn abort_upload(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        protocol::check_version(&call.head.headers)?;
        self.store().abort(name_of(&call)).await?;
        Ok(no_content())
    }

    /// Commits an upload that has all its bytes. `announced` is its length where the store
    /// does not know it. Committing again changes nothing.
    async fn commit_if_complete(
        &self,
        name: &str,
        status: &UploadStatus,
        announced: Option<u64>,
    ) -> Result<(), Error> {
        if length_of(status).or(announced) == Some(status.offset) {
            self.store().commit_upload(name).await?;
        }
        Ok(())
    }
}
