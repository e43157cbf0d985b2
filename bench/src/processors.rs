//! How busy others kept the processors meanwhile, where `/proc` tells.

use std::fs;

use crate::compare::stat_ticks;

/// Time that was spent since the start, in ticks.
pub struct Processors {
    all: u64,
    idle: u64,
    own: u64,
}

impl Processors {
    /// Up to now; `None` where the system does not tell.
    pub fn read() -> Option<Self> {
        let system = fs::read_to_string("/proc/stat").ok()?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        Self::parse(&system, &own)
    }

    fn parse(system: &str, own: &str) -> Option<Self> {
        // User, nice, system, idle, waiting for a disk, interrupts, stolen; what guests
        // of a hypervisor take is counted in user too.
        let line = system.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().take(8).flat_map(str::parse).collect();
        let [_, _, _, idle, waiting, ..] = ticks[..] else { return None };
        let own = stat_ticks(own)?;
        Some(Self { all: ticks.iter().sum(), idle: idle + waiting, own })
    }

    /// The share of all processors' time that neither was idle nor this program's.
    pub fn others_since(&self, before: &Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        let idle = self.idle.saturating_sub(before.idle);
        let own = self.own.saturating_sub(before.own);
        all.saturating_sub(idle + own) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_idle_nor_own_is_others() {
        let own = |user| format!("7 (a) b) S 1 1 1 0 -1 4 5 6 7 8 {user} 10 0 0 20 0");
        let before = Processors::parse("cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 1\n", &own(0)).unwrap();
        let after = Processors::parse("cpu  50 0 20 130 0 0 0 0 0 0\n", &own(30)).unwrap();
        assert_eq!(after.others_since(&before), 0.2);
        assert!(Processors::parse("", "").is_none());
    }
}
