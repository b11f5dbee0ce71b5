//! The recent entries of one kind and tenant: what is in the log and not yet in a block.
//!
//! Owns the series that have such entries, their inverted index and the window being written. One
//! writer at a time changes it (`writer`); readers take the index lock or a window's for a
//! moment each. Lock order: writer, index, window, and the log's own below them; the one exception
//! is told in docs/architecture.md. Knows no files.

pub(crate) mod ages;
pub(crate) mod append;
pub(crate) mod batch;
pub(crate) mod budget;
pub(crate) mod deletes;
pub(crate) mod index;
pub(crate) mod postings;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod resolve;
pub(crate) mod seal;
pub(crate) mod slots;
pub(crate) mod snapshots;
pub(crate) mod symbols;
pub(crate) mod values;
pub(crate) mod window;

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::{Mutex, RwLock};

use crate::head::ages::Ages;
use crate::head::budget::Budget;
use crate::head::index::SeriesIndex;
use crate::head::record::RecordWriter;
use crate::head::slots::Slots;
use crate::head::snapshots::Snapshots;
use crate::head::window::Window;
use crate::kind::{Kind, Newest};
use crate::time::Ticks;
use crate::wal::Lsn;

/// The head of one kind and tenant.
pub(crate) struct Head<K: Kind> {
    writer: Mutex<Writer<K>>,
    index: RwLock<SeriesIndex>,
    snapshots: Arc<Snapshots>,
    /// Batches that are in the log's hands, oldest first: their place in the head and in the log.
    pending: Mutex<VecDeque<(u64, Lsn)>>,
    budget: Arc<Budget>,
}

/// What only the one writer at a time touches.
pub(crate) struct Writer<K: Kind> {
    active: Arc<Window<K>>,
    /// Windows behind a cut whose entries are not in a block yet, oldest first.
    frozen: Vec<Arc<Window<K>>>,
    states: Slots<SeriesState>,
    table: HashTable<Bucket>,
    hasher: foldhash::fast::RandomState,
    record: RecordWriter,
    /// The newest batch.
    seq: u64,
    /// The newest time of an entry that this store ever took, as far as is known.
    newest: Ticks,
    /// The newest batch when a window was last released to a block.
    released: u64,
    /// Where the last delete stands in the log: entries below may be hidden.
    deleted_below: u64,
    /// Definitions in the log count from the last cut or log failure: a series or pair whose number
    /// here is older must be defined again before it is used.
    definitions: u32,
    pairs_defined: Vec<u32>,
    /// The log's era when this head last looked: another one means that the log failed in between.
    era: u64,
    /// What the record at hand defines, to be taken back with it.
    defined_series: Vec<u32>,
    defined_pairs: Vec<u32>,
    /// Series that the batch at hand has entered.
    entered: Vec<u32>,
    /// Series of the batch at hand, by its series.
    resolved: Vec<u32>,
    /// Series whose first entry ever is in the batch at hand.
    newborn: Vec<u32>,
    ages: Ages,
    /// The series looked up last: what followed it last time is the first guess for the next.
    last: u32,
}

/// A series in the table of hashes, with enough of its hash to pass over others without a look.
#[derive(Clone, Copy)]
struct Bucket {
    series: u32,
    hash_high: u32,
}

impl Bucket {
    fn new(series: u32, hash: u64) -> Self {
        Bucket {
            series,
            hash_high: (hash >> 32) as u32,
        }
    }
}

/// What the writer knows of a series beside its labels and entries.
struct SeriesState {
    hash: u64,
    newest_time: i64,
    newest_value: u64,
    /// The series that followed this one in a batch.
    next: u32,
    defined: u32,
}

/// Idle series that are forgotten under one hold of the writer's lock.
const EVICTIONS_PER_HOLD: usize = 256;

/// A time that no entry may have: it stands for "no entry yet".
const NO_TIME: i64 = i64::MIN;

/// A number that no series has.
pub(crate) const NO_SERIES: u32 = u32::MAX;

impl SeriesState {
    fn newest(&self) -> Option<Newest> {
        (self.newest_time != NO_TIME).then_some(Newest {
            time: Ticks(self.newest_time),
            value: self.newest_value,
        })
    }
}

impl<K: Kind> Head<K> {
    /// An empty head whose first entries will stand at or after `floor` in the log; `newest` is the
    /// newest time in blocks.
    pub(crate) fn new(
        floor: Lsn,
        newest: Ticks,
        era: u64,
        budget: Arc<Budget>,
    ) -> (Self, Arc<Window<K>>) {
        let active = Arc::new(Window::new(floor.0));
        let writer = Writer {
            active: Arc::clone(&active),
            frozen: Vec::new(),
            states: Slots::default(),
            table: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            record: RecordWriter::default(),
            seq: 0,
            newest,
            released: 0,
            deleted_below: 0,
            definitions: 1,
            pairs_defined: Vec::new(),
            era,
            defined_series: Vec::new(),
            defined_pairs: Vec::new(),
            entered: Vec::new(),
            resolved: Vec::new(),
            newborn: Vec::new(),
            ages: Ages::default(),
            last: NO_SERIES,
        };
        let head = Head {
            writer: Mutex::new(writer),
            index: RwLock::default(),
            snapshots: Arc::default(),
            pending: Mutex::default(),
            budget,
        };
        (head, active)
    }

    pub(crate) fn index(&self) -> &RwLock<SeriesIndex> {
        &self.index
    }

    pub(crate) fn snapshots(&self) -> &Arc<Snapshots> {
        &self.snapshots
    }

    pub(crate) fn series_count(&self) -> u64 {
        self.index.read().len()
    }

    /// Lets readers see batch `seq` and all before it.
    pub(crate) fn publish(&self, seq: u64) {
        self.snapshots.publish(seq);
        let mut pending = self.pending.lock();
        while pending.front().is_some_and(|(batch, _)| *batch <= seq) {
            pending.pop_front();
        }
    }

    /// Begins a new window: entries of batches from now on stand in the log at or after the
    /// position that `next_lsn` returns, and not in the old window. `install` learns of the new
    /// window before any entry can be in it. Returns the last batch of the old window, if it has
    /// any entries.
    pub(crate) fn cut(
        &self,
        next_lsn: impl FnOnce() -> Lsn,
        install: impl FnOnce(&Arc<Window<K>>),
    ) -> Option<u64> {
        let mut writer = self.writer.lock();
        if writer.active.entries() == 0 {
            return None;
        }
        writer.begin_window(next_lsn().0, install);
        Some(writer.seq)
    }

    /// A planted bug: what the log defined before the last cut counts as defined behind it.
    #[cfg(feature = "testing")]
    pub(crate) fn forget_cut(&self) {
        self.writer.lock().definitions -= 1;
    }

    /// Lets go of a window whose entries are in a block now. `forget` runs while no batch can come
    /// in.
    pub(crate) fn release(&self, window: &Arc<Window<K>>, forget: impl FnOnce()) {
        let mut writer = self.writer.lock();
        writer.frozen.retain(|frozen| !Arc::ptr_eq(frozen, window));
        forget();
        self.budget.return_bytes(window.bytes());
        writer.released = writer.seq;
    }

    /// The newest batch that is still in the log's hands.
    pub(crate) fn newest_pending(&self) -> Option<(u64, Lsn)> {
        self.pending.lock().back().copied()
    }

    /// A log position before which this head needs nothing, if it has no entry in memory.
    pub(crate) fn idle_floor(&self, next_lsn: impl FnOnce() -> Lsn) -> Option<u64> {
        let writer = self.writer.lock();
        let is_idle = writer.frozen.is_empty() && writer.active.entries() == 0;
        is_idle.then(|| next_lsn().0)
    }

    /// The oldest log position that this head still needs; `None` where it needs none.
    pub(crate) fn log_floor(&self) -> Option<u64> {
        let writer = self.writer.lock();
        let windows = writer.frozen.iter().chain([&writer.active]);
        windows
            .filter(|window| window.entries() > 0)
            .map(|window| window.floor)
            .min()
    }

    /// Forgets the series that have no entry in a window, unless a snapshot may still look for one
    /// in a window that went to a block: then it returns `None`, and how many it forgot otherwise.
    pub(crate) fn evict(&self) -> Option<u64> {
        // Looked for without the lock, and looked at again under it: a series may come back
        // meanwhile.
        let windows = self.writer.lock().windows();
        let live = self.index.read().live().clone();
        let idle: Vec<u32> = live
            .iter()
            .filter(|series| !held_by(&windows, *series))
            .collect();
        for hold in idle.chunks(EVICTIONS_PER_HOLD) {
            let mut writer = self.writer.lock();
            // A snapshot at the very batch of the release may have been taken before it (I8).
            if !self.snapshots.are_after(writer.released) {
                return None;
            }
            let windows = writer.windows();
            let mut gone = 0;
            for series in hold.iter().filter(|series| !held_by(&windows, **series)) {
                gone += u64::from(self.forget(&mut writer, *series));
            }
            self.budget.return_series(gone);
        }
        Some(idle.len() as u64)
    }

    /// Forgets a series; false if that was done before.
    fn forget(&self, writer: &mut Writer<K>, series: u32) -> bool {
        let hash = writer.states[series].hash;
        match writer
            .table
            .find_entry(hash, |bucket| bucket.series == series)
        {
            Ok(entry) => entry.remove(),
            // Forgotten by an earlier round already.
            Err(_) => return false,
        };
        writer.states[series].next = NO_SERIES;
        writer.ages.forget(series);
        if writer.last == series {
            writer.last = NO_SERIES;
        }
        // A pair's number may be given to another pair, which the log does not know under it.
        for pair in self.index.write().remove(series) {
            if let Some(defined) = writer.pairs_defined.get_mut(pair as usize) {
                *defined = 0;
            }
        }
        true
    }
}

impl<K: Kind> Writer<K> {
    fn windows(&self) -> Vec<Arc<Window<K>>> {
        self.frozen.iter().chain([&self.active]).cloned().collect()
    }
}

fn held_by<K: Kind>(windows: &[Arc<Window<K>>], series: u32) -> bool {
    windows.iter().any(|window| window.holds(series))
}
