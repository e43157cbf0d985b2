use std::collections::BTreeSet;

use super::*;

const MS: u64 = 1_000_000;

/// What a caller does next.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Call,
    Accepted,
    Refused { begun_ns: u64, wait_ms: u64 },
}

/// A kv that allows so many calls a second, `burst` of them at once, takes 5 ms for each,
/// and asks who is refused to wait until there is room. Sixteen callers do nothing but
/// call, and sleep by whole milliseconds. Which part of what is allowed they get in so many
/// seconds, and which part of their calls is refused.
fn calls(per_second: f64, burst: f64, seconds: u64) -> (f64, f64) {
    let mut rate = Rate::default();
    let (mut tokens, mut filled_ns) = (burst, 0u64);
    let mut events: BTreeSet<_> = (0..16).map(|caller| (0, caller, Next::Call)).collect();
    let (mut accepted, mut refused) = (0.0, 0.0);
    while let Some((now, caller, next)) = events.pop_first() {
        if now > seconds * 1000 * MS {
            break;
        }
        let then = match next {
            Next::Call => match rate.turn(now) {
                0 => {
                    tokens = (tokens + (now - filled_ns) as f64 * per_second / 1e9).min(burst);
                    filled_ns = now;
                    if tokens >= 1.0 {
                        tokens -= 1.0;
                        accepted += 1.0;
                        (now + 5 * MS, caller, Next::Accepted)
                    } else {
                        refused += 1.0;
                        let wait_ms = ((1.0 - tokens) * 1000.0 / per_second).ceil() as u64;
                        (now + 5 * MS, caller, Next::Refused { begun_ns: now, wait_ms })
                    }
                }
                wait => (now + wait.div_ceil(MS) * MS, caller, Next::Call),
            },
            Next::Accepted => {
                rate.accepted(now);
                (now, caller, Next::Call)
            }
            Next::Refused { begun_ns, wait_ms } => {
                rate.refused(begun_ns, now, wait_ms);
                (now + wait_ms * MS, caller, Next::Call)
            }
        };
        events.insert(then);
    }
    (accepted / (seconds as f64 * per_second + burst), refused / (accepted + refused))
}

#[test]
fn nine_tenths_of_what_is_allowed_are_reached_with_few_refusals() {
    for (per_second, burst) in [(10.0, 1.0), (50.0, 1.0), (50.0, 50.0), (500.0, 20.0)] {
        let (reached, refused) = calls(per_second, burst, 300);
        assert!(reached > 0.9, "{reached} of {per_second} a second");
        assert!(refused < 0.05, "{refused} were refused of {per_second} a second");
    }
}

#[test]
fn who_is_never_refused_is_never_held_up() {
    let mut rate = Rate::default();
    for call in 0..1000 {
        assert_eq!(rate.turn(call), 0);
        rate.accepted(call);
    }
    assert_eq!(rate.per_second(), None);
}

#[test]
fn nobody_calls_before_the_wait_is_over() {
    let mut rate = Rate::default();
    rate.refused(0, 10 * MS, 300);
    assert_eq!(rate.turn(10 * MS), 300 * MS);
    assert_eq!(rate.turn(309 * MS), MS);
    assert_eq!(rate.turn(310 * MS), 0);
    assert!(rate.turn(310 * MS) > 0, "one after the other");
}

#[test]
fn a_wait_without_end_ends() {
    let mut rate = Rate::default();
    rate.refused(0, 0, u64::MAX);
    assert_eq!(rate.turn(0), CLOSED_MS_MAX * MS);
}

#[test]
fn refusals_of_calls_that_were_on_their_way_count_once() {
    let mut rate = Rate::default();
    for _ in 0..100 {
        rate.accepted(0);
    }
    rate.refused(0, 1000 * MS, 10);
    let after_one = rate.per_second();
    for late in 1..16 {
        rate.refused(0, (1000 + late) * MS, 10);
    }
    assert_eq!(rate.per_second(), after_one);
}

#[test]
fn a_minute_without_a_refusal_is_the_end_of_it() {
    let mut rate = Rate::default();
    rate.refused(0, 0, 1000);
    assert!(rate.per_second().is_some());
    assert_eq!(rate.turn(61_000 * MS), 0);
    assert_eq!(rate.per_second(), None);
}
