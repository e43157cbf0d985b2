//! Which bytes of an object one of several readers gives. Pure.
//!
//! One instance digests on one processor. So that several can read a large object at once,
//! each takes every `of`-th run of its bytes, verifies what it takes as any reader does,
//! and whoever has opened them puts the runs together again.

use crate::error::Error;
use crate::range::Span;

/// One reader's share of the reading; `objects.stripe` of the WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stripe {
    /// How many bytes a run has, counted from the beginning of the object.
    pub run_bytes: u64,
    /// How many readers there are.
    pub of: u32,
    /// Which of them this is, from 0: the one that takes the first run of what is read.
    pub index: u32,
}

impl Stripe {
    /// [`Error::InvalidArgument`] for one that takes nothing, or cannot be.
    pub fn check(self) -> Result<(), Error> {
        let Self { run_bytes, of, index } = self;
        if run_bytes == 0 || index >= of {
            return Err(Error::InvalidArgument(format!(
                "stripe {index} of {of} in runs of {run_bytes} bytes cannot be; number stripes from 0, in runs of at least 1 byte"
            )));
        }
        Ok(())
    }
}

/// What is read: part of an object, or a stripe of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Which bytes of the object all readers give together. Its start may move on.
    pub part: Span,
    stripe: Option<Stripe>,
    /// The run that the first reader begins with.
    first_run: u64,
}

impl From<Span> for Cut {
    fn from(part: Span) -> Self {
        Self::new(part, None)
    }
}

impl Cut {
    /// A stripe, if it is one, of a part of an object.
    pub fn new(part: Span, stripe: Option<Stripe>) -> Self {
        let first_run = stripe.map_or(0, |stripe| part.start / stripe.run_bytes);
        Self { part, stripe, first_run }
    }

    /// The first bytes that belong to it, as far as they follow each other.
    pub fn first(&self) -> Option<Span> {
        self.first_in(self.part)
    }

    /// The same of what lies `here`.
    pub fn first_in(&self, here: Span) -> Option<Span> {
        let here = self.part.intersect(here);
        if here.is_empty() {
            return None;
        }
        let Some(Stripe { run_bytes, of, index }) = self.stripe else { return Some(here) };
        let run = here.start / run_bytes;
        let of = u64::from(of);
        let turn = (run - self.first_run) % of;
        let own = run + (u64::from(index) + of - turn) % of;
        let start = own.saturating_mul(run_bytes);
        let end = start.saturating_add(run_bytes);
        let own = here.intersect(Span { start, end });
        (!own.is_empty()).then_some(own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_in(cut: &Cut, mut here: Span) -> Vec<Span> {
        let mut all = Vec::new();
        while let Some(span) = cut.first_in(here) {
            all.push(span);
            here.start = span.end;
        }
        all
    }

    #[test]
    fn runs_are_dealt_out_in_turn_from_the_first_byte_that_is_read() {
        let stripe = |index| Some(Stripe { run_bytes: 10, of: 2, index });
        let part = Span::new(25, 58);
        let first = all_in(&Cut::new(part, stripe(0)), part);
        let second = all_in(&Cut::new(part, stripe(1)), part);
        assert_eq!(first, [Span::new(25, 30), Span::new(40, 50)]);
        assert_eq!(second, [Span::new(30, 40), Span::new(50, 58)]);
    }

    #[test]
    fn turns_stay_as_they_were_while_the_start_moves_on() {
        let stripe = Some(Stripe { run_bytes: 10, of: 3, index: 1 });
        let mut cut = Cut::new(Span::new(5, 100), stripe);
        let all = all_in(&cut, cut.part);
        for at in 5..100 {
            cut.part.start = at;
            let own = all.iter().find(|span| span.end > at).copied();
            let left = own.map(|span| Span::new(span.start.max(at), span.end));
            assert_eq!(cut.first(), left, "from {at}");
        }
    }

    #[test]
    fn without_a_stripe_it_is_the_part() {
        let cut = Cut::from(Span::new(3, 9));
        assert_eq!(cut.first_in(Span::new(0, 5)), Some(Span::new(3, 5)));
        assert_eq!(cut.first_in(Span::new(9, 12)), None);
    }

    #[test]
    fn a_stripe_that_cannot_be_is_refused() {
        for (run_bytes, of, index) in [(0, 2, 0), (1, 0, 0), (1, 2, 2)] {
            let refused = Stripe { run_bytes, of, index }.check();
            assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{run_bytes} {of} {index}");
        }
        assert_eq!(Stripe { run_bytes: 1, of: 1, index: 0 }.check(), Ok(()));
    }

    proptest! {
        #[test]
        fn every_byte_belongs_to_one_stripe(
            run_bytes in 1u64..50,
            of in 1u32..5,
            start in 0u64..200,
            length in 0u64..200,
            chunk in 1u64..60,
        ) {
            let part = Span::new(start, start + length);
            let mut seen = Vec::new();
            for index in 0..of {
                let cut = Cut::new(part, Some(Stripe { run_bytes, of, index }));
                // Whatever chunks the object is cut into.
                for offset in (0..part.end).step_by(chunk as usize) {
                    let here = Span::new(offset, offset + chunk);
                    seen.extend(all_in(&cut, here).into_iter().flat_map(|s| s.start..s.end));
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (part.start..part.end).collect::<Vec<_>>());
        }
    }
}
