//! PATCH: more bytes.

use chunk_store::body::Source;
use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::Kv;
use chunk_store::object::UploadStatus;
use http::Response;

use super::bounded::Bounded;
use super::protocol::{self, UPLOAD_LENGTH, UPLOAD_OFFSET};
use super::{length_of, name_of};
use crate::body::Body;
use crate::gateway::{Call, Gateway, no_content};
use crate::problem::Problem;
use crate::representation::{content_length, one_number};

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    pub(crate) async fn append_to_upload<S: Source>(
        &self,
        call: Call<'_>,
        source: S,
    ) -> Result<Response<Body>, Problem> {
        let headers = &call.head.headers;
        protocol::check_version(headers)?;
        if !protocol::has_upload_bytes(headers)? {
            return Err(protocol::wrong_media_type());
        }
        let Some(offset) = one_number(headers, &UPLOAD_OFFSET)? else {
            return Err(Problem::invalid("give Upload-Offset"));
        };
        let announced = one_number(headers, &UPLOAD_LENGTH)?;
        let sent = content_length(headers)?.unwrap_or(0);
        let name = name_of(&call);
        if let Some(total) = announced {
            self.check_announced(name, total, offset.saturating_add(sent)).await?;
        }
        let (source, exceeded) =
            Bounded::new(source, announced.map(|total| total.saturating_sub(offset)));
        let status = self.append_or_stand(name, offset, sent, source).await?;
        if exceeded.get() {
            let why = format!("the body goes beyond the announced {} bytes", status.offset);
            return Err(Error::BodyMismatch(why).into());
        }
        self.commit_if_complete(name, &status, announced).await?;
        let mut response = no_content();
        protocol::tell_standing(&status, response.headers_mut());
        Ok(response)
    }

    /// Refuses a length of the whole that cannot be right.
    async fn check_announced(&self, name: &str, total: u64, end: u64) -> Result<(), Problem> {
        let status = self.store().status(name).await?;
        if length_of(&status).is_some_and(|known| known != total) {
            return Err(Problem::invalid("the upload has another length already"));
        }
        if total < status.offset || total < end {
            return Err(Problem::invalid("the upload has more bytes than Upload-Length says"));
        }
        Ok(())
    }

    /// Adds the bytes, of which the request announces `sent`. One that is complete takes none;
    /// a client that did not hear so asks again from its end, and is told once more.
    async fn append_or_stand<S: Source>(
        &self,
        name: &str,
        offset: u64,
        sent: u64,
        source: S,
    ) -> Result<UploadStatus, Error> {
        match self.store().append(name, offset, source).await {
            Err(Error::InvalidArgument(why)) => {
                let status = self.store().status(name).await?;
                match status.sealed {
                    true if status.offset == offset && sent == 0 => Ok(status),
                    true if status.offset == offset => {
                        Err(Error::BodyMismatch("the upload is complete".to_string()))
                    }
                    true => Err(Error::OffsetMismatch(status.offset)),
                    false => Err(Error::InvalidArgument(why)),
                }
            }
            appended => appended,
        }
    }
}
