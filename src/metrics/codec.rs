//! A snapshot as bytes, for whoever keeps it between two instances of one component: families by
//! their place in [`ALL`], so that nothing else may read it.
//!
//! | | |
//! |---|---|
//! | counters, gauges, histograms | each a `u32` that says how many, then so many entries |
//! | an entry | the family's place, a byte; of each label its value, a `u32` of length and UTF-8 |
//! | of a sample | its value, an `f64` |
//! | of a histogram | the sum, an `f64`; the count and the buckets' counts, `u64` each |
//!
//! Numbers are little endian. Values of families that there are not are left out.

use super::families::{self, ALL, Family};
use super::snapshot::{Histogram, Sample, Snapshot};

impl Snapshot {
    /// As bytes, for [`decode`](Self::decode) of the same program.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for samples in [&self.counters, &self.gauges] {
            put_all(&mut out, samples, |out, it| {
                put_series(out, &it.name, &it.labels)?;
                out.extend(it.value.to_le_bytes());
                Some(())
            });
        }
        put_all(&mut out, &self.histograms, |out, it| {
            put_series(out, &it.name, &it.labels)?;
            out.extend(it.sum.to_le_bytes());
            out.extend(it.count.to_le_bytes());
            out.extend(it.buckets.iter().flat_map(|(_, count)| count.to_le_bytes()));
            Some(())
        });
        out
    }

    /// What [`encode`](Self::encode) gave; of no bytes, nothing counted. `None` of other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut bytes = Bytes(bytes);
        let counters = bytes.all(Bytes::sample)?;
        let gauges = bytes.all(Bytes::sample)?;
        let histograms = bytes.all(Bytes::histogram)?;
        bytes.0.is_empty().then_some(Self { counters, gauges, histograms })
    }
}

/// How many there are, then each; those that `put` gives up are left out.
fn put_all<T>(out: &mut Vec<u8>, all: &[T], put: impl Fn(&mut Vec<u8>, &T) -> Option<()>) {
    let start = out.len();
    put_length(out, 0);
    let count = all.iter().filter(|it| put(out, it).is_some()).count();
    out[start..start + 4].copy_from_slice(&(count as u32).to_le_bytes());
}

/// The family and its labels; `None`, and nothing put, if there is no such family.
fn put_series(out: &mut Vec<u8>, name: &str, labels: &[(String, String)]) -> Option<()> {
    let place = ALL.iter().position(|family| family.name == name)?;
    out.push(place as u8);
    for (_, value) in labels {
        put_length(out, value.len());
        out.extend(value.as_bytes());
    }
    Some(())
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u32).to_le_bytes());
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn length(&mut self) -> Option<usize> {
        self.take().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn value(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(taken.to_vec()).ok()
    }

    fn all<T>(&mut self, entry: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // Nothing is reserved for what the bytes only claim to hold.
        let mut all = Vec::new();
        for _ in 0..self.length()? {
            all.push(entry(self)?);
        }
        Some(all)
    }

    fn series(&mut self) -> Option<(&'static Family, Vec<(String, String)>)> {
        let [place] = self.take()?;
        let family = *families::ALL.get(usize::from(place))?;
        let labels = family.labels.iter();
        let labels = labels.map(|name| Some((name.to_string(), self.text()?)));
        Some((family, labels.collect::<Option<_>>()?))
    }

    fn sample(&mut self) -> Option<Sample> {
        let (family, labels) = self.series()?;
        Some(Sample { name: family.name.to_string(), labels, value: self.value()? })
    }

    fn histogram(&mut self) -> Option<Histogram> {
        let (family, labels) = self.series()?;
        let (sum, count) = (self.value()?, self.number()?);
        let buckets = family.buckets.iter().map(|bound| Some((*bound, self.number()?)));
        let buckets = buckets.collect::<Option<_>>()?;
        Some(Histogram { name: family.name.to_string(), labels, buckets, sum, count })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::super::families::{CHUNK_BYTES, FIRST_BYTE_SECONDS, KV_OPERATIONS, UNDER_WAY};
    use super::*;

    fn counted() -> Snapshot {
        let metrics = Metrics::default();
        metrics.add(&KV_OPERATIONS, ["get", "ok"], 3);
        metrics.add(&KV_OPERATIONS, ["set", "throttled"], 1 << 40);
        metrics.shift(&UNDER_WAY, ["put", ""], -1);
        metrics.observe(&CHUNK_BYTES, ["read", ""], 70000.0);
        metrics.observe(&FIRST_BYTE_SECONDS, ["", ""], 0.1);
        metrics.read()
    }

    #[test]
    fn what_was_encoded_comes_back() {
        let counted = counted();
        assert_eq!(Snapshot::decode(&counted.encode()), Some(counted));
        assert_eq!(Snapshot::decode(&[]), Some(Snapshot::default()));
        let none = Snapshot::default();
        assert_eq!(Snapshot::decode(&none.encode()), Some(none));
    }

    #[test]
    fn families_of_others_are_left_out() {
        let mut more = counted();
        let other = Sample { name: "other_total".into(), labels: Vec::new(), value: 1.0 };
        more.counters.insert(1, other);
        assert_eq!(Snapshot::decode(&more.encode()), Some(counted()));
    }

    #[test]
    fn other_bytes_are_none() {
        let bytes = counted().encode();
        for length in 1..bytes.len() {
            assert_eq!(Snapshot::decode(&bytes[..length]), None, "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Snapshot::decode(&longer), None);
        let mut no_family = bytes;
        no_family[4] = ALL.len() as u8;
        assert_eq!(Snapshot::decode(&no_family), None);
        assert_eq!(Snapshot::decode(&[0xff; 64]), None);
    }
}
