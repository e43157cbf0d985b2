//! All metrics at one moment, as plain data: to add up, to ask, to print.

use super::families::{BUFFER_BYTES_PEAK, Family, GUEST_MEMORY_BYTES};

/// Gauges that tell how much there ever was.
static PEAKS: [&Family; 2] = [&BUFFER_BYTES_PEAK, &GUEST_MEMORY_BYTES];

/// One value of a counter or a gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The family's name.
    pub name: String,
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// In the unit that ends the name.
    pub value: f64,
}

/// How values were distributed.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The family's name.
    pub name: String,
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// Upper bounds, ascending, and how many values lie at or below each.
    pub buckets: Vec<(f64, u64)>,
    /// All values together.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
}

/// All metrics at one moment; mirrors `metrics.snapshot` of the WIT.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// What only grows.
    pub counters: Vec<Sample>,
    /// What is so now.
    pub gauges: Vec<Sample>,
    /// Distributions.
    pub histograms: Vec<Histogram>,
}

impl Snapshot {
    /// Adds another store's: counters and gauges with the same labels are summed up, and so
    /// are histograms, which have the same buckets.
    pub fn merge(&mut self, other: Self) {
        merge_samples(&mut self.counters, other.counters);
        merge_samples(&mut self.gauges, other.gauges);
        merge_histograms(&mut self.histograms, other.histograms);
    }

    /// Goes on with what another store has counted that came after this one and may have
    /// gone, too: counters and histograms are summed up; gauges have the later value, if there is one,
    /// and peaks the larger.
    pub fn go_on_with(&mut self, later: Self) {
        merge_samples(&mut self.counters, later.counters);
        merge_histograms(&mut self.histograms, later.histograms);
        for gauge in later.gauges {
            match self.gauges.iter_mut().find(|before| before.is_same(&gauge)) {
                None => self.gauges.push(gauge),
                Some(before) if PEAKS.iter().any(|peak| peak.name == gauge.name) => {
                    before.value = before.value.max(gauge.value);
                }
                Some(before) => before.value = gauge.value,
            }
        }
    }

    /// What has been counted since an earlier moment of the same store; gauges as they are.
    pub fn since(mut self, earlier: &Self) -> Self {
        for sample in &mut self.counters {
            let before = earlier.counters.iter().find(|before| before.is_same(sample));
            sample.value -= before.map_or(0.0, |before| before.value);
        }
        for now in &mut self.histograms {
            let Some(before) = earlier.histograms.iter().find(|before| before.is_same(now)) else {
                continue;
            };
            for ((_, now), (_, before)) in now.buckets.iter_mut().zip(&before.buckets) {
                *now -= before;
            }
            now.sum -= before.sum;
            now.count -= before.count;
        }
        self
    }

    /// The counters or gauges of a family.
    pub fn samples(&self, family: &Family) -> impl Iterator<Item = &Sample> {
        let all = self.counters.iter().chain(&self.gauges);
        all.filter(move |sample| sample.name == family.name)
    }

    /// The histograms of a family.
    pub fn histograms(&self, family: &Family) -> impl Iterator<Item = &Histogram> {
        self.histograms.iter().filter(move |histogram| histogram.name == family.name)
    }

    /// The value of a counter or gauge with these labels, 0 if there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_it = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(name, value)| sample.labels.iter().any(|(n, v)| n == name && v == value))
        };
        self.counters.iter().chain(&self.gauges).filter(is_it).map(|sample| sample.value).sum()
    }
}

impl Sample {
    /// Whether it is a value of the same thing.
    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.labels == other.labels
    }
}

impl Histogram {
    /// Whether it is a distribution of the same thing.
    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.labels == other.labels
    }

    /// The value that this share of all values (0 to 1) does not exceed, taken to lie
    /// evenly within their bucket, as Prometheus' `histogram_quantile` does; the largest
    /// bound if it is beyond. `None` where there are no values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.buckets.last().filter(|_| self.count > 0)?.0;
        let rank = share * self.count as f64;
        let (mut low, mut below) = (0.0, 0.0);
        for &(bound, count) in &self.buckets {
            let count = count as f64;
            if count >= rank && count > below {
                return Some(low + (bound - low) * (rank - below) / (count - below));
            }
            (low, below) = (bound, count);
        }
        Some(last)
    }
}

fn merge_samples(ours: &mut Vec<Sample>, theirs: Vec<Sample>) {
    for sample in theirs {
        match ours.iter_mut().find(|same| same.is_same(&sample)) {
            None => ours.push(sample),
            Some(same) => same.value += sample.value,
        }
    }
}

fn merge_histograms(ours: &mut Vec<Histogram>, theirs: Vec<Histogram>) {
    for histogram in theirs {
        match ours.iter_mut().find(|same| same.is_same(&histogram)) {
            None => ours.push(histogram),
            Some(same) => {
                for ((_, ours), (_, theirs)) in same.buckets.iter_mut().zip(histogram.buckets) {
                    *ours += theirs;
                }
                same.sum += histogram.sum;
                same.count += histogram.count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::super::families::{CHUNK_BYTES, KV_OPERATIONS, KV_UNDER_WAY};
    use super::*;

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let metrics = Metrics::default();
        let quantile = |share| metrics.read().histograms[0].quantile(share).unwrap();
        for _ in 0..90 {
            metrics.observe(&CHUNK_BYTES, ["read", ""], 100_000.0);
        }
        assert_eq!(quantile(0.5), 65536.0 * 1.5);
        assert_eq!(quantile(1.0), 131072.0);
        for _ in 0..10 {
            metrics.observe(&CHUNK_BYTES, ["read", ""], 1e12);
        }
        assert_eq!(quantile(0.9), 131072.0);
        assert_eq!(quantile(0.99), 67108864.0, "beyond the last bound nothing is known");
        let none = Histogram { count: 0, ..metrics.read().histograms[0].clone() };
        assert_eq!(none.quantile(0.5), None);
    }

    #[test]
    fn snapshots_of_several_stores_add_up() {
        let one = Metrics::default();
        one.add(&KV_OPERATIONS, ["get", "ok"], 2);
        one.observe(&CHUNK_BYTES, ["written", ""], 65536.0);
        let other = Metrics::default();
        other.add(&KV_OPERATIONS, ["get", "ok"], 3);
        other.add(&KV_OPERATIONS, ["set", "ok"], 1);
        other.observe(&CHUNK_BYTES, ["written", ""], 4194304.0);
        let mut sum = one.read();
        sum.merge(other.read());
        assert_eq!(sum.value(KV_OPERATIONS.name, &[("operation", "get")]), 5.0);
        assert_eq!(sum.value(KV_OPERATIONS.name, &[("outcome", "ok")]), 6.0);
        let chunks = &sum.histograms[0];
        assert_eq!((chunks.count, chunks.sum), (2, 4259840.0));
        assert_eq!(chunks.buckets.first(), Some(&(65536.0, 1)));
        assert_eq!(chunks.buckets.last().unwrap().1, 2);
    }
    #[test]
    fn a_sum_goes_on_from_store_to_store() {
        let gauge =
            |family: &Family, value| Sample { name: family.name.into(), labels: Vec::new(), value };
        let mut sum = Snapshot::default();
        for (begun, peak) in [(2, 70.0), (1, 50.0)] {
            let store = Metrics::default();
            store.add(&KV_OPERATIONS, ["get", "ok"], 1);
            store.observe(&CHUNK_BYTES, ["read", ""], 65536.0);
            let given = store.read();
            sum.go_on_with(given.clone());
            // The same store counts on, and is asked again.
            store.add(&KV_OPERATIONS, ["get", "ok"], 1);
            store.add(&KV_OPERATIONS, ["set", "ok"], 1);
            store.observe(&CHUNK_BYTES, ["read", ""], 65536.0);
            store.shift(&KV_UNDER_WAY, ["get", ""], begun);
            let mut now = store.read();
            now.gauges.push(gauge(&BUFFER_BYTES_PEAK, peak));
            sum.go_on_with(now.since(&given));
        }
        assert_eq!(sum.value(KV_OPERATIONS.name, &[("operation", "get")]), 4.0);
        assert_eq!(sum.value(KV_OPERATIONS.name, &[("operation", "set")]), 2.0);
        assert_eq!((sum.histograms[0].count, sum.histograms[0].sum), (4, 262144.0));
        assert_eq!(sum.histograms[0].buckets[0], (65536.0, 4));
        assert_eq!(sum.value(KV_UNDER_WAY.name, &[]), 1.0, "as it is now");
        assert_eq!(sum.value(BUFFER_BYTES_PEAK.name, &[]), 70.0, "as it ever was");
    }
}
