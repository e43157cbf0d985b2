//! Uploads: objects written in several calls, and read while they are written.

use bytes::Bytes;
use chunk_store::object::{ObjectInfo, PutOptions, UploadPage, UploadStatus};
use futures::StreamExt;
use futures::channel::mpsc;
use tokio::sync::oneshot;
use wasmtime::component::StreamReader;

use super::{ChunkStore, finish, trapped};
use crate::bindings::types;
use crate::body::{Body, Taken, TakenEnd};
use crate::error::Error;
use crate::instance::Instance;

impl ChunkStore {
    /// Opens an upload and names it. Any store over the same kv can go on with it, until
    /// its deadline.
    pub async fn begin_upload(&self, key: &str, options: PutOptions) -> Result<String, Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let begun = instance.run(move |accessor, component| {
            Box::pin(async move {
                let uploads = component.streaming_chunk_store_uploads();
                uploads.call_begin(accessor, key, options.into()).await
            })
        });
        finish(begun.await?)
    }

    /// Adds what `body` gives to an upload that stands at `offset`. What came of a body
    /// that fails stays, as after any other error: [`ChunkStore::upload_status`] tells
    /// how much. Dropping the future ends the body; what came of it stays too.
    pub async fn append(
        &self,
        upload: &str,
        offset: u64,
        body: impl Into<Body>,
    ) -> Result<UploadStatus, Error> {
        let upload = upload.to_string();
        let Body { pieces, mut ended, wanted: _wanted } = body.into();
        let instance = self.instance()?;
        let appended = instance.run(move |accessor, component| {
            Box::pin(async move {
                let stream = accessor.with(|mut store| StreamReader::new(&mut store, pieces))?;
                let uploads = component.streaming_chunk_store_uploads();
                uploads.call_append(accessor, upload, offset, stream).await
            })
        });
        let status = finish(appended.await?)?;
        match ended.try_recv() {
            Ok(Ok(())) => Ok(status),
            Ok(Err(why)) => Err(Error::Source(why)),
            Err(_) => Err(Error::Source("its reader was stopped".to_string())),
        }
    }

    /// How an upload stands.
    pub async fn upload_status(&self, upload: &str) -> Result<UploadStatus, Error> {
        let upload = upload.to_string();
        let instance = self.instance()?;
        let told = instance.run(move |accessor, component| {
            Box::pin(async move {
                let uploads = component.streaming_chunk_store_uploads();
                uploads.call_status(accessor, upload).await
            })
        });
        finish(told.await?)
    }

    /// Makes the object appear that an upload holds. May be repeated.
    pub async fn commit_upload(&self, upload: &str) -> Result<ObjectInfo, Error> {
        let upload = upload.to_string();
        let instance = self.instance()?;
        let committed = instance.run(move |accessor, component| {
            Box::pin(async move {
                let uploads = component.streaming_chunk_store_uploads();
                uploads.call_commit(accessor, upload).await
            })
        });
        finish(committed.await?)
    }

    /// Discards an upload.
    pub async fn abort_upload(&self, upload: &str) -> Result<(), Error> {
        let upload = upload.to_string();
        let instance = self.instance()?;
        let aborted = instance.run(move |accessor, component| {
            Box::pin(async move {
                let uploads = component.streaming_chunk_store_uploads();
                uploads.call_abort(accessor, upload).await
            })
        });
        finish(aborted.await?)
    }

    /// Lists uploads under way for keys with a prefix, a page (of 1 to 1000) at a time.
    pub async fn list_uploads(
        &self,
        prefix: &str,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<UploadPage, Error> {
        let prefix = prefix.to_string();
        let instance = self.instance()?;
        let listed = instance.run(move |accessor, component| {
            Box::pin(async move {
                let uploads = component.streaming_chunk_store_uploads();
                uploads.call_list(accessor, prefix, cursor, limit).await
            })
        });
        finish(listed.await?)
    }

    /// Reads what is still being written: the newest upload under way for a key, from
    /// an offset on, until its commit. Fails when it has not grown for so many seconds.
    pub async fn follow(
        &self,
        key: &str,
        start: u64,
        stall_seconds: u32,
    ) -> Result<UploadReader, Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let opened = instance.run(move |accessor, component| {
            Box::pin(async move {
                let uploads = component.streaming_chunk_store_uploads();
                let followed = uploads.call_follow(accessor, key, start, stall_seconds).await?;
                let (status, stream, end) = match followed {
                    Ok(followed) => followed,
                    Err(error) => return Ok(Err(error)),
                };
                let (taken, pieces) = Taken::channel();
                let (ended, end_taken) = oneshot::channel();
                accessor.with(|mut store| {
                    stream.pipe(&mut store, taken)?;
                    end.pipe(&mut store, TakenEnd(Some(ended)))
                })?;
                wasmtime::error::Ok(Ok((status.into(), pieces, end_taken)))
            })
        });
        let opened = opened.await?.map_err(trapped)?.map_err(|error| Error::Store(error.into()))?;
        let (status, pieces, ended) = opened;
        Ok(UploadReader { status, pieces, ended: Some(ended), committed: None, instance })
    }
}

/// An upload that is being followed: every byte that it gives has been verified, and it
/// ends with an error unless the upload was committed.
pub struct UploadReader {
    status: UploadStatus,
    pieces: mpsc::Receiver<Bytes>,
    ended: Option<oneshot::Receiver<Result<types::ObjectInfo, types::Error>>>,
    committed: Option<ObjectInfo>,
    instance: Instance,
}

impl UploadReader {
    /// How the upload stood when it was opened.
    pub fn status(&self) -> &UploadStatus {
        &self.status
    }

    /// The object, after the last bytes.
    pub fn committed(&self) -> Option<&ObjectInfo> {
        self.committed.as_ref()
    }

    /// The next bytes; `None` after the last, when the upload has been committed.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if let Some(piece) = self.pieces.next().await {
            return Some(Ok(piece));
        }
        match self.ended.take()?.await {
            Ok(Ok(info)) => {
                self.committed = Some(info.into());
                None
            }
            Ok(Err(error)) => Some(Err(Error::Store(error.into()))),
            Err(_) => Some(Err(self.instance.trap().await)),
        }
    }
}
