//! Processor time and memory, of this process and of others, as `/proc` and the system tell.

use std::fs;
use std::io;

use chunk_store_tests::process;

use super::subject::Result;

/// Ticks of `/proc/PID/stat` in a second: so on every Linux.
const TICKS: f64 = 100.0;

/// The processor time of this process, of the children that it has waited for, and of these
/// servers, in seconds.
pub fn cpu_seconds(servers: &[u32]) -> Result<f64> {
    let own = seconds(&resources(libc::RUSAGE_SELF)?) + seconds(&resources(libc::RUSAGE_CHILDREN)?);
    servers.iter().try_fold(own, |sum, pid| Ok(sum + server_seconds(*pid)?))
}

fn seconds(usage: &libc::rusage) -> f64 {
    let time = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn server_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = stat_ticks(&stat).ok_or_else(|| format!("/proc/{pid}/stat says {stat:?}"))?;
    Ok(ticks as f64 / TICKS)
}

/// User and system time: behind the name, which may hold anything, the twelfth and
/// thirteenth field.
pub fn stat_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).flat_map(str::parse::<u64>);
    Some(fields.next()? + fields.next()?)
}

fn resources(whose: libc::c_int) -> Result<libc::rusage> {
    // SAFETY: all zeroes are a value of this plain struct, which the call fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value of the type that the call writes.
    match unsafe { libc::getrusage(whose, &mut usage) } {
        0 => Ok(usage),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// Lets the peak of these processes' memory begin anew.
pub fn reset_peaks(pids: &[u32]) -> Result {
    for pid in pids {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    }
    Ok(())
}

/// The most memory that these processes have had, in bytes, each at its worst.
pub fn peak_bytes(pids: &[u32]) -> Result<u64> {
    pids.iter().try_fold(0, |sum, pid| Ok(sum + process::peak_bytes(*pid)?))
}

/// The most memory that any child had which this process has waited for, in bytes.
pub fn children_peak_bytes() -> Result<u64> {
    Ok(resources(libc::RUSAGE_CHILDREN)?.ru_maxrss as u64 * 1024)
}

/// A process and those that it has started, as a server with workers is several.
pub fn family(pid: u32) -> Result<Vec<u32>> {
    let mut pids = vec![pid];
    for entry in fs::read_dir("/proc")? {
        let Ok(other) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // Many end while this looks at them.
        let Ok(stat) = fs::read_to_string(format!("/proc/{other}/stat")) else { continue };
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if parent.is_some_and(|parent| parent == pid.to_string()) {
            pids.push(other);
        }
    }
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_are_seen() {
        const BLOCK_BYTES: u64 = 64 << 20;
        let own = [std::process::id()];
        let cpu = cpu_seconds(&[]).unwrap();
        let mut block = vec![1u8; BLOCK_BYTES as usize];
        while cpu_seconds(&[]).unwrap() < cpu + 0.01 {
            block.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3));
        }
        assert!(std::hint::black_box(&block)[7] > 0);
        let peak = peak_bytes(&own).unwrap();
        assert!(peak >= BLOCK_BYTES);
        drop(block);
        reset_peaks(&own).unwrap();
        // Other tests, at the same time, take less.
        assert!(peak_bytes(&own).unwrap() < peak - BLOCK_BYTES / 2);
        assert_eq!(family(own[0]).unwrap()[0], own[0]);
    }
}
