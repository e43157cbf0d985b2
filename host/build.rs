//! Builds the components that the host runs: the store, and the store with HTTP in front.
//!
//! Their packages are compiled for `wasm32-unknown-unknown` and made into
//! components by `wit-component`: so they import exactly what their worlds name, and
//! nothing of a standard library. The wasm target is installed where it is missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

/// Package, and file of the component.
const COMPONENTS: [(&str, &str); 2] =
    [("chunk-store", "store.wasm"), ("chunk-store-http", "gateway.wasm")];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest_dir.parent().ok_or("the host has no directory above it")?;
    for input in ["src", "adapters/http", "wit", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    install_target(root)?;
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let modules = compile(root, &target_dir(&out_dir))?;
    for (package, file) in COMPONENTS {
        let module = modules.join(package.replace('-', "_")).with_extension("wasm");
        let path = out_dir.join(file);
        std::fs::write(&path, componentize(&module)?)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

/// One directory for all profiles, beside the host's own artifacts, and not among
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

/// Compiles all of them at once; gives the directory with their modules.
fn compile(root: &Path, target_dir: &Path) -> Result<PathBuf, String> {
    let output = Command::new(variable("CARGO")?)
        .current_dir(root)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(COMPONENTS.iter().flat_map(|(package, _)| ["--package", package]))
        .arg("--target-dir")
        .arg(target_dir)
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
