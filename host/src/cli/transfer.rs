//! Progress of a body on its way: a bar with rate and time left on a terminal,
//! nothing elsewhere.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;

/// A transfer shorter than this is not worth a bar.
const BLINK: Duration = Duration::from_millis(300);

/// A body on its way.
#[derive(Debug, Clone)]
pub struct Transfer {
    bar: ProgressBar,
    began: Instant,
    /// Somebody watches, and has not seen the bar yet.
    waits: Arc<AtomicBool>,
}

impl Transfer {
    /// Of `size` bytes, if that is known.
    pub fn new(output: &Output, name: &str, size: Option<u64>) -> Self {
        let bar = match size {
            Some(size) => ProgressBar::new(size).with_style(style(
                "{msg} {bar:30} {percent:>3}%  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left",
            )),
            None => ProgressBar::new_spinner()
                .with_style(style("{msg} {spinner} {binary_bytes}  {binary_bytes_per_sec}  {elapsed}")),
        };
        bar.set_draw_target(ProgressDrawTarget::hidden());
        bar.set_message(name.to_string());
        let waits = Arc::new(AtomicBool::new(output.interactive));
        Self { bar, began: Instant::now(), waits }
    }

    /// So many bytes had passed before it began.
    pub fn begins_at(&self, bytes: u64) {
        self.bar.set_position(bytes);
        self.bar.reset_eta();
    }

    /// So many bytes have passed.
    pub fn passed(&self, bytes: usize) {
        self.show();
        self.bar.inc(bytes as u64);
    }

    /// So many of so many bytes have passed, of what is called `name` now.
    pub fn stands_at(&self, name: String, bytes: u64, size: u64) {
        self.show();
        self.bar.set_message(name);
        self.bar.set_length(size);
        self.bar.set_position(bytes);
    }

    /// Prints something without the bar in between.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// What is over in a blink needs no bar.
    fn show(&self) {
        if self.began.elapsed() > BLINK && self.waits.swap(false, Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar away; gives how long it took.
    pub fn finish(&self) -> Duration {
        self.bar.finish_and_clear();
        self.began.elapsed()
    }

    /// Counts what is read of `source`.
    pub fn watch<R>(&self, source: R) -> Watched<R> {
        Watched { source, transfer: self.clone() }
    }
}

/// The BLAKE3 of all that a source gives.
pub fn digest(source: &mut impl Read) -> io::Result<blake3::Hash> {
    Ok(blake3::Hasher::new().update_reader(source)?.finalize())
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are fixed")
}

/// A source whose bytes are counted.
#[derive(Debug)]
pub struct Watched<R> {
    source: R,
    transfer: Transfer,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.transfer.passed(count);
        Ok(count)
    }
}
