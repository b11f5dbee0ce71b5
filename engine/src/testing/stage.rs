//! The stage for crash tests: a simulated disk, a clock that stands still, and engines on both
//! whose housekeeping is called for.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::config::Options;
use crate::engine::{Components, Engine, Keeper, Progress};
use crate::error::Result;
use crate::head::batch::{Batch, Report};
use crate::io::sim;
use crate::kind::Kind;
use crate::store::Store;
use crate::store::plant::Plant;
use crate::store::repair::RepairReport;
use crate::store::shared::AnyStore;
use crate::time::{Clock, Nanos};

/// A disk in memory that crashes, tears, fills up and fails on command. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    disk: sim::SimDisk,
}

/// What happens to one operation of the disk instead of succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device fails; a failed sync leaves the unsynced bytes in an unknown state.
    Eio,
    /// No space is left.
    Enospc,
    /// An append writes half of its bytes, then the device fails.
    ShortWriteThenEio,
    /// The process dies here; everything afterwards fails.
    CrashHere,
}

/// A clock that only moves when told to.
#[derive(Clone)]
pub struct ManualClock {
    nanos: Arc<AtomicI64>,
}

/// Where engines are opened: a disk and a clock.
#[derive(Clone)]
pub struct Stage {
    /// The disk.
    pub disk: SimDisk,
    /// The clock.
    pub clock: ManualClock,
}

impl SimDisk {
    /// Every file and its length, to look at when a run has failed.
    pub fn files(&self) -> Vec<(std::path::PathBuf, u64)> {
        self.disk.files()
    }

    /// An independent copy of what programs see now, all of it durable.
    pub fn copy(&self) -> SimDisk {
        SimDisk {
            disk: self.disk.copy(),
        }
    }

    /// An independent copy of what is durable. This disk lives on.
    pub fn copy_of_synced(&self) -> SimDisk {
        SimDisk {
            disk: self.disk.copy_of_synced(),
        }
    }

    /// A file's bytes.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        self.disk.contents(path)
    }

    /// Flips bits of one byte, on the platter too.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) {
        self.disk.corrupt(path, offset, mask);
    }

    /// Cuts a file, on the platter too.
    pub fn cut(&self, path: &Path, length: u64) {
        self.disk.truncate(path, length);
    }

    /// Puts a file there as if it had always been, or removes one.
    pub fn put(&self, path: &Path, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.disk.plant(path, bytes),
            None => self.disk.erase(path),
        }
    }

    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        SimDisk {
            disk: sim::SimDisk::new(seed),
        }
    }

    /// Cuts the power: what the next boot finds, a seeded part of the unsynced included.
    pub fn crash(&self, seed: u64) -> SimDisk {
        SimDisk {
            disk: self.disk.crash(seed),
        }
    }

    /// As [`SimDisk::crash`], with nothing left that was not synced.
    pub fn crash_to_synced(&self) -> SimDisk {
        SimDisk {
            disk: self.disk.crash_to_synced(),
        }
    }

    /// Starts the next process after one that died: what was not synced still is not.
    pub fn restart(&self) {
        self.disk.restart();
    }

    /// How many calls have changed the disk or tried to.
    pub fn operations(&self) -> u64 {
        self.disk.operations()
    }

    /// How many reads there were.
    pub fn reads(&self) -> u64 {
        self.disk.reads()
    }

    /// How many files are open for reading.
    pub fn open_files(&self) -> usize {
        self.disk.open_files()
    }

    /// Lets the operation with this number fail; the first is 0.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.disk.fail_at(operation, fault.planned());
    }

    /// Lets the read with this number fail; the first is 0.
    pub fn fail_read_at(&self, read: u64, fault: Fault) {
        self.disk.fail_read_at(read, fault.planned());
    }

    /// Takes back every planned fault that has not struck.
    pub fn heal(&self) {
        self.disk.heal();
    }

    /// Sets how many bytes all files together may take.
    pub fn capacity(&self, bytes: u64) {
        self.disk.capacity(bytes);
    }

    /// How many bytes all files together take.
    pub fn used(&self) -> u64 {
        self.disk.used()
    }

    /// From now on files cannot be linked, as if every folder lay on a disk of its own.
    pub fn refuse_links(&self) {
        self.disk.refuse_links();
    }

    /// Plants a bug: syncs of these files claim success and do nothing.
    pub fn ignore_sync_of(&self, test: fn(&Path) -> bool) {
        self.disk.ignore_sync_of(test);
    }

    /// Plants a bug: syncs of these directories claim success and do nothing.
    pub fn ignore_sync_dir(&self, test: fn(&Path) -> bool) {
        self.disk.ignore_sync_dir(test);
    }
}

impl Fault {
    fn planned(self) -> sim::Fault {
        match self {
            Fault::Eio => sim::Fault::Eio,
            Fault::Enospc => sim::Fault::Enospc,
            Fault::ShortWriteThenEio => sim::Fault::ShortWriteThenEio,
            Fault::CrashHere => sim::Fault::CrashHere,
        }
    }
}

impl ManualClock {
    /// A clock that stands at `nanos` since the Unix epoch.
    pub fn new(nanos: i64) -> Self {
        ManualClock {
            nanos: Arc::new(AtomicI64::new(nanos)),
        }
    }

    /// Moves the clock.
    pub fn advance(&self, nanos: i64) {
        self.nanos.fetch_add(nanos, Ordering::AcqRel);
    }

    /// Where it stands.
    pub fn nanos(&self) -> i64 {
        self.nanos.load(Ordering::Acquire)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.nanos())
    }
}

impl Stage {
    /// Opens the engine of this stage for writing.
    pub fn open(&self, options: &Options) -> Result<Engine> {
        Engine::open_with(
            Path::new(ROOT),
            options.clone(),
            self.components(),
            &Progress::new(),
        )
    }

    /// Opens it for reading, beside its writer.
    pub fn open_read_only(&self, options: &Options) -> Result<Engine> {
        Engine::open_read_only_with(Path::new(ROOT), options.clone(), self.components())
    }

    /// Repairs the directory of this stage.
    pub fn repair(&self, options: &Options) -> Result<RepairReport> {
        Engine::repair_with(Path::new(ROOT), options.clone(), self.components())
    }

    /// Opens another directory of the disk, say a backup, for writing.
    pub fn open_at(&self, root: &str, options: &Options) -> Result<Engine> {
        Engine::open_with(
            Path::new(root),
            options.clone(),
            self.components(),
            &Progress::new(),
        )
    }

    /// Opens another directory of the disk for reading.
    pub fn open_read_only_at(&self, root: &str, options: &Options) -> Result<Engine> {
        Engine::open_read_only_with(Path::new(root), options.clone(), self.components())
    }

    fn components(&self) -> Components {
        Components {
            fs: Arc::new(self.disk.disk.clone()),
            clock: Arc::new(self.clock.clone()),
            keeper: Keeper::Called,
        }
    }
}

/// The data directory on a simulated disk.
const ROOT: &str = "/data";

/// One round of housekeeping; true if there may be more to do.
pub fn tend(engine: &Engine) -> Result<bool> {
    engine.tend()
}

/// One round of merging in all stores, as in the background; true if anything was merged.
pub fn merge(engine: &Engine) -> Result<bool> {
    engine.merge()
}

/// Runs the next merge of a store that pays; `meanwhile` is called as it goes on.
pub fn merge_meanwhile<K: Kind>(store: &Store<K>, meanwhile: &mut dyn FnMut()) -> Result<bool> {
    store.core.compact(&mut |_| meanwhile())
}

/// Takes the oldest block out of a store, as expiry would.
pub fn drop_oldest_block<K: Kind>(store: &Store<K>) -> Result<()> {
    store.core.drop_oldest_block()
}

/// Lets an engine make a mistake from now on.
pub fn plant(engine: &Engine, plant: Plant) {
    engine.plant(plant);
}

/// Takes pages of an engine's logs for full at a few bytes from now on, so that merges carry them.
pub fn keep_small_pages(engine: &Engine) {
    engine.keep_small_pages();
}

/// Appends several batches as one group of the log.
pub fn append_together<K: Kind>(store: &Store<K>, batches: &[Batch<'_, K>]) -> Vec<Result<Report>> {
    store.append_together(batches)
}
