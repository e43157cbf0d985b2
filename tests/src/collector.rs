//! A collector of OpenTelemetry that keeps the spans it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Spans come within this, or something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A collector on loopback, for as long as this is there.
pub struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    runtime: Option<Runtime>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Also within a runtime, where nothing may wait for another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Collector {
    /// Starts one, on a thread of its own.
    pub fn start() -> Self {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("it listens");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let all = taken.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((stream, _)) = listener.accept().await {
                let taken = all.clone();
                let service = service_fn(move |request| take(request, taken.clone()));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, taken, runtime: Some(runtime) }
    }

    /// `http://ADDRESS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans that have come, once there are so many; those with the earliest begin first.
    pub fn spans(&self, count: usize) -> Vec<Span> {
        let begun = Instant::now();
        loop {
            let taken = self.taken.lock().expect("never held across a panic").clone();
            let mut spans: Vec<Span> = taken
                .into_iter()
                .flat_map(|request| request.resource_spans)
                .flat_map(|of_resource| of_resource.scope_spans)
                .flat_map(|of_scope| of_scope.spans)
                .collect();
            if spans.len() >= count {
                spans.sort_by_key(|span| span.start_time_unix_nano);
                return spans;
            }
            assert!(begun.elapsed() < PATIENCE, "{} of {count} spans", spans.len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What all spans that have come are of: `service.name`.
    pub fn services(&self) -> Vec<String> {
        let taken = self.taken.lock().expect("never held across a panic").clone();
        let resources = taken.into_iter().flat_map(|request| request.resource_spans);
        let attributes = resources.flat_map(|it| it.resource.unwrap_or_default().attributes);
        let names = attributes.filter(|attribute| attribute.key == "service.name");
        names.filter_map(|name| text(name.value)).collect()
    }
}

/// An attribute that is a text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|KeyValue { key, .. }| key == name);
    text(found?.value.clone())
}

/// An attribute that is a number.
pub fn number(span: &Span, name: &str) -> Option<i64> {
    let found = span.attributes.iter().find(|KeyValue { key, .. }| key == name);
    match found?.value.as_ref()?.value {
        Some(Value::IntValue(number)) => Some(number),
        _ => None,
    }
}

fn text(value: Option<AnyValue>) -> Option<String> {
    match value?.value {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

async fn take(
    request: Request<Incoming>,
    taken: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let right = request.method() == "POST"
        && request.uri().path() == "/v1/traces"
        && request.headers()["content-type"] == "application/x-protobuf";
    let body = request.into_body().collect().await?.to_bytes();
    let status = match ExportTraceServiceRequest::decode(body) {
        Ok(request) if right => {
            taken.lock().expect("never held across a panic").push(request);
            200
        }
        _ => 400,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status.try_into().expect("a status");
    Ok(response)
}
