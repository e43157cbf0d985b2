//! Operations one by one: what each did, until somebody takes note.
//!
//! What is done while an operation's future is polled is done for that operation
//! ([`Scope`]), so nothing has to be handed down to where it is counted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use super::families::{OPERATION_SECONDS, OPERATIONS, UNDER_WAY};
use super::{Metrics, UnderWay};
use crate::error::Error;
use crate::limits::{NOTED_TEXT_BYTES_MAX, OPERATIONS_NOTED_MAX};

/// An operation on an object or an upload that has ended; mirrors `metrics.operation` of
/// the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operation {
    /// What was done, as the label `operation` has it.
    pub name: &'static str,
    /// The object's key; of a list its prefix; empty of a sweep.
    pub key: String,
    /// The upload's name, of operations on one.
    pub upload: Option<String>,
    /// `ok`, the name of an error, or `abandoned` by the caller.
    pub outcome: &'static str,
    /// What the error says.
    pub failure: Option<String>,
    /// When it ended, in nanoseconds since the Unix epoch.
    pub ended_ns: u64,
    /// How long it took, in nanoseconds; of a get to its last byte.
    pub took_ns: u64,
    /// How long until the first bytes were given out, in nanoseconds.
    pub first_byte_ns: Option<u64>,
    /// Bytes of content taken in.
    pub received_bytes: u64,
    /// Bytes of content given out.
    pub sent_bytes: u64,
    /// Chunks that it began to write.
    pub chunks_written: u64,
    /// Chunks that it has read and verified.
    pub chunks_read: u64,
    /// Calls of kv, repeated ones included.
    pub kv_operations: u64,
    /// Repeated calls of kv.
    pub kv_retries: u64,
    /// Bytes of values that kv was given.
    pub kv_written_bytes: u64,
    /// Bytes of values that kv has given.
    pub kv_read_bytes: u64,
    /// The trace that it is part of, as whoever asked for it said.
    pub trace: Option<String>,
}

/// What an operation is on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On<'a> {
    /// An object, or those whose keys begin so.
    Key(&'a str),
    /// An upload.
    Upload(&'a str),
    /// All of it.
    Store,
}

/// What [`Metrics::take_ended`] gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Those that ended since they were taken before, in the order of their ends.
    pub operations: Vec<Operation>,
    /// How many had ended before these and were dropped, since nobody took them.
    pub omitted: u64,
    /// How many are still under way.
    pub under_way: u32,
}

/// Operations that are noted.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Somebody has asked.
    wanted: Cell<bool>,
    ended: RefCell<VecDeque<Operation>>,
    omitted: Cell<u64>,
    under_way: Cell<u32>,
    /// The one whose future is being polled.
    at_work: RefCell<Option<Noted>>,
    /// What begins now is part of this trace.
    trace: RefCell<Option<Rc<str>>>,
}

type Noted = Rc<RefCell<Operation>>;

impl Notes {
    fn push(&self, operation: Operation) {
        let mut ended = self.ended.borrow_mut();
        if ended.len() == OPERATIONS_NOTED_MAX {
            ended.pop_front();
            self.omitted.update(|count| count + 1);
        }
        ended.push_back(operation);
    }
}

impl Metrics {
    /// The operations that have ended since they were taken before: at most the last
    /// [`OPERATIONS_NOTED_MAX`], of those that began after the first call. Who never calls
    /// it pays nothing.
    pub fn take_ended(&self) -> Ended {
        let notes = self.notes();
        notes.wanted.set(true);
        Ended {
            operations: notes.ended.take().into(),
            omitted: notes.omitted.take(),
            under_way: notes.under_way.get(),
        }
    }

    /// Does what is part of a trace: it is noted with the operations that begin meanwhile.
    /// `trace` is a `traceparent` of W3C Trace Context, or whatever else says which.
    pub(crate) async fn traced<T>(&self, trace: Option<&str>, part: impl Future<Output = T>) -> T {
        let Some(trace) = trace.filter(|_| self.notes().wanted.get()) else { return part.await };
        let trace: Rc<str> = bounded(trace).into();
        let mut part = pin!(part);
        poll_fn(|cx| {
            let before = self.notes().trace.replace(Some(trace.clone()));
            let _here = Restored { cell: &self.notes().trace, before };
            part.as_mut().poll(cx)
        })
        .await
    }

    /// Notes something of the operation that is at work, if operations are noted.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Operation)) {
        if let Some(operation) = &*self.notes().at_work.borrow() {
            note(&mut operation.borrow_mut());
        }
    }

    /// Begins an operation.
    pub(crate) fn work(&self, name: &'static str, on: On<'_>) -> Work {
        self.notes().under_way.update(|count| count + 1);
        let noted = self.notes().wanted.get().then(|| {
            let trace = self.notes().trace.borrow().as_deref().map(str::to_string);
            let mut operation = Operation { name, trace, ..Operation::default() };
            match on {
                On::Key(key) => operation.key = bounded(key),
                On::Upload(upload) => operation.upload = Some(bounded(upload)),
                On::Store => {}
            }
            Rc::new(RefCell::new(operation))
        });
        Work {
            scope: Scope { metrics: self.clone(), noted },
            under_way: Some(self.begin(&OPERATIONS, &UNDER_WAY, name, "abandoned")),
            name,
            begun_ns: self.now_ns(),
        }
    }
}

/// An operation under way. Dropped before its end, it is abandoned.
#[derive(Debug)]
pub(crate) struct Work {
    scope: Scope,
    under_way: Option<UnderWay>,
    name: &'static str,
    begun_ns: u64,
}

impl Work {
    /// Where parts of it are done.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// Notes something of it, if operations are noted.
    pub fn note(&self, note: impl FnOnce(&mut Operation)) {
        if let Some(operation) = &self.scope.noted {
            note(&mut operation.borrow_mut());
        }
    }

    /// How long it has been going on, in nanoseconds.
    pub fn elapsed_ns(&self) -> u64 {
        self.scope.metrics.now_ns().saturating_sub(self.begun_ns)
    }

    /// It has ended; what comes after is not counted.
    pub fn end(&mut self, error: Option<&Error>) {
        if let Some(under_way) = self.under_way.take() {
            let outcome = error.map_or("ok", Error::name);
            under_way.end(outcome);
            self.ended(outcome, error.map(Error::to_string));
        }
    }

    fn ended(&self, outcome: &'static str, failure: Option<String>) {
        let Scope { metrics, noted } = &self.scope;
        metrics.notes().under_way.update(|count| count - 1);
        let took_ns = self.elapsed_ns();
        metrics.observe(&OPERATION_SECONDS, [self.name, ""], took_ns as f64 / 1e9);
        if let Some(noted) = noted {
            metrics.notes().push(Operation {
                outcome,
                failure: failure.as_deref().map(bounded),
                ended_ns: metrics.wall_ns(),
                took_ns,
                ..noted.take()
            });
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.under_way.take().is_some() {
            self.ended("abandoned", None);
        }
    }
}

/// Where an operation is at work.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    metrics: Metrics,
    noted: Option<Noted>,
}

impl Scope {
    /// Does part of the operation. Those inside of it are at work in its place meanwhile.
    pub async fn around<T>(&self, part: impl Future<Output = T>) -> T {
        let mut part = pin!(part);
        poll_fn(|cx| {
            let _here = self.noted.as_ref().map(|noted| self.enter(noted));
            part.as_mut().poll(cx)
        })
        .await
    }

    fn enter(&self, noted: &Noted) -> Restored<'_, Option<Noted>> {
        let cell = &self.metrics.notes().at_work;
        Restored { cell, before: cell.replace(Some(noted.clone())) }
    }
}

/// What is in a cell for a while; then it is what it was before.
struct Restored<'a, T: Default> {
    cell: &'a RefCell<T>,
    before: T,
}

impl<T: Default> Drop for Restored<'_, T> {
    fn drop(&mut self) {
        *self.cell.borrow_mut() = std::mem::take(&mut self.before);
    }
}

/// The beginning of a text that may be of any length.
fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(NOTED_TEXT_BYTES_MAX)].to_string()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::join;

    use super::*;

    fn wanted() -> Metrics {
        let metrics = Metrics::default();
        metrics.take_ended();
        metrics
    }

    /// Notes a call of kv, later.
    async fn ask(metrics: &Metrics) {
        let mut waited = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            match std::mem::replace(&mut waited, true) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        metrics.note(|operation| operation.kv_operations += 1);
    }

    #[test]
    fn each_does_its_own_whoever_else_is_at_work() {
        let metrics = wanted();
        let run = async |name, calls| {
            let mut work = metrics.work(name, On::Key("key"));
            let inner = async {
                for _ in 0..calls {
                    ask(&metrics).await;
                }
            };
            work.scope().around(inner).await;
            work.end(None);
        };
        futures_executor::block_on(join(run("put", 3), run("get", 5)));
        let ended = metrics.take_ended().operations;
        let calls: Vec<_> = ended.iter().map(|it| (it.name, it.kv_operations)).collect();
        assert_eq!(calls, [("put", 3), ("get", 5)]);
        metrics.note(|_| panic!("nobody is at work"));
    }

    #[test]
    fn an_operation_within_another_does_its_own() {
        let metrics = wanted();
        let outer = metrics.work("put", On::Key("outer"));
        let inside = async {
            metrics.note(|operation| operation.kv_operations += 1);
            let inner = metrics.work("head", On::Key("inner"));
            let ten = async { metrics.note(|operation| operation.kv_operations += 10) };
            inner.scope().around(ten).await;
            drop(inner);
            metrics.note(|operation| operation.kv_operations += 1);
        };
        outer.scope().around(inside).now_or_never().unwrap();
        drop(outer);
        let ended = metrics.take_ended().operations;
        let calls: Vec<_> = ended.iter().map(|it| (&it.key[..], it.kv_operations)).collect();
        assert_eq!(calls, [("inner", 10), ("outer", 2)]);
    }

    #[test]
    fn how_it_ended_is_noted_and_only_from_the_first_time_that_somebody_asks() {
        let metrics = Metrics::default();
        let early = metrics.work("get", On::Key("early"));
        assert_eq!(metrics.take_ended(), Ended { under_way: 1, ..Ended::default() });
        metrics.work("get", On::Key("key")).end(Some(&Error::NotFound));
        metrics.work("append", On::Upload("name")).end(None);
        drop(metrics.work("get", On::Key("key")));
        drop(early);
        let Ended { operations, omitted, under_way } = metrics.take_ended();
        let ends: Vec<_> =
            operations.iter().map(|it| (it.name, it.outcome, it.failure.is_some())).collect();
        let expected = [("get", "not-found", true), ("append", "ok", false)];
        assert_eq!(ends, [&expected[..], &[("get", "abandoned", false)]].concat());
        assert_eq!(operations[1].upload.as_deref(), Some("name"));
        assert_eq!((omitted, under_way), (0, 0));
        assert_eq!(metrics.take_ended(), Ended::default());
    }

    #[test]
    fn what_begins_as_part_of_a_trace_is_noted_with_it() {
        let metrics = wanted();
        let run = async |name| {
            let mut work = metrics.work(name, On::Store);
            work.scope().around(ask(&metrics)).await;
            work.end(None);
        };
        let traced = async { (run("put").await, run("get").await) };
        let other = async { (run("head").await, run("list").await) };
        let both = join(metrics.traced(Some("a"), traced), metrics.traced(Some("b"), other));
        futures_executor::block_on(join(both, run("sweep")));
        let ended = metrics.take_ended().operations;
        let mut traces: Vec<_> = ended.iter().map(|it| (it.trace.as_deref(), it.name)).collect();
        traces.sort();
        let expected = [("a", "get"), ("a", "put"), ("b", "head"), ("b", "list")];
        let expected = expected.map(|(trace, name)| (Some(trace), name));
        assert_eq!(traces, [&[(None, "sweep")], &expected[..]].concat());
    }

    #[test]
    fn the_last_ones_are_kept_if_nobody_takes_them() {
        let metrics = wanted();
        for number in 0..OPERATIONS_NOTED_MAX + 2 {
            metrics.work("get", On::Key(&number.to_string())).end(None);
        }
        let ended = metrics.take_ended();
        assert_eq!((ended.operations.len(), ended.omitted), (OPERATIONS_NOTED_MAX, 2));
        assert_eq!(ended.operations[0].key, "2");
    }

    #[test]
    fn of_long_texts_the_beginning_is_noted() {
        let metrics = wanted();
        let key = "ä".repeat(NOTED_TEXT_BYTES_MAX);
        metrics.work("get", On::Key(&key)).end(None);
        let noted = &metrics.take_ended().operations[0].key;
        assert_eq!(noted.len(), NOTED_TEXT_BYTES_MAX);
        assert!(key.starts_with(noted));
    }
}
