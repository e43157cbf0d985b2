//! Spans of an object, half open, in bytes. Pure.

use crate::error::Error;

/// Bytes `start..end`, end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Span {
    /// First byte.
    pub start: u64,
    /// One past the last byte; never less than `start`.
    pub end: u64,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    pub fn new(start: u64, end: u64) -> Self {
        assert!(start <= end, "span {start}..{end} runs backwards");
        Self { start, end }
    }

    /// How many bytes it holds.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether it holds no byte.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What both spans hold; empty at the later start if they do not meet.
    pub fn intersect(&self, other: Span) -> Span {
        let start = self.start.max(other.start);
        Span { start, end: self.end.min(other.end).max(start) }
    }
}

/// A wish for part of an object whose size the caller may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first offset up to, not including, the second.
    Between(u64, u64),
    /// From this offset to the end.
    From(u64),
    /// The last so many bytes.
    Last(u64),
}

impl ByteRange {
    /// The bytes it selects of an object of `size` bytes, cut to the object.
    ///
    /// Of an empty object every range selects the empty span. Of another one, a
    /// range that selects no byte is [`Error::RangeNotSatisfiable`] (RFC 9110,
    /// section 14.1.1), and one that runs backwards is [`Error::InvalidArgument`].
    pub fn resolve(self, size: u64) -> Result<Span, Error> {
        let span = match self {
            ByteRange::Between(start, end) if start > end => {
                return Err(Error::InvalidArgument(format!(
                    "the range {start}..{end} runs backwards"
                )));
            }
            ByteRange::Between(start, end) => Span::new(start.min(size), end.min(size)),
            ByteRange::From(start) => Span::new(start.min(size), size),
            ByteRange::Last(count) => Span::new(size.saturating_sub(count), size),
        };
        if span.is_empty() && size > 0 {
            return Err(Error::RangeNotSatisfiable(size));
        }
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_cut_to_the_object() {
        assert_eq!(ByteRange::Between(2, 5).resolve(10), Ok(Span::new(2, 5)));
        assert_eq!(ByteRange::Between(2, u64::MAX).resolve(10), Ok(Span::new(2, 10)));
        assert_eq!(ByteRange::From(9).resolve(10), Ok(Span::new(9, 10)));
        assert_eq!(ByteRange::Last(3).resolve(10), Ok(Span::new(7, 10)));
        assert_eq!(ByteRange::Last(u64::MAX).resolve(10), Ok(Span::new(0, 10)));
    }

    #[test]
    fn a_range_that_selects_nothing_carries_the_size() {
        for range in [
            ByteRange::Between(10, 11),
            ByteRange::Between(3, 3),
            ByteRange::From(10),
            ByteRange::From(u64::MAX),
            ByteRange::Last(0),
        ] {
            assert_eq!(range.resolve(10), Err(Error::RangeNotSatisfiable(10)), "{range:?}");
        }
    }

    #[test]
    fn the_empty_object_satisfies_every_range_with_nothing() {
        for range in [ByteRange::Between(0, 1), ByteRange::From(0), ByteRange::Last(5)] {
            assert_eq!(range.resolve(0), Ok(Span::new(0, 0)), "{range:?}");
        }
    }

    #[test]
    fn a_backward_range_is_refused() {
        assert!(matches!(ByteRange::Between(5, 2).resolve(10), Err(Error::InvalidArgument(_))));
    }

    proptest! {
        #[test]
        fn resolves_to_what_a_slice_would(start: u64, end: u64, size in 0u64..1000) {
            let expected = (start..end.max(start)).start.min(size)..end.min(size).max(start.min(size));
            if let Ok(span) = ByteRange::Between(start.min(end), start.max(end)).resolve(size) {
                prop_assert!(span.end <= size);
                prop_assert_eq!(span.start, start.min(end).min(size));
            }
            prop_assert!(expected.end <= size);
        }

        #[test]
        fn intersection_is_in_both(a in 0u64..50, b in 0u64..50, c in 0u64..50, d in 0u64..50) {
            let (x, y) = (Span::new(a.min(b), a.max(b)), Span::new(c.min(d), c.max(d)));
            let both = x.intersect(y);
            for byte in 0..50 {
                let holds = |s: Span| s.start <= byte && byte < s.end;
                prop_assert_eq!(holds(both), holds(x) && holds(y));
            }
        }
    }
}
