//! Compiles packages of this workspace to WebAssembly components, for build scripts.
//!
//! They are compiled for `wasm32-unknown-unknown` and made into components by
//! `wit-component`: so they import exactly what their worlds name, and nothing of a
//! standard library. The wasm target is installed where it is missing; so is the source of the
//! standard library, which is compiled anew where bytes are counted.

pub mod npm;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

/// Where a compiler has its standard library's source, if it has it.
const STD_SOURCE: &str = "lib/rustlib/src/rust/library/Cargo.lock";

/// What compiles the standard library anew, and everything for size: all but the digests.
const FOR_SIZE: [&str; 6] = [
    "-Zbuild-std=std,panic_abort",
    "-Zbuild-std-features=optimize_for_size",
    "--config",
    r#"target.wasm32-unknown-unknown.rustflags=["-Zunstable-options", "-Cpanic=immediate-abort"]"#,
    "--config",
    "profile.release.package.blake3.opt-level=3",
];

/// A package, and the file of its component.
pub type Component = (&'static str, &'static str);

/// What a component is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Speed,
    /// All but the digests, which most of the time goes into.
    Size,
}

/// As [`components`], one with these features of its package, for a platform that counts the
/// bytes of the code.
///
/// The standard library is compiled with it, for size and without the messages of panics, which
/// nobody could read on this target anyway: a panic is a trap. Both are unstable, and known to
/// work with the compiler that `rust-toolchain.toml` pins.
pub fn small_component(
    component: Component,
    features: &[&str],
    inputs: &[&str],
) -> Result<(), String> {
    build(&[component], features, inputs, Goal::Size)
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
    build(components, &[], inputs, Goal::Speed)
}

fn build(
    components: &[Component],
    features: &[&str],
    inputs: &[&str],
    goal: Goal,
) -> Result<(), String> {
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
    if goal == Goal::Size {
        install_source(root)?;
    }
    let modules = compile(components, features, root, &target_dir(&out_dir, goal), goal)?;
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
/// them: the outer cargo holds a lock there. Build scripts look at `RUSTC_BOOTSTRAP`, and would
/// be run anew each time if both goals shared one.
fn target_dir(out_dir: &Path, goal: Goal) -> PathBuf {
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let target = out_dir.ancestors().nth(4).unwrap_or(out_dir);
    target.join(match goal {
        Goal::Speed => "component",
        Goal::Size => "small-component",
    })
}

/// Whether the compiler has the target's standard library; if not, rustup gets it.
fn install_target(root: &Path) -> Result<(), String> {
    if asked(&["--print", "target-libdir", "--target", TARGET])?.is_some_and(|path| path.is_dir()) {
        return Ok(());
    }
    installed(&["target", "add", TARGET], root).ok_or_else(|| {
        format!(
            "the compiler lacks the target {TARGET}, and `rustup target add {TARGET}` failed: install that target, then build again"
        )
    })
}

/// The same of the standard library's source.
fn install_source(root: &Path) -> Result<(), String> {
    let source = asked(&["--print", "sysroot"])?.map(|sysroot| sysroot.join(STD_SOURCE));
    if source.is_some_and(|source| source.is_file()) {
        return Ok(());
    }
    installed(&["component", "add", "rust-src"], root).ok_or_else(|| {
        "the compiler lacks the source of the standard library, and `rustup component add rust-src` failed: install that component, then build again".into()
    })
}

/// The path that the compiler prints.
fn asked(arguments: &[&str]) -> Result<Option<PathBuf>, String> {
    let Ok(output) = Command::new(variable("RUSTC")?).args(arguments).output() else {
        return Ok(None);
    };
    let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
    Ok(output.status.success().then(|| path.into()))
}

/// Has rustup get something for the pinned compiler.
fn installed(arguments: &[&str], root: &Path) -> Option<()> {
    let output = Command::new("rustup").args(arguments).current_dir(root).output();
    output.is_ok_and(|output| output.status.success()).then_some(())
}

/// Gives the directory with their modules.
fn compile(
    components: &[Component],
    features: &[&str],
    root: &Path,
    target_dir: &Path,
    goal: Goal,
) -> Result<PathBuf, String> {
    let mut cargo = Command::new(variable("CARGO")?);
    if goal == Goal::Size {
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z").env("RUSTC_BOOTSTRAP", "1");
    }
    let output = cargo
        .current_dir(root)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(components.iter().flat_map(|(package, _)| ["--package", package]))
        .args(features.iter().flat_map(|feature| ["--features", feature]))
        .arg("--target-dir")
        .arg(target_dir)
        .args(match goal {
            Goal::Speed => &[][..],
            Goal::Size => &FOR_SIZE[..],
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
