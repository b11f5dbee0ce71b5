//! A snapshot: what one store holds at one moment. It blocks no writer and sees every batch whole
//! or not.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use crate::head::snapshots::SnapshotHold;
use crate::kind::Kind;
use crate::labels::set::Labels;
use crate::store::retention::Retained;
use crate::store::{Core, State, Store};
use crate::time::{TickRange, Ticks};

/// Series whose birth is looked at under one hold of the index lock.
const SERIES_PER_HOLD: u32 = 16_384;

/// What a store holds at one moment. Cheap to take; it keeps the memory and files that it sees.
pub struct Snapshot<K: Kind> {
    pub(crate) view: Arc<SnapshotView<K>>,
}

impl<K: Kind> Clone for Snapshot<K> {
    fn clone(&self) -> Self {
        Snapshot {
            view: Arc::clone(&self.view),
        }
    }
}

/// What a snapshot's series and cursors share.
pub(crate) struct SnapshotView<K: Kind> {
    pub(crate) core: Arc<Core<K>>,
    pub(crate) hold: SnapshotHold,
    pub(crate) state: Arc<State<K>>,
    /// What may be shown of what is old, as of the moment of the snapshot (I24).
    pub(crate) retained: Retained,
    /// The head's series that this snapshot may show, worked out when first asked for.
    born: OnceLock<RoaringBitmap>,
}

impl<K: Kind> Store<K> {
    /// Takes a snapshot: it sees every batch that was acknowledged before this call.
    pub fn snapshot(&self) -> Snapshot<K> {
        // The place among the batches comes first: a state taken later can only hold more, and what
        // is more than the place allows is hidden by it or stands in a block whole (I8).
        let hold = self.core.head.snapshots().hold();
        let state = self.core.state();
        let retained = self.core.retained(&state.version);
        let core = Arc::clone(&self.core);
        Snapshot {
            view: Arc::new(SnapshotView {
                core,
                hold,
                state,
                retained,
                born: OnceLock::new(),
            }),
        }
    }
}

impl<K: Kind> SnapshotView<K> {
    /// The head's series that had an entry at this snapshot, where its windows meet `range`.
    pub(crate) fn head_series(&self, range: TickRange) -> Option<&RoaringBitmap> {
        self.meets_head(range)
            .then(|| self.born.get_or_init(|| self.find_born()))
    }

    /// Whether a window of the head has entries that may lie in `range`.
    pub(crate) fn meets_head(&self, range: TickRange) -> bool {
        let range = self.retained.in_head(range);
        let windows = &self.state.windows;
        windows
            .iter()
            .any(|window| window.entries() > 0 && window.range().overlaps(&range))
    }

    fn find_born(&self) -> RoaringBitmap {
        let mut members = RoaringBitmap::new();
        for window in &self.state.windows {
            members |= window.members();
        }
        let (seq, mut born) = (self.hold.seq(), RoaringBitmap::new());
        // The newest entry of the head stands for that of each series.
        let (newest, mut labels) = (self.head_range().end, Vec::new());
        let numbers: Vec<u32> = members.iter().collect();
        for hold in numbers.chunks(SERIES_PER_HOLD as usize) {
            let index = self.core.head.index().read();
            let mut has_expired = |number: u32| {
                labels.clear();
                index.labels(number, &mut labels);
                newest < self.retained.head_start(Labels::trusted(&labels), newest)
            };
            born.extend(hold.iter().copied().filter(|number| {
                let is_born = index.series[*number].born <= seq;
                is_born && !(self.retained.may_hide(newest) && has_expired(*number))
            }));
        }
        born
    }

    /// The times of all entries in the head; wider than the truth after a rollback.
    pub(crate) fn head_range(&self) -> TickRange {
        let ranges = self.state.windows.iter().map(|window| window.range());
        let nothing = TickRange::new(Ticks(i64::MAX), Ticks(i64::MIN));
        ranges.fold(nothing, |all, range| {
            TickRange::new(all.start.min(range.start), all.end.max(range.end))
        })
    }
}
