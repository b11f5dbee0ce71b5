//! [`Progress`]: how far the opening of a data directory is.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::io::Fs;

/// How far the opening of a data directory is, for who must say so meanwhile. Made before
/// [`Engine::open_watched`](crate::Engine::open_watched) and read from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    replayed: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Nothing is opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of the log that have been read back.
    pub fn replayed_bytes(&self) -> u64 {
        self.replayed
            .load(Ordering::Relaxed)
            .min(self.total_bytes())
    }

    /// Bytes that the log had when opening began; 0 before.
    pub fn total_bytes(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Looks how long the log is. What cannot be looked at is not counted.
    pub(super) fn begin(&self, fs: &dyn Fs, log: &Path) {
        let names = fs.list(log).unwrap_or_default();
        let lengths = names.iter().map(|name| {
            let file = fs.open_read(&log.join(name));
            file.and_then(|file| file.length()).unwrap_or(0)
        });
        self.total.store(lengths.sum(), Ordering::Relaxed);
    }

    pub(super) fn add(&self, bytes: usize) {
        self.replayed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Everything that counts has been read; the rest was in blocks.
    pub(super) fn end(&self) {
        self.replayed.store(self.total_bytes(), Ordering::Relaxed);
    }
}
