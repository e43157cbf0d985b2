//! `--stats`: what a command did, as its store counted it. A table for people, or the
//! families of `docs/metrics.md` as JSON.

mod table;

use std::time::Duration;

use chunk_store::metrics::{Histogram, Sample, Snapshot};
use chunk_store_host::ChunkStore;
use serde_json::{Map, Value, json};

use super::output::Output;

/// A store that is busy with what was interrupted is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `--stats` is to say, and where.
#[derive(Debug, Clone, Copy)]
pub struct Stats {
    /// Somebody wants to know.
    pub wanted: bool,
    /// Standard output holds content: nothing else may stand there.
    pub beside_content: bool,
}

impl Stats {
    /// Says what a store did; of several, which one it is.
    pub async fn report(&self, store: &ChunkStore, which: Option<&str>, output: &Output) {
        if !self.wanted {
            return;
        }
        match tokio::time::timeout(PATIENCE, store.metrics()).await {
            Ok(Ok(snapshot)) => self.print(&snapshot, which, output),
            Ok(Err(error)) => output.warn(&format!("there are no statistics: {error}")),
            Err(_) => output.warn("there are no statistics: the store is busy"),
        }
    }

    /// Prints what was counted.
    pub fn print(&self, snapshot: &Snapshot, which: Option<&str>, output: &Output) {
        if !self.wanted {
            return;
        }
        if !output.json {
            if let Some(which) = which {
                eprintln!("{which}:");
            }
            return eprint!("{}", table::of(snapshot));
        }
        let mut line = json!({ "stats": families(snapshot) });
        if let Some(which) = which {
            line["store"] = json!(which);
        }
        match self.beside_content {
            true => eprintln!("{line}"),
            false => output.json(&line),
        }
    }
}

/// By family: labels and what was counted with them.
fn families(snapshot: &Snapshot) -> Value {
    let mut families = Map::new();
    let mut add = |name: &str, labels: &[(String, String)], values: Value| {
        let labels = labels.iter().map(|(name, value)| (name.clone(), json!(value)));
        let mut sample: Map<String, Value> = labels.collect();
        sample
            .extend(values.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        let family = families.entry(name.to_string()).or_insert_with(|| json!([]));
        family.as_array_mut().expect("made as one").push(sample.into());
    };
    for Sample { name, labels, value } in snapshot.counters.iter().chain(&snapshot.gauges) {
        add(name, labels, json!({ "value": number(*value) }));
    }
    for Histogram { name, labels, buckets, sum, count } in &snapshot.histograms {
        let buckets: Vec<_> = buckets.iter().map(|(bound, n)| json!([number(*bound), n])).collect();
        let sum = number(*sum);
        add(name, labels, json!({ "count": count, "sum": sum, "buckets": buckets }));
    }
    families.into()
}

/// What was counted in whole numbers stays one.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value.abs() < (1u64 << 53) as f64 {
        true => json!(value as i64),
        false => json!(value),
    }
}

#[cfg(test)]
mod tests {
    use chunk_store::metrics::Metrics;
    use chunk_store::metrics::families::{CHUNK_BYTES, KV_OPERATIONS};

    use super::*;

    #[test]
    fn json_has_the_families_with_their_labels() {
        let metrics = Metrics::default();
        metrics.add(&KV_OPERATIONS, ["get", "ok"], 3);
        metrics.observe(&CHUNK_BYTES, ["read", ""], 70000.0);
        let families = families(&metrics.read());
        let gets = json!([{ "operation": "get", "outcome": "ok", "value": 3 }]);
        assert_eq!(families["chunk_store_kv_operations_total"], gets);
        let chunks = &families["chunk_store_chunk_bytes"][0];
        assert_eq!(
            (&chunks["direction"], &chunks["count"], &chunks["sum"]),
            (&json!("read"), &json!(1), &json!(70000))
        );
        assert_eq!(chunks["buckets"][1], json!([131072, 1]));
    }

    #[test]
    fn parts_of_a_second_stay_parts() {
        assert_eq!((number(0.25), number(3.0)), (json!(0.25), json!(3)));
    }
}
