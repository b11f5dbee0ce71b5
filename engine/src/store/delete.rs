//! Delete: a tombstone in the manifest, behind a cut of the head; cancelled by taking it out again,
//! and let go of once nothing is left for it to hide.
//!
//! The order is what keeps both promises (I21, I22): the head is cut first, so whatever was
//! acknowledged before stands below the tombstone in the log and whatever comes later above it;
//! then the manifest is committed; only then readers see the tombstone. A failed commit leaves a
//! cut, which hides nothing.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::manifest::{Change, Tombstone, Version};
use crate::store::deletion::{Deletion, DeletionStatus, encode_filters, encode_matchers};
use crate::store::tombstones::Erasure;
use crate::store::{Core, State, Store};

/// Windows that deletes may leave in memory before they are written to blocks: each has room for
/// every active series.
const WINDOWS_MAX: usize = 16;

impl<K: Kind> Store<K> {
    /// Deletes entries: when this returns, no later snapshot shows any that was acknowledged before
    /// the call, and no crash brings one back. Returns the deletion's id.
    ///
    /// What is sent after this has returned stays, also where it repeats what was deleted.
    /// Snapshots that are held go on showing what they showed. The entries leave the disk when
    /// blocks are merged; until then [`Store::cancel_delete`] brings them back.
    ///
    /// After an error nothing is hidden, but where the manifest could not be written a crash may
    /// bring the deletion up all the same: delete again. Waits for a freeze that is under way.
    ///
    /// ```
    /// use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
    /// use chronolith_engine::metrics::{Sample, Samples};
    /// use chronolith_engine::time::Millis;
    /// use chronolith_engine::{Batch, Deletion, Engine, Options, Selector};
    ///
    /// # let name = format!("chronolith-delete-{}", std::process::id());
    /// # let directory = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&directory);
    /// let engine = Engine::open(&directory, Options::default())?;
    /// let metrics = engine.metrics()?;
    /// let up = LabelSet::from_pairs([("__name__", "up"), ("job", "node")])?;
    /// let mut batch = Batch::<Samples>::new();
    /// batch.push(up.as_labels(), Sample::float(Millis(1_700_000_000_000), 1.0));
    /// metrics.append(&batch)?;
    ///
    /// let job = Matcher::new(MatchOp::Equal, "job", "node")?;
    /// let id = metrics.delete(&Deletion::new(vec![job]))?;
    /// let everything = Selector::new(Vec::new());
    /// assert!(metrics.snapshot().select(&everything)?.is_empty());
    ///
    /// assert!(metrics.cancel_delete(id)?);
    /// assert_eq!(metrics.snapshot().select(&everything)?.len(), 1);
    /// engine.close()?;
    /// # std::fs::remove_dir_all(&directory).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    pub fn delete(&self, deletion: &Deletion) -> Result<u64> {
        deletion.check::<K>()?;
        self.core.delete(deletion)
    }

    /// Takes a deletion back. True if it was in force and nothing that it hides had been removed:
    /// from now on everything is there again, also after any crash. Of a timestamp that was sent
    /// again meanwhile the first acknowledged value counts, which is the one that comes back.
    ///
    /// False if there is no such deletion in force (any more), or if a merge has begun to apply it:
    /// then it stays in force as a whole. After an error it is in force, but a crash may bring up
    /// either.
    pub fn cancel_delete(&self, id: u64) -> Result<bool> {
        self.core.cancel_delete(id)
    }

    /// The deletions in force, oldest first. One that was applied in full is not listed any more
    /// once housekeeping has noticed.
    pub fn deletions(&self) -> Vec<DeletionStatus> {
        let state = self.core.state();
        let tombstones = state.tombstones.iter().zip(&state.version.tombstones);
        tombstones
            .filter_map(|(erasure, tombstone)| status(&state, erasure, tombstone))
            .collect()
    }
}

/// What a tombstone says, and what it still waits for.
fn status<K: Kind>(
    state: &State<K>,
    erasure: &Erasure,
    tombstone: &Tombstone,
) -> Option<DeletionStatus> {
    let (matchers, filters) = (&tombstone.matchers, &tombstone.predicate);
    // It was compiled from the same bytes.
    let deletion = Deletion::decode(matchers, filters, tombstone.range).ok()?;
    Some(DeletionStatus {
        created: tombstone.created,
        blocks_left: state.blocks_held(erasure),
        is_in_memory: state.is_in_window(erasure),
        is_begun: tombstone.is_begun,
        ..DeletionStatus::new(tombstone.id, deletion)
    })
}

impl<K: Kind> Core<K> {
    fn delete(&self, deletion: &Deletion) -> Result<u64> {
        let _no_freeze_meanwhile = self.freezing.lock();
        // Asked for under the lock: closing takes the log away and then waits for the lock.
        let wal = self.own_log()?;
        self.make_room_for_delete()?;
        self.shared
            .freeze_unproven(&self.tenant, self.tag, &self.has_dropped);
        let lsn = self.head.cut_for_delete(
            &deletion.matchers,
            deletion.range,
            || wal.next_lsn(),
            |fresh| self.change_state(|state| state.with_window(fresh)),
        );
        // As behind every cut: what a freeze finds there must be acknowledged or gone.
        if let Some((_, pending)) = self.head.newest_pending()
            && wal.wait(pending).is_err()
        {
            self.head.settle_failure(&wal);
        }
        let made: OnceCell<Arc<Erasure>> = OnceCell::new();
        let plan = |version: &Version| {
            let tombstone = Tombstone {
                id: version.next_tombstone.max(1),
                lsn,
                range: deletion.range,
                created: self.now(),
                matchers: encode_matchers(&deletion.matchers),
                predicate: encode_filters(&deletion.filters),
                is_begun: false,
            };
            let erasure = Erasure::compile(&tombstone)?;
            made.get_or_init(|| erasure);
            Ok(Change {
                add_tombstones: vec![tombstone],
                ..Change::default()
            })
        };
        let show = |version| {
            let erasure = made.get().expect("what is shown was planned");
            self.change_state(|state| state.with_tombstone(version, erasure));
        };
        let _no_backup = self.shared.releasing.lock();
        self.commit(&[], plan, show)
            .map_err(|error| error.context("writing a deletion"))?;
        let erasure = made.get().expect("what was committed was planned");
        Ok(erasure.id)
    }

    /// Refuses one deletion too many, and bounds the windows that deletes leave behind.
    fn make_room_for_delete(&self) -> Result<()> {
        let (state, max) = (self.state(), self.limits().deletions_max);
        let count = state.version.tombstones.len();
        if count >= max {
            return Err(Error::limit(format!(
                "{count} deletions wait for merges to apply them, limits.deletions_max is {max}"
            )));
        }
        if state.windows.len() < WINDOWS_MAX {
            return Ok(());
        }
        self.seal_frozen()
            .map_err(|error| error.context("a delete makes room in memory"))
    }

    fn cancel_delete(&self, id: u64) -> Result<bool> {
        // Closing waits for the lock: nothing may be written once another process may write.
        let _not_after_closing = self.freezing.lock();
        self.own_log()?;
        let can_cancel = Cell::new(true);
        let plan = |version: &Version| {
            let mut tombstones = version.tombstones.iter();
            can_cancel.set(tombstones.any(|held| held.id == id && !held.is_begun));
            match can_cancel.get() {
                true => Ok(Change {
                    remove_tombstones: vec![id],
                    ..Change::default()
                }),
                false => Err(Error::invalid("the deletion cannot be cancelled")),
            }
        };
        let show = |version| self.change_state(|state| state.with_version(version));
        let _no_backup = self.shared.releasing.lock();
        match self.commit(&[], plan, show) {
            Err(_) if !can_cancel.get() => Ok(false),
            outcome => outcome
                .map(|()| true)
                .map_err(|error| error.context("cancelling a deletion")),
        }
    }

    /// Lets go of tombstones that hide nothing any more: no block and no window is left below them
    /// that they could reach into, nor may the log bring one back.
    pub(crate) fn retire_tombstones(&self) -> Result<()> {
        if done_with(&self.state()).is_empty() {
            return Ok(());
        }
        let _no_freeze_meanwhile = self.freezing.lock();
        let wal = self.own_log()?;
        let state = self.state();
        // The log is replayed from the floor on: what stands there below a tombstone would come
        // back without it.
        let floor = self.head.idle_floor(|| wal.next_lsn());
        let floor = floor.or_else(|| self.head.log_floor()).unwrap_or(0);
        let floor = floor.max(state.version.wal_floor);
        let done = done_with(&state).into_iter();
        let below = done.filter(|erasure| erasure.lsn <= floor);
        let remove_tombstones: Vec<u64> = below.map(|erasure| erasure.id).collect();
        match remove_tombstones.is_empty() {
            true => Ok(()),
            false => self.commit_floor(floor, remove_tombstones),
        }
    }
}

/// The tombstones for which neither a block nor a window holds anything.
fn done_with<K: Kind>(state: &State<K>) -> Vec<&Arc<Erasure>> {
    let is_done =
        |erasure: &&Arc<Erasure>| !state.is_in_window(erasure) && state.blocks_held(erasure) == 0;
    state.tombstones.iter().filter(is_done).collect()
}

impl<K: Kind> State<K> {
    fn with_tombstone(&self, version: Arc<Version>, erasure: &Arc<Erasure>) -> Self {
        State {
            version,
            blocks: self.blocks.clone(),
            windows: self.windows.clone(),
            tombstones: self.tombstones.with(erasure),
        }
    }
}
