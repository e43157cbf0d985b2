//! Every check and every test there is, the quick ones first.

use std::ffi::OsStr;

use crate::Result;
use crate::prepare::{self, TARGET};
use crate::step::{Step, target};

/// Runs them; the first that fails ends it.
pub fn run() -> Result {
    prepare::run()?;
    for step in steps() {
        step.run()?;
    }
    Ok(())
}

fn steps() -> [Step; 11] {
    // Where host/build.rs compiles the component: what it needs is checked once.
    let component = target().join("component");
    let component = component.as_os_str();
    let fuzz = target().join("fuzz");
    [
        Step::cargo("format", "fmt --all --check"),
        Step::cargo("format of the fuzz targets", "fmt --manifest-path fuzz/Cargo.toml --check"),
        Step::cargo("lints of the component", "clippy --release --package chunk-store --lib")
            .args(["--package", "chunk-store-http", "--target", TARGET, "--target-dir"])
            .args([component])
            .args(["--", "-D", "warnings"]),
        // With what they are built with: the store's component is not theirs.
        Step::cargo("lints of the adapters", "clippy --release --package chunk-store-filesystem")
            .args(["--package", "chunk-store-spin", "--package", "chunk-store-wasi-keyvalue"])
            .args(["--package", "chunk-store-example-spin"])
            .args(["--package", "chunk-store-adapter", "--lib", "--target", TARGET])
            .args([OsStr::new("--target-dir"), component])
            .args(["--", "-D", "warnings"]),
        // By itself: with the adapters it would share its features.
        Step::cargo("lints of the Worker", "clippy --release --package chunk-store-cloudflare")
            .args(["--lib", "--target", TARGET])
            .args([OsStr::new("--target-dir"), component])
            .args(["--", "-D", "warnings"]),
        Step::cargo("lints of its library", "clippy --release --package chunk-store-cloudflare")
            .args(["--features", "store", "--lib", "--target", TARGET])
            .args([OsStr::new("--target-dir"), component])
            .args(["--", "-D", "warnings"]),
        // Without libFuzzer itself, which needs a C++ compiler and is linked by
        // cargo-fuzz only.
        Step::cargo("fuzz targets compile", "check --manifest-path fuzz/Cargo.toml")
            .args(["--no-default-features", "--locked", "--target-dir"])
            .args([fuzz.as_os_str()])
            .env("RUSTFLAGS", None),
        of_all("lints", "clippy --release --workspace --all-targets -- -D warnings"),
        // Libraries only: the documentation of the program `chunk-store` would take the
        // place of the library's.
        of_all("documentation", "doc --release --workspace --no-deps --lib")
            .env("RUSTDOCFLAGS", Some("-D warnings")),
        // The features of the tests, so that they need not be built again; this leaves
        // the program where the tests of the command line look for it.
        of_all("build", "build --release --workspace --all-targets").args(QUICK_TESTS),
        of_all("tests", "test --release --workspace").args(QUICK_TESTS),
    ]
}

/// The suites are compiled far longer than they run: each instantiates much of wasmtime and tokio.
/// Not in the manifest: benchmarks and soaks are linked with that package, too.
const QUICK_TESTS: [&str; 2] =
    ["--config", "profile.release.package.chunk-store-tests.opt-level=1"];

/// Of everything, which takes long to compile: a third less without link-time optimization within
/// each crate. Programs for use have it, for it makes small operations up to a third quicker.
fn of_all(name: &'static str, arguments: &str) -> Step {
    Step::cargo(name, arguments).env("CARGO_PROFILE_RELEASE_LTO", Some("off"))
}
