//! How many kv operations are kept under way, how far is read ahead, and when to slow
//! down. Pure: decided by samples of how long operations took.
//!
//! The principle is that of BBR (Cardwell et al., "BBR: Congestion-Based Congestion
//! Control", ACM Queue 14(5), 2016): estimate the latency without queueing and what is
//! delivered, and keep twice their product under way. By Little's law that product is what
//! is under way times the ratio of the two latencies, with and without queueing, which is
//! the gradient of Netflix' `concurrency-limits`; so chunks of different sizes can be
//! judged together. See [`flow`].
//!
//! A platform that refuses calls (429) is another matter: how many are under way says
//! nothing about how many it allows in a second. There the rate of calls is paced; see
//! [`rate`]. And a [reader](ahead) that takes its time needs little ahead of it, whatever
//! the platform could do.
//!
//! Reads and writes are different flows: on most platforms they have little in common.

pub mod ahead;
pub mod flow;
pub mod rate;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use self::flow::Flow;
use self::rate::Rate;
use crate::kv::KvLimits;

/// What is not chunks of one object, such as records to look at, never has more operations
/// under way, whatever the platform allows.
const DEPTH_MAX: u32 = 16;

/// How many small operations of one kind are under way at once.
pub fn depth(limits: &KvLimits) -> usize {
    limits.concurrency_max.clamp(1, DEPTH_MAX) as usize
}

/// What a store has learnt of its kv.
#[derive(Debug, Default)]
pub struct Pacing {
    /// Of gets.
    pub reads: Flow,
    /// Of sets.
    pub writes: Flow,
    /// Of all calls.
    pub rate: Rate,
}

/// Which of the flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Gets.
    Read,
    /// Sets.
    Write,
}

impl Pacing {
    /// One of the flows.
    pub fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Read => &mut self.reads,
            Direction::Write => &mut self.writes,
        }
    }
}

/// One who moves chunks, among all who do so in that direction, until it is dropped.
#[derive(Debug)]
pub struct Transfer {
    pacing: Rc<RefCell<Pacing>>,
    direction: Direction,
    own: Rc<Cell<usize>>,
}

impl Transfer {
    /// One more.
    pub fn new(pacing: &Rc<RefCell<Pacing>>, direction: Direction) -> Self {
        pacing.borrow_mut().flow(direction).join();
        Self { pacing: pacing.clone(), direction, own: Rc::default() }
    }

    /// Whether it may begin another chunk, where so many operations are useful at once.
    pub fn may_begin(&self, useful_max: u32) -> bool {
        self.pacing.borrow_mut().flow(self.direction).may_begin(self.own.get(), useful_max)
    }

    /// Begins one.
    pub fn begin(&self) -> Moving {
        self.pacing.borrow_mut().flow(self.direction).move_one();
        self.own.update(|own| own + 1);
        let Self { pacing, direction, own } = self;
        Moving { pacing: pacing.clone(), direction: *direction, own: own.clone() }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.pacing.borrow_mut().flow(self.direction).leave();
    }
}

/// A chunk on its way, until this is dropped.
#[derive(Debug)]
pub struct Moving {
    pacing: Rc<RefCell<Pacing>>,
    direction: Direction,
    own: Rc<Cell<usize>>,
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.pacing.borrow_mut().flow(self.direction).moved_one();
        self.own.update(|own| own - 1);
    }
}
