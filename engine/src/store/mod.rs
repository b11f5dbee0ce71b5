//! One store: one kind of one tenant. The only room that knows the order of events.
//!
//! Split by verb: `append`, `commit`, `freeze`, `recover`, `retention`, `retire`, `backup`,
//! `snapshot`, `select`, `stats`, `cursor`, `names`, `notes`, `unproven`; `shared` holds what all
//! stores of an engine have in common. Lock order: `freezing`, `releasing`, `manifest`, then the
//! head's (writer, index, window), then `state`, then the log's own. No lock is held over IO but
//! `freezing`, which freezes and deletes take, `releasing`, `manifest`, and the records of
//! `unproven`.

pub(crate) mod append;
pub(crate) mod aside;
mod background;
pub(crate) mod backup;
pub(crate) mod cardinality;
pub(crate) mod check;
pub(crate) mod class_table;
pub(crate) mod commit;
pub(crate) mod compact;
pub(crate) mod cursor;
pub(crate) mod delete;
pub(crate) mod deletion;
mod extremes;
pub(crate) mod files;
pub(crate) mod freeze;
pub(crate) mod names;
pub(crate) mod notes;
#[cfg(feature = "testing")]
pub(crate) mod plant;
pub(crate) mod pressure;
pub(crate) mod recover;
pub(crate) mod repair;
pub(crate) mod reserve;
pub(crate) mod retention;
pub(crate) mod retire;
pub(crate) mod rewrite;
pub(crate) mod select;
pub(crate) mod shared;
pub(crate) mod snapshot;
pub(crate) mod stats;
#[cfg(feature = "testing")]
pub(crate) mod together;
pub(crate) mod tombstones;
mod traffic;
pub(crate) mod unproven;
pub(crate) mod verify;
mod visible;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::{Condvar, Mutex, RwLock};

use crate::block::BlockReader;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::head::replay::Recovery;
use crate::head::window::Window;
use crate::kind::Kind;
use crate::manifest::{BlockEntry, Manifest, Version};
use crate::store::compact::Compacting;
use crate::store::notes::Notes;
use crate::store::retention::Retention;
use crate::store::shared::Shared;
use crate::store::tombstones::Tombstones;
use crate::store::traffic::Traffic;
use crate::time::{Moment, Ticks};

/// Entries of one kind of one tenant: append batches, take snapshots.
///
/// A handle: clones are the same store.
pub struct Store<K: Kind> {
    pub(crate) core: Arc<Core<K>>,
}

impl<K: Kind> Clone for Store<K> {
    fn clone(&self) -> Self {
        Store {
            core: Arc::clone(&self.core),
        }
    }
}

/// What the handles share.
pub(crate) struct Core<K: Kind> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tenant: Arc<str>,
    /// Which stream of the log is this store's.
    pub(crate) tag: u8,
    directory: PathBuf,
    pub(crate) head: Head<K>,
    state: RwLock<Arc<State<K>>>,
    /// Absent in a read-only store.
    manifest: Option<Mutex<Manifest>>,
    /// Held by the one freeze at a time.
    freezing: Mutex<()>,
    /// Block files that a failed commit may have named.
    orphans: Mutex<Vec<u64>>,
    /// Held by the one merge at a time.
    compacting: Mutex<Compacting>,
    /// The inputs of the merge at work: expiry leaves them to it.
    merging: Mutex<Vec<u64>>,
    traffic: Traffic,
    next_block: AtomicU64,
    limits: LimitsCell,
    retention: Retention,
    notes: Mutex<Notes>,
    /// Wakes a freeze that waits for notes on their way to the log.
    notes_landed: Condvar,
    evictable: Mutex<Eviction>,
    /// What the log's numbers mean, while it is replayed.
    recovery: Mutex<Recovery>,
    /// Whether recovery left out a record that was not whole, or found the numbers used up.
    has_dropped: AtomicBool,
    /// Whether the manifest's version is durable: before, the log below its floor must stay (I4).
    is_settled: AtomicBool,
    damage: Mutex<Vec<Error>>,
}

/// The limits of one store, or of several that follow the same.
pub(crate) type LimitsCell = Arc<RwLock<Arc<Limits>>>;

/// Whether a freeze has made series idle that the head still knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Eviction {
    #[default]
    Done,
    /// Since this time by the clock.
    Due(Ticks),
}

/// What a snapshot holds on to: sealed blocks and the windows that are not in them.
pub(crate) struct State<K: Kind> {
    pub(crate) version: Arc<Version>,
    /// In the order of their log ranges. A block that could not be opened is missing here.
    pub(crate) blocks: Vec<LiveBlock>,
    /// Oldest first; the last one is being written.
    pub(crate) windows: Vec<Arc<Window<K>>>,
    /// Those that the version names, compiled.
    pub(crate) tombstones: Arc<Tombstones>,
}

/// A block and what the manifest says of it.
#[derive(Clone)]
pub(crate) struct LiveBlock {
    pub(crate) entry: BlockEntry,
    pub(crate) reader: Arc<BlockReader>,
}

/// The engine's clock in ticks of a kind.
fn now<K: Kind>(shared: &Shared) -> Ticks {
    let nanos_per_tick = 1_000_000_000 / <K::Time as Moment>::PER_SECOND;
    Ticks(shared.clock.now().0 / nanos_per_tick)
}

impl<K: Kind> Core<K> {
    pub(crate) fn state(&self) -> Arc<State<K>> {
        Arc::clone(&self.state.read())
    }

    /// Puts a new state in place of the old one. Snapshots that hold the old one keep it.
    fn change_state(&self, change: impl FnOnce(&State<K>) -> State<K>) {
        let mut state = self.state.write();
        let changed = Arc::new(change(&state));
        let old = std::mem::replace(&mut *state, changed);
        // Dropped without the lock: the last holder of a block may unlink its file.
        drop(state);
        drop(old);
    }

    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read())
    }

    fn blocks_directory(&self) -> PathBuf {
        self.directory.join("blocks")
    }

    fn report_damage(&self, error: Error) {
        self.damage.lock().push(error);
    }
}

impl<K: Kind> Store<K> {
    /// Replaces the limits until the engine is closed; batches from now on are judged by the new
    /// ones.
    ///
    /// What is in memory, and the default retention of what is in blocks, follow at once; blocks
    /// that were written under a rule keep its duration until a merge writes them anew. The
    /// exemplars of a tenant have the limits of its metrics.
    pub fn set_limits(&self, limits: Limits) -> Result<()> {
        limits.check()?;
        *self.core.limits.write() = Arc::new(limits);
        self.core.retention.want();
        Ok(())
    }

    /// Damage that was met since the store was opened: what is named here is missing from answers.
    pub fn damage(&self) -> Vec<Error> {
        self.core.damage.lock().clone()
    }
}
