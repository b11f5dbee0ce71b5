//! What all stores of one engine have in common: disk, log, budget, cache, clock, and the list of
//! stores.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};

use crate::block::PageCache;
use crate::compact::expire::Holding;
use crate::config::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::head::budget::Budget;
use crate::io::Fs;
use crate::io::pool::FilePool;
use crate::store::backup::StoreImage;
use crate::store::reserve::Reserve;
use crate::store::unproven::Unproven;
use crate::store::verify::Verification;
use crate::time::{Clock, Ticks};
use crate::wal::{Frame, Lsn, Wal};

/// A log that nobody needs is let go of once it has reached this part of its bound. Below, a new
/// segment would cost more than it gives back.
const SPENT_PART: u64 = 64;

/// What all stores of one engine have in common.
pub(crate) struct Shared {
    pub(crate) fs: Arc<dyn Fs>,
    /// Absent in a read-only engine, and until recovery is over.
    wal: RwLock<Option<Arc<Wal>>>,
    pub(crate) options: Options,
    pub(crate) budget: Arc<Budget>,
    pub(crate) cache: Arc<PageCache>,
    /// The block files that are open.
    pub(crate) files: Arc<FilePool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reserve: Reserve,
    stores: RwLock<Vec<Arc<dyn AnyStore>>>,
    /// Held while segments of the log are removed, and while a backup opens them.
    pub(crate) releasing: Mutex<()>,
    /// Whether the log was taken away by closing. Apart from `keeping`, which asks for the log
    /// while it is locked.
    closed: AtomicBool,
    /// Whether closing has begun: merges end early.
    stopping: AtomicBool,
    /// Why the last round of merges in the background failed, until one succeeds.
    pub(crate) merge_error: Mutex<Option<Error>>,
    /// Whether some store must let go of what the log has, see [`AnyStore::bury_dropped`].
    pub(crate) has_dropped: AtomicBool,
    pub(crate) unproven: Unproven,
    /// What the keeper is to look after, and what it could not do.
    pub(crate) keeping: Mutex<Keeping>,
    /// Wakes the keeper.
    pub(crate) work: Condvar,
    /// Wakes writers that wait for the keeper.
    pub(crate) relief: Condvar,
    #[cfg(feature = "testing")]
    pub(crate) planted: crate::store::plant::Planted,
    /// Whether pages are full at a few bytes, so that tests carry many.
    #[cfg(feature = "testing")]
    pub(crate) small_pages: std::sync::atomic::AtomicBool,
}

/// State that the keeper and the writers share.
#[derive(Default)]
pub(crate) struct Keeping {
    pub(crate) is_closing: bool,
    /// Whether housekeeping has a thread; otherwise whoever needs it does it.
    pub(crate) has_thread: bool,
    pub(crate) is_wanted: bool,
    /// Counts the keeper's rounds, so that a waiting writer knows that it has looked.
    pub(crate) rounds: u64,
    pub(crate) last_error: Option<Error>,
}

/// Whether recovery needed a record and could use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    /// It must not be logged again, though nobody proved it: its store is frozen before anything
    /// new is logged.
    UntilFrozen,
    No,
}

/// A store of any kind, as the engine and the keeper see it.
pub(crate) trait AnyStore: Send + Sync {
    /// Takes back a record of the log.
    fn replay(&self, frame: &Frame<'_>) -> Result<Taken>;
    /// Ends recovery.
    fn finish_replay(&self);
    /// Notes damage for those who ask.
    fn report(&self, error: Error);
    /// The damage noted so far.
    fn damage(&self) -> Vec<Error>;
    /// The oldest log position that the store still needs.
    fn log_floor(&self) -> Option<u64>;
    /// Memory that a freeze would return.
    fn freezable_bytes(&self) -> u64;
    /// How long the active window has been taking entries, in seconds.
    fn window_age_seconds(&self) -> i64;
    /// Moves everything in memory to blocks.
    fn freeze(&self) -> Result<()>;
    /// Runs the next merge that pays, if there is one; `rest` learns of the bytes merged.
    fn compact(&self, rest: &mut dyn FnMut(usize)) -> Result<bool>;
    /// How many blocks come straight from the head.
    fn fresh_blocks(&self) -> usize;
    /// Checks the manifest and every block.
    fn verify(&self, found: &mut Verification) -> Result<()>;
    /// From where on the manifest on the disk needs the log.
    fn floor_on_disk(&self) -> Result<u64>;
    /// The store as it is now, for a backup.
    fn image(&self) -> StoreImage;
    /// Forgets idle series where nobody needs them any more.
    fn evict(&self);
    /// Moves everything in memory to blocks, and the floor above all of the log.
    fn leave_log(&self) -> Result<()>;
    /// Whether it is time to look for blocks that retention has done with. Asking takes the turn.
    fn is_expiry_due(&self) -> bool;
    /// Drops those, and all that end at or before `until` but for the newest.
    fn expire(&self, until: Option<Ticks>) -> Result<()>;
    /// What the store could give where all stores together take too much.
    fn holding(&self) -> Holding;
    /// Bytes of all blocks.
    fn block_bytes(&self) -> u64;
    /// Lets go of tombstones that hide nothing any more.
    fn retire_tombstones(&self) -> Result<()>;
    /// Returns once no freeze and no merge is under way.
    fn await_work(&self);
    /// Takes back what the failed log had not acknowledged.
    fn settle_failure(&self, wal: &Wal);
    /// Whether recovery left out a record that was never proven, because it was not whole, or
    /// found the numbers used up.
    fn has_dropped(&self) -> bool;
    /// Raises the floor above all that recovery found: the next one would take the record for
    /// proven, and bring back a part (I20), or take one number for another (I32).
    fn bury_dropped(&self) -> Result<()>;
}

impl Shared {
    pub(crate) fn new(
        root: &Path,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Arc<Self> {
        Arc::new(Shared {
            reserve: Reserve::new(Arc::clone(&fs), root, options.reserve_bytes),
            files: FilePool::new(Arc::clone(&fs), options.open_files_max),
            fs,
            wal: RwLock::new(None),
            budget: Arc::new(Budget::new(options.series_max, options.head_bytes_max)),
            cache: PageCache::new(usize::try_from(options.cache_bytes_max).unwrap_or(usize::MAX)),
            options,
            clock,
            stores: RwLock::default(),
            releasing: Mutex::default(),
            closed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            merge_error: Mutex::default(),
            has_dropped: AtomicBool::new(false),
            unproven: Unproven::default(),
            keeping: Mutex::default(),
            work: Condvar::new(),
            relief: Condvar::new(),
            #[cfg(feature = "testing")]
            planted: crate::store::plant::Planted::default(),
            #[cfg(feature = "testing")]
            small_pages: Default::default(),
        })
    }

    #[cfg(feature = "testing")]
    pub(crate) fn has_small_pages(&self) -> bool {
        self.small_pages.load(std::sync::atomic::Ordering::Acquire)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn is_planted(&self, plant: crate::store::plant::Plant) -> bool {
        self.planted.is(plant)
    }

    pub(crate) fn install_wal(&self, wal: Arc<Wal>) {
        *self.wal.write() = Some(wal);
    }

    pub(crate) fn take_wal(&self) -> Option<Arc<Wal>> {
        self.closed.store(true, Ordering::Release);
        self.wal.write().take()
    }

    /// The log, or why there is none to write to.
    pub(crate) fn wal(&self) -> Result<Arc<Wal>> {
        let wal = self.wal.read().clone();
        wal.ok_or_else(|| match self.is_closed() {
            true => Error::new(ErrorKind::Closed, "the engine is closed"),
            false => Error::new(ErrorKind::ReadOnly, "the engine was opened read-only"),
        })
    }

    /// Whether the engine was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Why the background failed last, housekeeping first.
    pub(crate) fn background_errors(&self) -> Vec<Error> {
        let housekeeping = self.keeping.lock().last_error.clone();
        let merging = self.merge_error.lock().clone();
        housekeeping.into_iter().chain(merging).collect()
    }

    /// Lets merges know that they are to end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// An error once closing has begun.
    pub(crate) fn check_running(&self) -> Result<()> {
        match self.stopping.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Closed, "the engine is closing")),
        }
    }

    pub(crate) fn enlist(&self, store: Arc<dyn AnyStore>) {
        self.stores.write().push(store);
    }

    pub(crate) fn stores(&self) -> Vec<Arc<dyn AnyStore>> {
        self.stores.read().clone()
    }

    pub(crate) fn dismiss_stores(&self) {
        self.stores.write().clear();
    }

    /// Before anything new is logged: makes sure that what recovery left out stays out (I20).
    pub(crate) fn bury_dropped(&self) -> Result<()> {
        if !self.has_dropped.load(Ordering::Acquire) {
            return Ok(());
        }
        for store in self.stores() {
            store.bury_dropped()?;
        }
        self.note_dropped();
        Ok(())
    }

    /// Removes the log's segments that no store needs.
    pub(crate) fn release_log(&self) -> Result<()> {
        let Ok(wal) = self.wal() else { return Ok(()) };
        let _no_backup = self.releasing.lock();
        // Read before the stores are asked: what comes in meanwhile stands at or after this (I4).
        let next = wal.next_lsn().0;
        let floors = self
            .stores()
            .into_iter()
            .filter_map(|store| store.log_floor());
        let floor = floors.min();
        // Where nobody needs any of it, the segment that is written to goes as well.
        if floor.is_none() && wal.newest_bytes() >= self.options.wal_bytes_max / SPENT_PART {
            wal.begin_segment()?;
        }
        wal.release(Lsn(floor.unwrap_or(next).min(next)))?;
        Ok(())
    }

    /// After a failure of the log: takes back what was not acknowledged, and begins a new segment.
    pub(crate) fn revive_log(&self) -> Result<()> {
        let wal = self.wal()?;
        if wal.health().is_none() {
            return Ok(());
        }
        for store in self.stores() {
            store.settle_failure(&wal);
        }
        wal.revive(wal.acknowledged_lsn())
    }
}
