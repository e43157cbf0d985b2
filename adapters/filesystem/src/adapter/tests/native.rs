//! [`Files`] by the operating system's own calls: what `wasi:filesystem` passes on to.

use std::cell::RefCell;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::chance::Chance;
use crate::Obstacle;
use crate::adapter::FileKv;
use crate::adapter::failure::Failure;
use crate::adapter::files::{Entry, Files, Stat};

/// Files below a directory. Before each call others may be given their turn.
pub struct Native {
    root: OwnedFd,
    chance: Chance,
    /// What was brought to disk, and what was named, in this order.
    pub log: RefCell<Vec<String>>,
}

/// An open file, and what it was called when it was opened.
pub struct NativeFile(OwnedFd, String);

impl Native {
    /// A store in a directory, as one instance sees it.
    pub fn kv(directory: &Path, chance: &Chance) -> FileKv<Self, Chance> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(directory, flags, Mode::empty()).unwrap();
        let files = Self { root, chance: chance.clone(), log: RefCell::default() };
        FileKv::new(files, chance.clone())
    }

    fn note(&self, what: &str, path: &str) {
        self.log.borrow_mut().push(format!("{what} {path}"));
    }
}

fn opened(at: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Failure> {
    Ok(rustix::fs::openat(at, path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o666))?)
}

impl Files for Native {
    type Directory = OwnedFd;
    type File = NativeFile;

    fn root(&self) -> &OwnedFd {
        &self.root
    }

    async fn stat(&self, path: &str) -> Result<Stat, Failure> {
        self.chance.turn().await;
        let found = rustix::fs::statat(&self.root, path, AtFlags::empty())?;
        Ok(Stat {
            is_directory: FileType::from_raw_mode(found.st_mode) == FileType::Directory,
            modified_ms: found.st_mtime as u64 * 1000,
        })
    }

    async fn make_directory(&self, path: &str) -> Result<(), Failure> {
        self.chance.turn().await;
        Ok(rustix::fs::mkdirat(&self.root, path, Mode::from_raw_mode(0o777))?)
    }

    async fn open_directory(&self, path: &str) -> Result<OwnedFd, Failure> {
        self.chance.turn().await;
        opened(&self.root, path, OFlags::DIRECTORY)
    }

    async fn open(&self, path: &str) -> Result<(NativeFile, u64), Failure> {
        self.chance.turn().await;
        let file = opened(&self.root, path, OFlags::RDONLY)?;
        let found = rustix::fs::fstat(&file)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Ok((NativeFile(file, path.into()), found.st_size as u64)),
            _ => Err(Failure::Blocked(Obstacle::InTheWay)),
        }
    }

    async fn create(&self, at: &OwnedFd, name: &str) -> Result<NativeFile, Failure> {
        self.chance.turn().await;
        let file = opened(at, name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)?;
        Ok(NativeFile(file, name.into()))
    }

    async fn read(&self, file: &NativeFile, at: u64, count: usize) -> Result<Vec<u8>, Failure> {
        self.chance.turn().await;
        let mut bytes = vec![0; count];
        let read = rustix::io::pread(&file.0, &mut bytes, at)?;
        assert_eq!(read, count, "values are small here, and never change");
        Ok(bytes)
    }

    async fn write(&self, file: &NativeFile, bytes: Vec<u8>) -> Result<(), Failure> {
        self.chance.turn().await;
        assert_eq!(rustix::io::write(&file.0, &bytes)?, bytes.len());
        Ok(())
    }

    async fn sync(&self, file: &NativeFile) -> Result<(), Failure> {
        self.chance.turn().await;
        self.note("sync", &file.1);
        Ok(())
    }

    async fn sync_directory(&self, path: &str) -> Result<(), Failure> {
        self.chance.turn().await;
        self.note("sync directory", path);
        Ok(())
    }

    async fn rename(
        &self,
        (from, path): (&OwnedFd, &str),
        (to, new_path): (&OwnedFd, &str),
    ) -> Result<(), Failure> {
        self.chance.turn().await;
        rustix::fs::renameat(from, path, to, new_path)?;
        self.note("rename to", new_path);
        Ok(())
    }

    async fn remove_file(&self, at: &OwnedFd, path: &str) -> Result<(), Failure> {
        self.chance.turn().await;
        Ok(rustix::fs::unlinkat(at, path, AtFlags::empty())?)
    }

    async fn remove_directory(&self, path: &str) -> Result<(), Failure> {
        self.chance.turn().await;
        Ok(rustix::fs::unlinkat(&self.root, path, AtFlags::REMOVEDIR)?)
    }

    async fn entries(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        self.chance.turn().await;
        let directory = opened(&self.root, path, OFlags::DIRECTORY)?;
        let mut buffer = Vec::with_capacity(8192);
        let mut raw = RawDir::new(directory.as_fd(), buffer.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name().to_str().unwrap().to_string();
            if name != "." && name != ".." {
                let is_directory = entry.file_type() == FileType::Directory;
                entries.push(Entry { name, is_file: !is_directory, is_directory });
            }
        }
        Ok(entries)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::NotFound,
            Errno::EXIST | Errno::NOTEMPTY => Self::Taken,
            Errno::NOTDIR | Errno::ISDIR => Self::Blocked(Obstacle::InTheWay),
            other => Self::Other(other.to_string()),
        }
    }
}
