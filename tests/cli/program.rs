//! The program under test, and a place to run it in.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use chunk_store_tests::program;
use serde_json::Value;
use tempfile::TempDir;

/// An empty directory to run the program in; the store lies in `store` below it.
pub struct Place {
    directory: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { directory: chunk_store_tests::scratch() };
        fs::create_dir(place.path("store")).unwrap();
        place
    }

    /// One with a store in it, so that it can be looked at while it is written to.
    pub fn with_store() -> Self {
        let place = Self::new();
        place.works(&["put", "/dev/null", "first"]);
        place.works(&["delete", "first"]);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file; gives its path as an argument.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_string()
    }

    /// The program on the store of this place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(&["--kv", "file:store?sync=none"]);
        command.args(arguments);
        command
    }

    /// The program without a store.
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = program::command(Path::new(env!("CARGO_TARGET_TMPDIR")));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program on the store of this place.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Runs it with these bytes on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        Ran::of_with_input(&mut self.command(arguments), input)
    }

    /// Runs it; it has to succeed and to be quiet. Gives what it printed.
    #[track_caller]
    pub fn works(&self, arguments: &[&str]) -> Vec<u8> {
        self.run(arguments).works()
    }

    /// What it prints as lines of text.
    #[track_caller]
    pub fn lines(&self, arguments: &[&str]) -> Vec<String> {
        lines(&self.works(arguments))
    }

    /// The lines of JSON that it prints.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["--json"], arguments].concat();
        let lines = self.lines(&arguments);
        lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Every object key of the store.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        self.lines(&["list"])
    }

    /// Asserts that no file of the store, and none beside it, is left half written.
    #[track_caller]
    pub fn has_no_temporaries(&self) {
        assert_eq!(names_in(&self.path("store/tmp")), [""; 0]);
        let hidden =
            names_in(self.directory.path()).into_iter().filter(|name| name.starts_with('.'));
        assert_eq!(hidden.collect::<Vec<_>>(), [""; 0]);
    }
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        Self::ended(command.output().expect("the program runs"))
    }

    /// Waits for a process that was started.
    pub fn of_child(child: std::process::Child) -> Self {
        Self::ended(child.wait_with_output().expect("it can be waited for"))
    }

    fn ended(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }

    pub fn of_with_input(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program runs");
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                // A program that refuses its input closes it.
                let _ = stdin.write_all(input);
            });
            Self::ended(child.wait_with_output().unwrap())
        })
    }

    /// Asserts that it succeeded and said nothing on standard error.
    #[track_caller]
    pub fn works(self) -> Vec<u8> {
        assert_eq!((self.code, &*self.stderr), (Some(0), ""));
        self.stdout
    }

    /// Asserts that it ended with this code and one line that says all of this, and
    /// printed nothing; gives the line.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&self.stdout));
        self.says(parts)
    }

    /// Asserts that standard error is one line that says all of this.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> String {
        let line = self.stderr.strip_suffix('\n').expect("it says something").to_string();
        assert!(line.starts_with("chunk-store: "), "{line}");
        assert!(!line.contains('\n'), "more than one line: {line}");
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in: {line}");
        }
        line
    }
}

/// Lines of text.
#[track_caller]
pub fn lines(text: &[u8]) -> Vec<String> {
    std::str::from_utf8(text).unwrap().lines().map(str::to_string).collect()
}

/// The names in a directory, in order; none where there is no directory.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The chunk files of all segments, in order within each.
pub fn chunk_files(store: &Path) -> Vec<PathBuf> {
    files_below(&store.join("data/c+"))
}

/// The files in a directory and in those below it.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let below = names_in(directory).into_iter().map(|name| directory.join(name));
    below.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// A file whose reads fail: the memory of this process, from address 0 on.
pub fn failing_source() -> File {
    File::open("/proc/self/mem").unwrap()
}
