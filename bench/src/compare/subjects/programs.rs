//! Programs that store a file: this project's, and rclone's chunker. A process for each object.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::range::Span;
use chunk_store_tests::program;

use super::cp::run;
use crate::compare::disk;
use crate::compare::subject::{Entry, Group, Result, Role, Site, Source, Subject, Taken};

/// Beside each other.
pub const ENTRIES: [Entry; 2] = [
    Entry {
        group: Group::Cli,
        name: "chunk-store",
        role: Role::Own,
        note: "`chunk-store put` and `get -o` on `file:DIR?sync=none`",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, Tool::ChunkStore)),
    },
    Entry {
        group: Group::Cli,
        name: "rclone chunker",
        role: Role::Verifying,
        note: "`rclone copyto` to and from a chunker of 4 MiB over a directory; MD5 of the whole, compared at the end",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, Tool::Rclone)),
    },
];

async fn open(site: &Site, tool: Tool) -> Result<Box<dyn Subject>> {
    Ok(Box::new(Program { site: site.clone(), tool }))
}

enum Tool {
    ChunkStore,
    Rclone,
}

struct Program {
    site: Site,
    tool: Tool,
}

impl Program {
    fn store(&self) -> PathBuf {
        self.site.directory.join("store")
    }

    fn chunk_store(&self) -> Command {
        let mut command = Command::new(&self.site.program);
        program::isolate(&mut command, &self.site.tmp);
        command.arg("--kv").arg(format!("file:{}?sync=none", self.store().display()));
        command
    }

    fn rclone(&self) -> Command {
        let mut command = Command::new("rclone");
        // No file of settings, so that nobody's own is used.
        command.args(["--config", "/dev/null", "--quiet"]);
        command
    }

    fn remote(&self, key: &str) -> String {
        format!(":chunker,remote=\"{}\",chunk_size=4Mi:{key}", self.store().display())
    }
}

#[async_trait]
impl Subject for Program {
    async fn put(&self, key: &str, source: &Source) -> Result {
        let mut command = match self.tool {
            Tool::ChunkStore => {
                let mut command = self.chunk_store();
                command.args(["--json", "put"]).arg(&source.path).arg(key);
                command
            }
            Tool::Rclone => {
                let mut command = self.rclone();
                command.arg("copyto").arg(&source.path).arg(self.remote(key));
                command
            }
        };
        run(&mut command).map(drop)
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        let copy = self.site.directory.join("copy");
        // rclone would compare with what is there.
        let _ = std::fs::remove_file(&copy);
        let mut command = match self.tool {
            Tool::ChunkStore => {
                let mut command = self.chunk_store();
                command.args(["--json", "get", key, "-o"]).arg(&copy);
                command
            }
            Tool::Rclone => {
                let mut command = self.rclone();
                command.arg("copyto").arg(self.remote(key)).arg(&copy);
                command
            }
        };
        run(&mut command)?;
        taken.take_file(&mut File::open(copy)?)
    }

    async fn range(&self, key: &str, span: Span) -> Result<Option<Bytes>> {
        let mut command = match self.tool {
            Tool::ChunkStore => {
                let mut command = self.chunk_store();
                let range = format!("{}-{}", span.start, span.end - 1);
                command.args(["get", key, "--range", &range]);
                command
            }
            Tool::Rclone => {
                let mut command = self.rclone();
                command.args(["cat", "--offset"]).arg(span.start.to_string());
                command.arg("--count").arg(span.len().to_string()).arg(self.remote(key));
                command
            }
        };
        run(&mut command).map(|bytes| Some(bytes.into()))
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.store()).map(Some)
    }
}
