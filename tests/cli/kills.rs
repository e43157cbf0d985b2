//! Real processes killed: `kill -9` at random moments of put, overwrite, delete, and of puts
//! that are gone on with: whatever was acknowledged is whole, nothing is there by half, and a
//! sweep leaves exactly what the objects need. Of a power failure nothing can be tried here: a
//! process that is killed loses nothing that it gave to the operating system.
//!
//! A failure names its seed: `CHUNK_STORE_SEED=N` runs it again, as far as moments of real
//! time come again. `CHUNK_STORE_KILLS=N` kills so many times in place of 200.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chunk_store_host::kv;
use chunk_store_tests::needed::assert_exact;
use chunk_store_tests::random::{Random, bytes, seed};
use chunk_store_tests::redis::Server;

use crate::program::{Place, Ran, files_below};

const KILLS: u64 = 200;

/// Inline, one chunk, several, and many of 64 KiB.
const SIZES: [u64; 5] = [1000, 60_000, 200_000, 1_000_000, 3_000_000];

const KEYS: [&str; 4] = ["a", "b", "c/d", "e"];

/// Objects by the seed and the size of their content.
type Content = Option<(u64, u64)>;

/// Kinds of operations: they take different times.
const PUT: usize = 0;
const DELETE: usize = 1;
const UPLOAD: usize = 2;

struct Killer {
    place: Place,
    url: String,
    random: Random,
    /// What each key holds for certain.
    held: BTreeMap<&'static str, Content>,
    contents: u64,
    /// How long each kind of operation takes when nobody kills it.
    took: [Duration; 3],
    killed: u64,
}

impl Killer {
    fn new(place: Place, url: String, seed: u64) -> Self {
        let held = KEYS.map(|key| (key, None)).into();
        let took = [Duration::from_millis(100); 3];
        Self { place, url, random: Random::new(seed), held, contents: 0, took, killed: 0 }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.bare_command(&["--kv", &self.url]);
        command.args(arguments);
        command
    }

    /// Runs a command that may be killed; whether it had done its work by then.
    fn run_and_kill(&mut self, arguments: &[&str], kind: usize) -> bool {
        let spares = self.random.below(6) == 0;
        let moment = self.took[kind].mul_f64(self.random.below(1200) as f64 / 1000.0);
        let begun = Instant::now();
        let mut child = self.command(arguments).stdin(Stdio::null()).spawn().unwrap();
        if !spares {
            std::thread::sleep(moment.saturating_sub(begun.elapsed()));
            child.kill().unwrap();
        }
        let ran = Ran::of_child(child);
        match ran.code {
            // Ended before it was killed: a kill after that tests nothing.
            Some(code) => {
                let other_content = code == 2 && ran.stderr.contains("was of other content");
                if other_content && arguments.contains(&"--resume") {
                    // It was killed before it had begun, and an older one is there.
                    return false;
                }
                assert_eq!(code, 0, "{arguments:?}: {ran:?}");
                if spares {
                    // As the machine is now: it slows down and speeds up.
                    self.took[kind] = (self.took[kind] + begun.elapsed()) / 2;
                }
                true
            }
            None => {
                self.killed += 1;
                false
            }
        }
    }

    /// Goes on with an upload that was killed, up to a few times, unless it is left alone.
    fn go_on(&mut self, put: &[&str]) -> bool {
        let resume = [put, &["--resume"]].concat();
        (0..self.random.below(4)).any(|_| self.run_and_kill(&resume, UPLOAD))
    }

    fn step(&mut self) {
        let key = KEYS[self.random.below(KEYS.len() as u64) as usize];
        let before = self.held[key];
        let deletes = before.is_some() && self.random.below(4) == 0;
        let (after, done) = if deletes {
            (None, self.run_and_kill(&["delete", key], DELETE))
        } else {
            self.contents += 1;
            let size = SIZES[self.random.below(SIZES.len() as u64) as usize];
            let file = self.place.file("source", &bytes(self.contents, size));
            let put = ["put", &file, key, "--chunk-max", "64KiB", "--inline-max", "4KiB"];
            let done = match self.random.below(2) {
                0 => self.run_and_kill(&put, PUT),
                _ => {
                    self.run_and_kill(&[&put[..], &["--live"]].concat(), UPLOAD) || self.go_on(&put)
                }
            };
            (Some((self.contents, size)), done)
        };
        let found = self.look(key, &[before, after]);
        assert!(!done || found == after, "{key} was acknowledged as {after:?}, and is {found:?}");
        self.held.insert(key, found);
    }

    /// Reads an object whole; it is one of those that it may be.
    fn look(&self, key: &str, possible: &[Content]) -> Content {
        let ran = Ran::of(&mut self.command(&["get", key]));
        if ran.code == Some(3) {
            assert!(possible.contains(&None), "{key} is gone: {ran:?}");
            return None;
        }
        assert_eq!(ran.code, Some(0), "{key}: {}", ran.stderr);
        let is = |content: &&Content| {
            content.is_some_and(|(seed, size)| bytes(seed, size) == ran.stdout)
        };
        let found = possible.iter().find(is);
        *found.unwrap_or_else(|| panic!("{key} holds {} bytes of nobody", ran.stdout.len()))
    }

    /// Every object is the one that it has to be, and verifies.
    fn look_at_all(&self) {
        for (key, content) in &self.held {
            assert_eq!(self.look(key, &[*content]), *content);
        }
        Ran::of(&mut self.command(&["verify", "--all"])).works();
    }

    /// What is left when nothing needs it any more is given back, and nothing else.
    fn sweep(&self) {
        Ran::of(&mut self.command(&["sweep", "--no-writers", "--grace", "0s"])).works();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let kv = runtime.block_on(kv::open(&self.url)).unwrap();
        runtime.block_on(assert_exact(&*kv));
        self.look_at_all();
    }
}

/// Kills until enough were killed; gives the place, swept.
fn kill_many(place: Place, url: String) -> Killer {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed = number("CHUNK_STORE_SEED").unwrap_or_else(seed);
    println!("CHUNK_STORE_SEED={seed} on {url}");
    let kills = number("CHUNK_STORE_KILLS").unwrap_or(KILLS);
    let mut killer = Killer::new(place, url, seed);
    // The first run compiles the component, or finds it compiled.
    Ran::of(&mut killer.command(&["put", "/dev/null", "warm"])).works();
    while killer.killed < kills {
        killer.step();
        if killer.contents.is_multiple_of(25) {
            killer.look_at_all();
        }
    }
    killer.look_at_all();
    killer.sweep();
    for key in KEYS.into_iter().chain(["warm"]) {
        if key == "warm" || killer.held[key].is_some() {
            Ran::of(&mut killer.command(&["delete", key])).works();
        }
        killer.held.insert(key, None);
    }
    killer.sweep();
    killer
}

#[test]
fn nothing_acknowledged_is_lost_on_files() {
    let place = Place::new();
    let url = format!("file:{}?sync=none", place.path("store").display());
    let killer = kill_many(place, url);
    let files = files_below(&killer.place.path("store/data"));
    assert!(files.is_empty(), "no object is left, and a sweep leaves {files:?}");
}

#[test]
fn nothing_acknowledged_is_lost_on_redis() {
    let server = Server::start();
    kill_many(Place::new(), server.url());
    let keys = server.cli(&["KEYS", "*"]);
    // Drafts of writers that were killed go by themselves, a minute later.
    let left: Vec<&str> = keys.split_whitespace().filter(|key| !key.contains("}:d:")).collect();
    assert!(left.is_empty(), "no object is left, and a sweep leaves {left:?}");
}
