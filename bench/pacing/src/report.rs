//! The figures as text.

use std::fmt::Write as _;

use chunk_store_pacing::cell::{Cell, Reached};

use crate::grid::Outcome;

/// The bars: which part of the bound the middle cell reaches, and each.
pub const MEDIAN_MIN: f64 = 0.9;
pub const SHARE_MIN: f64 = 0.6;

const WORST: usize = 10;

fn shares(results: &[Outcome], of: impl Fn(&Outcome) -> f64) -> Vec<f64> {
    let mut shares: Vec<f64> = results.iter().map(of).collect();
    shares.sort_by(f64::total_cmp);
    shares
}

/// Which bar was missed, if one was.
pub fn missed(results: &[Outcome]) -> Option<String> {
    for (name, of) in directions() {
        let shares = shares(results, |outcome| of(outcome).share());
        let median = shares[shares.len() / 2];
        if median < MEDIAN_MIN || shares[0] < SHARE_MIN {
            return Some(format!(
                "{name}: the median is {median:.3} and the least {:.3}; the bars are {MEDIAN_MIN} and {SHARE_MIN}",
                shares[0]
            ));
        }
    }
    None
}

/// A direction's name, and where its figures are.
pub type Direction = (&'static str, fn(&Outcome) -> &Reached);

/// Both directions.
pub fn directions() -> [Direction; 2] {
    [("put", |outcome| &outcome.put), ("get", |outcome| &outcome.get)]
}

/// The tables.
pub fn of(results: &[Outcome]) -> String {
    let mut text = format!(
        "| {} cells | median of the bound | tenth percentile | least | first byte, median in round trips | most memory | read ahead for nothing |\n|---|---|---|---|---|---|---|\n",
        results.len()
    );
    for (name, of) in directions() {
        let shares = shares(results, |outcome| of(outcome).share());
        let first = self::shares(results, |outcome| {
            of(outcome).first_byte_ns as f64 / outcome.cell.ability.latency_ns as f64
        });
        let memory = results.iter().map(|outcome| of(outcome).memory_bytes).max().unwrap_or(0);
        let wasted: u64 = results.iter().map(|outcome| of(outcome).wasted_bytes).sum();
        let first = match name {
            "get" => format!("{:.2}", first[first.len() / 2]),
            _ => String::new(),
        };
        writeln!(
            text,
            "| {name} | {:.3} | {:.3} | {:.3} | {first} | {:.1} MiB | {wasted} bytes |",
            shares[shares.len() / 2],
            shares[shares.len() / 10],
            shares[0],
            memory as f64 / f64::from(1 << 20),
        )
        .expect("a string takes it");
    }
    text += "\nThe worst ten:\n\n| | reached | of | share | source or reader | latency | jitter | line | at once | calls | most under way | refused |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    let mut all: Vec<(&str, &Reached, &Cell)> = directions()
        .iter()
        .flat_map(|(name, of)| results.iter().map(|one| (*name, of(one), &one.cell)))
        .collect();
    all.sort_by(|a, b| a.1.share().total_cmp(&b.1.share()));
    for (name, reached, cell) in all.into_iter().take(WORST) {
        text += &row(name, reached, cell);
    }
    text
}

fn row(name: &str, reached: &Reached, cell: &Cell) -> String {
    let ability = &cell.ability;
    format!(
        "| {name} | {} | {} | {:.3} | {} | {} ms | {:.0} % | {} | {} | {} | {} | {:.1} % |\n",
        rate(reached.bytes_per_second),
        rate(reached.bound),
        reached.share(),
        rate(cell.bytes_per_second),
        ability.latency_ns as f64 / 1e6,
        100.0 * ability.jitter,
        rate(ability.bytes_per_second),
        ability.at_once,
        ability.calls_per_second.map_or("any".into(), |calls| format!("{calls}/s")),
        reached.most,
        100.0 * reached.refused as f64 / reached.calls as f64,
    )
}

fn rate(bytes_per_second: f64) -> String {
    format!("{:.1} MB/s", bytes_per_second / 1e6)
}

/// `docs/pacing.md`: what was simulated, and the tables.
pub fn page(report: &str) -> String {
    format!("{}\n{report}", include_str!("page.md").trim_end())
}
