//! Spans: what `get` returns of part of a value.

use bytes::Bytes;
use chunk_store::range::Span;

use crate::subject::Subject;

async fn part(subject: &Subject, key: &str, span: Span) -> Bytes {
    let entry = subject.get(key, Some(span)).await.unwrap();
    entry.expect("the key holds a value").value
}

/// What a backend is to return of `value` for a span.
fn wanted(subject: &Subject, value: &[u8], span: Span) -> Bytes {
    if !subject.limits().ranged_get {
        return Bytes::copy_from_slice(value);
    }
    let cut = |offset: u64| offset.min(value.len() as u64) as usize;
    Bytes::copy_from_slice(&value[cut(span.start)..cut(span.end)])
}

pub async fn a_span_is_cut_to_the_value(subject: &Subject) {
    let value: Vec<u8> = (0..100_000_u32).map(|at| (at % 249) as u8).collect();
    let end = value.len() as u64;
    subject.put("value", value.clone()).await;
    let edges = [0, 1, 4095, 4096, 4097, 65536, end - 1, end, end + 1];
    let far = [u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
    let edges: Vec<u64> = edges.into_iter().chain(far).collect();
    for &start in &edges {
        for &end in edges.iter().filter(|end| **end >= start) {
            let span = Span::new(start, end);
            let found = part(subject, "value", span).await;
            assert!(found == wanted(subject, &value, span), "{span:?}");
        }
    }
}

pub async fn a_span_of_the_empty_value_is_empty(subject: &Subject) {
    subject.put("empty", "").await;
    for (start, end) in [(0, 0), (0, 1), (5, 9), (0, u64::MAX)] {
        assert!(part(subject, "empty", Span::new(start, end)).await.is_empty());
    }
}

pub async fn a_span_of_nothing_is_nothing(subject: &Subject) {
    for span in [Span::new(0, 0), Span::new(0, 10)] {
        assert_eq!(subject.get("nothing", Some(span)).await, Ok(None));
    }
}

pub async fn a_span_has_the_version_of_the_whole(subject: &Subject) {
    subject.put("value", "some bytes").await;
    let whole = subject.entry("value").await.unwrap().version;
    assert_eq!(whole.is_some(), subject.limits().conditional_write);
    for (start, end) in [(0, 0), (0, 4), (3, 10), (0, 10), (10, 20)] {
        let span = Span::new(start, end);
        let entry = subject.get("value", Some(span)).await.unwrap().unwrap();
        assert_eq!(entry.version, whole, "{span:?}");
    }
}
