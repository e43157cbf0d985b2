//! The subjects that need no other program than tests do give back what they are given, whatever
//! the object's size: a wrong one would end the measurement.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Those whose servers, if they have any, are there for tests.
const SUBJECTS: [&str; 14] = [
    "memory/chunk-store",
    "memory/chunk-store-on-all-processors",
    "memory/native-loop",
    "cached/chunk-store",
    "cached/chunk-store-on-all-processors",
    "cached/native-loop",
    "cached/cacache",
    "cached/cp",
    "synced/chunk-store",
    "synced/native-loop",
    "redis/chunk-store",
    "redis/native-loop",
    "redis/raw-chunks",
    "redis/whole-value",
];

/// One chunk, and several of which the last is not whole.
const SIZES: [usize; 2] = [70_000, 5_000_001];

#[test]
fn subjects_give_back_what_they_were_given() {
    let directory = tempfile::tempdir().unwrap();
    for size in SIZES {
        let source = directory.path().join(size.to_string());
        let mut content = vec![0; size];
        blake3::Hasher::new().finalize_xof().fill(&mut content);
        fs::write(&source, &content).unwrap();
        let digest = blake3::hash(&content).to_string();
        for subject in SUBJECTS {
            let figures = measured(subject, &source, &digest);
            assert!(figures["Put"].as_f64() > Some(0.0), "{subject}: {figures}");
            assert!(figures["Get"].as_f64() > Some(0.0), "{subject}: {figures}");
        }
    }
}

fn measured(subject: &str, source: &Path, digest: &str) -> Value {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["one", "subject", subject])
        .args([source.as_os_str(), digest.as_ref(), source.as_os_str(), digest.as_ref()])
        .args(["--small", "20", "--seed", "1"])
        // None of these runs the program.
        .args(["--program", "chunk-store", "--tmp", env!("CARGO_TARGET_TMPDIR")])
        .arg("--directory")
        .arg(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{subject}, {}: {said}", source.display());
    serde_json::from_slice(&output.stdout).unwrap()
}
