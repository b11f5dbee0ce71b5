//! What this process knows of itself, from `/proc`, and directories that go when the run ends.
//!
//! On systems without `/proc` the figures are absent and the benchmarks say so.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ticks of `/proc/self/stat` in a second, the same on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// A directory for one run, removed when this is dropped.
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// A directory of this name and process, which does not exist yet.
    pub fn new(name: &str) -> Self {
        let name = format!("chronolith-bench-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        RunDirectory { path }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Nanoseconds that this thread has been on a core.
pub fn thread_cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// A midnight in UTC that lies at least this many days back, so that data of so many days from it
/// on is recent and not in the future, and each day of it is one partition.
pub fn midnight_before_ms(days: u64) -> i64 {
    const DAY: u64 = 24 * 60 * 60;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let today = since.map_or(0, |since| since.as_secs()) / DAY;
    (today.saturating_sub(days) * DAY * 1_000) as i64
}

/// User and system time of this process: all threads, ended ones too.
pub fn process_cpu() -> Option<Duration> {
    cpu_of("self")
}

/// User and system time of a process by its number.
pub fn cpu_of(process: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in brackets, which may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis(
        (user + system) * 1_000 / TICKS_PER_SECOND,
    ))
}

/// Bytes that this process has given to the system to write, into whatever file.
pub fn io_written_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: "))?;
    line.trim().parse().ok()
}

/// A field of `/proc/self/status` that is given in kilobytes, in bytes: `VmHWM`, `VmRSS`.
pub fn status_bytes(field: &str) -> Option<u64> {
    status_bytes_of("self", field)
}

/// The same of a process by its number.
pub fn status_bytes_of(process: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Bytes of all files below a directory.
pub fn directory_bytes(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => directory_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// How many files there are below a directory.
pub fn directory_files(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let count = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => directory_files(&entry.path()),
        _ => 1,
    };
    entries.flatten().map(count).sum()
}

/// How many descriptors this process has open, the one that counts them among them.
pub fn open_files() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    Some(entries.count() as u64)
}
