//! `cached` of the library for Workers, in workerd before an origin that fails as it is told to.
//!
//! Each test is a file of tests for Node in `adapters/cloudflare/test/cached`; the rules that
//! need no workerd are in `pure/` there. Node and workerd come from npm; there is no network.

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chunk_store_components::worker;
use chunk_store_tests::npm;

/// One workerd at a time: patience is measured by the clock. Holds whether all is built.
static TURN: Mutex<bool> = Mutex::new(false);

/// Runs a file of tests, with all that it needs built; its output is shown if one fails.
fn passes(file: &str) {
    let turn = built();
    let node = node(&["--test", "--test-reporter=spec", &format!("test/cached/{file}")]);
    drop(turn);
    npm::assert_passed(file, &node);
}

/// The library, and the Workers around it.
fn built() -> MutexGuard<'static, bool> {
    let mut built = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !*built {
        worker::build().unwrap_or_else(|why| panic!("{why}"));
        let bundled = node(&["test/cached/build.mjs"]);
        let errors = String::from_utf8_lossy(&bundled.stderr);
        assert!(bundled.status.success(), "{errors}");
        *built = true;
    }
    built
}

/// Runs Node in the adapter's directory.
fn node(arguments: &[&str]) -> Output {
    let mut node = Command::new(worker::node());
    let output = node.args(arguments).current_dir(worker::directory()).output();
    output.expect("node is among what npm has installed")
}

#[test]
fn what_may_be_stored_and_how_it_is_named() {
    passes("dist/pure/policy.test.mjs");
    passes("dist/pure/parts.test.mjs");
}

#[test]
fn one_body_for_several() {
    passes("dist/pure/split.test.mjs");
}

#[test]
fn who_is_told_what_happens() {
    passes("dist/pure/events.test.mjs");
}

#[test]
fn fetched_once_for_everybody() {
    passes("filling.test.mjs");
}

#[test]
fn origins_that_fail() {
    passes("origin.test.mjs");
}

#[test]
fn stores_that_fail() {
    passes("store.test.mjs");
}

#[test]
fn fills_that_are_cut_off() {
    passes("cut.test.mjs");
}
