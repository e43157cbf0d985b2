//! [`Files`] by `wasi:filesystem`.

use wasip3::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, DirectoryEntry, ErrorCode, OpenFlags, PathFlags,
};
use wasip3::wit_stream;
use wit_bindgen::StreamResult;

use crate::Obstacle;
use crate::adapter::failure::Failure;
use crate::adapter::files::{Entry, Files, Stat};

/// How many entries of a directory are asked for at once.
const ENTRIES: usize = 256;

/// What a symbolic link on the way points to counts, if it lies in the store's directory.
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;

/// Files below a directory that the host gave.
pub(super) struct WasiFiles {
    root: Descriptor,
}

impl WasiFiles {
    /// Those below this one.
    pub fn new(root: Descriptor) -> Self {
        Self { root }
    }

    async fn directory(&self, path: &str) -> Result<Descriptor, ErrorCode> {
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        self.root.open_at(FOLLOW, path.into(), OpenFlags::DIRECTORY, flags).await
    }
}

impl Files for WasiFiles {
    type Directory = Descriptor;
    type File = Descriptor;

    fn root(&self) -> &Descriptor {
        &self.root
    }

    async fn stat(&self, path: &str) -> Result<Stat, Failure> {
        let found = self.root.stat_at(FOLLOW, path.into()).await?;
        let modified = found.data_modification_timestamp;
        Ok(Stat {
            is_directory: matches!(found.type_, DescriptorType::Directory),
            modified_ms: modified.map_or(0, |at| {
                let seconds = u64::try_from(at.seconds).unwrap_or(0);
                seconds.saturating_mul(1000) + u64::from(at.nanoseconds / 1_000_000)
            }),
        })
    }

    async fn make_directory(&self, path: &str) -> Result<(), Failure> {
        Ok(self.root.create_directory_at(path.into()).await?)
    }

    async fn open_directory(&self, path: &str) -> Result<Descriptor, Failure> {
        Ok(self.directory(path).await?)
    }

    async fn open(&self, path: &str) -> Result<(Descriptor, u64), Failure> {
        let (create, flags) = (OpenFlags::empty(), DescriptorFlags::READ);
        let file = self.root.open_at(FOLLOW, path.into(), create, flags).await?;
        let found = file.stat().await?;
        match found.type_ {
            DescriptorType::RegularFile => Ok((file, found.size)),
            _ => Err(Failure::Blocked(Obstacle::InTheWay)),
        }
    }

    async fn create(&self, at: &Descriptor, name: &str) -> Result<Descriptor, Failure> {
        let create = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        let flags = DescriptorFlags::WRITE;
        Ok(at.open_at(PathFlags::empty(), name.into(), create, flags).await?)
    }

    async fn read(&self, file: &Descriptor, offset: u64, count: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::with_capacity(count);
        if count == 0 {
            return Ok(bytes);
        }
        let (mut stream, end) = file.read_via_stream(offset);
        while bytes.len() < count {
            let (result, read) = stream.read(bytes).await;
            bytes = read;
            if matches!(result, StreamResult::Dropped) {
                end.await?;
                return Err(Failure::Other("a value is shorter than its file said".into()));
            }
        }
        // There may be room for more than was asked for.
        bytes.truncate(count);
        Ok(bytes)
    }

    async fn write(&self, file: &Descriptor, bytes: Vec<u8>) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (mut writer, stream) = wit_stream::new();
        let written = file.write_via_stream(stream, 0);
        let rest = writer.write_all(bytes).await;
        drop(writer);
        written.await?;
        match rest.is_empty() {
            true => Ok(()),
            false => Err(Failure::Other("the host stopped to write in the middle".into())),
        }
    }

    async fn sync(&self, file: &Descriptor) -> Result<(), Failure> {
        Ok(file.sync().await?)
    }

    async fn sync_directory(&self, path: &str) -> Result<(), Failure> {
        match path {
            "" => Ok(self.root.sync().await?),
            path => Ok(self.directory(path).await?.sync().await?),
        }
    }

    async fn rename(
        &self,
        (from, path): (&Descriptor, &str),
        (to, new_path): (&Descriptor, &str),
    ) -> Result<(), Failure> {
        Ok(from.rename_at(path.into(), to, new_path.into()).await?)
    }

    async fn remove_file(&self, at: &Descriptor, path: &str) -> Result<(), Failure> {
        Ok(at.unlink_file_at(path.into()).await?)
    }

    async fn remove_directory(&self, path: &str) -> Result<(), Failure> {
        Ok(self.root.remove_directory_at(path.into()).await?)
    }

    async fn entries(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        let directory = self.directory(path).await?;
        let (mut stream, end) = directory.read_directory();
        let mut entries = Vec::new();
        loop {
            let (result, read) = stream.read(Vec::with_capacity(ENTRIES)).await;
            entries.extend(read.into_iter().map(|DirectoryEntry { type_, name }| Entry {
                name,
                is_file: matches!(type_, DescriptorType::RegularFile),
                is_directory: matches!(type_, DescriptorType::Directory),
            }));
            if matches!(result, StreamResult::Dropped) {
                break;
            }
        }
        end.await?;
        Ok(entries)
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Blocked(match code {
            ErrorCode::NoEntry => return Self::NotFound,
            ErrorCode::Exist | ErrorCode::NotEmpty => return Self::Taken,
            ErrorCode::InsufficientSpace => Obstacle::StorageFull,
            ErrorCode::Quota => Obstacle::QuotaExceeded,
            ErrorCode::Access | ErrorCode::NotPermitted => Obstacle::PermissionDenied,
            ErrorCode::ReadOnly => Obstacle::ReadOnly,
            ErrorCode::FileTooLarge => Obstacle::FileTooLarge,
            ErrorCode::NameTooLong => Obstacle::NameTooLong,
            ErrorCode::NotDirectory | ErrorCode::IsDirectory => Obstacle::InTheWay,
            ErrorCode::IllegalByteSequence => Obstacle::StrangeName,
            ErrorCode::Invalid | ErrorCode::Unsupported | ErrorCode::CrossDevice => {
                Obstacle::Unsupported
            }
            other => return Self::Other(format!("the host says {other:?}")),
        })
    }
}
