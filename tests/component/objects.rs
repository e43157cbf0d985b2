//! Objects in and out of a composed store, by its interface `objects`.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use chunk_store_components::file;
use chunk_store_tests::guest::{self, Guest};
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Source, StreamConsumer, StreamReader, StreamResult};

use self::bindings::Store;
use self::bindings::exports::streaming::chunk_store::objects::{self, PutOptions};

#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "store" });
}

/// A store that runs, over a host's state `T`.
pub struct Running<T: 'static>(Guest<T, Store>);

impl<T: Send + 'static> Running<T> {
    /// The composed store of this name: `link` adds what its host gives.
    pub async fn start(
        name: &str,
        state: T,
        link: impl FnOnce(&mut Linker<T>) -> wasmtime::Result<()>,
    ) -> Self {
        let linked = guest::linked(&file(name).expect("it is composed").bytes, link);
        let started = Guest::start(linked, state, |store, instance| {
            Box::pin(async move { Ok((Store::new(store, instance)?, ())) })
        });
        Self(started.await.0)
    }

    /// Stores an object; gives its digest as the store has it.
    pub async fn put(&self, key: &'static str, body: Bytes) -> String {
        let options = PutOptions {
            size: None,
            digest: None,
            content_type: None,
            metadata: Vec::new(),
            ttl_seconds: None,
            precondition: None,
            inline_bytes_max: None,
            chunk_bytes_max: None,
            deadline_seconds: None,
        };
        let put = self.0.call(move |accessor, store| {
            Box::pin(async move {
                let body = accessor.with(|access| StreamReader::new(access, body))?;
                let objects = store.streaming_chunk_store_objects();
                objects.call_put(accessor, key.into(), body, None, options).await
            })
        });
        put.await.expect(key).digest
    }

    /// Reads an object; gives the size and the digest of what came.
    pub async fn get(&self, key: &'static str) -> (u64, String) {
        let (tell, told) = oneshot::channel();
        let read = Read { bytes: 0, hasher: blake3::Hasher::new(), tell: Some(tell) };
        let options = objects::GetOptions { range: None, precondition: None, stripe: None };
        let begun = self.0.call(move |accessor, store| {
            Box::pin(async move {
                let objects = store.streaming_chunk_store_objects();
                let got = objects.call_get(accessor, key.into(), options).await?;
                let (_, stream, _) = got.expect("it is there");
                accessor.with(|access| stream.pipe(access, read))
            })
        });
        begun.await;
        told.await.expect("it ends")
    }
}

/// Takes all that a stream gives, and tells what it was when it ends.
struct Read {
    bytes: u64,
    hasher: blake3::Hasher,
    tell: Option<oneshot::Sender<(u64, String)>>,
}

impl<D> StreamConsumer<D> for Read {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<D>,
        source: Source<'_, u8>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let count = source.remaining().len();
        self.bytes += count as u64;
        self.hasher.update(source.remaining());
        source.mark_read(count);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        let digest = format!("blake3:{}", self.hasher.finalize().to_hex());
        let tell = self.tell.take().expect("it ends once");
        // A test that failed does not wait.
        let _ = tell.send((self.bytes, digest));
    }
}
