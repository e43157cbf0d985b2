//! Figures of several rounds, and what is made of them.

use std::time::Duration;

/// What was measured under one name, one time for each round.
pub struct Row {
    name: &'static str,
    seconds: Vec<f64>,
}

impl Row {
    /// No rounds yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, seconds: Vec::new() }
    }

    /// Adds a round.
    pub fn push(&mut self, took: Duration) {
        self.seconds.push(took.as_secs_f64());
    }

    /// Bytes per second in the median round.
    pub fn rate(&self, size: u64) -> f64 {
        size as f64 / median(&self.seconds)
    }

    /// The longest round as a multiple of the shortest.
    pub fn spread(&self) -> f64 {
        let max = self.seconds.iter().copied().fold(0.0, f64::max);
        max / self.seconds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Prints it, beside `beside` bytes per second.
    pub fn print(&self, size: u64, beside: f64) {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        println!(
            "{:<18} {:>8.3} s {:>8.0} MB/s {:>7.2}    {:.3} to {:.3} s",
            self.name,
            median(&self.seconds),
            self.rate(size) / 1e6,
            self.rate(size) / beside,
            sorted[0],
            sorted[sorted.len() - 1],
        );
    }
}

/// The head of the table whose rows [`Row::print`] prints.
pub fn print_head(beside: &str) {
    println!("{:<18} {:>10} {:>13} {beside:>10}    range", "", "median", "");
}

/// A figure that must not fall below a share of what bounds it.
pub struct Bar {
    /// What is measured.
    pub name: &'static str,
    /// Bytes per second.
    pub rate: f64,
    /// What bounds it, in bytes per second; the smallest counts.
    pub bounds: [f64; 2],
    /// The names of `bounds`.
    pub bound_names: [&'static str; 2],
}

/// The least share that holds.
const SHARE_MIN: f64 = 0.8;

impl Bar {
    /// The share of the smaller bound.
    pub fn share(&self) -> f64 {
        self.rate / self.bounds[0].min(self.bounds[1])
    }

    /// Prints it; gives whether it holds.
    pub fn print(&self) -> bool {
        let holds = self.share() >= SHARE_MIN;
        println!(
            "{} / min({}, {}) = {:.3}, at least {SHARE_MIN}: {}",
            self.name,
            self.bound_names[0],
            self.bound_names[1],
            self.share(),
            if holds { "holds" } else { "FAILS" }
        );
        holds
    }
}

/// The median: the middle one, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[upper] } else { (sorted[upper - 1] + sorted[upper]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn a_bar_is_held_against_the_smaller_bound() {
        let bar = |rate| Bar { name: "a", rate, bounds: [10.0, 5.0], bound_names: ["b", "c"] };
        assert!(bar(4.0).print());
        assert!(!bar(3.9).print());
    }
}
