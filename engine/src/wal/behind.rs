//! Segments behind the open one that may not be on stable storage, and what they let the log claim.
//!
//! A frame that calls more durable than is turns the next power loss into damage: recovery would
//! keep a part of a record whose definitions are gone. So a segment left behind is synced before
//! anything later counts as durable; and where its sync has failed no later one is believed, and
//! the claim stays low until blocks have its frames. Knows segments by their first LSN, and no
//! files.

/// Frames that count and may be missing after a power loss, whatever is synced from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Everything up to here is certain to be durable.
    pub(super) durable: u64,
    /// Nothing behind this is in doubt.
    pub(super) last: u64,
}

impl Gap {
    /// The log of an earlier process. It may have seen a sync fail, and then one of this process
    /// says nothing about the frames that the log itself does not prove.
    pub(super) fn inherited(durable: u64, replayed: u64) -> Option<Self> {
        (replayed > durable).then_some(Gap {
            durable,
            last: replayed,
        })
    }

    /// This gap and a later one.
    pub(super) fn widened(self, later: Gap) -> Self {
        Gap {
            durable: self.durable.min(later.durable),
            last: self.last.max(later.last),
        }
    }
}

/// What must be synced before anything later is durable.
#[derive(Default)]
pub(super) struct Behind {
    /// Written and never synced, oldest first.
    unsynced: Vec<u64>,
    /// Whether a sync failed of a segment that may hold frames that count.
    is_spoiled: bool,
    /// Whether a segment's name may be missing after a power loss.
    pub(super) has_unsynced_names: bool,
}

impl Behind {
    /// The log of an earlier process: its segments, of which frames up to `durable` are proven.
    pub(super) fn inherited(segments: &[u64], durable: u64) -> Self {
        let lasts = segments.iter().skip(1).map(|next| next - 1);
        let unsynced: Vec<u64> = segments
            .iter()
            .zip(lasts.chain([u64::MAX]))
            .filter(|(_, last)| *last > durable)
            .map(|(first, _)| *first)
            .collect();
        Behind {
            has_unsynced_names: !unsynced.is_empty(),
            unsynced,
            is_spoiled: false,
        }
    }

    /// The oldest segment that is still to be synced.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.unsynced.first().copied()
    }

    /// The oldest one was synced, or is gone because blocks have all of it.
    pub(super) fn oldest_is_safe(&mut self) {
        self.unsynced.remove(0);
    }

    /// The oldest one could not be synced, and is never synced again (I15).
    pub(super) fn oldest_is_spoiled(&mut self) {
        self.unsynced.remove(0);
        self.is_spoiled = true;
    }

    /// The open segment is left as it is. Those before the log's oldest are in blocks.
    pub(super) fn leave(&mut self, segment: u64, oldest: Option<u64>) {
        self.unsynced.retain(|older| Some(*older) >= oldest);
        self.unsynced.push(segment);
    }

    /// The open segment is left because its sync failed.
    pub(super) fn leave_spoiled(&mut self) {
        self.is_spoiled = true;
    }

    /// The log goes on in a new segment. Frames up to `last` count, those up to `durable` are safe:
    /// returns what stays in doubt.
    pub(super) fn go_on(&mut self, durable: u64, last: u64) -> Option<Gap> {
        let was_spoiled = std::mem::take(&mut self.is_spoiled);
        if durable >= last {
            self.unsynced.clear();
        }
        (was_spoiled && durable < last).then_some(Gap { durable, last })
    }
}
