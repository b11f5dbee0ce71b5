//! Compact: runs the merges that the plan asks for, and puts their blocks in the place of the
//! inputs.
//!
//! One merge at a time, beside freezes and readers. Its outputs are durable before the manifest
//! names them and drops the inputs, in one commit; only then do the input files go, each with
//! its last reader (I5, I26, I30). A merge that fails leaves everything as it was; inputs that
//! cannot be read are left alone until the store is opened again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::block::BlockReader;
use crate::compact::merge::{Guide, SeriesScreen, merge_blocks};
use crate::compact::plan::{Job, Policy, Zeal, plan};
use crate::error::{Error, ErrorKind, Result};
use crate::kind::merge::clip;
use crate::kind::{Columns, Effort, Kind};
use crate::labels::set::Labels;
use crate::manifest::{BlockEntry, Change, Version};
use crate::store::files::BlockFiles;
#[cfg(feature = "testing")]
use crate::store::plant::Plant;
use crate::store::tombstones::Applying;
use crate::store::{Core, LiveBlock, State, Store};
use crate::time::{Moment, TickRange};

/// A partition is done with when its end is this much longer ago than a window may stay open.
const SETTLE_SECONDS: i64 = 10 * 60;

/// How a merge goes about its work.
pub(crate) struct Pace<'a> {
    pub(crate) zeal: Zeal,
    /// Learns of so many bytes merged; may rest.
    pub(crate) rest: &'a mut dyn FnMut(usize),
    pub(crate) scope: Scope,
}

/// Which merges are asked for.
pub(crate) enum Scope {
    Any,
    /// Those of blocks that were there at a moment, so that they come to an end while others are
    /// written all the time: of blocks up to this number, and once in each of the partitions.
    UpTo(u64, Vec<TickRange>),
}

impl Scope {
    fn admits(&self, job: &Job) -> bool {
        match self {
            Scope::Any => true,
            Scope::UpTo(newest, merged) => {
                job.inputs.iter().any(|number| number <= newest) || !merged.contains(&job.partition)
            }
        }
    }

    fn note(&mut self, job: &Job) {
        if let Scope::UpTo(_, merged) = self {
            merged.push(job.partition);
        }
    }
}

/// What the merges of a store have been told about.
#[derive(Default)]
pub(crate) struct Compacting {
    /// Blocks that could not be read: nothing is merged across them.
    barred: BTreeSet<u64>,
}

impl<K: Kind> Store<K> {
    /// Merges the sealed blocks that are there until each partition of time has one for each
    /// retention class, in the calling thread and without rests. Deleted entries are gone from the
    /// disk afterwards. Blocks that are written meanwhile are merged as well or left.
    ///
    /// Nobody has to call this: the engine merges in the background what pays.
    pub fn compact(&self) -> Result<()> {
        let state = self.core.state();
        let newest = state.version.blocks.iter().map(|block| block.number).max();
        let mut pace = Pace {
            zeal: Zeal::Everything,
            rest: &mut |_| (),
            scope: Scope::UpTo(newest.unwrap_or(0), Vec::new()),
        };
        drop(state);
        while self.core.compact_once(&mut pace)? {}
        self.core.retire_tombstones()
    }
}

impl<K: Kind> Core<K> {
    /// Runs the next merge, if one is due; false where there is none.
    pub(crate) fn compact_once(&self, pace: &mut Pace<'_>) -> Result<bool> {
        let mut compacting = self.compacting.lock();
        self.shared.check_running()?;
        self.shared.reserve.admit()?;
        let state = self.state();
        let Some(job) = self.next_job(&state, &compacting, pace) else {
            return Ok(false);
        };
        // A merge whose inputs expire under it is for nothing, and where blocks expire all the time
        // there would never be one that is not.
        self.merging.lock().clone_from(&job.inputs);
        let outcome = self.run(&state, &job, pace);
        self.merging.lock().clear();
        pace.scope.note(&job);
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                // Nothing may be lost for a merge's sake: whoever reads gets what can be read, and
                // is told of the rest.
                compacting.barred.extend(&job.inputs);
                self.report_damage(error.context("blocks cannot be merged"));
                Ok(true)
            }
            Err(error) => Err(error.context("merging blocks")),
        }
    }

    fn next_job(&self, state: &State<K>, compacting: &Compacting, pace: &Pace<'_>) -> Option<Job> {
        let opened: BTreeSet<u64> = state.blocks.iter().map(|live| live.entry.number).collect();
        let mut barred = compacting.barred.clone();
        let missing = state.version.blocks.iter().map(|entry| entry.number);
        barred.extend(missing.filter(|number| !opened.contains(number)));
        let span = self.shared.options.window_span_max.as_secs();
        let policy = Policy {
            zeal: pace.zeal,
            now: self.now(),
            ticks_per_second: <K::Time as Moment>::PER_SECOND,
            settle_seconds: i64::try_from(span)
                .unwrap_or(i64::MAX)
                .saturating_add(SETTLE_SECONDS),
            barred: &barred,
            dirty: &state.dirty_blocks(),
        };
        plan(&state.version.blocks, &policy, |job| pace.scope.admits(job))
    }

    fn run(&self, state: &State<K>, job: &Job, pace: &mut Pace<'_>) -> Result<()> {
        let inputs = inputs(state, job);
        let level = inputs.iter().map(|live| live.entry.level).max();
        let mut files = BlockFiles::new(
            self,
            Effort::Best,
            level.unwrap_or(0).saturating_add(1),
            log_range(&inputs),
        );
        files.applied = state.version.next_tombstone.saturating_sub(1);
        let entries = inputs.iter().map(|live| &live.entry).collect();
        let mut applying = Applying::new(&state.tombstones, entries);
        let readers: Vec<&BlockReader> = inputs.iter().map(|live| &*live.reader).collect();
        // Held until readers see the blocks: so long their classes mean what they do (I25).
        let classes = self.classes();
        // What has expired goes before the rest is merged, lest it come back in a class that keeps
        // it longer (I24).
        let retained = self.retained(&self.state().version);
        let kept = |live: &LiveBlock| retained.in_block(&live.entry, TickRange::ALL);
        let kept: Vec<Option<TickRange>> = inputs.iter().map(kept).collect();
        let mut guide = Guide::<K> {
            class_of: &|labels| classes.class_of(labels),
            screen: &mut Left {
                kept,
                applying: &mut applying,
            },
            pace: &mut |bytes| {
                (pace.rest)(bytes);
                self.shared.check_running()
            },
        };
        let merged = merge_blocks(&readers, job.partition, &mut guide, &mut files);
        let BlockFiles { begun, done, .. } = files;
        if let Err(error) = merged {
            self.remove_blocks(&begun);
            return Err(error);
        }
        let opened = self.open_written(&done, &begun)?;
        self.swap(job, done, opened, &begun, applying.begun())
    }

    /// Puts the outputs in the place of the inputs.
    fn swap(
        &self,
        job: &Job,
        done: Vec<BlockEntry>,
        opened: Vec<LiveBlock>,
        begun: &[u64],
        begin_tombstones: Vec<u64>,
    ) -> Result<()> {
        let written = done.iter().map(|entry| entry.bytes).sum();
        let mut is_stale = false;
        #[cfg(feature = "testing")]
        if self.shared.is_planted(Plant::InputsUnlinkedEarly) {
            self.remove_blocks(&job.inputs);
        }
        let plan = |version: &Version| {
            let is_live = |number: &u64| version.blocks.iter().any(|entry| entry.number == *number);
            // What a deletion hides must be there again once it was cancelled.
            let is_held = |id: &u64| version.tombstones.iter().any(|held| held.id == *id);
            is_stale = !job.inputs.iter().all(is_live) || !begin_tombstones.iter().all(is_held);
            match is_stale {
                false => Ok(Change {
                    add_blocks: done,
                    remove_blocks: job.inputs.clone(),
                    #[cfg(feature = "testing")]
                    remove_tombstones: match self.shared.is_planted(Plant::TombstoneLost) {
                        true => begin_tombstones.clone(),
                        false => Vec::new(),
                    },
                    begin_tombstones,
                    ..Change::default()
                }),
                true => Err(Error::invalid("an input of the merge is gone")),
            }
        };
        let show = |version| {
            self.change_state(|state| state.with_swapped(version, &job.inputs, opened));
        };
        match self.commit(begun, plan, show) {
            // What expired or was brought back meanwhile stays so: the merge was for nothing.
            Err(_) if is_stale => return Ok(()),
            outcome => outcome?,
        }
        self.traffic.merged(written);
        Ok(())
    }
}

/// What is left of a merge's inputs.
struct Left<'a, 't> {
    /// The times that are kept of each input, if any are.
    kept: Vec<Option<TickRange>>,
    applying: &'a mut Applying<'t>,
}

impl<R: Columns> SeriesScreen<R> for Left<'_, '_> {
    fn spares(&mut self, input: usize, labels: Labels<'_>, range: TickRange) -> bool {
        let keeps = |kept: TickRange| kept.contains(range.start) && kept.contains(range.end);
        self.kept[input].is_some_and(keeps) && self.applying.spares(input, labels, range)
    }

    fn screen(&mut self, input: usize, labels: Labels<'_>, run: R) -> Result<Vec<R>> {
        let kept = self.kept[input].map(|range| clip(vec![run], range));
        let kept = kept.unwrap_or_default().into_iter();
        let left = kept.flat_map(|run| self.applying.screen(input, labels, run));
        Ok(left.collect())
    }
}

fn inputs<K: Kind>(state: &State<K>, job: &Job) -> Vec<LiveBlock> {
    let is_input = |live: &&LiveBlock| job.inputs.contains(&live.entry.number);
    state.blocks.iter().filter(is_input).cloned().collect()
}

fn log_range(inputs: &[LiveBlock]) -> (u64, u64) {
    let first = inputs.iter().map(|live| live.entry.lsn_min).min();
    let last = inputs.iter().map(|live| live.entry.lsn_max).max();
    (first.unwrap_or(0), last.unwrap_or(0))
}

impl<K: Kind> State<K> {
    fn with_swapped(&self, version: Arc<Version>, gone: &[u64], opened: Vec<LiveBlock>) -> Self {
        let is_kept = |live: &&LiveBlock| !gone.contains(&live.entry.number);
        let mut blocks: Vec<LiveBlock> = self.blocks.iter().filter(is_kept).cloned().collect();
        blocks.extend(opened);
        blocks.sort_by_key(|block| (block.entry.lsn_min, block.entry.number));
        State {
            tombstones: self.tombstones.kept_in(&version),
            version,
            blocks,
            windows: self.windows.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ticks;

    #[test]
    fn blocks_written_meanwhile_keep_no_call_busy() {
        let job = |inputs: &[u64], hour: i64| Job {
            inputs: inputs.to_vec(),
            partition: TickRange::new(Ticks(hour), Ticks(hour)),
            bytes: 1,
        };
        let mut scope = Scope::UpTo(7, Vec::new());
        // Two partitions of hours, then the day that both are in.
        for (inputs, hour) in [(&[3, 7][..], 1), (&[5, 8], 2), (&[9, 10], 0)] {
            assert!(scope.admits(&job(inputs, hour)));
            scope.note(&job(inputs, hour));
        }
        assert!(!scope.admits(&job(&[11, 12], 0)));
        assert!(scope.admits(&job(&[6, 12], 0)));
        assert!(Scope::Any.admits(&job(&[11, 12], 0)));
    }
}
