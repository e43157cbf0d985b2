//! Whether what clients saw of one key can be explained: by an order of their operations
//! in which each takes effect at one moment between its beginning and its end
//! (linearizability, by the search of Wing and Gong).

use std::collections::HashSet;

use tokio::time::Instant;

/// Which content a key holds: the number of its put.
pub type Content = Option<u64>;

/// What an operation did, if it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It saw this, and changed nothing.
    Saw(Content),
    /// It wrote this over whatever there was.
    Wrote(Content),
    /// It wrote this where there was nothing.
    Created(u64),
    /// It wrote this over, or deleted, something that was there.
    Changed(Content),
}

/// One operation.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub effect: Effect,
    pub begun: Instant,
    /// `None` if nobody knows whether and when it took effect.
    pub ended: Option<Instant>,
    /// Of one of which nobody knows: when it did not take effect any more, if that is
    /// known.
    pub until: Option<Instant>,
}

impl Effect {
    /// What the key holds then, if it can take effect on that.
    fn apply(self, held: Content) -> Option<Content> {
        match self {
            Effect::Saw(seen) => (seen == held).then_some(held),
            Effect::Wrote(content) => Some(content),
            Effect::Created(content) => held.is_none().then_some(Some(content)),
            Effect::Changed(content) => held.is_some().then_some(content),
        }
    }
}

impl Effect {
    /// A put that was not answered, and does not find its object when it looks, is made
    /// again: if it had taken effect and was replaced or deleted at once, it takes effect
    /// twice before its end.
    fn may_repeat(self) -> bool {
        !matches!(self, Effect::Saw(_) | Effect::Wrote(None) | Effect::Changed(None))
    }
}

/// Whether there is such an order, from an empty key on.
pub fn is_explainable(events: &[Event]) -> bool {
    assert!(events.len() <= 64, "the set of those that are done is 64 bits wide");
    let certain = (0..events.len()).filter(|at| events[*at].ended.is_some());
    let wanted = certain.fold(0u64, |set, at| set | 1 << at);
    search(events, wanted, 0, None, &mut HashSet::new())
}

fn search(
    events: &[Event],
    wanted: u64,
    done: u64,
    held: Content,
    seen: &mut HashSet<(u64, Content)>,
) -> bool {
    if done & wanted == wanted {
        return true;
    }
    if !seen.insert((done, held)) {
        return false;
    }
    let left = || (0..events.len()).filter(|at| done & 1 << at == 0);
    // Whoever ended first of those left began before whatever comes next, and what comes
    // next comes after the beginning of all that are done.
    let horizon = left().filter_map(|at| events[at].ended).min();
    let latest =
        (0..events.len()).filter(|at| done & 1 << at != 0).map(|at| events[at].begun).max();
    left().any(|at| {
        let event = &events[at];
        let possible = horizon.is_none_or(|horizon| event.begun <= horizon)
            && event.until.is_none_or(|until| latest.is_none_or(|latest| latest <= until));
        match event.effect.apply(held) {
            Some(next) if possible => {
                search(events, wanted, done | 1 << at, next, seen)
                    || event.effect.may_repeat() && search(events, wanted, done, next, seen)
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn history(events: &[(Effect, u64, u64)]) -> Vec<Event> {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let event = |&(effect, begun, ended)| Event {
            effect,
            begun: at(begun),
            ended: (ended > 0).then(|| at(ended)),
            until: None,
        };
        events.iter().map(event).collect()
    }

    #[test]
    fn what_can_be_explained_is_told_from_what_cannot() {
        use Effect::{Changed, Created, Saw, Wrote};
        let good: &[&[(Effect, u64, u64)]] = &[
            &[],
            &[(Wrote(Some(1)), 1, 2), (Saw(Some(1)), 3, 4)],
            &[(Wrote(Some(1)), 1, 9), (Saw(None), 2, 3), (Saw(Some(1)), 4, 5)],
            &[(Wrote(Some(1)), 1, 0), (Saw(None), 5, 6), (Saw(Some(1)), 7, 8)],
            &[(Created(1), 1, 5), (Changed(None), 2, 6), (Saw(None), 7, 8)],
        ];
        let bad: &[&[(Effect, u64, u64)]] = &[
            &[(Saw(Some(1)), 1, 2)],
            &[(Wrote(Some(1)), 1, 2), (Saw(None), 3, 4)],
            &[(Wrote(Some(1)), 1, 9), (Saw(Some(1)), 2, 3), (Saw(None), 4, 5)],
            &[(Created(1), 1, 5), (Created(2), 2, 6)],
            &[(Changed(Some(1)), 1, 5)],
        ];
        for events in good {
            assert!(is_explainable(&history(events)), "{events:?}");
        }
        for events in bad {
            assert!(!is_explainable(&history(events)), "{events:?}");
        }
    }

    /// As a commit that failed, and nobody tried again.
    #[test]
    fn what_may_have_taken_effect_did_so_before_it_could_not_any_more() {
        use Effect::{Saw, Wrote};
        let maybe = (Wrote(Some(1)), 1, 0);
        for (seen, explained) in [(5, true), (8, false)] {
            let mut events =
                history(&[maybe, (Wrote(Some(2)), seen - 1, seen), (Saw(Some(1)), 9, 10)]);
            events[0].until = Some(events[0].begun + Duration::from_millis(5));
            assert_eq!(is_explainable(&events), explained, "{events:?}");
        }
    }
}
