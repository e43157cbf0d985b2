//! The directories that writes need; and what writers that are gone have left.

use chunk_store::clock::Clock;

use crate::adapter::FileKv;
use crate::adapter::claims::{CLAIMS, TMP};
use crate::adapter::durability::sync_directory;
use crate::adapter::failure::Failure;
use crate::adapter::files::{Entry, Files};
use crate::names::DATA;

/// How old a temporary is when whoever wrote it must be gone, in milliseconds.
const TEMPORARY_AGE_MS_MAX: u64 = 60 * 60 * 1000;

/// Most temporaries that one instance looks at.
const TEMPORARIES_MAX: usize = 1000;

impl<F: Files, C: Clock> FileKv<F, C> {
    /// Makes them, the first time.
    pub async fn prepare(&self) -> Result<(), Failure> {
        if self.prepared.get() {
            return Ok(());
        }
        let mut made = false;
        for directory in [DATA, TMP, CLAIMS] {
            match self.files.make_directory(directory).await {
                Ok(()) => made = true,
                Err(Failure::Taken) => {}
                Err(failure) => return Err(failure),
            }
        }
        if made {
            sync_directory(&self.files, "").await?;
        }
        // One that comes meanwhile does the same once more.
        self.prepared.set(true);
        self.remove_old_temporaries().await;
        Ok(())
    }

    /// What cannot be removed does no harm but take space.
    async fn remove_old_temporaries(&self) {
        let Ok(entries) = self.files.entries(TMP).await else {
            return;
        };
        for Entry { name, is_directory, .. } in entries.into_iter().take(TEMPORARIES_MAX) {
            let path = format!("{TMP}/{name}");
            let Ok(found) = self.files.stat(&path).await else {
                continue;
            };
            let age_ms = self.clock.wall_ms().saturating_sub(found.modified_ms);
            if age_ms <= TEMPORARY_AGE_MS_MAX {
                continue;
            }
            if !is_directory {
                let _ = self.files.remove_file(self.files.root(), &path).await;
                continue;
            }
            for Entry { name, .. } in self.files.entries(&path).await.unwrap_or_default() {
                let _ = self.files.remove_file(self.files.root(), &format!("{path}/{name}")).await;
            }
            let _ = self.files.remove_directory(&path).await;
        }
    }
}
