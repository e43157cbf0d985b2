//! Whose turn it is, what time it is: by chance, the same for the same seed.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chunk_store::clock::Clock;

/// A task: one writer.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Chance, and the time that passes while tasks take turns: a handle.
#[derive(Clone)]
pub struct Chance(Rc<State>);

struct State {
    state: Cell<u64>,
    now_ns: Cell<u64>,
    /// How many turns there were: events of different turns have an order.
    turns: Cell<u64>,
}

/// How often tasks are stopped.
#[derive(Clone, Copy)]
pub struct Troubles {
    /// One turn in so many is followed by a stop, of up to 10 s.
    pub stops: u64,
    /// One turn in so many is the task's last.
    pub ends: u64,
}

impl Chance {
    /// The one with this seed.
    pub fn new(seed: u64) -> Self {
        let state = Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self(Rc::new(State { state, now_ns: Cell::new(1), turns: Cell::new(0) }))
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        // xorshift64*, by Vigna.
        let mut x = self.0.state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.state.set(x);
        (x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }

    /// Sets the time, since 1970.
    pub fn set_time(&self, since_1970: Duration) {
        self.0.now_ns.set(since_1970.as_nanos() as u64);
    }

    /// How many turns there were.
    pub fn turns(&self) -> u64 {
        self.0.turns.get()
    }

    /// Lets others have their turn.
    pub fn turn(&self) -> impl Future<Output = ()> + use<> {
        let mut had = false;
        std::future::poll_fn(move |_| match std::mem::replace(&mut had, true) {
            false => Poll::Pending,
            true => Poll::Ready(()),
        })
    }

    /// Runs tasks in turns until all have ended, or were ended.
    pub fn run(&self, tasks: Vec<Task>, troubles: Troubles) {
        let mut tasks: Vec<(Task, u64)> = tasks.into_iter().map(|task| (task, 0)).collect();
        let mut cx = Context::from_waker(Waker::noop());
        while !tasks.is_empty() {
            assert!(self.0.turns.get() < 1_000_000, "it does not end");
            let ready: Vec<usize> =
                (0..tasks.len()).filter(|task| tasks[*task].1 <= self.0.now_ns.get()).collect();
            let Some(task) = ready.get(self.below(ready.len().max(1) as u64) as usize) else {
                let next = tasks.iter().map(|(_, from)| *from).min().expect("there are some");
                self.0.now_ns.set(next);
                continue;
            };
            self.0.turns.update(|turns| turns + 1);
            self.0.now_ns.update(|now| now + self.below(10_000_000));
            let (running, from) = &mut tasks[*task];
            if running.as_mut().poll(&mut cx).is_ready() || self.below(troubles.ends) == 0 {
                drop(tasks.swap_remove(*task));
            } else if self.below(troubles.stops) == 0 {
                *from = self.0.now_ns.get() + self.below(10_000_000_000);
            }
        }
    }

    /// Runs one to its end, in peace.
    pub fn alone(&self, task: impl Future<Output = ()> + 'static) {
        self.run(vec![Box::pin(task)], Troubles { stops: u64::MAX, ends: u64::MAX });
    }
}

impl Clock for Chance {
    fn wall_ms(&self) -> u64 {
        self.0.now_ns.get() / 1_000_000
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.now_ns.get()
    }

    async fn sleep_ms(&self, ms: u64) {
        let end = self.0.now_ns.get() + ms * 1_000_000;
        while self.0.now_ns.get() < end {
            self.turn().await;
        }
    }

    fn random(&self) -> u128 {
        u128::from(self.below(u64::MAX)) << 64 | u128::from(self.below(u64::MAX))
    }
}
