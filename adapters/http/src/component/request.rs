//! A request's body on its way in.

use chunk_store::body::Source;
use wasip3::http::types::{ErrorCode, Request, Trailers};
use wasip3::http_compat::IncomingRequestBody;
use wasip3::wit_future;
use wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult};

/// Not asked for until the first read: a request that is refused leaves its body with
/// the host.
pub(super) struct RequestBody {
    unread: Option<Request>,
    reading: Option<Reading>,
}

struct Reading {
    stream: StreamReader<u8>,
    end: FutureReader<Result<Option<Trailers>, ErrorCode>>,
    /// Tells the host, once dropped, that nothing more is read.
    _taken: FutureWriter<Result<(), ErrorCode>>,
}

impl From<IncomingRequestBody> for RequestBody {
    fn from(mut body: IncomingRequestBody) -> Self {
        Self { unread: body.take_unstarted(), reading: None }
    }
}

impl RequestBody {
    fn reading(&mut self) -> Option<&mut Reading> {
        if let Some(request) = self.unread.take() {
            let (taken, result) = wit_future::new(|| Ok(()));
            let (stream, end) = Request::consume_body(request, result);
            self.reading = Some(Reading { stream, end, _taken: taken });
        }
        self.reading.as_mut()
    }
}

impl Source for RequestBody {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        match self.reading() {
            Some(reading) => {
                let (result, buffer) = reading.stream.read(buffer).await;
                (buffer, matches!(result, StreamResult::Dropped))
            }
            None => (buffer, true),
        }
    }

    /// A body that was cut off ends its stream like a whole one; only this future tells.
    async fn done(&mut self) -> Result<(), String> {
        self.reading();
        match self.reading.take() {
            Some(reading) => match reading.end.await {
                Ok(_) => Ok(()),
                Err(code) => Err(format!("the request's body was cut off: {code}")),
            },
            None => Ok(()),
        }
    }
}
