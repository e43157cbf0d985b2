//! `docs/grafana-dashboard.json` and the questions in `docs/metrics.md` speak of metrics that
//! there are, by labels that they have.

use std::collections::BTreeSet;

use chunk_store::metrics::families::{self, Family, Kind};
use chunk_store_host::serve::FAMILIES;
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../docs/grafana-dashboard.json");
const METRICS: &str = include_str!("../../docs/metrics.md");

/// What Prometheus adds to each series.
const LABELS_ADDED: [&str; 2] = ["job", "instance"];

/// What stands for a word in queries, between others.
fn words(query: &str) -> impl Iterator<Item = &str> {
    query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The family of a series: a histogram is three of them, and none by its own name.
fn family(series: &str) -> Option<&'static Family> {
    families::ALL.into_iter().chain(FAMILIES).find(|family| match family.kind {
        Kind::Counter | Kind::Gauge => family.name == series,
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| series.strip_suffix(suffix) == Some(family.name)),
    })
}

/// The names of labels that a query gives in braces or groups by.
fn labels(query: &str) -> BTreeSet<&str> {
    let mut labels = BTreeSet::new();
    for selector in query.split('{').skip(1) {
        let selector = selector.split('}').next().unwrap();
        // Values stand in quotes: every second part.
        let names = selector.split('"').step_by(2);
        labels.extend(names.flat_map(|part| words(part.split(['=', '!']).next().unwrap())));
    }
    for grouping in query.split(" by (").skip(1) {
        labels.extend(words(grouping.split(')').next().unwrap()));
    }
    labels
}

/// Asserts that a query asks for what there is; gives the families.
#[track_caller]
fn check(query: &str) -> Vec<&'static Family> {
    let series = words(query).filter(|word| word.starts_with("chunk_store_"));
    let asked: Vec<&Family> = series
        .map(|series| family(series).unwrap_or_else(|| panic!("no {series}: {query}")))
        .collect();
    assert!(!asked.is_empty(), "{query}");
    for label in labels(query) {
        let known = asked.iter().any(|family| {
            family.labels.contains(&label) || (label == "le" && family.kind == Kind::Histogram)
        });
        assert!(known || LABELS_ADDED.contains(&label), "no label {label}: {query}");
    }
    for pair in ["()", "{}", "[]"] {
        let count = |index: usize| query.matches(&pair[index..=index]).count();
        assert_eq!(count(0), count(1), "{query}");
    }
    asked
}

/// Every value of this name in a document, at any depth.
fn values<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    match document {
        Value::Array(all) => all.iter().flat_map(|it| values(it, name)).collect(),
        Value::Object(all) => all
            .iter()
            .flat_map(|(key, value)| match value.as_str() {
                Some(text) if key == name => vec![text],
                _ => values(value, name),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are_and_leaves_none_out() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let shown: BTreeSet<&str> =
        values(&dashboard, "expr").into_iter().flat_map(check).map(|family| family.name).collect();
    let all = families::ALL.into_iter().chain(FAMILIES);
    assert_eq!(shown, all.map(|family| family.name).collect());
    // What fills the lists of jobs and instances.
    let lists = values(&dashboard["templating"], "query");
    let lists: Vec<_> = lists.iter().filter(|query| query.starts_with("label_values(")).collect();
    assert_eq!(lists.len(), 2);
    lists.iter().for_each(|query| _ = check(query));
}

#[test]
fn panels_of_the_dashboard_lie_beside_each_other() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{panel}");
        let cells = (y..y + h).flat_map(|row| (x..x + w).map(move |column| (row, column)));
        assert!(cells.into_iter().all(|cell| taken.insert(cell)), "{panel}");
    }
}

#[test]
fn the_questions_in_the_documentation_are_asked_of_metrics_that_there_are() {
    let queries = METRICS.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"));
    let queries: Vec<&str> = queries
        .filter_map(|(_, query)| query.strip_suffix("` |"))
        .filter(|query| query.contains("chunk_store_"))
        .collect();
    assert!(queries.len() >= 5, "{queries:?}");
    queries.into_iter().for_each(|query| _ = check(query));
}

#[test]
#[should_panic(expected = "no chunk_store_kv_seconds: ")]
fn a_histogram_is_not_asked_for_by_its_own_name() {
    check("rate(chunk_store_kv_seconds[5m])");
}

#[test]
#[should_panic(expected = "no label verb: ")]
fn labels_that_there_are_not_are_noticed() {
    check(r#"sum by (verb) (chunk_store_operations_under_way{operation="put, get", job!~"a"})"#);
}
