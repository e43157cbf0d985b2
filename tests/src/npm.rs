//! Tests that run on Node: what they need is installed as their `package-lock.json` says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Runs `npm ci` in this directory below `tests/`, unless what it would install is there;
/// gives the directory's path.
pub fn installed(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let lock = fs::read(directory.join("package-lock.json")).expect("it is there");
    let mark = directory.join("node_modules/.installed");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return directory;
    }
    let npm = Command::new("npm").arg("ci").current_dir(&directory).output();
    let npm = npm.expect("npm is there: install it, or run `cargo xtask test`, which does");
    let log = String::from_utf8_lossy(&npm.stderr);
    assert!(npm.status.success(), "npm cannot get what the tests need:\n{log}");
    fs::write(mark, lock).expect("node_modules can be written");
    directory
}
