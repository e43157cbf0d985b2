//! `verify`: every chunk of objects is read and checked; what is wrong is named.

use std::process::ExitCode;

use chunk_store::error::Error as StoreError;
use chunk_store::limits::LIST_LIMIT_MAX;
use chunk_store::object::{ListOptions, VerifyReport};
use chunk_store_host::{ChunkStore, Error};
use indicatif::HumanBytes;
use serde::Serialize;

use super::args::Verify;
use super::failure::Failure;
use super::output::Output;

/// The exit code of damage, as of reading a damaged object.
const EXIT_CORRUPT: u8 = 10;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Verified<'a> {
    key: &'a str,
    #[serde(flatten)]
    report: &'a VerifyReport,
}

/// Verifies objects. The worst that was found is the exit code.
pub async fn run(store: &ChunkStore, verify: Verify, output: &Output) -> Result<ExitCode, Failure> {
    let mut sum = Sum::default();
    if !verify.all {
        for key in &verify.keys {
            sum.add(key, store.verify(key).await, output);
        }
        return Ok(sum.finish(output));
    }
    let mut cursor = None;
    loop {
        let options = ListOptions { cursor, limit: LIST_LIMIT_MAX, ..ListOptions::default() };
        let page = store.list(options).await?;
        for object in &page.objects {
            match store.verify(&object.key).await {
                // Deleted or expired since it was listed.
                Err(Error::Store(StoreError::NotFound)) => {}
                checked => sum.add(&object.key, checked, output),
            }
        }
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(sum.finish(output)),
        }
    }
}

#[derive(Default)]
struct Sum {
    objects: u64,
    bytes: u64,
    damaged: u64,
    unreadable: u64,
    /// Of the first object that could not be checked.
    code: Option<ExitCode>,
}

impl Sum {
    /// Counts what was found of an object, and says it.
    fn add(&mut self, key: &str, checked: Result<VerifyReport, Error>, output: &Output) {
        self.objects += 1;
        let report = match checked {
            Ok(report) => report,
            Err(error) => {
                let code = output.fail(&Failure::of(key, error));
                self.code.get_or_insert(code);
                self.unreadable += 1;
                return;
            }
        };
        self.bytes += report.bytes;
        self.damaged += u64::from(!report.problems.is_empty());
        if output.json {
            return output.json(&Verified { key, report: &report });
        }
        if report.problems.is_empty() {
            return output.line(&format!("ok       {key}  {}", HumanBytes(report.bytes)));
        }
        output.line(&format!("damaged  {key}"));
        for problem in &report.problems {
            output.line(&format!("         {problem}"));
        }
        if report.problems_omitted > 0 {
            output.line(&format!("         and {} more", report.problems_omitted));
        }
    }

    fn finish(self, output: &Output) -> ExitCode {
        output.tell(&format!(
            "{} checked: {} verified, {} damaged, {} could not be read",
            match self.objects {
                1 => "1 object".to_string(),
                objects => format!("{objects} objects"),
            },
            HumanBytes(self.bytes),
            self.damaged,
            self.unreadable
        ));
        match self.damaged {
            0 => self.code.unwrap_or(ExitCode::SUCCESS),
            _ => ExitCode::from(EXIT_CORRUPT),
        }
    }
}
