//! Planted bugs: mistakes that the crash tests must notice, or they prove nothing.
//!
//! Compiled with the feature `testing` only, and asleep unless a test wakes one in its own engine.
//! The two that a disk can commit by itself, a sync of a file or of a directory that is left out,
//! are the simulated disk's.

use std::sync::atomic::{AtomicU8, Ordering};

/// A mistake in the order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Plant {
    /// A batch is acknowledged before the log has it.
    EarlyAcknowledgement = 1,
    /// The manifest raises the log's floor before the blocks are there.
    FloorTooSoon = 2,
    /// A series is not defined again after the floor has passed its definition.
    DefinitionLost = 3,
    /// A merge that has applied deletions to its inputs takes them for done: other blocks and the
    /// log still hold what they hide.
    TombstoneLost = 4,
    /// The inputs of a merge are unlinked before the manifest names its outputs in their place.
    InputsUnlinkedEarly = 5,
}

/// Which mistake an engine makes, if any.
#[derive(Default)]
pub(crate) struct Planted {
    chosen: AtomicU8,
}

impl Planted {
    pub(crate) fn choose(&self, plant: Plant) {
        self.chosen.store(plant as u8, Ordering::Release);
    }

    pub(crate) fn is(&self, plant: Plant) -> bool {
        self.chosen.load(Ordering::Acquire) == plant as u8
    }
}
