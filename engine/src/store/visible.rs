//! Which series of a place still show an entry, where tombstones reach it.
//!
//! Where none does, nothing is asked and nothing costs. Otherwise the tombstones' own matchers find
//! the series in question by the index, and only of those chunks are looked at: their times first,
//! their entries where only those can tell and the caller wants it exactly.

use roaring::RoaringBitmap;

use crate::block::ChunkMeta;
use crate::error::Result;
use crate::head::index::HeadIndexView;
use crate::index::select::select;
use crate::kind::hidden::Hidden;
use crate::kind::merge::clip;
use crate::kind::{Kind, Wanted};
use crate::labels::set::Labels;
use crate::store::cursor::open_chunk;
use crate::store::snapshot::SnapshotView;
use crate::time::{TickRange, Ticks};

/// How much may be read to tell whether a series shows anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Times of chunks and windows only: a series may be shown that has nothing left.
    Quick,
    /// Entries too, where times leave it open.
    Exact,
}

impl<K: Kind> SnapshotView<K> {
    /// Leaves out the series of a block that have nothing to show within `range`. `None` stands
    /// for every series.
    pub(crate) fn shown_in_block(
        &self,
        place: usize,
        selected: Option<RoaringBitmap>,
        range: TickRange,
        care: Care,
    ) -> Result<Option<RoaringBitmap>> {
        let block = &self.state.blocks[place];
        let mut touched = RoaringBitmap::new();
        for erasure in self.state.tombstones.over_block(&block.entry) {
            if erasure.range.overlaps(&range) {
                touched |= block.reader.select(&erasure.matchers)?;
            }
        }
        if let Some(selected) = &selected {
            touched &= selected;
        }
        let mut hidden = RoaringBitmap::new();
        let mut labels = Vec::new();
        for ordinal in touched {
            labels.clear();
            block.reader.labels(ordinal, &mut labels)?;
            let over = self
                .state
                .tombstones
                .over_series(Labels::from_bytes(&labels)?);
            if let Some(hiding) = over.in_block(&block.entry)
                && !self.block_shows(place, ordinal, &hiding, range, care)?
            {
                hidden.insert(ordinal);
            }
        }
        if hidden.is_empty() {
            return Ok(selected);
        }
        let all = || RoaringBitmap::from_iter(0..block.reader.series_count());
        Ok(Some(selected.unwrap_or_else(all) - hidden))
    }

    /// Whether a series of a block has an entry within `range` that is not hidden.
    fn block_shows(
        &self,
        place: usize,
        ordinal: u32,
        hiding: &Hidden,
        range: TickRange,
        care: Care,
    ) -> Result<bool> {
        let reader = &self.state.blocks[place].reader;
        let mut chunks = Vec::new();
        reader.chunks(ordinal, &mut chunks)?;
        let is_open = |chunk: &&ChunkMeta| {
            overlap(&chunk.range, &range).is_some_and(|part| !hiding.covers(&part))
        };
        let open: Vec<&ChunkMeta> = chunks.iter().filter(is_open).collect();
        if care == Care::Quick || open.iter().any(|chunk| has_end_shown(chunk, hiding, range)) {
            return Ok(!open.is_empty());
        }
        // A chunk that cannot be read may hold something, and its reader will be told.
        Ok(open.into_iter().any(|chunk| {
            let wanted = match hiding.looks_at_text(&chunk.range) {
                true => Wanted::Everything,
                false => Wanted::Times,
            };
            let run = open_chunk::<K>(reader, chunk, wanted, range);
            run.map_or(true, |run| !clip(hiding.cut(vec![run]), range).is_empty())
        }))
    }

    /// Leaves out the series of the head that have nothing to show within `range`.
    pub(crate) fn shown_in_head(
        &self,
        selected: RoaringBitmap,
        range: TickRange,
        care: Care,
    ) -> Result<RoaringBitmap> {
        let index = self.core.head.index();
        let mut touched = RoaringBitmap::new();
        // What reaches into any window reaches into the oldest.
        let oldest = self.state.windows.first();
        let oldest = oldest.and_then(|window| window.cut_lsn());
        for erasure in self.state.tombstones.over_window(oldest) {
            if erasure.range.overlaps(&range) {
                touched |= select(&HeadIndexView::new(index), &erasure.matchers)?;
            }
        }
        touched &= &selected;
        let mut hidden = RoaringBitmap::new();
        let mut labels = Vec::new();
        for number in touched {
            labels.clear();
            index.read().labels(number, &mut labels);
            if !self.head_shows(number, Labels::trusted(&labels), range, care)? {
                hidden.insert(number);
            }
        }
        Ok(selected - hidden)
    }

    fn head_shows(
        &self,
        number: u32,
        labels: Labels<'_>,
        range: TickRange,
        care: Care,
    ) -> Result<bool> {
        let over = self.state.tombstones.over_series(labels);
        for window in &self.state.windows {
            let Some(part) = overlap(&window.range(), &range).filter(|_| window.holds(number))
            else {
                continue;
            };
            let Some(hiding) = over.in_window(window.cut_lsn()) else {
                return Ok(true);
            };
            if hiding.covers(&part) {
                continue;
            }
            if care == Care::Quick {
                return Ok(true);
            }
            let view = window.view(number, self.hold.seq());
            let decode = |view| K::decode(view, range, Wanted::Everything);
            let runs = view.map_or(Ok(Vec::new()), decode)?;
            if !clip(hiding.cut(runs), range).is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What two ranges have in common.
fn overlap(left: &TickRange, right: &TickRange) -> Option<TickRange> {
    let shared = TickRange {
        start: left.start.max(right.start),
        end: left.end.min(right.end),
    };
    (shared.start <= shared.end).then_some(shared)
}

/// Whether the first or the last entry of a chunk, whose times are known, is within `range` and
/// not hidden.
fn has_end_shown(chunk: &ChunkMeta, hiding: &Hidden, range: TickRange) -> bool {
    let is_shown = |tick: Ticks| range.contains(tick) && !hiding.meets(&TickRange::new(tick, tick));
    is_shown(chunk.range.start) || is_shown(chunk.range.end)
}
