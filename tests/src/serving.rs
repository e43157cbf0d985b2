//! `chunk-store serve` as a process, on loopback and a store of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{process, program};

/// A server says where it listens within this, or the machine is broken.
const START: Duration = Duration::from_secs(60);

/// Runs the program (`$@`) until standard input ends, which it does with whoever started it:
/// a server that a whole suite shares has nobody to end it.
const UNTIL_INPUT_ENDS: &str = r#""$@" </dev/null & read -r end; kill "$!""#;

/// A server. It is killed when this is dropped, and its store removed.
pub struct Server {
    directory: TempDir,
    arguments: Vec<String>,
    address: SocketAddr,
    process: Child,
    /// Held open for a shared one.
    _input: Option<ChildStdin>,
}

impl Server {
    /// One on an empty store. `tmp` is the suite's `CARGO_TARGET_TMPDIR`; the arguments
    /// come after `serve`.
    pub fn start(tmp: &Path, arguments: &[&str]) -> Self {
        Self::try_start(tmp, arguments, false).unwrap_or_else(|log| panic!("{log}"))
    }

    /// The same by this command, which runs the program. Its store lies below `parent`, and
    /// stays there.
    pub fn below(parent: &Path, command: &mut Command, arguments: &[&str]) -> Self {
        let mut directory = tempfile::tempdir_in(parent).expect("a place for its store");
        directory.disable_cleanup(true);
        Self::try_by(command, directory, arguments).unwrap_or_else(|log| panic!("{log}"))
    }

    /// One that ends with this process, not with this value: for a `static`.
    pub fn shared(tmp: &Path, arguments: &[&str]) -> Self {
        Self::try_start(tmp, arguments, true).unwrap_or_else(|log| panic!("{log}"))
    }

    fn try_start(tmp: &Path, arguments: &[&str], shared: bool) -> Result<Self, String> {
        let mut command = match shared {
            false => program::command(tmp),
            true => {
                let mut command = Command::new("sh");
                command.args(["-c", UNTIL_INPUT_ENDS, "sh"]).arg(program::path(tmp));
                program::isolate(&mut command, tmp);
                command
            }
        };
        Self::try_by(&mut command, crate::scratch(), arguments)
    }

    fn try_by(
        command: &mut Command,
        directory: TempDir,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.iter().map(|word| word.to_string()).collect();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let (mut process, address) = start(command, directory.path(), &arguments, listen)?;
        let input = process.stdin.take();
        Ok(Self { directory, arguments, address, process, _input: input })
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        self.process.wait().expect("our own child");
    }

    /// Starts it again after [`Server::kill`], on the same address and store.
    pub fn restart(&mut self, tmp: &Path) {
        let mut command = program::command(tmp);
        let (process, address) =
            start(&mut command, self.directory.path(), &self.arguments, self.address)
                .unwrap_or_else(|log| panic!("{log}"));
        assert_eq!(address, self.address);
        self.process = process;
    }

    /// The same, with other arguments after `serve`.
    pub fn restart_with(&mut self, tmp: &Path, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|word| word.to_string()).collect();
        self.restart(tmp);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A directory for files of the test, removed with the server.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of its store.
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// Its process.
    pub fn process(&self) -> &Child {
        &self.process
    }

    /// Sends it a signal: `TERM`.
    pub fn signal(&self, signal: &str) {
        crate::signal(&self.process, signal);
    }

    /// Waits until it has ended by itself; gives its exit code, `None` after a signal.
    pub fn ended(&mut self, within: Duration) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("our own child") {
                return status.code();
            }
            assert!(begun.elapsed() < within, "the server does not end: {}", self.text_of_log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it logged, an object for each line.
    pub fn log(&self) -> Vec<Value> {
        let text = self.text_of_log();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// What it logged of requests with this method and path, once there are so many.
    pub fn accesses(&self, method: &str, path: &str, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let mut log = self.log();
            log.retain(|line| line["method"] == method && line["path"] == path);
            if log.len() >= count {
                return log;
            }
            assert!(begun.elapsed() < START, "{method} {path}: {} of {count}", log.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn text_of_log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).expect("it logs")
    }

    /// The most memory that it ever had, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        process::peak_bytes(self.process.id()).expect("it runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts it; gives its address, or what it logged in place of that.
fn start(
    command: &mut Command,
    directory: &Path,
    arguments: &[String],
    listen: SocketAddr,
) -> Result<(Child, SocketAddr), String> {
    let log_path = directory.join("log");
    let log = File::options().create(true).append(true).open(&log_path).expect("a log file");
    let mut process = command
        .args(["--json", "--kv", "file:store?sync=none", "serve", "--listen"])
        .arg(listen.to_string())
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("the program runs");
    let mut line = String::new();
    let stdout = process.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let said: Value = serde_json::from_str(&line).unwrap_or_default();
    match said["listening"].as_str().and_then(|url| url.strip_prefix("http://")) {
        Some(address) => Ok((process, address.parse().expect("an address"))),
        None => {
            let _ = process.kill();
            let _ = process.wait();
            Err(std::fs::read_to_string(log_path).unwrap_or_default())
        }
    }
}
