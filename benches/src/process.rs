//! What this process knows of itself, from `/proc`, and directories that go when the run ends.
//!
//! On systems without `/proc` the figures are absent and the benchmarks say so.

use std::path::{Path, PathBuf};

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

/// A field of `/proc/self/status` that is given in kilobytes, in bytes: `VmHWM`, `VmRSS`.
pub fn status_bytes(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
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
