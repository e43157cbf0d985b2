//! What holds of the file backend beyond the rules: what lies in its directory.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunk_store::kv::{Condition, Outcome, SetOptions};
use chunk_store_host::kv::{self, Backend};

use crate::rules::conditions::count_up;
use crate::subject::awkward_keys;

async fn open(directory: &Path) -> Arc<dyn Backend> {
    let url = format!("file:{}", directory.display());
    kv::open(&url).await.unwrap()
}

async fn refusal(directory: &Path) -> String {
    let url = format!("file:{}", directory.display());
    let error = kv::open(&url).await.err().expect("it must not open");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line:?}");
    assert!(line.contains(directory.to_str().unwrap()), "{line:?}");
    line
}

async fn put(backend: &Arc<dyn Backend>, key: &str, value: &'static str) {
    let set = backend.set(key, value.into(), SetOptions::default()).await;
    assert_eq!(set, Ok(Outcome::Done), "{key:?}");
}

/// All files below a directory with their content, by path.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = fs::read(&path).unwrap();
            found.insert(path, content);
        }
    }
    found
}

#[tokio::test]
async fn a_file_holds_the_value_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let backend = open(directory.path()).await;
    for (key, value) in [("c/5eg/00000000", "raw bytes"), ("m/videos/a.mp4", "{}")] {
        put(&backend, key, value).await;
    }
    let data = directory.path().join("data");
    let wanted = BTreeMap::from([
        (data.join("c+/5eg+/00000000"), b"raw bytes".to_vec()),
        (data.join("m+/videos+/a.mp4"), b"{}".to_vec()),
    ]);
    assert_eq!(files(&data), wanted);
    assert_eq!(files(&directory.path().join("tmp")), BTreeMap::new());
}

#[tokio::test]
async fn no_key_leads_out_of_the_directory() {
    let outside = tempfile::tempdir().unwrap();
    let directory = outside.path().join("store");
    let backend = open(&directory).await;
    let deep = "../".repeat(20) + outside.path().join("out").to_str().unwrap();
    let absolute = outside.path().join("out").display().to_string();
    let mut keys = awkward_keys();
    keys.extend([deep, absolute, "../../data/x".into(), "../tmp/x".into()]);
    for key in &keys {
        put(&backend, key, "value").await;
    }
    let found = files(outside.path());
    let (values, others): (Vec<_>, Vec<_>) =
        found.keys().partition(|path| path.starts_with(directory.join("data")));
    assert_eq!(values.len(), keys.len());
    for path in others {
        assert!(path.starts_with(directory.join("locks")), "{path:?}");
    }
    for key in &keys {
        backend.delete(key, None).await.unwrap();
    }
    let data = fs::read_dir(directory.join("data")).unwrap();
    assert_eq!(data.count(), 0, "empty directories are removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_on_one_directory_are_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(directory.path()).await, open(directory.path()).await);
    put(&one, "key", "from one").await;
    let entry = two.get("key", None).await.unwrap().unwrap();
    assert_eq!(entry.value, "from one");
    put(&two, "key", "from two").await;
    let options =
        SetOptions { condition: entry.version.map(Condition::VersionIs), ..SetOptions::default() };
    let set = one.set("key", "late".into(), options).await;
    assert_eq!(set, Ok(Outcome::Stale));
    let writers = [one.clone(), two.clone(), one.clone(), two].into_iter();
    count_up(writers, 25).await;
    let counter = one.get("counter", None).await.unwrap().unwrap();
    assert_eq!(counter.value, "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_makes_again_what_a_delete_removed() {
    let directory = tempfile::tempdir().unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let directory = directory.path().to_path_buf();
            tokio::spawn(async move {
                let backend = open(&directory).await;
                let key = format!("deep/down/below/{task}");
                for _ in 0..150 {
                    put(&backend, &key, "value").await;
                    assert!(backend.get(&key, None).await.unwrap().is_some());
                    backend.delete(&key, None).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(files(&directory.path().join("data")), BTreeMap::new());
}

#[tokio::test]
async fn values_copied_in_are_values() {
    let directory = tempfile::tempdir().unwrap();
    let backend = open(directory.path()).await;
    let parent = directory.path().join("data/m+");
    fs::create_dir_all(&parent).unwrap();
    fs::write(parent.join("copied"), "by hand").unwrap();
    let entry = backend.get("m/copied", None).await.unwrap().unwrap();
    assert_eq!(entry.value, "by hand");
    let version = entry.version.expect("its digest");
    assert_eq!(version, blake3::hash(b"by hand").to_hex().as_str());
    let page = backend.list_keys("m/", None, 10).await.unwrap();
    assert_eq!(page.keys[0].key, "m/copied");
    let replace = |version: &str| SetOptions {
        condition: Some(Condition::VersionIs(version.into())),
        ..SetOptions::default()
    };
    let set = backend.set("m/copied", "new".into(), replace("other"));
    assert_eq!(set.await, Ok(Outcome::Stale));
    let set = backend.set("m/copied", "new".into(), replace(&version));
    assert_eq!(set.await, Ok(Outcome::Done));
    assert_eq!(fs::read(parent.join("copied")).unwrap(), b"new");
}

#[tokio::test]
async fn the_form_of_an_attribute_to_come_is_refused() {
    // What it says of the value would not be heeded.
    let directory = tempfile::tempdir().unwrap();
    let backend = open(directory.path()).await;
    put(&backend, "key", "value").await;
    let path = directory.path().join("data/key");
    xattr::set(path, "user.chunk-store", b"2 something else").unwrap();
    let error = backend.get("key", None).await.unwrap_err();
    assert!(error.to_string().contains("2 something else"), "{error}");
    put(&backend, "key", "new").await;
    assert!(backend.get("key", None).await.unwrap().is_some());
}

#[tokio::test]
async fn a_directory_that_cannot_be_one_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refusal(&file).await.contains("it is not a directory"));
    let below = refusal(&file.join("below")).await;
    assert!(below.contains("cannot hold a store"), "{below}");
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        // Whoever runs the tests may write everywhere.
        open(&closed).await;
    } else {
        let line = refusal(&closed).await;
        assert!(line.contains("give this user the right"), "{line}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_value_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let backend = open(directory.path()).await;
    fs::create_dir(directory.path().join("data/key")).unwrap();
    fs::write(directory.path().join("data/parent+"), "").unwrap();
    for key in ["key", "parent/key"] {
        let set = backend.set(key, "".into(), SetOptions::default()).await;
        let line = set.unwrap_err().to_string();
        assert!(line.contains("move it away"), "{line}");
        let got = backend.get(key, None).await.unwrap_err();
        assert!(got.to_string().contains("move it away"), "{got}");
    }
    assert_eq!(files(&directory.path().join("tmp")), BTreeMap::new());
}
