//! Traces for OpenTelemetry: a span for each request and for each operation, sent by OTLP over
//! HTTP as protobuf (<https://opentelemetry.io/docs/specs/otlp/>).
//!
//! The spans are made of the events that tell of requests and operations once they are over
//! ([`ACCESS_TARGET`](crate::serve::ACCESS_TARGET), [`OPERATIONS_TARGET`](crate::OPERATIONS_TARGET)),
//! with the times that those say. They wait in a bounded queue: where the collector does not
//! keep up or cannot be reached, spans are dropped and counted, and nothing else is held up.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tracing_subscriber::layer::SubscriberExt;
//! use tracing_subscriber::util::SubscriberInitExt;
//!
//! let (spans, exporter) = chunk_store_host::otlp::to("http://127.0.0.1:4318")?;
//! tracing_subscriber::registry().with(spans).init();
//! // ... stores and servers are used ...
//! exporter.shut_down(std::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```

mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where a collector takes spans, below what it is named by.
const PATH: &str = "/v1/traces";

/// Spans that wait to be sent, at most; more are dropped.
const SPANS_WAITING_MAX: usize = 8192;

/// Spans that are sent at once, at most.
const SPANS_SENT_MAX: usize = 512;

/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(1);

/// What an attempt to send may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes spans of events. Add it to a subscriber.
#[derive(Debug)]
pub struct Spans {
    queue: mpsc::Sender<SpanData>,
    dropped: Arc<AtomicU64>,
}

/// Sends the spans, until it is shut down.
#[derive(Debug)]
pub struct Exporter {
    stop: oneshot::Sender<()>,
    sending: JoinHandle<()>,
}

/// Makes spans of events, and sends them to the collector at `http://HOST:PORT` from a task of
/// this runtime. The resource is named `chunk-store`, or as `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES` say. Fails, in one line, where the URL is none of a collector.
pub fn to(collector: &str) -> Result<(Spans, Exporter), String> {
    let wrong = || format!("{collector:?} is no collector; give one like http://127.0.0.1:4318");
    let url = url::Url::parse(collector).map_err(|_| wrong())?;
    if url.scheme() != "http" || !url.has_host() || url.query().is_some() {
        return Err(wrong());
    }
    let endpoint = format!("{}{PATH}", url.as_str().trim_end_matches('/').trim_end_matches(PATH));
    let built = SpanExporter::builder().with_http().with_endpoint(endpoint);
    let mut exporter = built.with_timeout(SEND_TIMEOUT).build().map_err(|e| e.to_string())?;
    exporter.set_resource(&resource());
    let (queue, spans) = mpsc::channel(SPANS_WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let (stop, stopped) = oneshot::channel();
    let to = collector.to_string();
    let sending = tokio::spawn(send(exporter, to, spans, stopped, dropped.clone()));
    Ok((Spans { queue, dropped }, Exporter { stop, sending }))
}

fn resource() -> Resource {
    let builder = Resource::builder();
    match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => builder.build(),
        None => builder.with_service_name("chunk-store").build(),
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(span) = span::of(event)
            && self.queue.try_send(span).is_err()
        {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Exporter {
    /// Sends what is waiting, for at most so long, and ends.
    pub async fn shut_down(self, patience: Duration) {
        // Fails if it has ended by itself.
        let _ = self.stop.send(());
        let _ = timeout(patience, self.sending).await;
    }
}

async fn send(
    exporter: SpanExporter,
    to: String,
    mut spans: mpsc::Receiver<SpanData>,
    mut stopped: oneshot::Receiver<()>,
    dropped: Arc<AtomicU64>,
) {
    let mut ending = false;
    let mut batch = Vec::new();
    while !ending || !spans.is_empty() {
        tokio::select! {
            biased;
            count = spans.recv_many(&mut batch, SPANS_SENT_MAX) => ending |= count == 0,
            _ = &mut stopped, if !ending => ending = true,
        }
        if !ending && batch.len() < SPANS_SENT_MAX {
            tokio::select! {
                () = sleep(GATHER) => {}
                _ = &mut stopped => ending = true,
            }
        }
        while batch.len() < SPANS_SENT_MAX
            && let Ok(span) = spans.try_recv()
        {
            batch.push(span);
        }
        if batch.is_empty() {
            continue;
        }
        let count = batch.len();
        let lost = match exporter.export(std::mem::take(&mut batch)).await {
            Ok(()) => dropped.swap(0, Relaxed),
            Err(error) => {
                tracing::warn!(target: "chunk_store", "cannot send spans to {to}: {error}");
                dropped.swap(0, Relaxed) + count as u64
            }
        };
        if lost > 0 {
            tracing::warn!(target: "chunk_store", spans = lost, "spans were dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_collector_is_refused_in_one_line() {
        for url in
            ["", "127.0.0.1:4318", "https://example.org", "http://", "http://a/?b", "grpc://a:1"]
        {
            let why = to(url).unwrap_err();
            assert!(why.contains("http://127.0.0.1:4318") && !why.contains('\n'), "{url}: {why}");
        }
    }

    #[tokio::test]
    async fn with_nothing_to_send_the_end_is_at_once() {
        let (spans, exporter) = to("http://127.0.0.1:9/v1/traces").unwrap();
        let begun = std::time::Instant::now();
        exporter.shut_down(Duration::from_secs(60)).await;
        assert!(begun.elapsed() < Duration::from_secs(30));
        drop(spans);
    }
}
