//! `list`: what is stored, a page at a time.

use std::process::ExitCode;

use chunk_store::limits::LIST_LIMIT_MAX;
use chunk_store::object::{ListOptions, ListedObject};
use chunk_store_host::ChunkStore;
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

use super::args::List;
use super::failure::Failure;
use super::output::{Output, time};

/// Lists objects.
pub async fn run(store: &ChunkStore, list: List, output: &Output) -> Result<ExitCode, Failure> {
    let mut cursor = None;
    let mut total = Total::default();
    loop {
        let page = store
            .list(ListOptions {
                prefix: list.prefix.clone(),
                delimiter: list.delimiter.clone(),
                cursor,
                limit: LIST_LIMIT_MAX,
                details: list.long || list.total,
            })
            .await?;
        if list.total {
            page.objects.iter().for_each(|object| total.add(object));
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(total.print(output)),
            }
            continue;
        }
        let mut prefixes = page.prefixes.into_iter().peekable();
        for object in &page.objects {
            // Objects and prefixes each come in order; people want them in one.
            while let Some(prefix) = prefixes.next_if(|prefix| *prefix < object.key) {
                print_prefix(&prefix, list.long, output);
            }
            print_object(object, list.long, output);
        }
        prefixes.for_each(|prefix| print_prefix(&prefix, list.long, output));
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// What objects are together.
#[derive(Default, Serialize)]
struct Total {
    objects: u64,
    bytes: u64,
    /// Objects whose manifest cannot be read, and whose size is not known.
    unreadable: u64,
}

impl Total {
    fn add(&mut self, object: &ListedObject) {
        self.objects += 1;
        match &object.info {
            Some(info) => self.bytes += info.size,
            None => self.unreadable += 1,
        }
    }

    fn print(&self, output: &Output) -> ExitCode {
        if output.json {
            output.json(self);
            return ExitCode::SUCCESS;
        }
        let objects = match self.objects {
            1 => "1 object".to_string(),
            objects => format!("{objects} objects"),
        };
        let unreadable = match self.unreadable {
            0 => String::new(),
            unreadable => format!(", without {unreadable} that cannot be read (see verify)"),
        };
        let size = HumanBytes(self.bytes);
        output.line(&format!("{objects}, {size} ({} bytes){unreadable}", self.bytes));
        ExitCode::SUCCESS
    }
}

fn print_object(object: &ListedObject, long: bool, output: &Output) {
    if output.json {
        return output.json(object);
    }
    if !long {
        return output.line(&object.key);
    }
    match &object.info {
        Some(info) => output.line(&format!(
            "{:>11}  {}  {:<24}  {}",
            HumanBytes(info.size).to_string(),
            time(info.modified),
            info.content_type.as_deref().unwrap_or("-"),
            info.key
        )),
        None => {
            output.line(&format!("{:>11}  {:<20}  {:<24}  {}", "unreadable", "", "", object.key))
        }
    }
}

fn print_prefix(prefix: &str, long: bool, output: &Output) {
    match (output.json, long) {
        (true, _) => output.json(&json!({ "prefix": prefix })),
        (false, true) => output.line(&format!("{:>11}  {:<20}  {:<24}  {prefix}", "-", "", "")),
        (false, false) => output.line(prefix),
    }
}
