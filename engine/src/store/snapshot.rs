//! A snapshot: what one store holds at one moment. It blocks no writer and sees every batch whole
//! or not.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use crate::head::snapshots::SnapshotHold;
use crate::kind::Kind;
use crate::store::{Core, State, Store};
use crate::time::TickRange;

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
        let core = Arc::clone(&self.core);
        Snapshot {
            view: Arc::new(SnapshotView {
                core,
                hold,
                state,
                born: OnceLock::new(),
            }),
        }
    }
}

impl<K: Kind> SnapshotView<K> {
    /// The head's series that had an entry at this snapshot, where its windows meet `range`.
    pub(crate) fn head_series(&self, range: TickRange) -> Option<&RoaringBitmap> {
        let meets = |window: &Arc<_>| window_meets::<K>(window, range);
        self.state
            .windows
            .iter()
            .any(meets)
            .then(|| self.born.get_or_init(|| self.find_born()))
    }

    fn find_born(&self) -> RoaringBitmap {
        let mut members = RoaringBitmap::new();
        for window in &self.state.windows {
            members |= window.members();
        }
        let (seq, mut born) = (self.hold.seq(), RoaringBitmap::new());
        let numbers: Vec<u32> = members.iter().collect();
        for hold in numbers.chunks(SERIES_PER_HOLD as usize) {
            let index = self.core.head.index().read();
            born.extend(
                hold.iter()
                    .copied()
                    .filter(|number| index.series[*number].born <= seq),
            );
        }
        born
    }
}

fn window_meets<K: Kind>(window: &crate::head::window::Window<K>, range: TickRange) -> bool {
    window.entries() > 0 && window.range().overlaps(&range)
}
