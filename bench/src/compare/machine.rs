//! What the figures were measured on, and with what.

use std::error::Error;
use std::fs;
use std::process::Command;

/// Programs that say which version they are.
const PROGRAMS: [(&str, &[&str]); 6] = [
    ("redis-server", &["--version"]),
    ("nats-server", &["--version"]),
    ("rclone", &["version"]),
    ("nginx", &["-v"]),
    ("node", &["--version"]),
    ("rustc", &["--version"]),
];

/// A list for the page.
pub fn describe() -> Result<String, Box<dyn Error + Send + Sync>> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = field(&cpus, "model name").unwrap_or("a processor that has no name");
    let count = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory_kib: u64 = field(&memory, "MemTotal")
        .and_then(|text| text.strip_suffix("kB"))
        .ok_or("no MemTotal")?
        .trim()
        .parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut text = format!(
        "| | |\n|---|---|\n| processors | {count} × {model} |\n| memory | {:.0} GiB |\n| Linux | {} |\n",
        memory_kib as f64 / f64::from(1 << 20),
        kernel.trim()
    );
    for (program, arguments) in PROGRAMS {
        let output = Command::new(program).args(arguments).output()?;
        // nginx says it on standard error.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().next().unwrap_or_default();
        text += &format!("| {program} | {} |\n", version(line));
    }
    Ok(text)
}

/// The value of `NAME : VALUE`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// The first word that holds a number with dots, without what stands around it.
fn version(line: &str) -> &str {
    let is_version = |word: &&str| word.contains('.') && word.chars().any(|c| c.is_ascii_digit());
    let word = line.split([' ', '/', '=']).find(is_version).unwrap_or(line);
    word.trim_start_matches('v')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (line, expected) in [
            ("Redis server v=7.0.15 sha=0:0 malloc=jemalloc-5.2.1", "7.0.15"),
            ("nats-server: v2.9.10", "2.9.10"),
            ("rclone v1.60.1-DEV", "1.60.1-DEV"),
            ("nginx version: nginx/1.22.1", "1.22.1"),
        ] {
            assert_eq!(version(line), expected);
        }
    }
}
