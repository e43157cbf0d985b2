//! What a machine must have: the wasm target, the standard library's source, rustfmt, clippy;
//! the servers that tests start.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::step::{Step, root};

/// What the components are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Programs that tests start, and Debian's packages that have them.
const PROGRAMS: [(&str, &str); 8] = [
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("chromium", "chromium"),
    ("ffmpeg", "ffmpeg"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// What `cargo xtask bench` needs besides: peers, and who asks them.
const BENCH_PROGRAMS: [(&str, &str); 4] = [
    ("nginx", "nginx-light"),
    ("nats-server", "nats-server"),
    ("rclone", "rclone"),
    ("wrk", "wrk"),
];

/// What `cargo xtask package --registry` needs besides.
const REGISTRY_PROGRAMS: [(&str, &str); 1] = [("docker-registry", "docker-registry")];

/// Gets what is missing.
pub fn run() -> Result {
    toolchain()?;
    programs(&PROGRAMS)
}

/// The same, for benchmarks.
pub fn run_for_benchmarks() -> Result {
    run()?;
    programs(&BENCH_PROGRAMS)
}

/// The same, for a registry of components.
pub fn run_for_registry() -> Result {
    run()?;
    programs(&REGISTRY_PROGRAMS)
}

fn programs(needed: &[(&str, &str)]) -> Result {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(program, _)| !succeeds("sh", &["-c", &format!("command -v {program}")]))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let advice = |error| {
        format!(
            "this needs {}, and apt-get cannot get it: install it, then run this again ({error})",
            missing.join(", ")
        )
    };
    let apt_get = |arguments: &[&str]| {
        let as_root = !succeeds("sh", &["-c", "test $(id -u) = 0"]);
        let words = as_root.then_some("sudo").into_iter().chain([
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
        ]);
        let words: Vec<&str> = words.chain(arguments.iter().copied()).collect();
        Step::new("programs", words[0]).args(&words[1..]).run()
    };
    apt_get(&["update"]).map_err(advice)?;
    let install = ["install", "-y", "--no-install-recommends"];
    apt_get(&[&install[..], &missing[..]].concat()).map_err(advice)
}

/// What rustup has.
fn toolchain() -> Result {
    let mut missing = Vec::new();
    if !has_target() {
        missing.push(["target", "add", TARGET]);
    }
    for component in ["rustfmt", "clippy"] {
        let tool = if component == "rustfmt" { "fmt" } else { component };
        if !succeeds("cargo", &[tool, "--version"]) {
            missing.push(["component", "add", component]);
        }
    }
    if !has_source() {
        missing.push(["component", "add", "rust-src"]);
    }
    for arguments in missing {
        Step::new("toolchain", "rustup").args(arguments).run().map_err(|error| {
            format!("the compiler lacks {}, and rustup cannot get it: install it, then run this again ({error})", arguments[2])
        })?;
    }
    Ok(())
}

fn has_target() -> bool {
    printed(&["target-libdir", "--target", TARGET]).is_some_and(|path| path.is_dir())
}

/// What the Worker's component is built with.
fn has_source() -> bool {
    printed(&["sysroot"])
        .is_some_and(|path| path.join("lib/rustlib/src/rust/library/Cargo.lock").is_file())
}

/// A path that the compiler prints.
fn printed(what: &[&str]) -> Option<PathBuf> {
    let output =
        Command::new("rustc").arg("--print").args(what).current_dir(root()).output().ok()?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
    output.status.success().then(|| path.into())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    output.is_ok_and(|output| output.status.success())
}
