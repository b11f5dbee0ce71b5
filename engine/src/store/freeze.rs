//! Freeze: from the head's windows to sealed blocks, then the manifest, then the log is let go.
//!
//! The order is what keeps acknowledged entries: block files and their directory are synced before
//! the manifest names them, the manifest before the log's floor rises (I4, I5). A block file that a
//! failed commit may have named stays until a later commit has settled the matter.

use std::sync::Arc;

use crate::error::Result;
use crate::head::seal::seal;
use crate::head::window::Window;
use crate::kind::{Effort, Kind};
use crate::manifest::Change;
use crate::store::files::BlockFiles;
#[cfg(feature = "testing")]
use crate::store::plant::Plant;
use crate::store::{Core, Eviction, LiveBlock, State, Store};
use crate::time::{Moment, Ticks};

/// How long a series stays known after a freeze without a new entry: longer than most scrapes are
/// apart.
const REST_SECONDS: i64 = 120;

impl<K: Kind> Store<K> {
    /// Moves everything in memory to sealed blocks.
    pub fn freeze(&self) -> Result<()> {
        self.core.freeze()?;
        self.core.evict_idle();
        self.core.shared.release_log()
    }
}

impl<K: Kind> Core<K> {
    pub(crate) fn freeze(&self) -> Result<()> {
        self.shared.reserve.admit()?;
        let _one_at_a_time = self.freezing.lock();
        // Asked for under the lock: closing takes the log away and then waits for the lock.
        let wal = self.own_log()?;
        // A window that an earlier freeze could not write goes first: blocks keep the order of the
        // log.
        self.seal_frozen()?;
        let cut = self.head.cut(
            || wal.next_lsn(),
            |fresh| self.change_state(|state| state.with_window(fresh)),
        );
        #[cfg(feature = "testing")]
        if cut.is_some() && self.shared.is_planted(Plant::DefinitionLost) {
            self.head.forget_cut();
        }
        if cut.is_some()
            && let Some((_, lsn)) = self.head.newest_pending()
            && wal.wait(lsn).is_err()
        {
            self.head.settle_failure(&wal);
        }
        self.seal_frozen()?;
        self.commit_notes(self.head.idle_floor(|| wal.next_lsn()))
    }

    /// Writes all windows behind the cut, oldest first. To be called while `freezing` is held, and
    /// once the log has acknowledged what is in them.
    pub(crate) fn seal_frozen(&self) -> Result<()> {
        loop {
            let state = self.state();
            let [window, next, ..] = &state.windows[..] else {
                return Ok(());
            };
            self.seal_window(window, next.floor)?;
        }
    }

    fn seal_window(&self, window: &Arc<Window<K>>, floor: u64) -> Result<()> {
        // Held until readers see the blocks: so long their classes mean what they do (I25).
        let classes = self.classes();
        // What was cut between the two windows had no entries: the block says nothing of it (I21).
        let end = window.cut_lsn().unwrap_or(floor);
        let mut files = BlockFiles::new(self, Effort::Quick, 0, (window.floor, end - 1));
        #[cfg(feature = "testing")]
        if self.shared.is_planted(Plant::FloorTooSoon) {
            let change = Change {
                wal_floor: Some(floor),
                ..Change::default()
            };
            self.commit(&[], |_| Ok(change), |_| ())?;
        }
        let written = seal(window, self.head.index(), &classes, self.now(), &mut files);
        let BlockFiles { done, begun, .. } = files;
        if let Err(error) = written {
            self.remove_blocks(&begun);
            return Err(error.context("freezing the head"));
        }
        let opened = self.open_written(&done, &begun)?;
        let (put_notes, saving) = self.unsaved_notes(floor);
        let change = Change {
            add_blocks: done,
            wal_floor: Some(floor),
            put_notes,
            ..Change::default()
        };
        let show = |version| {
            self.head.release(window, || {
                self.change_state(|state| state.with_blocks(version, opened, window));
            });
        };
        let written = change.add_blocks.iter().map(|entry| entry.bytes).sum();
        self.commit(&begun, |_| Ok(change), show)
            .map_err(|error| error.context("naming the blocks of a freeze"))?;
        self.traffic.frozen(written);
        self.notes.lock().saved(&saving);
        *self.evictable.lock() = Eviction::Due(self.now());
        self.retention.want();
        Ok(())
    }

    /// Forgets the series that a freeze made idle, once they have been so for a while: most were
    /// only between two scrapes. At the cap on series there is no waiting.
    pub(crate) fn evict_rested(&self) {
        let due = *self.evictable.lock();
        let per_second = <K::Time as Moment>::PER_SECOND;
        let is_rested =
            |since: Ticks| self.now().0.saturating_sub(since.0) / per_second >= REST_SECONDS;
        let is_full = self.shared.budget.series() >= self.shared.budget.series_max;
        if matches!(due, Eviction::Due(since) if is_full || is_rested(since)) {
            self.evict_idle();
        }
    }

    /// Forgets the series that a freeze made idle, once no snapshot looks for them in a window.
    pub(crate) fn evict_idle(&self) {
        let mut evictable = self.evictable.lock();
        if *evictable != Eviction::Done && self.head.evict().is_some() {
            *evictable = Eviction::Done;
        }
    }
}

impl<K: Kind> State<K> {
    /// With a new window behind the others; an empty one in its place goes.
    pub(crate) fn with_window(&self, fresh: &Arc<Window<K>>) -> Self {
        let mut windows = self.windows.clone();
        windows.pop_if(|last| last.entries() == 0);
        windows.push(Arc::clone(fresh));
        State {
            version: Arc::clone(&self.version),
            blocks: self.blocks.clone(),
            windows,
            tombstones: Arc::clone(&self.tombstones),
        }
    }

    fn with_blocks(
        &self,
        version: Arc<crate::manifest::Version>,
        opened: Vec<LiveBlock>,
        window: &Arc<Window<K>>,
    ) -> Self {
        let mut blocks = self.blocks.clone();
        blocks.extend(opened);
        blocks.sort_by_key(|block| (block.entry.lsn_min, block.entry.number));
        let is_kept = |kept: &&Arc<Window<K>>| !Arc::ptr_eq(kept, window);
        let windows = self.windows.iter().filter(is_kept).cloned().collect();
        State {
            tombstones: self.tombstones.kept_in(&version),
            version,
            blocks,
            windows,
        }
    }
}
