//! The loop over files: each value is written beside its place, brought to disk if it has to
//! be, and renamed. It sets no attributes and takes no locks, which flatters it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chunk_store_host::kv;

use crate::compare::disk;
use crate::compare::native::{Lane, Native, Place};
use crate::compare::subject::{Entry, Group, Result, Role, Site, Subject};

const NAME: &str = "native loop";

/// Beside the store on files.
pub const ENTRIES: [Entry; 2] = [
    Entry {
        group: Group::Synced,
        name: NAME,
        role: Role::Floor,
        note: "the same chunks and digests, a file each; `fsync` of each and of its directory",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, true)),
    },
    Entry {
        group: Group::Cached,
        name: NAME,
        role: Role::Floor,
        note: "the same chunks and digests, a file each",
        bytes_max: u64::MAX,
        open: |site| Box::pin(open(site, false)),
    },
];

async fn open(site: &Site, synced: bool) -> Result<Box<dyn Subject>> {
    let directory = site.directory.join("native");
    let url = format!("file:{}", site.directory.join("limits").display());
    let limits = kv::open(&url).await?.limits();
    fs::create_dir_all(directory.join("tmp"))?;
    Ok(Box::new(Native::new(Files { directory, synced, count: AtomicU64::new(0) }, limits)))
}

struct Files {
    directory: PathBuf,
    synced: bool,
    count: AtomicU64,
}

fn sync_directory(path: &Path) -> Result {
    Ok(File::open(path)?.sync_all()?)
}

impl Place for Files {
    fn lane(&self) -> Result<Box<dyn Lane + '_>> {
        Ok(Box::new(self))
    }

    fn commit(&self, key: &str) -> Result {
        if self.synced {
            let path = self.directory.join(key);
            // Of a small object the key is the file.
            let deepest = if path.is_dir() { &path } else { path.parent().ok_or("no parent")? };
            for directory in deepest.ancestors().take_while(|it| it.starts_with(&self.directory)) {
                sync_directory(directory)?;
            }
        }
        Ok(())
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.directory).map(Some)
    }
}

impl Lane for &Files {
    fn set(&mut self, name: &str, value: Bytes) -> Result {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let unnamed = self.directory.join("tmp").join(number.to_string());
        let path = self.directory.join(name);
        let mut file = File::create_new(&unnamed)?;
        file.write_all(&value)?;
        if self.synced {
            file.sync_all()?;
        }
        if fs::rename(&unnamed, &path).is_err() {
            fs::create_dir_all(path.parent().ok_or("no parent")?)?;
            fs::rename(&unnamed, &path)?;
        }
        Ok(())
    }

    fn get(&mut self, name: &str) -> Result<Bytes> {
        Ok(fs::read(self.directory.join(name))?.into())
    }
}
