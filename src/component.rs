//! The component: what the world `store` exports. Generated types are named in this
//! module and nowhere else.

mod convert;
pub mod sending;
mod set;
mod uploads;

use bytes::Bytes;
use wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};

use self::bindings::exports::streaming::chunk_store::{maintenance, metrics, objects, sweeping};
use self::bindings::streaming::chunk_store::{kv as imported, types};
use self::sending::Outgoing;
use crate::body::Source;
use crate::error::Error;
use crate::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use crate::range::Span;
use crate::store::Store;
use crate::wasi::WasiClock;

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "store",
        with: {
            "wasi:clocks/types@0.3.0": wasip3::clocks::types,
            "wasi:clocks/monotonic-clock@0.3.0": wasip3::clocks::monotonic_clock,
            "wasi:clocks/system-clock@0.3.0": wasip3::clocks::system_clock,
            "wasi:random/random@0.3.0": wasip3::random::random,
        },
        generate_all,
    });
}

bindings::export!(Component with_types_in bindings);

struct Component;

thread_local! {
    /// One store for the instance: operations share its memory budget.
    static STORE: Store<ImportedKv, WasiClock> = Store::new(ImportedKv, WasiClock);
}

/// The instance's store, for what is linked with it into one component.
pub fn store() -> Store<ImportedKv, WasiClock> {
    STORE.with(Store::clone)
}

impl objects::Guest for Component {
    async fn put(
        key: String,
        body: StreamReader<u8>,
        done: Option<FutureReader<Result<(), types::Error>>>,
        options: objects::PutOptions,
    ) -> Result<types::ObjectInfo, types::Error> {
        let source = Body { stream: body, done };
        Ok(store().put(&key, source, &options.into()).await?.into())
    }

    async fn get(
        key: String,
        options: objects::GetOptions,
    ) -> Result<
        (objects::Content, StreamReader<u8>, FutureReader<Result<(), types::Error>>),
        types::Error,
    > {
        let (content, reader) = store().get(&key, &options.into()).await?;
        let (writer, stream) = bindings::wit_stream::new();
        let (end, ended) = bindings::wit_future::new(gone);
        wit_bindgen::spawn_local(send(reader, writer, end));
        Ok((content.into(), stream, ended))
    }

    async fn head(
        key: String,
        precondition: Option<types::Precondition>,
    ) -> Result<types::ObjectInfo, types::Error> {
        let precondition = precondition.map(Into::into);
        Ok(store().head(&key, precondition.as_ref()).await?.into())
    }

    async fn delete(
        key: String,
        precondition: Option<types::Precondition>,
    ) -> Result<(), types::Error> {
        let precondition = precondition.map(Into::into);
        Ok(store().delete(&key, precondition.as_ref()).await?)
    }

    async fn list(options: objects::ListOptions) -> Result<objects::ObjectPage, types::Error> {
        Ok(store().list(&options.into()).await?.into())
    }
}

impl maintenance::Guest for Component {
    async fn verify(key: String) -> Result<maintenance::VerifyReport, types::Error> {
        Ok(store().verify(&key).await?.into())
    }
}

impl sweeping::Guest for Component {
    async fn sweep(options: sweeping::SweepOptions) -> Result<sweeping::SweepReport, types::Error> {
        Ok(store().sweep(&options.into()).await?.into())
    }
}

impl metrics::Guest for Component {
    fn read() -> metrics::Snapshot {
        store().metrics().into()
    }

    fn take_ended() -> metrics::EndedOperations {
        store().take_ended().into()
    }
}

/// Sends a body to its reader, then says how it ended.
async fn send<O: Outgoing, E: From<O::End>>(
    mut body: O,
    mut stream: StreamWriter<u8>,
    end: FutureWriter<Result<E, types::Error>>,
) {
    if let Some(ended) = sending::send(&mut body, &mut stream).await {
        drop(stream);
        // An error here means that nobody awaits the end.
        let _ = end.write(ended.map(E::from).map_err(types::Error::from)).await;
    }
}

/// What the end of a body says if its sender never came to say anything.
fn gone<T>() -> Result<T, types::Error> {
    Err(types::Error::Unavailable(("the read was given up".to_string(), None)))
}

/// The body of a put, from the caller.
struct Body {
    stream: StreamReader<u8>,
    done: Option<FutureReader<Result<(), types::Error>>>,
}

impl Source for Body {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let (result, buffer) = self.stream.read(buffer).await;
        (buffer, matches!(result, StreamResult::Dropped))
    }

    async fn done(&mut self) -> Result<(), String> {
        match self.done.take() {
            None => Ok(()),
            Some(done) => done.await.map_err(|error| match Error::from(error) {
                Error::BodyMismatch(why) => why,
                other => other.to_string(),
            }),
        }
    }
}

/// The kv that the component imports.
#[derive(Debug)]
pub struct ImportedKv;

impl Kv for ImportedKv {
    fn limits(&self) -> KvLimits {
        imported::get_limits().into()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let part = part.map(|Span { start, end }| imported::Span { start, end });
        let entry = imported::get(key.to_string(), part).await?;
        Ok(entry.map(Into::into))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        Ok(set::set(key.to_string(), value, options).await?.into())
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        Ok(imported::delete(key.to_string(), condition.map(Into::into)).await?.into())
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let cursor = cursor.map(str::to_string);
        Ok(imported::list_keys(prefix.to_string(), cursor, limit).await?.into())
    }
}
