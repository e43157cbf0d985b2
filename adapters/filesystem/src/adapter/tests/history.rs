//! What happened to one key, and whether it can have happened one thing after the other.

use std::collections::BTreeSet;

use chunk_store::kv::{Condition, Outcome};

/// What is done to the key.
#[derive(Debug, Clone)]
pub enum Act {
    Get,
    /// Each value is set once.
    Set(String, Option<Condition>),
    Delete(Option<Condition>),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Found(Option<String>),
    Wrote(Outcome),
    /// It said that nothing was changed.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// Something that was done, from one moment to another.
#[derive(Debug, Clone)]
pub struct Event {
    pub act: Act,
    pub begun: u64,
    pub ended: u64,
    pub end: End,
}

/// The version of a value.
pub fn version(value: &str) -> String {
    blake3::hash(value.as_bytes()).to_hex().to_string()
}

/// Whether there is an order of these events, each between its begin and its end, in which
/// each ended as it did.
pub fn is_possible(events: &[Event]) -> bool {
    let mut seen = BTreeSet::new();
    can_go_on(events, 0, None, &mut seen)
}

type Seen = BTreeSet<(u64, Option<String>)>;

fn can_go_on(events: &[Event], done: u64, value: Option<String>, seen: &mut Seen) -> bool {
    let open = |at: usize| done & (1 << at) == 0;
    if (0..events.len()).all(|at| !open(at)) {
        return true;
    }
    if !seen.insert((done, value.clone())) {
        return false;
    }
    // What began after another open one had ended cannot come before it.
    let first_end = (0..events.len()).filter(|at| open(*at)).map(|at| events[at].ended).min();
    let first_end = first_end.expect("one is open");
    (0..events.len()).filter(|at| open(*at) && events[*at].begun <= first_end).any(|at| {
        let after = after(&events[at], &value);
        after.into_iter().any(|value| can_go_on(events, done | 1 << at, value, seen))
    })
}

/// What the value can be after an event; nothing, if it cannot have ended as it did.
fn after(event: &Event, value: &Option<String>) -> Vec<Option<String>> {
    let unchanged = || vec![value.clone()];
    let (condition, new) = match &event.act {
        Act::Get => {
            let fits = match &event.end {
                End::Found(found) => found == value,
                _ => true,
            };
            return if fits { unchanged() } else { Vec::new() };
        }
        Act::Set(new, condition) => (condition, Some(new.clone())),
        Act::Delete(condition) => (condition, None),
    };
    let holds = match condition {
        None => true,
        Some(Condition::Absent) => value.is_none(),
        Some(Condition::VersionIs(wanted)) => {
            value.as_ref().is_some_and(|value| version(value) == *wanted)
        }
    };
    match (&event.end, holds) {
        (End::Wrote(Outcome::Done), true) => vec![new],
        (End::Wrote(Outcome::Stale), false) | (End::Nothing, _) => unchanged(),
        (End::Unknown, true) => vec![value.clone(), new],
        (End::Unknown, false) => unchanged(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(act: Act, (begun, ended): (u64, u64), end: End) -> Event {
        Event { act, begun, ended, end }
    }

    fn set(value: &str, condition: Option<Condition>, time: (u64, u64), outcome: Outcome) -> Event {
        event(Act::Set(value.into(), condition), time, End::Wrote(outcome))
    }

    fn found(value: Option<&str>, time: (u64, u64)) -> Event {
        event(Act::Get, time, End::Found(value.map(String::from)))
    }

    #[test]
    fn a_lost_update_is_noticed() {
        let seen = || Some(Condition::VersionIs(version("a")));
        let first = set("a", None, (0, 1), Outcome::Done);
        let both = |second: Outcome| {
            [
                first.clone(),
                set("b", seen(), (2, 5), Outcome::Done),
                set("c", seen(), (2, 5), second),
            ]
        };
        assert!(is_possible(&both(Outcome::Stale)));
        assert!(!is_possible(&both(Outcome::Done)));
    }

    #[test]
    fn a_write_without_condition_that_was_undone_is_noticed() {
        let seen = Some(Condition::VersionIs(version("a")));
        let begin = [
            set("a", None, (0, 1), Outcome::Done),
            set("b", seen, (2, 5), Outcome::Done),
            set("u", None, (2, 5), Outcome::Done),
        ];
        let then = |value| [&begin[..], &[found(Some(value), (6, 7))]].concat();
        assert!(is_possible(&then("u")));
        assert!(!is_possible(&then("b")));
    }

    #[test]
    fn what_nobody_knows_may_have_happened_or_not() {
        let unknown = event(Act::Set("b".into(), None), (2, 3), End::Unknown);
        let nothing = event(Act::Set("b".into(), None), (2, 3), End::Nothing);
        let first = set("a", None, (0, 1), Outcome::Done);
        for (second, value, possible) in [
            (&unknown, "a", true),
            (&unknown, "b", true),
            (&nothing, "a", true),
            (&nothing, "b", false),
        ] {
            let events = [first.clone(), second.clone(), found(Some(value), (4, 5))];
            assert_eq!(is_possible(&events), possible, "{second:?} {value}");
        }
    }

    #[test]
    fn what_came_after_is_not_put_before() {
        let set = set("a", None, (0, 1), Outcome::Done);
        assert!(!is_possible(&[set.clone(), found(None, (2, 3))]));
        assert!(is_possible(&[set, found(None, (1, 3))]));
    }
}
