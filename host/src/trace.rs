//! Which trace a request and its operations are part of, by W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>): what the client says in `traceparent`, or one that
//! begins here. The guest is handed the request's own, and notes it with operations.

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

const TRACEPARENT: &str = "traceparent";

/// The place of a piece of work in a trace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trace {
    /// Itself; not valid if there is none.
    own: SpanContext,
    /// What it is part of; not valid if that is nothing.
    parent: SpanId,
}

impl Trace {
    /// None.
    pub fn none() -> Self {
        Self { own: SpanContext::empty_context(), parent: SpanId::INVALID }
    }

    /// Of a request: part of the client's, or the first of its own.
    pub fn of_request(headers: &HeaderMap) -> Self {
        let said = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        Self::within(said)
    }

    /// Part of what a `traceparent` says, or the first of its own.
    pub fn within(traceparent: Option<&str>) -> Self {
        let ids = RandomIdGenerator::default();
        let parent = traceparent.and_then(parse);
        let (trace_id, flags) = match &parent {
            Some(parent) => (parent.trace_id(), parent.trace_flags()),
            None => (ids.new_trace_id(), TraceFlags::SAMPLED),
        };
        let state = TraceState::NONE;
        Self {
            own: SpanContext::new(trace_id, ids.new_span_id(), flags, false, state),
            parent: parent.map_or(SpanId::INVALID, |parent| parent.span_id()),
        }
    }

    /// Tells whoever is handed the request that it is the parent of what is done for it.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if self.own.is_valid() {
            let flags = self.own.trace_flags().to_u8();
            let value = format!("00-{}-{}-{flags:02x}", self.own.trace_id(), self.own.span_id());
            let value = HeaderValue::try_from(value).expect("hex digits and dashes");
            headers.insert(TRACEPARENT, value);
        }
    }

    /// In hex, as the others; `None` where there is none.
    pub fn trace_id(&self) -> Option<String> {
        self.own.is_valid().then(|| self.own.trace_id().to_string())
    }

    /// Its own.
    pub fn span_id(&self) -> Option<String> {
        self.own.is_valid().then(|| self.own.span_id().to_string())
    }

    /// Of what it is part of.
    pub fn parent_id(&self) -> Option<String> {
        (self.parent != SpanId::INVALID).then(|| self.parent.to_string())
    }

    /// False where the client does not want the trace to be kept, else nothing.
    pub fn unless_sampled(&self) -> Option<bool> {
        (self.own.is_valid() && !self.own.is_sampled()).then_some(false)
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let none = Context::new();
    let context = TraceContextPropagator::new().extract_with_context(&none, &Only(traceparent));
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// Headers of which one is known.
struct Only<'a>(&'a str);

impl Extractor for Only<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(traceparent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::try_from(traceparent).unwrap());
        headers
    }

    #[test]
    fn a_request_is_part_of_what_its_client_says_and_its_operations_are_part_of_it() {
        let mut headers = headers(CLIENT);
        let request = Trace::of_request(&headers);
        assert_eq!(request.trace_id().unwrap(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(request.parent_id().unwrap(), "b7ad6b7169203331");
        assert_eq!(request.unless_sampled(), None);
        request.mark(&mut headers);
        let operation = Trace::of_request(&headers);
        assert_eq!(operation.trace_id(), request.trace_id());
        assert_eq!(operation.parent_id(), request.span_id());
        assert_ne!(operation.span_id(), request.span_id());
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        for said in
            ["", "00-0-0-00", "hello", &CLIENT.replace("b7ad6b7169203331", "0000000000000000")]
        {
            let request = Trace::of_request(&headers(said));
            assert_eq!(request.parent_id(), None, "{said}");
            assert_eq!(request.trace_id().unwrap().len(), 32);
        }
        assert_ne!(Trace::within(None), Trace::within(None));
    }

    #[test]
    fn a_client_can_say_that_a_trace_is_not_kept() {
        let request = Trace::of_request(&headers(&CLIENT.replace("-01", "-00")));
        assert_eq!(request.unless_sampled(), Some(false));
        let mut headers = HeaderMap::new();
        request.mark(&mut headers);
        assert!(headers[TRACEPARENT].to_str().unwrap().ends_with("-00"));
    }

    #[test]
    fn where_there_is_none_nothing_is_said() {
        let mut headers = HeaderMap::new();
        Trace::none().mark(&mut headers);
        assert!(headers.is_empty() && Trace::none().trace_id().is_none());
    }
}
