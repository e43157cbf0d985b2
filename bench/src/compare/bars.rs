//! What has to hold, and whether it does.

use super::figure::Figure;
use super::results::{Results, Row, Table};
use super::startup;
use super::subject::{Group, Role};

/// Where the place is what takes time: the least share of the native loop's rate.
const FLOOR_SHARE_MIN: f64 = 0.9;

/// Where BLAKE3 in wasm may be what takes time: the least share of that alone, or of the native
/// loop's rate. Whichever is less is what has to be reached.
const WASM_SHARE_MIN: f64 = 0.8;

/// Who is ahead by less than this is not told from chance.
const AHEAD_MIN: f64 = 1.02;

/// The most that an object's memory may grow from the smallest size to the largest, where
/// small is what soak tests call so.
const MEMORY_GROWTH_MAX: f64 = 0.10;
const MEMORY_FROM_BYTES: u64 = 300_000_000;

/// What a command may take that does next to nothing, in milliseconds.
const STARTUP_MS_MAX: f64 = 30.0;

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What is judged, short.
    pub name: String,
    /// What was found.
    pub found: String,
    /// What has to be.
    pub wanted: String,
    /// Whether it is.
    pub holds: bool,
}

/// All that what was measured tells.
pub fn of(results: &Results) -> Vec<Bar> {
    let mut bars = Vec::new();
    for table in &results.tables {
        for group in Group::ALL {
            for (verb, figure) in [("put", Figure::Put), ("get", Figure::Get)] {
                bars.extend(share(table, group, verb, figure));
            }
            bars.extend(together(table, group));
            bars.extend(ahead(table, group));
        }
    }
    bars.extend(memory(results));
    bars.extend(startup(&results.startup));
    bars
}

/// The line that a run ends with.
pub fn line(bars: &[Bar]) -> String {
    let told = |holds: bool| {
        let named = bars.iter().filter(|bar| bar.holds == holds);
        let named: Vec<String> =
            named.map(|bar| format!("{} {} ({})", bar.name, bar.found, bar.wanted)).collect();
        if named.is_empty() { "none".to_string() } else { named.join("; ") }
    };
    let held = bars.iter().filter(|bar| bar.holds).count();
    format!("{held} of {} bars hold. Hold: {}. Fail: {}.", bars.len(), told(true), told(false))
}

fn size(table: &Table) -> String {
    super::size(table.size)
}

fn share(table: &Table, group: Group, verb: &str, figure: Figure) -> Option<Bar> {
    let own = table.row(group, Role::Own)?.median(figure)?;
    let floor = table.row(group, Role::Floor)?.median(figure)?;
    let wasm = table.wasm()?;
    let of_floor = match group {
        Group::Synced | Group::Redis | Group::RedisSynced => FLOOR_SHARE_MIN,
        _ => WASM_SHARE_MIN,
    };
    // Native code digests by wider instructions than WebAssembly has: where the place is
    // quicker than both, no loop of one instance keeps up with it.
    let (bound, least, beside) = match wasm * WASM_SHARE_MIN < floor * of_floor {
        true => (wasm, WASM_SHARE_MIN, "BLAKE3 in wasm"),
        false => (floor, of_floor, "native loop"),
    };
    let share = own / bound;
    Some(Bar {
        name: format!("{} {verb} of {}", group.name(), size(table)),
        found: format!("{share:.2}"),
        wanted: format!("{least} of {beside}"),
        holds: share >= least,
    })
}

/// Whether several instances digest more than one can.
fn together(table: &Table, group: Group) -> Option<Bar> {
    let own = table.row(group, Role::Together)?.median(Figure::Get)?;
    let share = own / table.wasm()?;
    Some(Bar {
        name: format!("{} get on all processors of {}", group.name(), size(table)),
        found: format!("{share:.2}"),
        wanted: "above 1 of BLAKE3 in wasm on one".to_string(),
        holds: share > 1.0,
    })
}

/// Whether somebody who verifies is ahead in anything: of this project with one instance, and
/// with one for each processor where that is measured too.
fn ahead(table: &Table, group: Group) -> Option<Bar> {
    table.row(group, Role::Own)?;
    let of_role = |roles: &[Role]| -> Vec<&Row> {
        table.group(group).filter(|row| roles.contains(&row.entry.role)).collect()
    };
    let own = of_role(&[Role::Own, Role::Together]);
    let peers = of_role(&[Role::Verifying]);
    if peers.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    for figure in Figure::JUDGED {
        for peer in &peers {
            let Some(theirs) = peer.median(figure) else { continue };
            let ours = own.iter().filter_map(|row| row.median(figure));
            let times = ours.map(|ours| figure.times(theirs, ours)).min_by(f64::total_cmp);
            if let Some(times) = times.filter(|times| *times >= AHEAD_MIN) {
                found.push(format!("{} by {times:.2} in {}", peer.entry.name, figure.title()));
            }
        }
    }
    Some(Bar {
        name: format!("{} peers of {}", group.name(), size(table)),
        holds: found.is_empty(),
        found: if found.is_empty() { "behind".to_string() } else { found.join(", ") },
        wanted: "none that verifies is ahead of all of ours".to_string(),
    })
}

fn memory(results: &Results) -> Option<Bar> {
    let small = results.sizes.iter().find(|one| one.bytes >= MEMORY_FROM_BYTES)?;
    let large = results.sizes.last().filter(|large| large.bytes > small.bytes)?;
    let growth = large.memory_bytes as f64 / small.memory_bytes as f64 - 1.0;
    Some(Bar {
        name: format!("memory, {} to {}", super::size(small.bytes), super::size(large.bytes)),
        found: format!("{:+.1} %", 100.0 * growth),
        wanted: format!("at most {:+} %", 100.0 * MEMORY_GROWTH_MAX),
        holds: growth <= MEMORY_GROWTH_MAX,
    })
}

fn startup(rows: &[startup::Row]) -> Option<Bar> {
    let row = rows.iter().find(|row| row.command == startup::GET)?;
    Some(Bar {
        name: "start-up".to_string(),
        found: format!("{:.0} ms", row.median_ms),
        wanted: format!("under {STARTUP_MS_MAX} ms"),
        holds: row.median_ms < STARTUP_MS_MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::measure::Figures;
    use crate::compare::subjects;

    /// A table in which everybody of a group has the same figures but for these.
    fn table(group: Group, figures: &[(Role, Figure, f64)]) -> Table {
        let rows = subjects::all().filter(|entry| entry.group == group).map(|entry| {
            let of = figures.iter().filter(|(role, ..)| *role == entry.role);
            let round: Figures = of.map(|(_, figure, value)| (*figure, *value)).collect();
            Row { entry, rounds: vec![round] }
        });
        Table { size: 1 << 20, rows: rows.collect(), wasm: vec![1000.0] }
    }

    #[test]
    fn where_wasm_is_the_bound_the_share_is_of_that() {
        for (group, own, floor, holds) in [
            (Group::Synced, 720.0, 800.0, true),
            (Group::Synced, 710.0, 800.0, false),
            (Group::Synced, 800.0, 2000.0, true),
            (Group::Synced, 790.0, 2000.0, false),
            (Group::Cached, 640.0, 800.0, true),
            (Group::Cached, 630.0, 800.0, false),
            (Group::Cached, 800.0, 2000.0, true),
            (Group::Cached, 790.0, 2000.0, false),
        ] {
            let figures = [(Role::Own, Figure::Put, own), (Role::Floor, Figure::Put, floor)];
            let bar = share(&table(group, &figures), group, "put", Figure::Put).unwrap();
            assert_eq!(bar.holds, holds, "{bar:?}");
        }
    }

    #[test]
    fn a_peer_that_verifies_is_ahead_by_more_or_by_less() {
        for (figure, theirs, holds) in [
            (Figure::Put, 101.0, true),
            (Figure::Put, 103.0, false),
            (Figure::FirstByte, 99.0, true),
            (Figure::FirstByte, 97.0, false),
        ] {
            let figures = [(Role::Own, figure, 100.0), (Role::Verifying, figure, theirs)];
            let bar = ahead(&table(Group::Cached, &figures), Group::Cached).unwrap();
            assert_eq!(bar.holds, holds, "{bar:?}");
        }
    }

    #[test]
    fn who_is_ahead_is_ahead_of_all_of_ours() {
        for (together, holds) in [(110.0, false), (120.0, true)] {
            let figures = [
                (Role::Own, Figure::Put, 100.0),
                (Role::Together, Figure::Put, together),
                (Role::Verifying, Figure::Put, 120.0),
            ];
            let bar = ahead(&table(Group::Cached, &figures), Group::Cached).unwrap();
            assert_eq!(bar.holds, holds, "{bar:?}");
        }
    }

    #[test]
    fn the_line_names_what_fails() {
        let bar = |name: &str, holds| Bar {
            name: name.to_string(),
            found: "0.5".to_string(),
            wanted: "0.9".to_string(),
            holds,
        };
        let line = line(&[bar("a", true), bar("b", false)]);
        assert_eq!(line, "1 of 2 bars hold. Hold: a 0.5 (0.9). Fail: b 0.5 (0.9).");
    }
}
