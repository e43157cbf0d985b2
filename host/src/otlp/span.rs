//! From an event that tells of something that is over to its span. Pure, but for the time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use tracing::Event;
use tracing::field::{Field, Visit};

use crate::operations;
use crate::serve::ACCESS_TARGET;

/// Fields that go into the span itself.
const OF_THE_SPAN: [&str; 7] =
    ["trace_id", "span_id", "parent_id", "sampled", "ended", "ms", "operation"];

/// Fields that OpenTelemetry has names for
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
const NAMED: [(&str, &str); 5] = [
    ("method", "http.request.method"),
    ("path", "url.path"),
    ("status", "http.response.status_code"),
    ("received", "http.request.body.size"),
    ("sent", "http.response.body.size"),
];

/// What came of an operation that is no fault of the store.
const OUTCOMES_RIGHT: [&str; 4] = ["ok", "abandoned", "not-found", "precondition-failed"];

/// The span of an event; none of other events, and where a client did not want one.
pub(super) fn of(event: &Event<'_>) -> Option<SpanData> {
    let target = event.metadata().target();
    if target != ACCESS_TARGET && target != operations::TARGET {
        return None;
    }
    let mut fields = Fields::default();
    event.record(&mut fields);
    match target == ACCESS_TARGET {
        true => fields.request(SystemTime::now()),
        false => fields.operation(),
    }
}

/// The fields of an event.
#[derive(Debug, Default)]
struct Fields(BTreeMap<&'static str, Value>);

impl Fields {
    /// Of a request that is over now.
    fn request(mut self, now: SystemTime) -> Option<SpanData> {
        let name = self.text("method")?;
        let status = match (self.0.get("status"), self.text("failure")) {
            (_, Some(why)) => Status::error(why),
            (Some(Value::I64(500..)), _) => Status::error(""),
            _ => Status::Unset,
        };
        // How it ended, which is no time.
        if let Some(ended) = self.0.remove("ended") {
            self.0.insert("chunk_store.ended", ended);
        }
        self.name_connection();
        let rename = |name: &'static str| match NAMED.iter().find(|(from, _)| *from == name) {
            Some((_, to)) => Cow::Borrowed(*to),
            None => prefixed(name),
        };
        self.span(name, SpanKind::Server, status, now, rename)
    }

    /// Puts what a request came by as OpenTelemetry has it: address and port apart, the
    /// version without the protocol's name.
    fn name_connection(&mut self) {
        self.0.insert("url.scheme", "http".into());
        if let Some(peer) = self.text("peer").and_then(|peer| peer.parse::<SocketAddr>().ok()) {
            self.0.remove("peer");
            self.0.insert("network.peer.address", peer.ip().to_string().into());
            self.0.insert("network.peer.port", i64::from(peer.port()).into());
        }
        if let Some(version) = self.text("version") {
            self.0.remove("version");
            let number = match version.trim_start_matches("HTTP/") {
                "2.0" => "2",
                number => number,
            };
            self.0.insert("network.protocol.version", number.to_string().into());
        }
    }

    /// Of an operation, which says when it ended.
    fn operation(self) -> Option<SpanData> {
        let name = self.text("operation")?;
        let ended = humantime::parse_rfc3339(&self.text("ended")?).ok()?;
        let status = match self.text("outcome") {
            Some(outcome) if OUTCOMES_RIGHT.contains(&&outcome[..]) => Status::Unset,
            _ => Status::error(self.text("failure").unwrap_or_default()),
        };
        self.span(name, SpanKind::Internal, status, ended, prefixed)
    }

    fn span(
        self,
        name: String,
        span_kind: SpanKind,
        status: Status,
        end_time: SystemTime,
        rename: impl Fn(&'static str) -> Cow<'static, str>,
    ) -> Option<SpanData> {
        if self.0.contains_key("sampled") {
            return None;
        }
        let ids = RandomIdGenerator::default();
        let trace_id = self.text("trace_id").and_then(|id| TraceId::from_hex(&id).ok());
        let span_id = self.text("span_id").and_then(|id| SpanId::from_hex(&id).ok());
        let parent_id = self.text("parent_id").and_then(|id| SpanId::from_hex(&id).ok());
        let took_ms = match self.0.get("ms") {
            Some(Value::F64(ms)) => *ms,
            _ => 0.0,
        };
        let attributes = self.0.into_iter().filter(|(name, _)| !OF_THE_SPAN.contains(name));
        Some(SpanData {
            span_context: SpanContext::new(
                trace_id.unwrap_or_else(|| ids.new_trace_id()),
                span_id.unwrap_or_else(|| ids.new_span_id()),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            // A request's parent is its client.
            parent_span_is_remote: parent_id.is_some() && span_kind == SpanKind::Server,
            parent_span_id: parent_id.unwrap_or(SpanId::INVALID),
            span_kind,
            name: name.into(),
            start_time: end_time - Duration::from_secs_f64(took_ms / 1000.0),
            end_time,
            attributes: attributes
                .map(|(name, value)| KeyValue::new(rename(name), value))
                .collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: InstrumentationScope::builder("chunk-store")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.as_str().to_string()),
            _ => None,
        }
    }
}

/// A name of our own.
fn prefixed(name: &'static str) -> Cow<'static, str> {
    match name.contains('.') {
        true => name.into(),
        false => format!("chunk_store.{name}").into(),
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_string().into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), i64::try_from(value).unwrap_or(i64::MAX).into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), value.into());
    }
}
