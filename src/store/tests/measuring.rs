//! What is counted and noted of operations.

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::kv::KvError;
use crate::limits::KV_ATTEMPTS;
use crate::metrics::Operation;
use crate::object::GetOptions;

const CHUNK: u64 = 65_536;

fn value(bed: &Bed, name: &str, label: (&str, &str)) -> u64 {
    bed.store.metrics().value(name, &[label]) as u64
}

/// A bed whose operations are noted.
fn noted() -> Bed {
    let bed = Bed::new(able());
    bed.store.take_ended();
    bed
}

/// The one operation that has ended.
fn ended(bed: &Bed) -> Operation {
    let mut ended = bed.store.take_ended().operations;
    assert_eq!(ended.len(), 1, "{ended:?}");
    ended.remove(0)
}

#[test]
fn a_put_is_noted_with_its_chunks_calls_and_retries() {
    let bed = noted();
    bed.kv.once("set", "c/", Act::LoseAnswer);
    let began = bed.clock.ms.get();
    bed.put("a", &content(300_000)).unwrap();
    let put = ended(&bed);
    assert_eq!((put.name, &put.key[..], put.outcome), ("put", "a", "ok"));
    assert_eq!((put.received_bytes, put.sent_bytes), (300_000, 0));
    assert_eq!((put.chunks_written, put.chunks_read), (5, 0));
    assert_eq!(put.kv_operations, bed.kv.asked.borrow().len() as u64);
    assert_eq!(put.kv_retries, 1);
    assert!(put.kv_written_bytes > 300_000 + 64_000, "one was sent twice: {put:?}");
    assert_eq!(put.took_ns, (bed.clock.ms.get() - began) * 1_000_000);
    assert_eq!(put.ended_ns, (1_790_000_000_000 + bed.clock.ms.get()) * 1_000_000);
}

#[test]
fn a_get_is_noted_when_its_last_byte_is_out() {
    let bed = noted();
    bed.put("a", &content(300_000)).unwrap();
    ended(&bed);
    bed.kv.asked.borrow_mut().clear();
    bed.read("a").1.unwrap();
    let get = ended(&bed);
    assert_eq!((get.name, get.outcome, get.sent_bytes), ("get", "ok", 300_000));
    assert_eq!((get.chunks_read, get.kv_operations), (5, 6));
    assert_eq!(get.first_byte_ns, Some(0), "the clock stood still");
    assert!(get.kv_read_bytes > 300_000);
}

#[test]
fn a_failure_is_noted_with_what_it_says() {
    let bed = noted();
    bed.put("a", &content(300_000)).unwrap();
    ended(&bed);
    bed.kv.damage(&bed.kv.keys("c/")[1]);
    bed.read("a").1.unwrap_err();
    let get = ended(&bed);
    assert_eq!((get.outcome, get.sent_bytes), ("corrupt", CHUNK));
    assert!(get.failure.unwrap().contains("chunk 1"));
}

#[test]
fn operations_on_an_upload_are_noted_with_it_and_with_the_object_that_it_becomes() {
    let bed = noted();
    let name = block_on(bed.store.begin("a", &chunked())).unwrap();
    block_on(bed.store.append(&name, 0, SliceSource::new(&content(100_000), 10_000))).unwrap();
    block_on(bed.store.commit_upload(&name)).unwrap();
    let ended = bed.store.take_ended().operations;
    let what: Vec<_> = ended.iter().map(|it| (it.name, &it.key[..], it.upload.clone())).collect();
    let name = Some(name);
    let expected = ["begin", "append", "commit"].map(|what| (what, "a", name.clone()));
    assert_eq!(what, expected);
}

#[test]
fn a_call_that_takes_too_long_is_a_timeout_and_one_that_nobody_waits_for_is_abandoned() {
    let bed = Bed::new(able());
    bed.put("a", &content(300_000)).unwrap();
    let outcome = |outcome| value(&bed, "chunk_store_kv_operations_total", ("outcome", outcome));
    let mut reader = block_on(bed.store.get("a", &GetOptions::default())).unwrap().1;
    bed.kv.rule(|asked| (asked.verb == "get").then_some(Act::Hang));
    let waiting = futures::FutureExt::now_or_never(reader.next());
    assert!(waiting.is_none());
    drop(reader);
    let abandoned = outcome("abandoned");
    assert!(abandoned > 0);
    assert!(matches!(block_on(bed.store.head("a", None)), Err(Error::Unavailable(..))));
    assert_eq!(outcome("timeout"), KV_ATTEMPTS.total_ms.div_ceil(KV_ATTEMPTS.timeout_ms));
    assert_eq!(outcome("abandoned"), abandoned);
}

#[test]
fn what_was_read_ahead_is_used_or_wasted() {
    let bed = Bed::new(able());
    bed.put("a", &content(10 * CHUNK as usize)).unwrap();
    let ahead = |outcome| value(&bed, "chunk_store_read_ahead_bytes_total", ("outcome", outcome));
    bed.read("a").1.unwrap();
    assert_eq!((ahead("used"), ahead("wasted")), (9 * CHUNK, 0), "it waited for the first");
    let mut reader = block_on(bed.store.get("a", &GetOptions::default())).unwrap().1;
    block_on(reader.next()).unwrap().unwrap();
    drop(reader);
    let asked = bed.kv.asked("get").len();
    // All that was asked for besides the manifests and the chunks that were given out.
    let wasted = asked as u64 - 2 - 10 - 1;
    assert!(wasted > 0);
    assert_eq!((ahead("used"), ahead("wasted")), (9 * CHUNK, wasted * CHUNK));
}

#[test]
fn what_is_given_back_while_memory_is_wanted_counts_as_wasted() {
    let bed = Bed::new(able());
    bed.put("a", &content(10 * CHUNK as usize)).unwrap();
    let mut reader = block_on(bed.store.get("a", &GetOptions::default())).unwrap().1;
    let piece = block_on(reader.next()).unwrap().unwrap();
    reader.put_back(piece.bytes.len() as u64);
    drop(piece);
    let wasted = value(&bed, "chunk_store_read_ahead_bytes_total", ("outcome", "wasted"));
    assert!(wasted > 0);
    assert_eq!(value(&bed, "chunk_store_body_bytes_total", ("direction", "out")), CHUNK);
}

#[test]
fn the_most_memory_that_was_in_use_stays_known() {
    let bed = Bed::new(able());
    bed.put("a", &content(1_000_000)).unwrap();
    let now = bed.store.metrics();
    let value = |name| now.value(name, &[]) as u64;
    assert_eq!(value("chunk_store_buffer_bytes"), 0);
    let peak = value("chunk_store_buffer_peak_bytes");
    assert!(peak >= 2 * CHUNK && peak <= value("chunk_store_buffer_limit_bytes"), "{peak}");
}

#[test]
fn operations_take_as_long_as_they_take() {
    let bed = Bed::new(able());
    bed.kv.once("set", "c/", Act::Fail(KvError::Throttled(700)));
    bed.put("a", &content(300_000)).unwrap();
    let now = bed.store.metrics();
    let took = now.histograms.iter().find(|it| it.name == "chunk_store_operation_seconds");
    let took = took.unwrap();
    assert_eq!((took.count, &took.labels[0].1[..]), (1, "put"));
    assert!(took.sum >= 0.7, "{}", took.sum);
}
