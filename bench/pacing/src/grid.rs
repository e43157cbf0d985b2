//! The cells, and running them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chunk_store_pacing::cell::{Cell, Reached};
use chunk_store_pacing::kv::Ability;

/// Sources and readers, in bytes per second.
pub const ENDS: [f64; 5] = [1e6, 8e6, 64e6, 500e6, 2e9];
/// Latencies of kv, in nanoseconds.
pub const LATENCIES: [u64; 6] =
    [100_000, 1_000_000, 5_000_000, 20_000_000, 100_000_000, 500_000_000];
/// Bandwidths of kv, in bytes per second.
pub const LINES: [f64; 3] = [20e6, 200e6, 2e9];
/// How many operations it serves at once. It says that 64 are useful.
pub const AT_ONCE: [usize; 3] = [4, 16, 64];
/// How many calls a second it allows.
pub const CALLS: [Option<f64>; 2] = [None, Some(50.0)];
/// How much its latency varies.
pub const JITTERS: [f64; 2] = [0.0, 0.5];

/// The budget of a store by default.
const MEMORY_BYTES: u64 = 16 << 20;

/// What came of a cell.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub cell: Cell,
    pub put: Reached,
    pub get: Reached,
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for bytes_per_second in ENDS {
        for latency_ns in LATENCIES {
            for line in LINES {
                for at_once in AT_ONCE {
                    for calls_per_second in CALLS {
                        for jitter in JITTERS {
                            let ability = Ability {
                                latency_ns,
                                jitter,
                                bytes_per_second: line,
                                at_once,
                                calls_per_second,
                                useful_max: 64,
                                memory_bytes_max: MEMORY_BYTES,
                            };
                            cells.push(Cell { ability, bytes_per_second });
                        }
                    }
                }
            }
        }
    }
    cells
}

/// Runs every cell, or one of so many, on two threads.
pub fn run(every: usize) -> Result<Vec<Outcome>, String> {
    let cells: Vec<Cell> = cells().into_iter().step_by(every).collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; cells.len()]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = cell.run().map(|(put, get)| Outcome { cell: *cell, put, get });
                    let outcome = outcome.map_err(|error| format!("{cell:?}: {error}"));
                    let at = cells.iter().position(|other| other == cell).expect("it is one");
                    outcomes.lock().expect("nobody panics")[at] = Some(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("nobody panics");
    outcomes.into_iter().map(|outcome| outcome.expect("all were run")).collect()
}
