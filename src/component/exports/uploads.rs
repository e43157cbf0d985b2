//! The interface `uploads`.

use wit_bindgen::{FutureReader, StreamReader};

use super::bindings::exports::streaming::chunk_store::{objects, uploads};
use super::bindings::streaming::chunk_store::types;
use super::bindings::{wit_future, wit_stream};
use super::{Body, Component, gone, parameters, send, store};

impl uploads::Guest for Component {
    async fn begin(key: String, options: objects::PutOptions) -> Result<String, types::Error> {
        parameters::free(&key);
        Ok(store().begin(&key, &options.into()).await?)
    }

    async fn append(
        upload: String,
        offset: u64,
        body: StreamReader<u8>,
    ) -> Result<types::UploadStatus, types::Error> {
        let source = Body { stream: body, done: None };
        Ok(store().append(&upload, offset, source).await?.into())
    }

    async fn status(upload: String) -> Result<types::UploadStatus, types::Error> {
        Ok(store().status(&upload).await?.into())
    }

    async fn commit(upload: String) -> Result<types::ObjectInfo, types::Error> {
        Ok(store().commit_upload(&upload).await?.into())
    }

    async fn abort(upload: String) -> Result<(), types::Error> {
        Ok(store().abort(&upload).await?)
    }

    async fn list(
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<uploads::UploadPage, types::Error> {
        Ok(store().list_uploads(&prefix, cursor.as_deref(), limit).await?.into())
    }

    async fn follow(
        key: String,
        start: u64,
        stall_seconds: u32,
    ) -> Result<
        (
            types::UploadStatus,
            StreamReader<u8>,
            FutureReader<Result<types::ObjectInfo, types::Error>>,
        ),
        types::Error,
    > {
        let (status, follower) = store().follow(&key, start, stall_seconds).await?;
        let (writer, stream) = wit_stream::new();
        let (end, ended) = wit_future::new(gone);
        wit_bindgen::spawn_local(send(follower, writer, end));
        Ok((status.into(), stream, ended))
    }
}
