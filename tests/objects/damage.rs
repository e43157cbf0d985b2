//! Files that were deleted, cut, swapped or changed behind the store's back: no wrong
//! byte is given out, the error names what is damaged, and `verify` names all of it.

mod chunks;
mod manifests;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};

use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::range::ByteRange;

use crate::subject::{self, Subject, assert_error, read_to_end, store_error};

/// An object in files, and where they lie.
struct Stored {
    on: Subject,
    content: Vec<u8>,
}

impl Stored {
    /// The object `object`.
    async fn new(content: Vec<u8>, options: PutOptions) -> Self {
        let on = subject::file().await;
        on.put_with("object", &content, options).await.unwrap();
        Self { on, content }
    }

    /// The file of the manifest.
    fn manifest(&self) -> PathBuf {
        self.on.data().join("m+/object")
    }

    /// The files of the chunks, in order.
    fn chunks(&self) -> Vec<PathBuf> {
        self.files("c+")
    }

    /// The files of the pages, in order.
    fn pages(&self) -> Vec<PathBuf> {
        self.files("x+")
    }

    /// The files of the one segment.
    fn files(&self, kind: &str) -> Vec<PathBuf> {
        let segments = list(&self.on.data().join(kind));
        let [segment] = &segments[..] else { panic!("{segments:?} is not one segment") };
        list(segment)
    }

    /// The kv key of a chunk or page: what messages call it.
    fn kv_key(&self, file: &Path) -> String {
        let below = file.strip_prefix(self.on.data()).unwrap().to_str().unwrap();
        below.replace("+/", "/")
    }

    /// Asserts that the whole object cannot be read, that nothing wrong and nothing
    /// from `damaged_from` on was given out, and that the error names all of `names`.
    async fn ends_at(&self, damaged_from: u64, names: &[&str]) {
        let reader = self.on.get("object", GetOptions::default()).await.unwrap();
        let (before, error) = read_to_end(reader).await.expect_err("it cannot be read");
        assert!(self.content.starts_with(&before), "every byte before it was right");
        assert!(before.len() as u64 <= damaged_from, "{} bytes were given", before.len());
        let text = assert_error!(Err::<(), _>(error), StoreError::Corrupt(_));
        assert_names(&text, names);
    }

    /// Asserts that a range cannot be read, and that the error names all of `names`.
    async fn range_fails(&self, start: u64, end: u64, names: &[&str]) {
        let options =
            GetOptions { range: Some(ByteRange::Between(start, end)), ..GetOptions::default() };
        let reader = self.on.get("object", options).await.unwrap();
        let (before, error) = read_to_end(reader).await.expect_err("it cannot be read");
        assert!(self.content[start as usize..end as usize].starts_with(&before));
        let text = assert_error!(Err::<(), _>(error), StoreError::Corrupt(_));
        assert_names(&text, names);
    }

    /// Asserts that a range is not touched by the damage.
    async fn range_works(&self, start: u64, end: u64) {
        let read = self.on.read_range("object", ByteRange::Between(start, end)).await.unwrap();
        assert!(read == self.content[start as usize..end as usize], "{start}..{end}");
    }

    /// Asserts that `verify` names exactly these, in this order.
    async fn verify_names(&self, problems: &[&[&str]]) {
        let report = self.on.verify("object").await.unwrap();
        assert_eq!(report.problems.len(), problems.len(), "{:?}", report.problems);
        for (problem, names) in report.problems.iter().zip(problems) {
            assert_names(problem, names);
        }
        assert_eq!(report.problems_omitted, 0);
        assert!(report.bytes < self.content.len() as u64);
    }

    /// Asserts that the object is as it was.
    async fn is_whole(&self) {
        assert!(self.on.read("object").await == self.content);
        assert_eq!(self.on.verify("object").await.unwrap().problems, [""; 0]);
    }
}

/// One line, with all these parts.
#[track_caller]
fn assert_names(text: &str, names: &[&str]) {
    assert!(!text.contains('\n'), "{text}");
    for name in names {
        assert!(text.contains(name), "{name:?} is not in: {text}");
    }
}

/// What lies in a directory, in order.
fn list(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn flip_bit(file: &Path, byte: usize, bit: u8) {
    let mut bytes = fs::read(file).unwrap();
    bytes[byte] ^= 1 << bit;
    fs::write(file, bytes).unwrap();
}

fn cut_short(file: &Path, by: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - by).unwrap();
}

fn swap(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(&aside, other).unwrap();
}
