//! One distribution, counted in buckets with fixed bounds.

/// Counts of values, by the smallest bound that they do not exceed.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// One for each bound; what lies beyond the last is in `count` only.
    counts: Vec<u64>,
    pub sum: f64,
    pub count: u64,
}

impl Buckets {
    /// `bounds` ascend.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    pub fn observe(&mut self, value: f64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.sum += value;
        self.count += 1;
    }

    /// Each bound, and how many values lie at or below it.
    pub fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut below = 0;
        let counts = self.bounds.iter().zip(&self.counts);
        counts
            .map(|(bound, count)| {
                below += count;
                (*bound, below)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_from_its_own_bound_on() {
        let mut buckets = Buckets::new(&[1.0, 2.0, 4.0]);
        for value in [0.5, 1.0, 1.5, 4.0, 9.0] {
            buckets.observe(value);
        }
        assert_eq!(buckets.cumulative(), [(1.0, 2), (2.0, 3), (4.0, 4)]);
        assert_eq!((buckets.count, buckets.sum), (5, 16.0));
    }
}
