//! Tombstones that are in force: what each hides in which block and window, compiled once.
//!
//! A state holds them beside the version that names them, so a snapshot goes on showing what it
//! showed. A tombstone reaches a block if the block lies below it in the log and was not rewritten
//! for it, and a window if the window does: no block or window lies on both sides, since a delete
//! cuts (I21).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::block::{BlockReader, Stand};
use crate::error::Result;
use crate::head::deletes::Reach;
use crate::kind::hidden::{Hidden, range_of};
use crate::kind::lines::filter::LineFilter;
use crate::kind::{Columns, Kind};
use crate::labels::matcher::Matcher;
use crate::labels::set::Labels;
use crate::manifest::{BlockEntry, Tombstone, Version};
use crate::store::deletion::{decode_filters, decode_matchers};
use crate::store::{LiveBlock, State};
use crate::time::{TickRange, Ticks};

/// One tombstone, compiled.
pub(crate) struct Erasure {
    pub(crate) id: u64,
    pub(crate) lsn: u64,
    pub(crate) range: TickRange,
    pub(crate) matchers: Vec<Matcher>,
    filters: Arc<[LineFilter]>,
    /// Whether a block, by number, holds something that it hides. Blocks never change.
    held: Mutex<HashMap<u64, bool>>,
}

/// The tombstones in force, in the order of their ids and so of their LSNs.
#[derive(Default)]
pub(crate) struct Tombstones {
    all: Vec<Arc<Erasure>>,
}

impl Erasure {
    pub(crate) fn compile(tombstone: &Tombstone) -> Result<Arc<Self>> {
        let told = |what: &str| format!("{what} of tombstone {}", tombstone.id);
        let matchers = decode_matchers(&tombstone.matchers)
            .map_err(|error| error.context(told("the matchers")))?;
        let filters = decode_filters(&tombstone.predicate)
            .map_err(|error| error.context(told("the line filters")))?;
        Ok(Arc::new(Erasure {
            id: tombstone.id,
            lsn: tombstone.lsn,
            range: tombstone.range,
            matchers,
            filters: filters.into(),
            held: Mutex::default(),
        }))
    }

    /// Whether entries of a block may be hidden, by all that the manifest says of it.
    pub(crate) fn reaches_block(&self, entry: &BlockEntry) -> bool {
        entry.lsn_max < self.lsn && entry.applied < self.id && entry.range.overlaps(&self.range)
    }

    /// Whether entries of a window may be hidden; `cut` is where it was cut. Where the window
    /// behind it begins says nothing: between the two others may have been cut without an entry.
    fn reaches_window(&self, cut: Option<u64>) -> bool {
        cut.is_some_and(|cut| cut <= self.lsn)
    }

    /// What the head needs to know of it.
    pub(crate) fn reach(&self) -> Reach<'_> {
        Reach {
            lsn: self.lsn,
            matchers: &self.matchers,
            range: self.range,
        }
    }

    fn matches(&self, labels: Labels<'_>) -> bool {
        let matches = |matcher: &Matcher| {
            let value = labels.value(matcher.name()).unwrap_or("");
            matcher.matches(value)
        };
        self.matchers.iter().all(matches)
    }

    /// Whether a block holds something that this hides, as far as its index tells: a chunk within
    /// the range of a series that matches.
    pub(crate) fn is_held_by(&self, block: &LiveBlock) -> Result<bool> {
        if !self.reaches_block(&block.entry) {
            return Ok(false);
        }
        let number = block.entry.number;
        if let Some(is_held) = self.held.lock().get(&number) {
            return Ok(*is_held);
        }
        // Looked up without the lock: two who ask at once find the same.
        let is_held = self.has_chunk_in(&block.reader)?;
        self.held.lock().insert(number, is_held);
        Ok(is_held)
    }

    fn has_chunk_in(&self, block: &BlockReader) -> Result<bool> {
        let (mut chunks, mut stand) = (Vec::new(), Stand::default());
        for ordinal in block.select(&self.matchers)? {
            block.chunks_on(ordinal, &mut stand, &mut chunks)?;
            if chunks.iter().any(|chunk| chunk.range.overlaps(&self.range)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Tombstones {
    pub(crate) fn compile(version: &Version) -> Result<Arc<Self>> {
        let all = version.tombstones.iter().map(Erasure::compile);
        Ok(Arc::new(Tombstones {
            all: all.collect::<Result<_>>()?,
        }))
    }

    /// These and one more, which is newer.
    pub(crate) fn with(&self, erasure: &Arc<Erasure>) -> Arc<Self> {
        let mut all = self.all.clone();
        all.push(Arc::clone(erasure));
        Arc::new(Tombstones { all })
    }

    /// Those that a version still has.
    pub(crate) fn kept_in(self: &Arc<Self>, version: &Version) -> Arc<Self> {
        let is_kept = |erasure: &&Arc<Erasure>| {
            let ids = &version.tombstones;
            ids.binary_search_by_key(&erasure.id, |tombstone| tombstone.id)
                .is_ok()
        };
        match self.all.iter().all(|erasure| is_kept(&erasure)) {
            true => Arc::clone(self),
            false => Arc::new(Tombstones {
                all: self.all.iter().filter(is_kept).cloned().collect(),
            }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Erasure>> {
        self.all.iter()
    }

    /// Those that reach into a block.
    pub(crate) fn over_block<'a>(
        &'a self,
        entry: &'a BlockEntry,
    ) -> impl Iterator<Item = &'a Erasure> {
        let all = self.all.iter().map(|erasure| &**erasure);
        all.filter(|erasure| erasure.reaches_block(entry))
    }

    /// Those that reach into a window that was cut there.
    pub(crate) fn over_window(&self, cut: Option<u64>) -> impl Iterator<Item = &Erasure> {
        let all = self.all.iter().map(|erasure| &**erasure);
        all.filter(move |erasure| erasure.reaches_window(cut))
    }

    /// The newest time of a block's entries that is surely not hidden; entries behind it may be.
    pub(crate) fn newest_in(&self, entry: &BlockEntry) -> Ticks {
        let mut newest = entry.range.end;
        // Ranges may follow each other, so as often as there may be one that begins further back.
        loop {
            let mut over = self.over_block(entry);
            match over.find(|erasure| erasure.range.contains(newest)) {
                Some(erasure) if erasure.range.start.0 == i64::MIN => return Ticks(i64::MIN),
                Some(erasure) => newest = Ticks(erasure.range.start.0 - 1),
                None => return newest,
            }
        }
    }

    /// Those that match a series: worked out once, then asked for each place that has it.
    pub(crate) fn over_series(&self, labels: Labels<'_>) -> OverSeries<'_> {
        let all = self.all.iter().map(|erasure| &**erasure);
        OverSeries {
            matching: all.filter(|erasure| erasure.matches(labels)).collect(),
        }
    }
}

/// The tombstones that match one series.
pub(crate) struct OverSeries<'a> {
    matching: Vec<&'a Erasure>,
}

impl OverSeries<'_> {
    /// What is hidden of the series in a block; `None` where nothing is.
    pub(crate) fn in_block(&self, entry: &BlockEntry) -> Option<Hidden> {
        self.hidden(|erasure| erasure.reaches_block(entry))
    }

    /// What is hidden of the series in a window.
    pub(crate) fn in_window(&self, cut: Option<u64>) -> Option<Hidden> {
        self.hidden(|erasure| erasure.reaches_window(cut))
    }

    fn hidden(&self, reaches: impl Fn(&Erasure) -> bool) -> Option<Hidden> {
        let mut hidden = Hidden::default();
        for erasure in self.matching.iter().filter(|erasure| reaches(erasure)) {
            hidden.add(erasure.range, &erasure.filters);
        }
        (!hidden.is_empty()).then_some(hidden)
    }
}

impl<K: Kind> State<K> {
    /// Blocks that hold something hidden, as far as their indexes tell: a merge makes it go. One
    /// whose index cannot be read is left out.
    pub(crate) fn dirty_blocks(&self) -> BTreeSet<u64> {
        let is_dirty = |block: &&LiveBlock| {
            let mut erasures = self.tombstones.iter();
            erasures.any(|erasure| erasure.is_held_by(block).unwrap_or(false))
        };
        let dirty = self.blocks.iter().filter(is_dirty);
        dirty.map(|block| block.entry.number).collect()
    }

    /// How many blocks still hold something that a tombstone hides, those counted that cannot be
    /// read.
    pub(crate) fn blocks_held(&self, erasure: &Erasure) -> u64 {
        let opened = |number: u64| {
            self.blocks
                .iter()
                .find(|block| block.entry.number == number)
        };
        let is_held = |entry: &&BlockEntry| match opened(entry.number) {
            Some(block) => erasure.is_held_by(block).unwrap_or(true),
            None => erasure.reaches_block(entry),
        };
        self.version.blocks.iter().filter(is_held).count() as u64
    }

    /// Whether some window may hold something that a tombstone hides.
    pub(crate) fn is_in_window(&self, erasure: &Erasure) -> bool {
        self.windows.iter().any(|window| {
            window.entries() > 0
                && window.range().overlaps(&erasure.range)
                && erasure.reaches_window(window.cut_lsn())
        })
    }
}

/// A merge that takes out what tombstones hide.
pub(crate) struct Applying<'a> {
    tombstones: &'a Tombstones,
    inputs: Vec<&'a BlockEntry>,
    /// The canonical labels of the series at hand, and what is hidden of it in each input.
    series: Vec<u8>,
    hidden: Vec<Option<Hidden>>,
    begun: BTreeSet<u64>,
}

impl<'a> Applying<'a> {
    pub(crate) fn new(tombstones: &'a Tombstones, inputs: Vec<&'a BlockEntry>) -> Self {
        Applying {
            tombstones,
            inputs,
            series: Vec::new(),
            hidden: Vec::new(),
            begun: BTreeSet::new(),
        }
    }

    /// Whether nothing of an input's series is hidden in these times.
    pub(crate) fn spares(&mut self, input: usize, labels: Labels<'_>, range: TickRange) -> bool {
        let of_input = self.inputs[input];
        self.tombstones.is_empty()
            || !self
                .tombstones
                .over_block(of_input)
                .any(|erasure| erasure.range.overlaps(&range) && erasure.matches(labels))
    }

    /// What is left of a run that an input has of a series.
    pub(crate) fn screen<R: Columns>(
        &mut self,
        input: usize,
        labels: Labels<'_>,
        run: R,
    ) -> Vec<R> {
        if self.tombstones.is_empty() {
            return vec![run];
        }
        if self.hidden.is_empty() || self.series != labels.as_bytes() {
            self.turn_to(labels);
        }
        let (Some(hidden), Some(range)) = (&self.hidden[input], range_of(&run)) else {
            return vec![run];
        };
        let before = run.count();
        let left = hidden.cut(vec![run]);
        if left.iter().map(Columns::count).sum::<usize>() < before {
            self.note_begun(input, labels, range);
        }
        left
    }

    fn turn_to(&mut self, labels: Labels<'_>) {
        self.series = labels.as_bytes().to_vec();
        let over = self.tombstones.over_series(labels);
        self.hidden = self
            .inputs
            .iter()
            .map(|entry| over.in_block(entry))
            .collect();
    }

    /// Each tombstone that may have taken something out of a run.
    fn note_begun(&mut self, input: usize, labels: Labels<'_>, range: TickRange) {
        for erasure in self.tombstones.over_block(self.inputs[input]) {
            if erasure.range.overlaps(&range) && erasure.matches(labels) {
                self.begun.insert(erasure.id);
            }
        }
    }

    /// The tombstones that something was taken out for: the merge's change must begin them.
    pub(crate) fn begun(self) -> Vec<u64> {
        self.begun.into_iter().collect()
    }
}
