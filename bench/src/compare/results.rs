//! What was measured, and what is made of it.

use std::collections::BTreeMap;

use super::figure::Figure;
use super::growth::{AtOnce, Listing, Sized};
use super::measure::Figures;
use super::startup;
use super::subject::{Entry, Group, Role};
use crate::bounds::SPREAD_MAX;
use crate::table::median;

/// Everything.
#[derive(Default)]
pub struct Results {
    /// One for each size of the object.
    pub tables: Vec<Table>,
    /// Objects that grow.
    pub sizes: Vec<Sized>,
    /// Operations at once.
    pub at_once: Vec<AtOnce>,
    /// Listings that grow, by kind of kv.
    pub listings: BTreeMap<String, Vec<Listing>>,
    /// How long commands take to start.
    pub startup: Vec<startup::Row>,
    /// What did not work, and why.
    pub failures: Vec<String>,
}

/// All subjects with an object of one size.
pub struct Table {
    /// The object's size, in bytes.
    pub size: u64,
    /// In the order of the groups.
    pub rows: Vec<Row>,
    /// What BLAKE3 alone digests in wasm, in MB/s, a figure for each round that there was.
    pub wasm: Vec<f64>,
}

/// One subject.
pub struct Row {
    /// What it is.
    pub entry: &'static Entry,
    /// A round each.
    pub rounds: Vec<Figures>,
}

impl Row {
    /// The median of the rounds; `None` if it was not measured.
    pub fn median(&self, figure: Figure) -> Option<f64> {
        let values: Vec<f64> =
            self.rounds.iter().filter_map(|round| round.get(&figure).copied()).collect();
        (!values.is_empty()).then(|| median(&values))
    }
}

impl Table {
    /// The rows of a group that have figures.
    pub fn group(&self, group: Group) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.entry.group == group && !row.rounds.is_empty())
    }

    /// The row of this project, or of the loop.
    pub fn row(&self, group: Group, role: Role) -> Option<&Row> {
        self.group(group).find(|row| row.entry.role == role)
    }

    /// What BLAKE3 alone digests in wasm, in MB/s.
    pub fn wasm(&self) -> Option<f64> {
        (!self.wasm.is_empty()).then(|| median(&self.wasm))
    }

    /// Whether the same computation took much longer at some time than at its best.
    pub fn was_busy(&self) -> bool {
        let best = self.wasm.iter().copied().fold(0.0, f64::max);
        self.wasm.iter().any(|rate| best / rate > SPREAD_MAX)
    }
}
