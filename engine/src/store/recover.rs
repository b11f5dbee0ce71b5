//! Recovery: the manifest's blocks, then the log from the floor on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};

use crate::block::BlockReader;
use crate::block::{block_name, block_number};
use crate::compact::expire::Holding;
use crate::compact::plan::Zeal;
use crate::config::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::head::Head;
use crate::head::record::{ENTRIES, NOTES};
use crate::head::replay::{Numbering, Proof, Recovery};
use crate::io::Fs;
use crate::kind::Kind;
use crate::manifest::{Change, Litter, Manifest, Version};
use crate::store::backup::StoreImage;
use crate::store::compact::{Pace, Scope};
use crate::store::notes::Notes;
use crate::store::retention::Retention;
use crate::store::shared::{AnyStore, Shared, Taken};
use crate::store::tombstones::{Erasure, Tombstones};
use crate::store::traffic::Traffic;
use crate::store::verify::Verification;
use crate::store::{Core, LimitsCell, LiveBlock, State, Store, now};
use crate::time::Ticks;
use crate::wal::{Frame, Lsn, Wal};

/// Where a store belongs.
#[derive(Clone)]
pub(crate) struct StorePlace {
    pub(crate) tenant: Arc<str>,
    pub(crate) tag: u8,
    pub(crate) directory: PathBuf,
    pub(crate) limits: LimitsCell,
}

impl<K: Kind> Store<K> {
    /// Opens a store for its one writer; what the manifest does not name is removed.
    pub(crate) fn open(shared: &Arc<Shared>, place: StorePlace) -> Result<Self> {
        let blocks = place.directory.join("blocks");
        make_directories(&*shared.fs, &blocks)?;
        let manifest_directory = place.directory.join("manifest");
        let (manifest, opened) = Manifest::open(Arc::clone(&shared.fs), &manifest_directory)?;
        if opened.may_remove_litter == Litter::MayGo {
            remove_litter(shared, &blocks, &opened.version)?;
        }
        let next = first_unused(shared, &blocks, &opened.version)?;
        let core = Core::assemble(shared, place, opened.version, Some(manifest), next)?;
        core.is_settled.store(opened.is_durable, Ordering::Release);
        opened
            .damage
            .into_iter()
            .for_each(|error| core.report_damage(error));
        Ok(Store {
            core: Arc::new(core),
        })
    }

    /// Opens a store beside its writer; nothing is written.
    pub(crate) fn open_read_only(shared: &Arc<Shared>, place: StorePlace) -> Result<Self> {
        let opened = Manifest::read(&*shared.fs, &place.directory.join("manifest"))?;
        let core = Core::assemble(shared, place, opened.version, None, 0)?;
        opened
            .damage
            .into_iter()
            .for_each(|error| core.report_damage(error));
        Ok(Store {
            core: Arc::new(core),
        })
    }
}

impl<K: Kind> Core<K> {
    fn assemble(
        shared: &Arc<Shared>,
        place: StorePlace,
        version: Arc<Version>,
        manifest: Option<Manifest>,
        next_block: u64,
    ) -> Result<Self> {
        let floor = Lsn(version.wal_floor);
        let tombstones = Tombstones::compile(&version)?;
        let ends = version
            .blocks
            .iter()
            .map(|block| tombstones.newest_in(block));
        let newest = ends.max().unwrap_or(Ticks(i64::MIN));
        let cuts: Vec<u64> = tombstones.iter().map(|erasure| erasure.lsn).collect();
        let cuts = cuts.into_iter().filter(|lsn| *lsn > floor.0);
        let (head, active) = Head::new(floor, newest, 0, Arc::clone(&shared.budget));
        let notes = Notes::recovered(&version.notes)?;
        let limits = Arc::clone(&place.limits.read());
        let retention = Retention::new::<K>(limits, &version, now::<K>(shared))?;
        let mut damage = Vec::new();
        let mut blocks = Vec::with_capacity(version.blocks.len());
        for entry in &version.blocks {
            let path = place
                .directory
                .join("blocks")
                .join(block_name(entry.number));
            let cache = Arc::clone(&shared.cache);
            let opened = BlockReader::open(&shared.files, &path, entry.number, cache);
            match opened {
                Ok(reader) => blocks.push(LiveBlock {
                    entry: entry.clone(),
                    reader,
                }),
                // A disk that cannot be read now may be read later: nobody is told of half a store.
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => damage.push(error.context("a block cannot be opened")),
            }
        }
        Ok(Core {
            shared: Arc::clone(shared),
            tenant: place.tenant,
            tag: place.tag,
            directory: place.directory,
            head,
            state: RwLock::new(Arc::new(State {
                version,
                blocks,
                windows: vec![active],
                tombstones,
            })),
            manifest: manifest.map(Mutex::new),
            freezing: Mutex::default(),
            orphans: Mutex::default(),
            compacting: Mutex::default(),
            merging: Mutex::default(),
            traffic: Traffic::default(),
            next_block: AtomicU64::new(next_block),
            limits: place.limits,
            retention,
            notes: Mutex::new(notes),
            notes_landed: Condvar::new(),
            evictable: Mutex::default(),
            recovery: Mutex::new(Recovery::new(shared.options.thread_count(), cuts)),
            has_dropped: AtomicBool::new(false),
            is_settled: AtomicBool::new(true),
            damage: Mutex::new(damage),
        })
    }

    fn replay_frame(&self, frame: &Frame<'_>) -> Result<Taken> {
        if frame.lsn.0 < self.state().version.wal_floor {
            return Ok(Taken::No);
        }
        match frame.record {
            ENTRIES => {
                let proof = if frame.proven {
                    Proof::Acknowledged
                } else {
                    Proof::Open
                };
                let mut recovery = self.recovery.lock();
                let now = self.now();
                self.cut_replay(frame.lsn.0, &mut recovery);
                let replayed = self.head.replay(frame.body, proof, now, &mut recovery);
                if proof == Proof::Open && !matches!(replayed, Ok(0)) {
                    self.has_dropped.store(true, Ordering::Release);
                    return replayed.map(|_| Taken::No);
                }
                let lost = replayed?;
                if lost > 0 {
                    self.report_damage(Error::corrupt(format!(
                        "log record {}: {lost} entries are lost, the definitions of their series \
                         are damaged",
                        frame.lsn.0
                    )));
                }
                Ok(self.retaken(frame))
            }
            NOTES => self
                .replay_notes(frame.body, frame.lsn)
                .map(|()| Taken::Yes),
            other => Err(Error::corrupt(format!("record type {other} is unknown"))),
        }
    }
}

impl<K: Kind> Core<K> {
    /// Cuts the head wherever a tombstone stands in the log up to this place (I21).
    fn cut_replay(&self, lsn: u64, recovery: &mut Recovery) {
        while let Some(cut) = recovery.next_cut(lsn) {
            let install = |fresh: &Arc<_>| self.change_state(|state| state.with_window(fresh));
            self.head.cut_replay(cut, self.now(), recovery, install);
        }
    }

    /// Whether a record may be logged once more where it is not proven: not if it stands below a
    /// tombstone, behind which its copy would be there again. Such a store is frozen instead,
    /// before anything new is logged (I19, I22).
    fn retaken(&self, frame: &Frame<'_>) -> Taken {
        let is_below = |erasure: &Arc<Erasure>| frame.lsn.0 < erasure.lsn;
        let is_open = !frame.proven && self.shared.options.durability == Durability::Always;
        if is_open && self.state().tombstones.iter().any(is_below) {
            self.has_dropped.store(true, Ordering::Release);
            return Taken::UntilFrozen;
        }
        Taken::Yes
    }

    /// Makes the version that recovery found durable, where that failed on opening.
    fn settle_manifest(&self) -> Result<()> {
        let show = |version| self.change_state(|state| state.with_version(version));
        self.commit(&[], |_| Ok(Change::default()), show)
    }
}

impl<K: Kind> AnyStore for Core<K> {
    fn replay(&self, frame: &Frame<'_>) -> Result<Taken> {
        self.replay_frame(frame)
            .map_err(|error| error.context(format!("log record {}", frame.lsn.0)))
    }

    fn finish_replay(&self) {
        let mut recovery = self.recovery.lock();
        self.cut_replay(u64::MAX, &mut recovery);
        let tombstones = Arc::clone(&self.state().tombstones);
        let reaches: Vec<_> = tombstones.iter().map(|erasure| erasure.reach()).collect();
        let now = self.now();
        let numbering = self.head.finish_replay(now, &mut recovery, &reaches);
        if numbering == Numbering::Exhausted {
            self.has_dropped.store(true, Ordering::Release);
        }
    }

    fn log_floor(&self) -> Option<u64> {
        if !self.is_settled.load(Ordering::Acquire) && self.settle_manifest().is_err() {
            return Some(0);
        }
        self.head
            .log_floor()
            .into_iter()
            .chain(self.notes_floor())
            .min()
    }

    fn freezable_bytes(&self) -> u64 {
        self.state()
            .windows
            .iter()
            .map(|window| window.bytes())
            .sum()
    }

    fn window_age_seconds(&self) -> i64 {
        let state = self.state();
        let begun = state.windows.iter().map(|window| window.begun()).min();
        let per_second = <K::Time as crate::time::Moment>::PER_SECOND;
        begun.map_or(0, |begun| self.now().0.saturating_sub(begun.0) / per_second)
    }

    fn freeze(&self) -> Result<()> {
        Core::freeze(self)
    }

    fn compact(&self, rest: &mut dyn FnMut(usize)) -> Result<bool> {
        let zeal = Zeal::WhatPays;
        let scope = Scope::Any;
        self.compact_once(&mut Pace { zeal, rest, scope })
    }

    fn fresh_blocks(&self) -> usize {
        let state = self.state();
        let is_fresh = |live: &&LiveBlock| live.entry.level == 0;
        state.blocks.iter().filter(is_fresh).count()
    }

    fn leave_log(&self) -> Result<()> {
        Core::freeze(self)?;
        self.raise_floor()
    }

    fn verify(&self, found: &mut Verification) -> Result<()> {
        self.verify_files(found)
    }

    fn floor_on_disk(&self) -> Result<u64> {
        self.version_on_disk().map(|version| version.wal_floor)
    }

    fn image(&self) -> StoreImage {
        self.take_image()
    }

    fn evict(&self) {
        self.evict_rested();
    }

    fn is_expiry_due(&self) -> bool {
        Core::is_expiry_due(self)
    }

    fn expire(&self, until: Option<Ticks>) -> Result<()> {
        Core::expire(self, until)
    }

    fn holding(&self) -> Holding {
        Core::holding(self)
    }

    fn block_bytes(&self) -> u64 {
        let version = &self.state().version;
        version.blocks.iter().map(|block| block.bytes).sum()
    }

    fn retire_tombstones(&self) -> Result<()> {
        Core::retire_tombstones(self)
    }

    fn await_work(&self) {
        drop(self.freezing.lock());
        drop(self.compacting.lock());
    }

    fn settle_failure(&self, wal: &Wal) {
        self.head.settle_failure(wal);
    }

    fn has_dropped(&self) -> bool {
        self.has_dropped.load(Ordering::Acquire)
    }

    fn bury_dropped(&self) -> Result<()> {
        if self.has_dropped() {
            self.leave_log()?;
            self.has_dropped.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn report(&self, error: Error) {
        self.report_damage(error);
    }

    fn damage(&self) -> Vec<Error> {
        self.damage.lock().clone()
    }
}

/// Whether an error comes from the disk as it is now, not from what is on it.
pub(crate) fn is_passing(error: &Error) -> bool {
    error.kind() == ErrorKind::Io && !error.is_not_found()
}

/// Makes the folders of a store, each name synced in its parent.
pub(crate) fn make_directories(fs: &dyn Fs, blocks: &Path) -> Result<()> {
    let failed = |error, path: &Path| Error::io(error, "cannot make a store's folder", path);
    fs.create_dir_all(blocks)
        .map_err(|error| failed(error, blocks))?;
    // blocks, the kind, the tenant, `tenants`: the root itself is the engine's to sync.
    for parent in blocks.ancestors().skip(1).take(4) {
        fs.sync_dir(parent).map_err(|error| failed(error, parent))?;
    }
    Ok(())
}

fn list_blocks(shared: &Shared, blocks: &Path) -> Result<Vec<u64>> {
    let names = shared.fs.list(blocks);
    let names = names.map_err(|error| Error::io(error, "cannot list the blocks", blocks))?;
    Ok(names.iter().filter_map(|name| block_number(name)).collect())
}

/// Removes block files that the manifest does not name.
fn remove_litter(shared: &Shared, blocks: &Path, version: &Version) -> Result<()> {
    for number in list_blocks(shared, blocks)? {
        if !version.blocks.iter().any(|entry| entry.number == number) {
            let path = blocks.join(block_name(number));
            let removed = shared.fs.remove_file(&path);
            removed.map_err(|error| Error::io(error, "cannot remove an unnamed block", &path))?;
        }
    }
    Ok(())
}

/// The lowest number that neither the manifest nor a file has.
fn first_unused(shared: &Shared, blocks: &Path, version: &Version) -> Result<u64> {
    let highest = list_blocks(shared, blocks)?.into_iter().max();
    Ok(version
        .next_block
        .max(highest.map_or(1, |number| number + 1))
        .max(1))
}
