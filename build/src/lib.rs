//! Compiles packages of this workspace to WebAssembly components, for build scripts.
//!
//! They are compiled for `wasm32-unknown-unknown` and made into components by
//! `wit-component`: so they import exactly what their worlds name, and nothing of a
//! standard library. The wasm target is installed where it is missing.

pub mod npm;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

/// A package, and the file of its component.
pub type Component = (&'static str, &'static str);

/// What a component is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Speed,
    /// All but the digests, which most of the time goes into.
    Size,
}

/// As [`components`], for a platform that counts the bytes of the code.
pub fn small_components(components: &[Component], inputs: &[&str]) -> Result<(), String> {
    build(components, inputs, Goal::Size)
}

/// Compiles the components at once and writes them to `OUT_DIR`. To be called by a build
/// script whose package lies in a directory of the workspace's root.
///
/// Outside of the workspace, in a package from a registry, they are taken from its directory
/// `prebuilt`.
///
/// `inputs` are files and directories below the root: when one of them changes the
/// script runs again. Packages that are built together share their features.
pub fn components(components: &[Component], inputs: &[&str]) -> Result<(), String> {
    build(components, inputs, Goal::Speed)
}

fn build(components: &[Component], inputs: &[&str], goal: Goal) -> Result<(), String> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest_dir.parent().ok_or("the package has no directory above it")?;
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    if !root.join("wit/kv.wit").is_file() {
        return take_prebuilt(components, &manifest_dir.join("prebuilt"), &out_dir);
    }
    for input in inputs.iter().chain(&["Cargo.toml", "Cargo.lock", ".cargo/config.toml"]) {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    install_target(root)?;
    let modules = compile(components, root, &target_dir(&out_dir), goal)?;
    for (package, file) in components {
        let module = modules.join(package.replace('-', "_")).with_extension("wasm");
        let path = out_dir.join(file);
        std::fs::write(&path, componentize(&module)?)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(())
}

/// In a package from a registry there is no workspace to build from: it carries them.
fn take_prebuilt(components: &[Component], prebuilt: &Path, out_dir: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", prebuilt.display());
    for (_, file) in components {
        let from = prebuilt.join(file);
        std::fs::copy(&from, out_dir.join(file)).map_err(|error| {
            format!(
                "{}: {error}; it is in the package that `cargo xtask package` makes",
                from.display()
            )
        })?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

/// One directory for all profiles, beside the script's own artifacts, and not among
/// them: the outer cargo holds a lock there.
fn target_dir(out_dir: &Path) -> PathBuf {
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let target = out_dir.ancestors().nth(4).unwrap_or(out_dir);
    target.join("component")
}

/// Whether the compiler has the target's standard library; if not, rustup gets it.
fn install_target(root: &Path) -> Result<(), String> {
    let rustc = variable("RUSTC")?;
    let sysroot =
        Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let installed = sysroot.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
        output.status.success() && Path::new(&path).is_dir()
    });
    if installed {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(root).output();
    match added {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!(
            "the compiler lacks the target {TARGET}, and `rustup target add {TARGET}` failed: install that target, then build again"
        )),
    }
}

/// Gives the directory with their modules.
fn compile(
    components: &[Component],
    root: &Path,
    target_dir: &Path,
    goal: Goal,
) -> Result<PathBuf, String> {
    let mut cargo = Command::new(variable("CARGO")?);
    if goal == Goal::Size {
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z");
    }
    let output = cargo
        .current_dir(root)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(components.iter().flat_map(|(package, _)| ["--package", package]))
        .arg("--target-dir")
        .arg(target_dir)
        .args(match goal {
            Goal::Speed => &[][..],
            Goal::Size => &["--config", "profile.release.package.blake3.opt-level=3"],
        })
        // The outer build's flags, wrapper and features are not the component's.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .output()
        .map_err(|error| format!("cannot run cargo for the component: {error}"))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the components do not build:\n{log}").replace('\n', "\ncargo::error="));
    }
    Ok(target_dir.join(TARGET).join("release"))
}

fn componentize(module: &Path) -> Result<Vec<u8>, String> {
    let bytes =
        std::fs::read(module).map_err(|e| format!("cannot read {}: {e}", module.display()))?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| format!("{} is no module for a component: {error:#}", module.display()))
}
