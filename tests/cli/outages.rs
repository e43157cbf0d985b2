//! Redis stopped, paused and started again in the middle of a put and of a get: the
//! operation finishes after it is back, or fails with one line; never wrong, never stuck.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chunk_store_tests::random::bytes;
use chunk_store_tests::redis::Server;

use crate::program::{Place, Ran};

/// Longer than any kv operation of the store may take, twice.
const PATIENCE: Duration = Duration::from_secs(300);

const SIZE: u64 = 8_000_000;

struct Outage {
    server: Server,
    place: Place,
}

impl Outage {
    fn new() -> Self {
        Self { server: Server::start(), place: Place::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.bare_command(&["--kv", &self.server.url()]);
        command.args(arguments);
        command
    }

    /// Waits until so many chunks are stored.
    fn wait_for_chunks(&self, count: usize) {
        let begun = Instant::now();
        while self.server.cli(&["KEYS", "cs:*:v:c/*"]).lines().count() < count {
            assert!(begun.elapsed() < PATIENCE, "the chunks do not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Puts an object, of which half is sent when `interrupt` is called.
    fn put_across(&self, content: &[u8], interrupt: impl FnOnce()) -> Ran {
        let mut command = self.command(&["put", "-", "object", "--chunk-max", "64KiB"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let half = content.len() / 2;
        stdin.write_all(&content[..half]).unwrap();
        self.wait_for_chunks(20);
        interrupt();
        // One that has failed reads no more.
        let _ = stdin.write_all(&content[half..]);
        drop(stdin);
        ended(child)
    }

    /// Gets the object; `interrupt` is called when some of it has come.
    fn get_across(&self, interrupt: impl FnOnce()) -> (Vec<u8>, Ran) {
        let mut child = self.command(&["get", "object"]).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut read = vec![0; 100_000];
        stdout.read_exact(&mut read).unwrap();
        interrupt();
        stdout.read_to_end(&mut read).unwrap();
        (read, ended(child))
    }

    /// After a put that was interrupted: the object is what the answer says.
    fn assert_put(&self, content: &[u8], ran: Ran) {
        if ran.code == Some(0) {
            assert!(Ran::of(&mut self.command(&["get", "object"])).works() == content);
            Ran::of(&mut self.command(&["verify", "object"])).works();
            return;
        }
        assert_failed(&ran);
        let got = Ran::of(&mut self.command(&["get", "object"]));
        // Uncertain: it may have been the last write.
        let whole = ran.code == Some(12) && got.stdout == content;
        assert!(got.code == Some(3) || whole, "{got:?}");
        Ran::of(&mut self.command(&["put", "/dev/null", "object"])).works();
    }

    /// After a get that was interrupted: what came is right, and all of it or an error.
    fn assert_got(&self, content: &[u8], (read, ran): (Vec<u8>, Ran)) {
        assert!(content.starts_with(&read), "wrong bytes came");
        match ran.code {
            Some(0) => assert_eq!(read.len(), content.len(), "a short read ended well"),
            _ => assert_failed(&ran),
        }
        assert!(Ran::of(&mut self.command(&["get", "object"])).works() == content);
    }
}

/// Waits for the program, not for ever.
fn ended(mut child: Child) -> Ran {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "the program is stuck");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ran::of_child(child)
}

/// It says what is wrong in one line: the store below cannot serve, or nobody knows
/// whether the last write took effect.
#[track_caller]
fn assert_failed(ran: &Ran) {
    assert!(matches!(ran.code, Some(11 | 12)), "{ran:?}");
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("chunk-store: "), "{}", ran.stderr);
}

#[test]
fn a_put_outlasts_a_restart_or_fails() {
    let on = Outage::new();
    let content = bytes(91, SIZE);
    let ran = on.put_across(&content, || {
        on.server.kill();
        on.server.restart();
    });
    on.assert_put(&content, ran);
}

#[test]
fn a_put_outlasts_a_pause() {
    let on = Outage::new();
    let content = bytes(92, SIZE);
    let ran = on.put_across(&content, || {
        on.server.pause();
        std::thread::sleep(Duration::from_secs(3));
        on.server.resume();
    });
    assert_eq!(ran.code, Some(0), "shorter than any time-out: {ran:?}");
    on.assert_put(&content, ran);
}

#[test]
fn a_get_outlasts_a_restart_or_fails() {
    let on = Outage::new();
    let content = bytes(93, SIZE);
    Ran::of_with_input(&mut on.command(&["put", "-", "object", "--chunk-max", "64KiB"]), &content)
        .works();
    let got = on.get_across(|| {
        on.server.kill();
        on.server.restart();
    });
    on.assert_got(&content, got);
}

#[test]
fn a_get_outlasts_a_pause() {
    let on = Outage::new();
    let content = bytes(94, SIZE);
    Ran::of_with_input(&mut on.command(&["put", "-", "object", "--chunk-max", "64KiB"]), &content)
        .works();
    let got = on.get_across(|| {
        on.server.pause();
        std::thread::sleep(Duration::from_secs(3));
        on.server.resume();
    });
    assert_eq!(got.1.code, Some(0), "shorter than any time-out: {:?}", got.1);
    on.assert_got(&content, got);
}

#[test]
fn a_server_that_never_comes_back_ends_a_put_and_a_get_with_one_line() {
    let on = Outage::new();
    let content = bytes(95, SIZE);
    Ran::of_with_input(&mut on.command(&["put", "-", "object", "--chunk-max", "64KiB"]), &content)
        .works();
    let (read, ran) = on.get_across(|| on.server.kill());
    assert!(content.starts_with(&read) && ran.code != Some(0));
    assert_failed(&ran);
    on.server.restart();
    let ran = on.put_across(&content, || on.server.kill());
    assert_failed(&ran);
}

#[test]
fn a_server_that_is_not_there_is_one_line() {
    let on = Outage::new();
    on.server.kill();
    let ran = Ran::of(&mut on.command(&["put", "/dev/null", "object"]));
    assert_ne!(ran.code, Some(0));
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
}
