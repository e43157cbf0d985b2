//! The `Range` header (RFC 9110, section 14.2) and which bytes it selects. Pure.

use chunk_store::range::{ByteRange, Span};
use http::HeaderMap;
use http::header::RANGE;

use crate::limits::{RANGE_GAP_BYTES, RANGES_MAX};

/// What `Range` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: there is no `Range`, or one that has to be ignored (sections 14.1.1, 14.2).
    Whole,
    /// One range.
    One(ByteRange),
    /// Several, at most [`RANGES_MAX`].
    Several(Vec<ByteRange>),
    /// More than anyone needs.
    TooMany,
}

/// Reads the `Range` header.
pub(crate) fn wanted(headers: &HeaderMap) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().ok().and_then(parse).unwrap_or(Wanted::Whole),
        _ => Wanted::Whole,
    }
}

/// `None` for another unit and for what is not well formed: one wrong range makes the whole
/// set invalid.
fn parse(text: &str) -> Option<Wanted> {
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = Vec::new();
    for spec in set.split(',').map(|spec| spec.trim_matches([' ', '\t'])) {
        // Lists may have empty elements (section 5.6.1.2).
        if spec.is_empty() {
            continue;
        }
        let range = parse_one(spec)?;
        if ranges.len() == RANGES_MAX {
            return Some(Wanted::TooMany);
        }
        ranges.push(range);
    }
    match ranges[..] {
        [] => None,
        [one] => Some(Wanted::One(one)),
        _ => Some(Wanted::Several(ranges)),
    }
}

fn parse_one(spec: &str) -> Option<ByteRange> {
    match spec.split_once('-')? {
        ("", count) => Some(ByteRange::Last(number(count)?)),
        (first, "") => Some(ByteRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| ByteRange::Between(first, last.saturating_add(1)))
        }
    }
}

/// A number of any length: beyond 64 bits it is beyond every object as well.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Whether a range selects something of an object of `size` bytes (section 14.1.2). The
/// last bytes of nothing are all of it, so such a range can be satisfied there.
pub(crate) fn is_satisfiable(range: ByteRange, size: u64) -> bool {
    match range {
        ByteRange::Between(first, _) | ByteRange::From(first) => first < size,
        ByteRange::Last(count) => count > 0,
    }
}

/// The spans that several ranges select of an object of `size` bytes, none of them empty:
/// those that overlap or nearly meet are one, in the order in which they were first asked
/// for (section 15.3.7.2). Together they are no longer than the object.
pub(crate) fn select(ranges: &[ByteRange], size: u64) -> Vec<Span> {
    let satisfiable = ranges.iter().filter(|range| is_satisfiable(**range, size));
    let mut spans: Vec<(usize, Span)> = satisfiable
        .filter_map(|range| range.resolve(size).ok().filter(|span| !span.is_empty()))
        .enumerate()
        .collect();
    spans.sort_by_key(|(_, span)| span.start);
    let mut merged: Vec<(usize, Span)> = Vec::with_capacity(spans.len());
    for (asked, span) in spans {
        match merged.last_mut() {
            Some((first_asked, last)) if span.start <= last.end.saturating_add(RANGE_GAP_BYTES) => {
                last.end = last.end.max(span.end);
                *first_asked = asked.min(*first_asked);
            }
            _ => merged.push((asked, span)),
        }
    }
    merged.sort_by_key(|(asked, _)| *asked);
    merged.into_iter().map(|(_, span)| span).collect()
}

/// `Content-Range` of a span, which is not empty, of an object of `size` bytes (section
/// 14.4).
pub(crate) fn content_range(span: Span, size: u64) -> String {
    format!("bytes {}-{}/{size}", span.start, span.end - 1)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_writes_them() {
        for (text, wanted) in [
            ("bytes=0-499", Wanted::One(ByteRange::Between(0, 500))),
            ("bytes=500-", Wanted::One(ByteRange::From(500))),
            ("bytes=-500", Wanted::One(ByteRange::Last(500))),
            ("BYTES=0-0", Wanted::One(ByteRange::Between(0, 1))),
            (
                "bytes= 0-0 ,, -1",
                Wanted::Several(vec![ByteRange::Between(0, 1), ByteRange::Last(1)]),
            ),
            ("bytes=,7-", Wanted::One(ByteRange::From(7))),
            ("bytes=0-99999999999999999999", Wanted::One(ByteRange::Between(0, u64::MAX))),
        ] {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_or_no_bytes_is_ignored() {
        for text in [
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=1",
            "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=0x1-2",
            "lines=1-2",
            "bytes 1-2",
            "bytes=1-2,x",
            "bytes=1 -2",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn more_ranges_than_anyone_needs_are_not_taken() {
        let set = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert!(matches!(parse(&set(RANGES_MAX)), Some(Wanted::Several(_))));
        assert_eq!(parse(&set(RANGES_MAX + 1)), Some(Wanted::TooMany));
    }

    #[test]
    fn overlapping_and_near_ranges_become_one_in_the_order_of_asking() {
        let far = 10_000;
        let ranges = [
            ByteRange::Between(far, far + 10),
            ByteRange::Between(0, 10),
            ByteRange::Between(10, 20),
            ByteRange::Between(5, 12),
            ByteRange::Between(far * 9, far * 9 + 1),
        ];
        assert_eq!(select(&ranges, far * 2), [Span::new(far, far + 10), Span::new(0, 20)]);
        let near = [ByteRange::Between(0, 1), ByteRange::Between(1 + RANGE_GAP_BYTES, 500)];
        assert_eq!(select(&near, 500), [Span::new(0, 500)]);
    }

    #[test]
    fn of_nothing_only_the_last_bytes_can_be_had() {
        assert!(!is_satisfiable(ByteRange::From(0), 0));
        assert!(!is_satisfiable(ByteRange::Between(0, 1), 0));
        assert!(is_satisfiable(ByteRange::Last(1), 0));
        assert!(!is_satisfiable(ByteRange::Last(0), 10));
        assert_eq!(select(&[ByteRange::Last(1)], 0), []);
    }

    fn some_range() -> impl Strategy<Value = ByteRange> {
        prop_oneof![
            (0..2000_u64, 1..500_u64)
                .prop_map(|(first, count)| ByteRange::Between(first, first + count)),
            (0..2000_u64).prop_map(ByteRange::From),
            (0..2000_u64).prop_map(ByteRange::Last),
        ]
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_ignored(text in "\\PC{0,40}", set in "[-0-9, ]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&format!("bytes={set}"));
        }

        /// Each byte asked for is sent once; no more is sent than the object has.
        #[test]
        fn every_byte_asked_for_is_in_one_span(ranges in vec(some_range(), 1..20), size in 0..1500_u64) {
            let spans = select(&ranges, size);
            for byte in 0..size {
                let asked = ranges.iter().any(|range| {
                    range.resolve(size).is_ok_and(|span| span.start <= byte && byte < span.end)
                });
                let sent = spans.iter().filter(|span| span.start <= byte && byte < span.end).count();
                prop_assert!(sent <= 1 && (!asked || sent == 1), "byte {}", byte);
            }
            prop_assert!(spans.iter().all(|span| !span.is_empty() && span.end <= size));
        }
    }
}
