//! What the world `store` exports beside `metrics`: the store for whoever calls it.

mod convert;
mod outgoing;
mod uploads;

use wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};

use self::bindings::exports::streaming::chunk_store::{maintenance, objects, sweeping};
use self::bindings::streaming::chunk_store::types;
use super::sending::{self, Outgoing};
use super::{parameters, store};
use crate::body::Source;
use crate::error::Error;

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package streaming:chunk-store-exports;

            world part {
                export streaming:chunk-store/objects@0.1.0;
                export streaming:chunk-store/uploads@0.1.0;
                export streaming:chunk-store/maintenance@0.1.0;
                export streaming:chunk-store/sweeping@0.1.0;
            }
        ",
        path: "wit",
        generate_all,
    });
}

bindings::export!(Component with_types_in bindings);

struct Component;

impl objects::Guest for Component {
    async fn put(
        key: String,
        body: StreamReader<u8>,
        done: Option<FutureReader<Result<(), types::Error>>>,
        options: objects::PutOptions,
    ) -> Result<types::ObjectInfo, types::Error> {
        parameters::free(&key);
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
