//! Stats: plain figures about a store, for a caller to export. Nothing is read from the disk for
//! them.

use crate::kind::Kind;
use crate::store::Store;
use crate::store::shared::AnyStore;
use crate::time::Ticks;

impl<K: Kind> Store<K> {
    /// Plain figures about this store.
    pub fn stats(&self) -> StoreStats {
        let state = self.core.state();
        let retention = self.core.retention_counts(&state);
        let (dropped_blocks, dropped_bytes) = self.core.retention.dropped();
        let fresh = || state.version.blocks.iter().filter(|block| block.level == 0);
        StoreStats {
            head_series: self.core.head.series_count(),
            head_bytes: state.windows.iter().map(|window| window.bytes()).sum(),
            head_entries: state.windows.iter().map(|window| window.entries()).sum(),
            blocks: state.blocks.len() as u64,
            block_bytes: state.version.blocks.iter().map(|block| block.bytes).sum(),
            block_entries: state.version.blocks.iter().map(|block| block.entries).sum(),
            fresh_blocks: fresh().count() as u64,
            fresh_bytes: fresh().map(|block| block.bytes).sum(),
            window_seconds: u64::try_from(self.core.window_age_seconds()).unwrap_or(0),
            deletions: state.tombstones.iter().count() as u64,
            frozen_bytes: self.core.traffic.frozen_bytes(),
            merged_bytes: self.core.traffic.merged_bytes(),
            merges: self.core.traffic.merges(),
            oldest: retention.oldest,
            expired_blocks: retention.expired_blocks,
            expired_bytes: retention.expired_bytes,
            dropped_blocks,
            dropped_bytes,
        }
    }
}

/// Plain figures about one store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Series known to the head.
    pub head_series: u64,
    /// Bytes that entries take in memory.
    pub head_bytes: u64,
    /// Entries in memory.
    pub head_entries: u64,
    /// Sealed blocks.
    pub blocks: u64,
    /// Their size on disk.
    pub block_bytes: u64,
    /// Their entries.
    pub block_entries: u64,
    /// Blocks straight from memory, which no merge has had: the backlog of the background.
    pub fresh_blocks: u64,
    /// Their size on disk.
    pub fresh_bytes: u64,
    /// How long ago the oldest entry in memory came, by the engine's clock; 0 without any.
    pub window_seconds: u64,
    /// Deletions that are in force and that merges have not applied in full.
    pub deletions: u64,
    /// Bytes of blocks that freezes have written since the store was opened.
    pub frozen_bytes: u64,
    /// Bytes of blocks that merges have written since then: how often an entry is written is this
    /// and `frozen_bytes` over `frozen_bytes`.
    pub merged_bytes: u64,
    /// Merges since then.
    pub merges: u64,
    /// No entry that a snapshot would show now is older, in the ticks of the store's kind; `None`
    /// where there can be none.
    pub oldest: Option<Ticks>,
    /// Blocks of which no entry is kept any more, and which are not dropped yet.
    pub expired_blocks: u64,
    /// Their size on disk.
    pub expired_bytes: u64,
    /// Blocks that retention has dropped since the store was opened.
    pub dropped_blocks: u64,
    /// Their size on disk.
    pub dropped_bytes: u64,
}
