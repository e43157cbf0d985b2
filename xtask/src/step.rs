//! Running one command of a task: say what, run it, say how long it took.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;

/// The workspace's directory.
pub fn root() -> PathBuf {
    // Set by `cargo run` to where this package is now; what was compiled in may have
    // been moved.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}

/// The directory that cargo builds in.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// One command. Its output goes to the terminal.
pub struct Step {
    name: &'static str,
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, Option<&'static str>)>,
}

impl Step {
    /// Another program.
    pub fn new(name: &'static str, program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_os_string();
        Self { name, program, arguments: Vec::new(), variables: Vec::new() }
    }

    /// Cargo, with arguments separated by blanks.
    pub fn cargo(name: &'static str, arguments: &str) -> Self {
        Self::new(name, "cargo").args(arguments.split(' '))
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_os_string()));
        self
    }

    /// Sets a variable of the environment, or removes it.
    pub fn env(mut self, name: &'static str, value: Option<&'static str>) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The command, to be typed in the workspace's directory.
    fn line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={}", quoted(value.as_ref())),
            None => format!("{name}="),
        });
        let words = std::iter::once(&self.program).chain(&self.arguments).map(|word| quoted(word));
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it.
    pub fn run(&self) -> Result {
        let line = self.line();
        println!("xtask: {}: {line}", self.name);
        let begun = Instant::now();
        let status = self
            .command()
            .status()
            .map_err(|error| format!("{}: cannot run {:?}: {error}", self.name, self.program))?;
        if status.success() {
            println!("xtask: {}: ok, {}", self.name, seconds(begun));
            return Ok(());
        }
        Err(format!(
            "{}: failed ({status}) after {}; to run it again: {line}",
            self.name,
            seconds(begun)
        ))
    }

    /// Runs it, and gives what it writes to standard output.
    pub fn output(&self) -> Result<String> {
        let output = self.command().stderr(Stdio::inherit()).output();
        let output = output
            .map_err(|error| format!("{}: cannot run {:?}: {error}", self.name, self.program))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!(
                "{}: failed ({}); to run it again: {}",
                self.name,
                output.status,
                self.line()
            )),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(root());
        // What `cargo run` tells this program about its own package would only confuse
        // the build scripts of others.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

/// The time since then, for people.
pub fn seconds(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
