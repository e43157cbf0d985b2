//! Opening a directory: making it, and finding out what its file system can do.

use std::fs::{self, File};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::durability::{Pending, sync_directory};
use super::list::Listings;
use super::{Durability, FileOptions, OpenError, Store, attribute, errors};

/// How old a temporary is when whoever wrote it must be gone.
const TEMPORARY_AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// Opens the store in `directory`, and makes it if it is missing.
pub(super) fn open(directory: &Path, options: &FileOptions) -> Result<Store, OpenError> {
    let refused = |directory: &Path, reason: String| OpenError::Directory {
        directory: directory.into(),
        reason,
    };
    let directory = &std::path::absolute(directory)
        .map_err(|error| refused(directory, errors::reason(&error)))?;
    if fs::metadata(directory).is_ok_and(|found| !found.is_dir()) {
        return Err(refused(directory, "it is not a directory; name another one".into()));
    }
    // Anything but a plain absence has a reason that is told below.
    let data = fs::read_dir(directory.join("data"));
    let missing = data.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if !options.create && missing {
        return Err(OpenError::Missing { directory: directory.clone() });
    }
    let prepared = match prepare(directory, options) {
        // A backup on a medium, another user's store: whoever only reads needs no more.
        Err(error) if !options.create && data.is_ok() && errors::may_not_write(&error) => {
            for_readers(directory, options)
        }
        prepared => prepared,
    };
    prepared.map_err(|error| refused(directory, errors::reason(&error)))
}

/// A store whose directory takes no writes: each is refused by the file system.
fn for_readers(directory: &Path, options: &FileOptions) -> Result<Store, Error> {
    let [data, tmp, locks] = ["data", "tmp", "locks"].map(|name| directory.join(name));
    let has_attributes = attribute::can_be_read(&data)?;
    Ok(Store {
        data,
        tmp,
        locks,
        attributes: options.attributes && has_attributes,
        memory_bytes_max: options.memory_bytes_max,
        pending: None,
        listings: Listings::default(),
    })
}

fn prepare(directory: &Path, options: &FileOptions) -> Result<Store, Error> {
    let below = |name: &str| -> Result<PathBuf, Error> {
        let path = directory.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    };
    // Those that are missing now need their names brought to disk.
    let missing = directory.ancestors().take_while(|path| !path.exists());
    let parents: Vec<&Path> = missing.filter_map(Path::parent).collect();
    let (data, tmp, locks) = (below("data")?, below("tmp")?, below("locks")?);
    if options.durability == Durability::Full {
        for path in parents.into_iter().chain([directory]) {
            sync_directory(path)?;
        }
    }
    remove_old_temporaries(&tmp);
    let has_attributes = probe(&tmp)?;
    let store = Store {
        pending: (options.durability == Durability::Full)
            .then(|| Arc::new(Pending::new(data.clone()))),
        data,
        tmp,
        locks,
        attributes: options.attributes && has_attributes,
        memory_bytes_max: options.memory_bytes_max,
        listings: Listings::default(),
    };
    store.lock("").map_err(|error| match error.kind() {
        ErrorKind::Unsupported => {
            Error::new(error.kind(), format!("files cannot be locked there ({error})"))
        }
        _ => error,
    })?;
    Ok(store)
}

/// Whether extended attributes can be set in `tmp`; an error if nothing can be
/// written there at all.
fn probe(tmp: &Path) -> Result<bool, Error> {
    let path = tmp.join(attribute::random_name()?);
    let supported = attribute::are_supported(&File::create_new(&path)?);
    fs::remove_file(&path)?;
    supported
}

/// Removes what writers that crashed have left. What cannot be removed does no harm
/// but take space.
fn remove_old_temporaries(tmp: &Path) {
    let Ok(entries) = fs::read_dir(tmp) else {
        return;
    };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        let age = modified.map(|modified| SystemTime::now().duration_since(modified));
        if let Ok(Ok(age)) = age
            && age > TEMPORARY_AGE_MAX
        {
            let path = entry.path();
            // The adapter over `wasi:filesystem` writes in directories.
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_temporaries_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let options = FileOptions::default();
        let tmp = open(directory.path(), &options).unwrap().tmp;
        fs::write(tmp.join("new"), "").unwrap();
        let old = File::create(tmp.join("old")).unwrap();
        let then = SystemTime::now() - TEMPORARY_AGE_MAX - Duration::from_secs(60);
        old.set_modified(then).unwrap();
        fs::create_dir(tmp.join("old directory")).unwrap();
        fs::write(tmp.join("old directory/value"), "").unwrap();
        File::open(tmp.join("old directory")).unwrap().set_modified(then).unwrap();
        open(directory.path(), &options).unwrap();
        assert!(tmp.join("new").exists());
        assert!(!tmp.join("old").exists() && !tmp.join("old directory").exists());
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), 1);
    }

    #[test]
    fn a_relative_directory_is_resolved() {
        let directory = tempfile::tempdir_in(".").unwrap();
        let name = directory.path().file_name().unwrap();
        let store = open(Path::new(name), &FileOptions::default()).unwrap();
        assert!(store.data.is_absolute());
        assert!(store.data.ends_with(Path::new(name).join("data")));
    }
}
