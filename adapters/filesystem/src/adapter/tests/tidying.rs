//! What writers leave behind: nothing, unless they are ended; and that goes in time.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chunk_store::kv::{Condition, Kv, Outcome, SetOptions};

use super::chance::Chance;
use super::native::Native;

/// How many files there are below a directory.
fn files(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn a_write_leaves_its_value_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let chance = Chance::new(1);
    let kv = Native::kv(directory.path(), &chance);
    chance.alone(async move {
        let absent = || SetOptions { condition: Some(Condition::Absent), ..SetOptions::default() };
        for (options, outcome) in [
            (SetOptions::default(), Outcome::Done),
            (absent(), Outcome::Stale),
            (SetOptions { durable: true, ..SetOptions::default() }, Outcome::Done),
        ] {
            assert_eq!(kv.set("a/b/c", "value".into(), options).await, Ok(outcome));
        }
        for key in ["x/y/z", "x/y"] {
            kv.set(key, "".into(), SetOptions::default()).await.unwrap();
            assert_eq!(kv.delete(key, None).await, Ok(Outcome::Done));
        }
    });
    assert_eq!(files(directory.path()), 1);
    let below = |path: &str| fs::read_dir(directory.path().join(path)).unwrap().count();
    assert_eq!(below("tmp"), 0);
    assert_eq!(below("data"), 1, "empty directories are removed");
}

#[test]
fn a_write_that_is_stopped_by_what_stands_there_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("data/a")).unwrap();
    fs::write(directory.path().join("data/b+"), "").unwrap();
    let chance = Chance::new(1);
    let kv = Native::kv(directory.path(), &chance);
    chance.alone(async move {
        for key in ["a", "b/c"] {
            let set = kv.set(key, "value".into(), SetOptions::default()).await;
            let got = kv.get(key, None).await.map(|_| Outcome::Done);
            for refused in [set, got, kv.delete(key, None).await] {
                let line = refused.unwrap_err().to_string();
                assert!(line.contains("move it away"), "{line}");
            }
        }
    });
    assert_eq!(files(directory.path()), 1);
}

#[test]
fn only_old_temporaries_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let tmp = directory.path().join("tmp");
    // Of the host's backend, and of the adapter.
    let (file, staged) = (tmp.join("file"), tmp.join("staged"));
    fs::create_dir_all(&staged).unwrap();
    fs::write(&file, "").unwrap();
    fs::write(staged.join("value"), "").unwrap();
    let write = |now: SystemTime| {
        let chance = Chance::new(1);
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        chance.set_time(since_1970);
        let kv = Native::kv(directory.path(), &chance);
        chance.alone(async move {
            kv.set("key", "".into(), SetOptions::default()).await.unwrap();
        });
    };
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    write(written + Duration::from_secs(50 * 60));
    assert!(file.exists() && staged.join("value").exists());
    write(written + Duration::from_secs(70 * 60));
    assert!(!file.exists() && !staged.exists());
}

#[test]
fn where_nobody_has_written_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let chance = Chance::new(1);
    let kv = Native::kv(directory.path(), &chance);
    chance.alone(async move {
        assert_eq!(kv.get("key", None).await, Ok(None));
        assert_eq!(kv.delete("key", None).await, Ok(Outcome::Done));
        assert!(kv.list_keys("", None, 10).await.unwrap().keys.is_empty());
    });
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
