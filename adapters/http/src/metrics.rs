//! `/_/metrics`: what the store has done, in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4).

use std::fmt::Write as _;

use bytes::Bytes;
use chunk_store::clock::Clock;
use chunk_store::kv::Kv;
use chunk_store::metrics::Snapshot;
use chunk_store::metrics::families::{self, Family, Kind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};

use crate::body::Body;
use crate::gateway::{Call, Gateway};
use crate::problem::Problem;

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl<K: Kv + 'static, C: Clock + 'static> Gateway<K, C> {
    /// Those of this instance, and of those before it that it was told of. A server with several
    /// at once adds them up.
    pub(crate) fn metrics(&self, call: Call<'_>) -> Result<Response<Body>, Problem> {
        call.query.finish()?;
        let text = text(&self.counted(), &[]);
        let mut response = Response::new(Body::whole(Bytes::from(text)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

/// A snapshot as text: of the store's families, then of those that a server has `besides`.
pub fn text(snapshot: &Snapshot, besides: &[&'static Family]) -> String {
    let mut out = String::new();
    for family in families::ALL.iter().chain(besides) {
        let mut lines = String::new();
        match family.kind {
            Kind::Counter | Kind::Gauge => {
                for sample in snapshot.samples(family) {
                    line(&mut lines, family.name, "", &sample.labels, None, sample.value);
                }
            }
            Kind::Histogram => {
                for it in snapshot.histograms(family) {
                    let mut bucket = |bound: &str, count: u64| {
                        let le = Some(("le", bound));
                        line(&mut lines, family.name, "_bucket", &it.labels, le, count as f64);
                    };
                    for (bound, count) in &it.buckets {
                        bucket(&bound.to_string(), *count);
                    }
                    bucket("+Inf", it.count);
                    line(&mut lines, family.name, "_sum", &it.labels, None, it.sum);
                    line(&mut lines, family.name, "_count", &it.labels, None, it.count as f64);
                }
            }
        }
        if !lines.is_empty() {
            let kind = format!("{:?}", family.kind).to_lowercase();
            let Family { name, help, .. } = family;
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
    }
    out
}

fn line(
    out: &mut String,
    name: &str,
    suffix: &str,
    labels: &[(String, String)],
    last: Option<(&str, &str)>,
    value: f64,
) {
    let given = labels.iter().map(|(name, value)| (&name[..], &value[..]));
    let labels: Vec<String> = given
        .chain(last)
        .map(|(name, value)| {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    let labels = match labels.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", labels.join(",")),
    };
    // Writing to a string does not fail.
    let _ = writeln!(out, "{name}{suffix}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use chunk_store::metrics::Metrics;
    use chunk_store::metrics::families::{CHUNK_BYTES, KV_OPERATIONS, UNDER_WAY};

    use super::*;

    #[test]
    fn each_family_has_its_help_its_type_and_its_samples() {
        let metrics = Metrics::default();
        metrics.add(&KV_OPERATIONS, ["get", "ok"], 3);
        metrics.shift(&UNDER_WAY, ["put", ""], 1);
        metrics.observe(&CHUNK_BYTES, ["read", ""], 70000.0);
        metrics.observe(&CHUNK_BYTES, ["read", ""], 1e9);
        let text = text(&metrics.read(), &[]);
        let lines: Vec<&str> = text.lines().collect();
        for expected in [
            "# TYPE chunk_store_kv_operations_total counter",
            "chunk_store_kv_operations_total{operation=\"get\",outcome=\"ok\"} 3",
            "# TYPE chunk_store_operations_under_way gauge",
            "chunk_store_operations_under_way{operation=\"put\"} 1",
            "# TYPE chunk_store_chunk_bytes histogram",
            "chunk_store_chunk_bytes_bucket{direction=\"read\",le=\"65536\"} 0",
            "chunk_store_chunk_bytes_bucket{direction=\"read\",le=\"131072\"} 1",
            "chunk_store_chunk_bytes_bucket{direction=\"read\",le=\"+Inf\"} 2",
            "chunk_store_chunk_bytes_sum{direction=\"read\"} 1000070000",
            "chunk_store_chunk_bytes_count{direction=\"read\"} 2",
        ] {
            assert!(lines.contains(&expected), "{expected} is not in:\n{text}");
        }
        assert_eq!(lines.iter().filter(|line| line.starts_with("# HELP ")).count(), 3);
    }

    #[test]
    fn values_of_labels_are_quoted() {
        let mut out = String::new();
        line(&mut out, "a", "", &[("b".into(), "c\"\\\nd".into())], None, 0.5);
        assert_eq!(out, "a{b=\"c\\\"\\\\\\nd\"} 0.5\n");
    }
}
