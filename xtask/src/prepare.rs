//! What the toolchain must have: the wasm target, rustfmt, clippy.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::step::{Step, root};

/// What the components are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Gets what is missing from rustup.
pub fn run() -> Result {
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
    for arguments in missing {
        Step::new("toolchain", "rustup").args(arguments).run().map_err(|error| {
            format!("the compiler lacks {}, and rustup cannot get it: install it, then run this again ({error})", arguments[2])
        })?;
    }
    Ok(())
}

fn has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(root());
    rustc.output().is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    output.is_ok_and(|output| output.status.success())
}
