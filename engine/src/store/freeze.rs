//! Freeze: from the head's windows to sealed blocks, then the manifest, then the log is let go.
//!
//! The order is what keeps acknowledged entries: block files and their directory are synced before
//! the manifest names them, the manifest before the log's floor rises (I4, I5). A block file that a
//! failed commit may have named stays until a later commit has settled the matter.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::block::{BlockHeader, BlockReader, BlockSummary, BlockWriter, Paging, block_path};
use crate::error::{Error, ErrorKind, Result};
use crate::head::seal::{BlockSink, seal};
use crate::head::window::Window;
use crate::kind::{Effort, Kind};
use crate::manifest::{BlockEntry, Change};
#[cfg(feature = "testing")]
use crate::store::plant::Plant;
use crate::store::{Core, Eviction, LiveBlock, State, Store};
use crate::time::{Moment, TickRange, Ticks};

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
        let mut orphans = self.freezing.lock();
        // Asked for under the lock: closing takes the log away and then waits for the lock.
        let wal = self.shared.wal()?;
        // A window that an earlier freeze could not write goes first: blocks keep the order of the
        // log.
        self.seal_frozen(&mut orphans)?;
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
        self.seal_frozen(&mut orphans)?;
        self.commit_notes(self.head.idle_floor(|| wal.next_lsn()))
    }

    /// Writes all windows behind the cut, oldest first.
    fn seal_frozen(&self, orphans: &mut Vec<u64>) -> Result<()> {
        loop {
            let state = self.state();
            let [window, next, ..] = &state.windows[..] else {
                return Ok(());
            };
            self.seal_window(window, next.floor, orphans)?;
        }
    }

    fn seal_window(
        &self,
        window: &Arc<Window<K>>,
        floor: u64,
        orphans: &mut Vec<u64>,
    ) -> Result<()> {
        let mut files = BlockFiles {
            core: self,
            lsn: (window.floor, floor - 1),
            done: Vec::new(),
            begun: Vec::new(),
        };
        #[cfg(feature = "testing")]
        if self.shared.is_planted(Plant::FloorTooSoon) {
            let change = Change {
                wal_floor: Some(floor),
                ..Change::default()
            };
            self.commit(&change)?;
        }
        let written = seal(window, self.head.index(), self.now(), &mut files);
        let BlockFiles { done, begun, .. } = files;
        if let Err(error) = written {
            self.remove_blocks(&begun);
            return Err(error.context("freezing the head"));
        }
        let opened = done
            .iter()
            .map(|entry| self.open_block(entry))
            .collect::<Result<Vec<_>>>();
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.remove_blocks(&begun);
                return Err(error.context("reading a block just written"));
            }
        };
        let (put_notes, saving) = self.unsaved_notes(floor);
        let change = Change {
            add_blocks: done,
            wal_floor: Some(floor),
            next_block: Some(self.next_block.load(Ordering::Acquire)),
            put_notes,
            ..Change::default()
        };
        let version = match self.commit(&change) {
            Ok(version) => version,
            Err(error) => {
                // The commit may be durable all the same: its files must outlive it.
                orphans.extend(begun);
                return Err(error.context("naming the blocks of a freeze"));
            }
        };
        self.notes.lock().saved(&saving);
        self.head.release(window, || {
            self.change_state(|state| state.with_blocks(version, opened, window));
        });
        *self.evictable.lock() = Eviction::Due(self.now());
        self.remove_blocks(orphans);
        orphans.clear();
        Ok(())
    }

    /// Makes a change of the manifest durable, and with it all that the manifest said before.
    pub(crate) fn commit(&self, change: &Change) -> Result<Arc<crate::manifest::Version>> {
        let version = self.manifest()?.lock().commit(change)?;
        self.is_settled.store(true, Ordering::Release);
        Ok(version)
    }

    fn open_block(&self, entry: &BlockEntry) -> Result<LiveBlock> {
        let path = block_path(&self.blocks_directory(), entry.number);
        let cache = Arc::clone(&self.shared.cache);
        let fs = &*self.shared.fs;
        let reader = BlockReader::open(fs, &path, entry.number, cache)?;
        Ok(LiveBlock {
            entry: entry.clone(),
            reader,
        })
    }

    /// Removes block files that nothing names. A file that does not go now is litter for the next
    /// open.
    fn remove_blocks(&self, numbers: &[u64]) {
        for number in numbers {
            let path = block_path(&self.blocks_directory(), *number);
            let _ = self.shared.fs.remove_file(&path);
        }
    }

    pub(crate) fn manifest(&self) -> Result<&parking_lot::Mutex<crate::manifest::Manifest>> {
        self.manifest
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::ReadOnly, "the engine was opened read-only"))
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
    fn with_window(&self, fresh: &Arc<Window<K>>) -> Self {
        let mut windows = self.windows.clone();
        windows.push(Arc::clone(fresh));
        State {
            version: Arc::clone(&self.version),
            blocks: self.blocks.clone(),
            windows,
        }
    }

    pub(crate) fn with_version(&self, version: Arc<crate::manifest::Version>) -> Self {
        State {
            version,
            blocks: self.blocks.clone(),
            windows: self.windows.clone(),
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
            version,
            blocks,
            windows,
        }
    }
}

/// The block files of one freeze.
struct BlockFiles<'a, K: Kind> {
    core: &'a Core<K>,
    lsn: (u64, u64),
    begun: Vec<u64>,
    done: Vec<BlockEntry>,
}

impl<'f, K: Kind> BlockSink<'f> for BlockFiles<'f, K> {
    fn begin(&mut self, partition: TickRange) -> Result<BlockWriter<'f>> {
        let number = self.core.next_block.fetch_add(1, Ordering::AcqRel);
        self.begun.push(number);
        let header = BlockHeader {
            kind: self.core.tag,
            ticks_per_second: <K::Time as Moment>::PER_SECOND as u32,
            level: 0,
            class: 0,
            partition,
            lsn_min: self.lsn.0,
            lsn_max: self.lsn.1,
        };
        let paging = Paging::new(K::strip_levels(Effort::Quick), K::page_bytes(Effort::Quick));
        let directory = self.core.blocks_directory();
        BlockWriter::create(&*self.core.shared.fs, &directory, number, header, paging)
    }

    fn done(&mut self, partition: TickRange, block: BlockSummary) {
        self.done.push(BlockEntry {
            number: block.number,
            range: block.range,
            partition,
            lsn_min: self.lsn.0,
            lsn_max: self.lsn.1,
            level: 0,
            class: 0,
            bytes: block.bytes,
            series: u64::from(block.series),
            entries: block.entries,
            applied: 0,
        });
    }
}
