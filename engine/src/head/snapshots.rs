//! Which batches readers see, and which readers are about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The newest batch that readers see, and the batches at which snapshots are held.
#[derive(Default)]
pub(crate) struct Snapshots {
    published: AtomicU64,
    held: Mutex<BTreeMap<u64, u32>>,
}

/// A snapshot's place in the order of batches, held until dropped.
pub(crate) struct SnapshotHold {
    snapshots: Arc<Snapshots>,
    seq: u64,
}

impl Snapshots {
    /// Lets readers see batch `seq` and all before it.
    pub(crate) fn publish(&self, seq: u64) {
        self.published.fetch_max(seq, Ordering::AcqRel);
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// The batch up to which every present and future reader sees everything.
    pub(crate) fn settled(&self) -> u64 {
        let held = self.held.lock();
        // Read under the lock: a snapshot taken meanwhile then sees at least this much (I8).
        let published = self.published();
        held.first_key_value()
            .map_or(published, |(oldest, _)| published.min(*oldest))
    }

    /// Whether every snapshot that is held was taken at a later batch than `seq`.
    pub(crate) fn are_after(&self, seq: u64) -> bool {
        let held = self.held.lock();
        held.first_key_value()
            .is_none_or(|(oldest, _)| *oldest > seq)
    }

    /// Takes a place at the newest published batch.
    pub(crate) fn hold(self: &Arc<Self>) -> SnapshotHold {
        let mut held = self.held.lock();
        let seq = self.published();
        *held.entry(seq).or_insert(0) += 1;
        SnapshotHold {
            snapshots: Arc::clone(self),
            seq,
        }
    }
}

impl SnapshotHold {
    /// The newest batch that this snapshot sees.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }
}

impl Drop for SnapshotHold {
    fn drop(&mut self) {
        let mut held = self.snapshots.held.lock();
        if let Some(count) = held.get_mut(&self.seq) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.seq);
            }
        }
    }
}
