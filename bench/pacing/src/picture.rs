//! The heat map.

use chunk_store_drawing::Svg;
use chunk_store_pacing::cell::Reached;

use crate::grid::{AT_ONCE, ENDS, LATENCIES, LINES, Outcome};
use crate::report::directions;

const TILE: usize = 26;
const LEFT: usize = 130;
const TOP: usize = 70;
const GAP: usize = 30;

/// Two maps beside each other, for put and get: the least share over throttling and
/// jitter, by source or reader and operations at once (columns), latency and line (rows).
pub fn of(results: &[Outcome]) -> String {
    let width = LEFT + 2 * ENDS.len() * AT_ONCE.len() * TILE + 2 * GAP;
    let height = TOP + LATENCIES.len() * LINES.len() * TILE + GAP;
    let mut svg = Svg::new(width, height);
    for (at, (name, of)) in directions().iter().enumerate() {
        let left = LEFT + at * (ENDS.len() * AT_ONCE.len() * TILE + GAP);
        svg.text(left, 16, &format!("{name}: reached, of what is possible"));
        columns(&mut svg, left);
        tiles(&mut svg, left, results, *of);
    }
    rows(&mut svg);
    svg.finish()
}

fn columns(svg: &mut Svg, left: usize) {
    for (end, bytes_per_second) in ENDS.iter().enumerate() {
        let x = left + end * AT_ONCE.len() * TILE;
        svg.text(x, 42, &format!("{} MB/s", bytes_per_second / 1e6));
        for (at, at_once) in AT_ONCE.iter().enumerate() {
            svg.text(x + at * TILE + 4, 60, &format!("×{at_once}"));
        }
    }
}

fn rows(svg: &mut Svg) {
    for (row, latency_ns) in LATENCIES.iter().enumerate() {
        for (line, bytes_per_second) in LINES.iter().enumerate() {
            let y = TOP + (row * LINES.len() + line) * TILE + TILE * 2 / 3;
            let (ms, megabytes) = (*latency_ns as f64 / 1e6, bytes_per_second / 1e6);
            svg.text(8, y, &format!("{ms} ms, {megabytes} MB/s"));
        }
    }
}

fn tiles(svg: &mut Svg, left: usize, results: &[Outcome], of: fn(&Outcome) -> &Reached) {
    for (row, latency_ns) in LATENCIES.iter().enumerate() {
        for (line, bytes_per_second) in LINES.iter().enumerate() {
            for (end, end_bytes_per_second) in ENDS.iter().enumerate() {
                for (at, at_once) in AT_ONCE.iter().enumerate() {
                    let here = |outcome: &&Outcome| {
                        let ability = &outcome.cell.ability;
                        ability.latency_ns == *latency_ns
                            && ability.bytes_per_second == *bytes_per_second
                            && ability.at_once == *at_once
                            && outcome.cell.bytes_per_second == *end_bytes_per_second
                    };
                    let shares = results.iter().filter(here).map(|outcome| of(outcome).share());
                    let Some(least) = shares.reduce(f64::min) else { continue };
                    let x = left + (end * AT_ONCE.len() + at) * TILE;
                    let y = TOP + (row * LINES.len() + line) * TILE;
                    tile(svg, x, y, least);
                }
            }
        }
    }
}

/// From red at 0.5 over yellow to green at 1.
fn tile(svg: &mut Svg, x: usize, y: usize, share: f64) {
    let hue = (240.0 * (share.clamp(0.5, 1.0) - 0.5)).round();
    let side = TILE - 1;
    svg.rect((x, y), (side, side), &format!("hsl({hue},70%,60%)"));
    svg.text(x + 5, y + TILE * 2 / 3, &format!("{:.0}", 100.0 * share));
}
