//! Packages of npm, as a `package-lock.json` names them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// Runs `npm ci` in this directory, unless what it would install is there.
pub fn installed(directory: &Path) -> Result<(), String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let path = directory.join("package-lock.json");
    let lock = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mark = directory.join("node_modules/.installed");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let npm = Command::new("npm").arg("ci").current_dir(directory).output();
    let npm = npm.map_err(|error| {
        format!("cannot run npm: install it, or run `cargo xtask test`, which does ({error})")
    })?;
    if !npm.status.success() {
        let log = String::from_utf8_lossy(&npm.stderr);
        return Err(format!("npm cannot install what {} names:\n{log}", path.display()));
    }
    fs::write(&mark, lock).map_err(|error| format!("{}: {error}", mark.display()))
}
