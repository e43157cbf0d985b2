//! What commands print: for people, or as JSON with the field names of the WIT.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use chunk_store::object::ObjectInfo;
use indicatif::{HumanBytes, HumanDuration};
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;

/// How the command was asked to speak.
#[derive(Debug, Clone)]
pub struct Output {
    /// One JSON object a line.
    pub json: bool,
    /// Somebody is watching.
    pub interactive: bool,
    /// How to go on, should the command be interrupted now.
    advice: Arc<Mutex<Option<String>>>,
}

impl Output {
    /// JSON or not; people are spoken to only on a terminal.
    pub fn new(json: bool) -> Self {
        let interactive = !json && std::io::stderr().is_terminal();
        Self { json, interactive, advice: Arc::default() }
    }

    /// The same, but nobody is shown progress.
    pub fn unwatched(&self) -> Self {
        Self { interactive: false, ..self.clone() }
    }

    /// From now on an interruption is followed by this advice.
    pub fn advise(&self, advice: Option<String>) {
        *self.advice.lock().expect("never held across a panic") = advice;
    }

    /// Tells whoever interrupted the command how to go on, where that is possible.
    pub fn interrupted(&self) {
        let Some(advice) = self.advice.lock().expect("never held across a panic").take() else {
            return;
        };
        let message = format!("interrupted; {advice}");
        self.fail(&Failure { name: "interrupted", message, code: 0 });
    }

    /// Prints a line of results. A reader that has had enough (`| head`) ends the
    /// command quietly; results that are lost in any other way end it with an error.
    pub fn line(&self, line: &str) {
        match writeln!(std::io::stdout(), "{line}") {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                let failure = Failure::local(format!("cannot write standard output: {error}"));
                self.fail(&failure);
                std::process::exit(failure.code.into());
            }
        }
    }

    /// Prints a result as JSON.
    pub fn json(&self, value: &impl Serialize) {
        self.line(&serde_json::to_string(value).expect("plain data"));
    }

    /// Tells somebody who is watching.
    pub fn tell(&self, line: &str) {
        if self.interactive {
            eprintln!("{line}");
        }
    }

    /// Prints the one line that a failure is, and gives its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        if self.json {
            eprintln!("{}", json!({ "error": failure.name, "message": failure.message }));
        } else {
            eprintln!("chunk-store: {}", failure.message);
        }
        ExitCode::from(failure.code)
    }

    /// Prints the one line that a warning is.
    pub fn warn(&self, warning: &str) {
        if self.json {
            eprintln!("{}", json!({ "warning": warning }));
        } else {
            eprintln!("chunk-store: warning: {warning}");
        }
    }

    /// Describes an object.
    pub fn object(&self, info: &ObjectInfo) {
        if self.json {
            return self.json(info);
        }
        let mut lines = vec![
            ("key", info.key.clone()),
            ("size", format!("{} ({} bytes)", HumanBytes(info.size), info.size)),
            ("digest", info.digest.clone()),
            ("etag", info.etag.clone()),
            ("generation", info.generation.clone()),
            ("modified", time(info.modified)),
        ];
        if let Some(expires) = info.expires {
            lines.push(("expires", time(expires)));
        }
        if let Some(content_type) = &info.content_type {
            lines.push(("content-type", content_type.clone()));
        }
        lines.push(match info.chunks {
            0 => ("chunks", "none (the content lies in the manifest)".to_string()),
            chunks => ("chunks", chunks.to_string()),
        });
        for (name, value) in lines {
            self.line(&format!("{name:<13}{value}"));
        }
        for (name, value) in &info.metadata {
            self.line(&format!("{:<13}{name}={value}", "metadata"));
        }
    }
}

/// A time in milliseconds since the Unix epoch, as RFC 3339 in UTC.
pub fn time(ms: u64) -> String {
    match SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms)) {
        // The formatter ends with the year 9999.
        Some(time) if ms < 253_402_300_800_000 => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => format!("{ms} ms after 1970"),
    }
}

/// Transfers below this have no rate to speak of.
const RATED_BYTES_MIN: u64 = 1 << 20;

/// How long a transfer took, and how fast it was; of a few bytes the rate says
/// nothing.
pub fn pace(bytes: u64, took: Duration) -> String {
    let rate = (bytes as f64 / took.as_secs_f64().max(1e-6)) as u64;
    let time = match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        _ => HumanDuration(took).to_string(),
    };
    match bytes {
        0..RATED_BYTES_MIN => time,
        _ => format!("{time}, {}/s", HumanBytes(rate)),
    }
}
