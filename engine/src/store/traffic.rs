//! What a store has written to blocks since it was opened: the figures behind write amplification.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that only rise.
#[derive(Default)]
pub(crate) struct Traffic {
    frozen: AtomicU64,
    merged: AtomicU64,
    merges: AtomicU64,
}

impl Traffic {
    /// A freeze has written so many bytes of blocks.
    pub(crate) fn frozen(&self, bytes: u64) {
        self.frozen.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A merge has written so many bytes of blocks.
    pub(crate) fn merged(&self, bytes: u64) {
        self.merged.fetch_add(bytes, Ordering::Relaxed);
        self.merges.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn frozen_bytes(&self) -> u64 {
        self.frozen.load(Ordering::Relaxed)
    }

    pub(crate) fn merged_bytes(&self) -> u64 {
        self.merged.load(Ordering::Relaxed)
    }

    pub(crate) fn merges(&self) -> u64 {
        self.merges.load(Ordering::Relaxed)
    }
}
