//! `cp`: a copy of the file, and no more.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::range::Span;

use crate::compare::disk;
use crate::compare::subject::{Entry, Group, Result, Role, Site, Source, Subject, Taken};

/// Beside the store on files.
pub const ENTRIES: [Entry; 3] = [
    Entry {
        group: Group::Synced,
        name: "cp",
        role: Role::Bound,
        note: "`cp`, then `sync FILE`; back with `cp`: digests nothing, one file",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, true)),
    },
    Entry {
        group: Group::Cached,
        name: "cp",
        role: Role::Bound,
        note: "`cp` in and back: digests nothing, one file",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, false)),
    },
    Entry {
        group: Group::Cli,
        name: "cp",
        role: Role::Bound,
        note: "`cp` in and back: digests nothing, one file",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, false)),
    },
];

async fn open(site: &Site, synced: bool) -> Result<Box<dyn Subject>> {
    Ok(Box::new(Cp { directory: site.directory.clone(), synced }))
}

struct Cp {
    directory: PathBuf,
    synced: bool,
}

/// Runs a program to its end; what it says if it fails is the error.
pub fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = tokio::task::block_in_place(|| command.stdin(Stdio::null()).output())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?} failed: {said}").into())
        }
    }
}

#[async_trait]
impl Subject for Cp {
    async fn put(&self, key: &str, source: &Source) -> Result {
        let path = self.directory.join(key);
        run(Command::new("cp").arg(&source.path).arg(&path))?;
        if self.synced {
            run(Command::new("sync").arg(&path))?;
        }
        Ok(())
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        let copy = self.directory.join("copy");
        run(Command::new("cp").arg(self.directory.join(key)).arg(&copy))?;
        taken.take_file(&mut File::open(copy)?)
    }

    async fn range(&self, key: &str, span: Span) -> Result<Option<Bytes>> {
        Ok(Some(disk::read_at(&self.directory.join(key), span.start, span.len() as usize)?))
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.directory).map(Some)
    }
}
