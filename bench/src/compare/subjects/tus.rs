//! The reference server of tus, on Node: an upload for each object.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chunk_store_tests::http::{Client, Sending};

use super::web::{Asked, Web, expect};
use crate::compare::disk;
use crate::compare::subject::{Entry, Group, Result, Role, Site, Subject};

/// Beside this project's server.
pub const ENTRIES: [Entry; 1] = [Entry {
    group: Group::Http,
    name: "tus server",
    role: Role::Plain,
    note: "`@tus/server` with its file store, one `POST` and one `PATCH` an object: verifies nothing; reads no ranges",
    bytes_max: u64::MAX,
    open: |site| Box::pin(open(site)),
}];

struct Tus {
    process: Child,
    url: String,
    files: PathBuf,
    /// Where the server has put which key.
    targets: Mutex<HashMap<String, String>>,
}

impl Drop for Tus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn open(site: &Site) -> Result<Box<dyn Subject>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tus");
    chunk_store_build::npm::installed(&project)?;
    let files = site.directory.join("tus");
    fs::create_dir_all(&files)?;
    let mut command = Command::new("node");
    command.arg(project.join("serve.mjs")).arg(&files);
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let url = line.trim().to_string();
    if url.is_empty() {
        return Err("the tus server does not say where it listens".into());
    }
    Ok(Box::new(Asked::new(Tus { process, url, files, targets: Mutex::default() })))
}

#[async_trait]
impl Web for Tus {
    fn target(&self, key: &str) -> String {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.get(key).cloned().unwrap_or_default()
    }

    async fn store(&self, client: &Client, key: &str, body: Sending, size: u64) -> Result {
        let version = ("tus-resumable", "1.0.0");
        let length = size.to_string();
        let headers = [version, ("upload-length", length.as_str())];
        let created = expect(client.try_send("POST /files", &headers, b"").await?, &[201])?;
        let location = created.header("location");
        let target = location.strip_prefix(&self.url).ok_or("a location elsewhere")?.to_string();
        let kind = ("content-type", "application/offset+octet-stream");
        let headers = [version, kind, ("upload-offset", "0")];
        let line = format!("PATCH {target}");
        expect(client.try_send(&line, &headers, body).await?, &[204])?;
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.insert(key.to_string(), target);
        Ok(())
    }

    fn has_ranges(&self) -> bool {
        false
    }

    fn servers(&self) -> Result<Vec<u32>> {
        Ok(vec![self.process.id()])
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.files).map(Some)
    }

    fn url(&self) -> String {
        self.url.clone()
    }
}
