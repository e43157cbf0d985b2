//! A request on its way in.

use chunk_store::body::Source;
use wit_bindgen::{FutureReader, StreamReader, StreamResult};

use crate::component::bindings::exports::streaming::chunk_store::web;

/// The request as the rules take it, or why it is none.
pub(crate) fn read(
    request: web::Request,
    stream: Option<StreamReader<u8>>,
    done: Option<FutureReader<Result<(), String>>>,
) -> Result<http::Request<Body>, String> {
    let mut builder = http::Request::builder().method(&*request.method).uri(&*request.target);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body { stream, done }).map_err(|error| error.to_string())
}

/// Its body.
pub(crate) struct Body {
    stream: Option<StreamReader<u8>>,
    done: Option<FutureReader<Result<(), String>>>,
}

impl Source for Body {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        match &mut self.stream {
            Some(stream) => {
                let (result, buffer) = stream.read(buffer).await;
                (buffer, matches!(result, StreamResult::Dropped))
            }
            None => (buffer, true),
        }
    }

    async fn done(&mut self) -> Result<(), String> {
        match self.done.take() {
            Some(done) => done.await,
            None => Ok(()),
        }
    }
}
