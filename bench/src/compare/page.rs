//! The page: what was measured, as tables and pictures.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use bytesize::ByteSize;
use chunk_store_drawing::bars::{self as bar_chart, Group as BarGroup};
use chunk_store_drawing::lines::{self, Panel};

use super::bars::Bar;
use super::figure::Figure;
use super::results::{Results, Row, Table};
use super::size;
use super::subject::{Group, Role};

/// The page and its pictures.
pub struct Page {
    /// `benchmarks.md`.
    pub text: String,
    /// By file name.
    pictures: Vec<(&'static str, String)>,
}

/// The pictures' files.
const RATES: &str = "benchmarks-rates.svg";
const GROWTH: &str = "benchmarks-growth.svg";

impl Page {
    /// Writes all of it there.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("benchmarks.md"), &self.text)?;
        self.pictures.iter().try_for_each(|(name, svg)| std::fs::write(directory.join(name), svg))
    }
}

/// The page of these results.
pub fn of(results: &Results, bars: &[Bar], machine: &str, quick: bool) -> Page {
    let mut text = format!("{}\n\n## Machine\n\n{machine}", include_str!("page.md").trim_end());
    let mut pictures = Vec::new();
    text += &bar_table(bars);
    text += concat!("\n", include_str!("why.md"));
    if let Some(table) = results.tables.first() {
        let what = size(table.size);
        write!(text, "\n## Rates\n\n![Put and get of {what}, MB/s]({RATES})\n").expect(TAKES);
        pictures.push((RATES, rates(table)));
    }
    for table in &results.tables {
        text += &tables(table);
    }
    if !results.startup.is_empty() {
        text += &startup(results);
    }
    if !results.sizes.is_empty() || !results.at_once.is_empty() || !results.listings.is_empty() {
        write!(text, "\n## Growth\n\n![Growth]({GROWTH})\n").expect(TAKES);
        text += &growth(results);
        pictures.push((GROWTH, growth_picture(results)));
    }
    if quick {
        text += "\nMeasured by `cargo xtask bench --quick`.\n";
    }
    Page { text, pictures }
}

const TAKES: &str = "a string takes it";

fn bar_table(bars: &[Bar]) -> String {
    let mut text = "\n## Bars\n\n| | found | wanted | |\n|---|---|---|---|\n".to_string();
    for Bar { name, found, wanted, holds } in bars {
        let verdict = if *holds { "holds" } else { "fails" };
        writeln!(text, "| {name} | {found} | {wanted} | {verdict} |").expect(TAKES);
    }
    text
}

fn tables(table: &Table) -> String {
    let mut text = format!("\n## An object of {}, {} rounds\n", size(table.size), table.wasm.len());
    if let Some(wasm) = table.wasm() {
        writeln!(text, "\nBLAKE3 alone, in wasm: {wasm:.0} MB/s.").expect(TAKES);
        if table.was_busy() {
            text += "The machine was busy meanwhile: these figures decide nothing, neither way.\n";
        }
    }
    for group in Group::ALL {
        if table.group(group).next().is_some() {
            text += &group_table(table, group);
        }
    }
    text
}

/// What is said of a row besides its name.
fn role(role: Role) -> &'static str {
    match role {
        Role::Own | Role::Together => "",
        Role::Floor | Role::Bound => " (bound)",
        Role::Verifying => " (verifies)",
        Role::Plain => " (does not verify)",
    }
}

fn group_table(table: &Table, group: Group) -> String {
    let rows: Vec<&Row> = table.group(group).collect();
    let own = table.row(group, Role::Own);
    let measured = |figure: &Figure| rows.iter().any(|row| row.median(*figure).is_some());
    let mut columns: Vec<Figure> = Figure::ALL.into_iter().filter(measured).collect();
    if !columns.contains(&Figure::Server) {
        // Then both are the same.
        columns.retain(|figure| *figure != Figure::Memory);
    }
    let mut text = format!("\n### {}\n\n| {}/ |", group.title(), group.name());
    columns.iter().for_each(|figure| write!(text, " {} |", figure.title()).expect(TAKES));
    writeln!(text, "\n|---|{}", "---|".repeat(columns.len())).expect(TAKES);
    for row in &rows {
        write!(text, "| {}{} |", row.entry.short_name(), role(row.entry.role)).expect(TAKES);
        for figure in &columns {
            let ours = own.filter(|own| own.entry.name != row.entry.name);
            let ours = ours.and_then(|own| own.median(*figure));
            write!(text, " {} |", cell(*figure, row.median(*figure), ours)).expect(TAKES);
        }
        text += "\n";
    }
    text += "\n";
    for row in &rows {
        writeln!(text, "- {}: {}.", row.entry.name, row.entry.note).expect(TAKES);
    }
    text
}

fn cell(figure: Figure, value: Option<f64>, ours: Option<f64>) -> String {
    match (value, ours) {
        (None, _) => "—".to_string(),
        (Some(value), None) => figure.written(value),
        (Some(value), Some(ours)) => {
            format!("{} ({:.2})", figure.written(value), figure.times(value, ours))
        }
    }
}

fn rates(table: &Table) -> String {
    let mut groups = Vec::new();
    for group in Group::ALL {
        for (verb, figure) in [("put", Figure::Put), ("get", Figure::Get)] {
            let bars = table.group(group).filter_map(|row| {
                let colour = match row.entry.role {
                    Role::Own | Role::Together => 0,
                    Role::Floor | Role::Bound => 2,
                    Role::Verifying => 1,
                    Role::Plain => 4,
                };
                Some(bar_chart::Bar { name: row.entry.name, value: row.median(figure)?, colour })
            });
            let bars: Vec<_> = bars.collect();
            if !bars.is_empty() {
                groups.push((format!("{}: {verb}", group.title()), bars));
            }
        }
    }
    let groups: Vec<BarGroup<'_>> = groups
        .iter_mut()
        .map(|(title, bars)| BarGroup { title, bars: std::mem::take(bars) })
        .collect();
    bar_chart::picture(&groups, |value| format!("{value:.0} MB/s"))
}

fn startup(results: &Results) -> String {
    let mut text = "\n## Start-up\n\nA process for each, 21 of them (`cargo xtask bench --filter startup`).\n\n| | median, ms | least, ms |\n|---|---|---|\n".to_string();
    for row in &results.startup {
        let (command, median, least) = (row.command, row.median_ms, row.least_ms);
        writeln!(text, "| {command} | {median:.1} | {least:.1} |").expect(TAKES);
    }
    text
}

fn growth(results: &Results) -> String {
    let mut text = String::new();
    if !results.sizes.is_empty() {
        text += "\n### The object\n\nFrom a generated source into a kv that keeps no content (`cargo xtask bench --filter growth/size`).\n\n| size | put, ns/byte | get, ns/byte | memory, MiB | of the guest | kv operations, put | get | bytes besides content |\n|---|---|---|---|---|---|---|---|\n";
    }
    for one in &results.sizes {
        let mebi = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            text,
            "| {} | {:.3} | {:.3} | {:.1} | {:.1} | {} | {} | {} |",
            size(one.bytes),
            one.put_ns,
            one.get_ns,
            mebi(one.memory_bytes),
            mebi(one.guest_bytes),
            one.put_operations,
            one.get_operations,
            one.described_bytes
        )
        .expect(TAKES);
    }
    if !results.at_once.is_empty() {
        text += "\n### Operations at once\n\n64 objects of 4 MiB on files in the page cache, one instance (`cargo xtask bench --filter growth/at-once`).\n\n| at once | put, MB/s | get, MB/s | memory, MiB |\n|---|---|---|---|\n";
    }
    for one in &results.at_once {
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.0} |",
            one.operations,
            one.put_bytes_per_second / 1e6,
            one.get_bytes_per_second / 1e6,
            one.memory_bytes as f64 / f64::from(1 << 20)
        )
        .expect(TAKES);
    }
    if !results.listings.is_empty() {
        text += "\n### Listings\n\nPages of 1000 (`cargo xtask bench --filter growth/listing`).\n\n| kv | objects | first page, ms | objects a second |\n|---|---|---|---|\n";
    }
    for (kv, listings) in &results.listings {
        for one in listings {
            let (objects, first, rate) = (one.objects, one.first_page_ms, one.keys_per_second);
            writeln!(text, "| {kv} | {objects} | {first:.2} | {rate:.0} |").expect(TAKES);
        }
    }
    text
}

fn growth_picture(results: &Results) -> String {
    let bytes =
        |value: f64| ByteSize::b(value as u64).display().si().to_string().replace(".0 ", " ");
    let plain = |value: f64| format!("{value}");
    let sizes = |of: fn(&super::growth::Sized) -> f64| {
        results.sizes.iter().map(|one| (one.bytes as f64, of(one))).collect::<Vec<_>>()
    };
    let at_once = |of: fn(&super::growth::AtOnce) -> f64| {
        results.at_once.iter().map(|one| (one.operations as f64, of(one))).collect::<Vec<_>>()
    };
    let listings = |of: fn(&super::growth::Listing) -> f64| {
        let points = |listings: &Vec<super::growth::Listing>| {
            listings.iter().map(|one| (f64::from(one.objects), of(one))).collect::<Vec<_>>()
        };
        results.listings.iter().map(|(kv, all)| (kv.as_str(), points(all))).collect::<Vec<_>>()
    };
    let panels = [
        Panel {
            title: "time, ns/byte",
            along: "size of the object",
            written: [bytes, plain],
            lines: vec![("put", sizes(|one| one.put_ns)), ("get", sizes(|one| one.get_ns))],
        },
        Panel {
            title: "memory",
            along: "size of the object",
            written: [bytes, bytes],
            lines: vec![
                ("process", sizes(|one| one.memory_bytes as f64)),
                ("guest", sizes(|one| one.guest_bytes as f64)),
            ],
        },
        Panel {
            title: "kv operations",
            along: "size of the object",
            written: [bytes, plain],
            lines: vec![
                ("put", sizes(|one| one.put_operations as f64)),
                ("get", sizes(|one| one.get_operations as f64)),
            ],
        },
        Panel {
            title: "bytes besides content",
            along: "size of the object",
            written: [bytes, bytes],
            lines: vec![("set", sizes(|one| one.described_bytes as f64))],
        },
        Panel {
            title: "MB/s of all together",
            along: "operations at once",
            written: [plain, plain],
            lines: vec![
                ("put", at_once(|one| one.put_bytes_per_second / 1e6)),
                ("get", at_once(|one| one.get_bytes_per_second / 1e6)),
            ],
        },
        Panel {
            title: "objects listed a second",
            along: "objects",
            written: [plain, plain],
            lines: listings(|one| one.keys_per_second),
        },
    ];
    lines::picture(&panels)
}
