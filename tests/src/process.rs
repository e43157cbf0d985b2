//! What Linux tells of a process.

use std::io;
use std::process::Child;
use std::time::Duration;

/// The most memory that a process has had, in bytes.
pub fn peak_bytes(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    high_water_mark(&status).ok_or_else(|| io::Error::other("its status has no VmHWM"))
}

/// Watches one to its end; gives the most memory that it ever had, in bytes.
pub fn watch(process: &mut Child) -> u64 {
    let mut peak = 0;
    while process.try_wait().expect("it is ours").is_none() {
        // It may end in between.
        peak = peak_bytes(process.id()).unwrap_or(0).max(peak);
        // The system tells nobody when a process grows.
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

/// `VmHWM` of a `/proc/PID/status`, in bytes.
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_in_a_status() {
        let status = "Name:\thead\nVmPeak:\t    5 kB\nVmHWM:\t    1900 kB\nVmRSS:\t 3 kB\n";
        assert_eq!(high_water_mark(status), Some(1900 << 10));
        assert_eq!(high_water_mark("Name:\thead\n"), None);
    }
}
