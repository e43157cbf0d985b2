//! What the server counts besides its instances, and all of it together for `/_/metrics`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use chunk_store::metrics::families::{Family, Kind};
use chunk_store::metrics::{Sample, Snapshot};
use http::{Method, StatusCode};

/// The families of metrics that a server has besides those of its store.
pub static FAMILIES: [&Family; 4] = [&REQUESTS, &UNDER_WAY, &CONNECTIONS, &INSTANCES_LOST];

static REQUESTS: Family = Family {
    name: "chunk_store_http_requests_total",
    kind: Kind::Counter,
    labels: &["method", "status"],
    help: "Requests that have ended, by the status of their answer; 0 where the client left before there was one.",
    buckets: &[],
};
static UNDER_WAY: Family = Family {
    name: "chunk_store_http_requests_under_way",
    kind: Kind::Gauge,
    labels: &[],
    help: "Requests that have begun and whose answers have not gone out.",
    buckets: &[],
};
static CONNECTIONS: Family = Family {
    name: "chunk_store_http_connections",
    kind: Kind::Gauge,
    labels: &[],
    help: "Connections that are open.",
    buckets: &[],
};
static INSTANCES_LOST: Family = Family {
    name: "chunk_store_http_instances_lost_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Instances of the component that trapped and were replaced.",
    buckets: &[],
};

/// Methods that have a count of their own; clients may send any word.
const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/// The server's own counts.
#[derive(Default)]
pub(super) struct Counters {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    under_way: AtomicI64,
    connections: AtomicI64,
    instances_lost: AtomicU64,
}

impl Counters {
    pub fn request_began(&self) {
        self.under_way.fetch_add(1, Relaxed);
    }

    pub fn request_ended(&self, method: &Method, status: Option<StatusCode>) {
        self.under_way.fetch_sub(1, Relaxed);
        let known = METHODS.into_iter().find(|known| *known == method.as_str());
        let method = known.unwrap_or("other");
        let status = status.map_or(0, |status| status.as_u16());
        let mut requests = self.requests.lock().expect("never held across a panic");
        *requests.entry((method, status)).or_default() += 1;
    }

    pub fn connection_opened(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub fn connection_closed(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    pub fn instance_lost(&self) {
        self.instances_lost.fetch_add(1, Relaxed);
    }

    /// What there is now.
    pub fn read(&self) -> Snapshot {
        let requests = self.requests.lock().expect("never held across a panic");
        let counts = requests.iter().map(|((method, status), count)| Sample {
            name: REQUESTS.name.to_string(),
            labels: vec![
                ("method".to_string(), method.to_string()),
                ("status".to_string(), status.to_string()),
            ],
            value: *count as f64,
        });
        let plain = |family: &Family, value: f64| Sample {
            name: family.name.to_string(),
            labels: Vec::new(),
            value,
        };
        let lost = plain(&INSTANCES_LOST, self.instances_lost.load(Relaxed) as f64);
        Snapshot {
            counters: counts.chain([lost]).collect(),
            gauges: vec![
                plain(&UNDER_WAY, self.under_way.load(Relaxed) as f64),
                plain(&CONNECTIONS, self.connections.load(Relaxed) as f64),
            ],
            histograms: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_count_by_method_and_status() {
        let counters = Counters::default();
        for (method, status) in [("GET", Some(200)), ("GET", Some(200)), ("BREW", Some(405))] {
            counters.request_began();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            counters.request_ended(&method, status.map(|code| StatusCode::from_u16(code).unwrap()));
        }
        counters.request_began();
        let now = counters.read();
        let count =
            |method, status| now.value(REQUESTS.name, &[("method", method), ("status", status)]);
        assert_eq!((count("GET", "200"), count("other", "405")), (2.0, 1.0));
        assert_eq!(now.value(UNDER_WAY.name, &[]), 1.0);
    }

    #[test]
    fn the_documentation_lists_the_families() {
        let documented = include_str!("../../../docs/metrics.md");
        for family in FAMILIES {
            let kind = format!("{:?}", family.kind).to_lowercase();
            let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
            let row =
                format!("| `{}` | {kind} | {} | {} |", family.name, labels.join(", "), family.help);
            assert!(documented.lines().any(|line| line == row), "{row}");
        }
    }
}
