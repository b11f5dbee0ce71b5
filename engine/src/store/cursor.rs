//! Cursor: the entries of one series in time order, chunk by chunk, from all places that hold some.
//!
//! Chunks are grouped so that groups do not overlap in time; a group of one is decoded and handed
//! out, a larger one is merged. So a long range costs the memory of one group, from either end.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::block::{BlockReader, ChunkMeta, Stand};
use crate::codec::text::Abridge;
use crate::codec::tokens::Needle;
use crate::error::{Error, Result};
use crate::kind::hidden::Hidden;
use crate::kind::merge::{clip, merge};
use crate::kind::{Columns, Kind, Parts, StoredChunk, Wanted};
use crate::store::LiveBlock;
use crate::store::select::{Place, Series};
use crate::store::snapshot::SnapshotView;
use crate::store::tombstones::OverSeries;
use crate::time::{TickRange, Ticks};

/// Reads one series from its oldest entry or from its newest.
///
/// An item that is an error stands for one damaged chunk, or for several that overlap it; the
/// others follow.
pub struct Cursor<K: Kind> {
    pub(super) view: Arc<SnapshotView<K>>,
    range: TickRange,
    wanted: Wanted,
    needles: Arc<[Needle]>,
    /// Says how little of lines is enough.
    abridge: Option<Arc<dyn Abridge>>,
    pub(super) groups: VecDeque<Vec<Piece<K>>>,
    front: VecDeque<<K as Parts>::Run>,
    back: VecDeque<<K as Parts>::Run>,
    bytes_read: u64,
}

/// Entries of one place that are read together.
pub(super) struct Piece<K: Kind> {
    range: TickRange,
    /// What of it is shown: before the merge, so that nothing is hidden by what has expired.
    shown: TickRange,
    /// The order in which places were acknowledged.
    priority: u32,
    content: Content<K>,
}

enum Content<K: Kind> {
    /// With what is hidden of it, if anything.
    Chunk(u32, ChunkMeta, Option<Arc<Hidden>>),
    Decoded(Vec<<K as Parts>::Run>),
}

impl<K: Kind> Cursor<K> {
    pub(crate) fn open(series: &Series<K>, wanted: Wanted) -> Result<Self> {
        let view = Arc::clone(&series.view);
        let over = view.state.tombstones.over_series(series.labels());
        let mut pieces = Vec::new();
        for place in &series.places {
            if let Place::Block(block, ordinal) = *place {
                block_pieces(series, &over, block, ordinal, &mut pieces)?;
            }
        }
        // Behind blocks: what is wanted of the head depends on whether it meets them.
        for place in &series.places {
            if let Place::Head(number, start) = *place {
                head_pieces(series, &over, (number, start), wanted, &mut pieces)?;
            }
        }
        drop(over);
        let groups = group(pieces);
        let (front, back) = (VecDeque::new(), VecDeque::new());
        Ok(Cursor {
            view,
            range: series.range,
            wanted,
            needles: Arc::clone(&series.needles),
            abridge: None,
            groups,
            front,
            back,
            bytes_read: 0,
        })
    }

    /// How long the chunks of blocks are, as they lie there, that were read so far. What is in
    /// memory is not counted.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Lets lines come with no more of them than is enough.
    pub(crate) fn abridged(mut self, abridge: Arc<dyn Abridge>) -> Self {
        self.abridge = Some(abridge);
        self
    }

    pub(super) fn load(&mut self, mut group: Vec<Piece<K>>) -> Result<VecDeque<<K as Parts>::Run>> {
        // What overlaps is merged, and repetitions are told by all that an entry has.
        if group.len() > 1 {
            return self.load_merged(group);
        }
        let (wanted, abridge) = (self.wanted, self.abridge.clone());
        let runs = match group.pop() {
            Some(piece) => self.runs_of(piece, wanted, abridge.as_deref())?,
            None => Vec::new(),
        };
        Ok(clip(runs, self.range).into())
    }

    fn load_merged(&mut self, group: Vec<Piece<K>>) -> Result<VecDeque<<K as Parts>::Run>> {
        let mut sources = Vec::with_capacity(group.len());
        let mut last_priority = None;
        for piece in group {
            let priority = piece.priority;
            let runs = self.runs_of(piece, Wanted::Everything, None)?;
            // Pieces of one place follow each other in time: together they are one source.
            match sources.last_mut() {
                Some(source) if last_priority == Some(priority) => Vec::extend(source, runs),
                _ => sources.push(runs),
            }
            last_priority = Some(priority);
        }
        Ok(clip(merge(sources), self.range).into())
    }

    /// What is shown of a piece.
    fn runs_of(
        &mut self,
        piece: Piece<K>,
        wanted: Wanted,
        abridge: Option<&dyn Abridge>,
    ) -> Result<Vec<<K as Parts>::Run>> {
        let (block, chunk, hidden) = match piece.content {
            Content::Decoded(runs) => return Ok(runs),
            Content::Chunk(block, chunk, hidden) => (block, chunk, hidden),
        };
        let strips = chunk.strips.iter().map(|strip| u64::from(strip.length));
        self.bytes_read += strips.sum::<u64>();
        let reader = &self.view.state.blocks[block as usize].reader;
        let (wanted, abridge) = match &hidden {
            Some(hidden) if hidden.looks_at_text(&chunk.range) => (Wanted::Everything, None),
            _ => (wanted, abridge),
        };
        let run = match abridge {
            Some(abridge) => open_abridged::<K>(reader, &chunk, abridge)?,
            None if wanted.is_of_lengths() => open_measured::<K>(reader, &chunk, wanted)?,
            None => None,
        };
        let run = match run {
            Some(run) => run,
            None => self.open_sought(reader, &chunk, wanted, piece.shown)?,
        };
        let runs = clip(vec![run], piece.shown);
        Ok(match hidden {
            Some(hidden) => hidden.cut(runs),
            None => runs,
        })
    }

    /// Decodes a chunk; of one whose texts are looked at, no more than what has the needles if that
    /// is quicker. Equal lines have equal texts, so that leaving lines out before they are merged
    /// is the same as doing so afterwards.
    fn open_sought(
        &self,
        reader: &BlockReader,
        chunk: &ChunkMeta,
        wanted: Wanted,
        shown: TickRange,
    ) -> Result<<K as Parts>::Run> {
        if self.wanted == Wanted::Everything && !self.needles.is_empty() {
            let strip = |strip: usize| reader.strip(chunk, strip);
            let search = |strip: usize| reader.search(chunk, strip, &self.needles);
            let (encoding, count) = (chunk.encoding, chunk.count);
            let found = K::search_chunk(encoding, count, wanted, &strip, &search);
            if let Some(run) = found.map_err(|error| error.at_path(reader.path()))? {
                return Ok(run);
            }
        }
        open_chunk::<K>(reader, chunk, wanted, shown)
    }
}

/// Decodes a chunk with no more of its lines than is enough, if it can be told.
fn open_abridged<K: Kind>(
    reader: &BlockReader,
    chunk: &ChunkMeta,
    abridge: &dyn Abridge,
) -> Result<Option<<K as Parts>::Run>> {
    let strip = |strip: usize| reader.strip(chunk, strip);
    let texts = |strip: usize| reader.abridged(chunk, strip, abridge);
    let wanted = Wanted::Everything;
    K::search_chunk(chunk.encoding, chunk.count, wanted, &strip, &texts)
        .map_err(|error| error.at_path(reader.path()))
}

/// Decodes what is wanted of a chunk besides texts, and how long these are, if that can be told
/// without the texts.
fn open_measured<K: Kind>(
    reader: &BlockReader,
    chunk: &ChunkMeta,
    wanted: Wanted,
) -> Result<Option<<K as Parts>::Run>> {
    let strip = |strip: usize| reader.strip(chunk, strip);
    let texts = |strip: usize| reader.measured(chunk, strip);
    K::search_chunk(chunk.encoding, chunk.count, wanted, &strip, &texts)
        .map_err(|error| error.at_path(reader.path()))
}

/// Decodes what is wanted of a chunk of a block: what is shown of it, and some of what is not.
pub(crate) fn open_chunk<K: Kind>(
    reader: &BlockReader,
    chunk: &ChunkMeta,
    wanted: Wanted,
    shown: TickRange,
) -> Result<<K as Parts>::Run> {
    let opened = K::open_chunk(&StoredChunk {
        range: chunk.range,
        count: chunk.count,
        encoding: chunk.encoding,
        wanted,
        shown,
        strip: &|strip| reader.strip(chunk, strip),
        shared: &|| reader.shared(chunk),
    });
    let is_whole = shown.start <= chunk.range.start && chunk.range.end <= shown.end;
    let checked = opened.and_then(|run| match chunk.count as usize {
        count if run.count() == count => Ok(run),
        count if run.count() < count && !is_whole => Ok(run),
        _ => Err(Error::corrupt(
            "a chunk holds another number of entries than its index says",
        )),
    });
    checked.map_err(|error| error.at_path(reader.path()))
}

impl<K: Kind> Cursor<K> {
    /// How many entries are left to read. Chunks that nothing overlaps and that are shown whole are
    /// told by the index and not decoded.
    pub(crate) fn count_entries(mut self) -> Result<u64> {
        // Nobody looks at more of an entry than that it is there.
        self.wanted = Wanted::Times;
        let held = self.front.iter().chain(&self.back);
        let mut count: u64 = held.map(|run| run.count() as u64).sum();
        while let Some(group) = self.groups.pop_front() {
            count += match told(&group) {
                Some(count) => count,
                None => self.load(group)?.iter().map(|run| run.count() as u64).sum(),
            };
        }
        Ok(count)
    }
}

/// How many entries a group has, if the index of its one block says so.
fn told<K: Kind>(group: &[Piece<K>]) -> Option<u64> {
    whole_chunk(group).map(|(_, chunk)| u64::from(chunk.count))
}

/// The block and the chunk that a group is, if it is one of which every entry is shown.
pub(super) fn whole_chunk<K: Kind>(group: &[Piece<K>]) -> Option<(u32, &ChunkMeta)> {
    let [piece] = group else { return None };
    let is_whole = piece.shown.start <= piece.range.start && piece.range.end <= piece.shown.end;
    match &piece.content {
        // Where a deletion reaches the chunk, its entries must be looked at.
        Content::Chunk(block, chunk, None) if is_whole => Some((*block, chunk)),
        _ => None,
    }
}

impl<K: Kind> Iterator for Cursor<K> {
    type Item = Result<<K as Parts>::Run>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(run) = self.front.pop_front() {
                return Some(Ok(run));
            }
            let Some(group) = self.groups.pop_front() else {
                return self.back.pop_front().map(Ok);
            };
            match self.load(group) {
                Ok(runs) => self.front = runs,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<K: Kind> DoubleEndedIterator for Cursor<K> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(run) = self.back.pop_back() {
                return Some(Ok(run));
            }
            let Some(group) = self.groups.pop_back() else {
                return self.front.pop_back().map(Ok);
            };
            match self.load(group) {
                Ok(runs) => self.back = runs,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

thread_local! {
    /// Cursors are mostly opened in the order of their series, some by each thread.
    static STANDS: RefCell<Stands> = const { RefCell::new(Stands::new()) };
}

/// Where a thread's walks over the chunks of some blocks were left.
struct Stands {
    of_blocks: Vec<(u64, Stand)>,
    /// Room for the chunks of a series.
    chunks: Vec<ChunkMeta>,
}

/// Blocks whose walks a thread remembers.
const STANDS_MAX: usize = 16;

impl Stands {
    const fn new() -> Self {
        Stands {
            of_blocks: Vec::new(),
            chunks: Vec::new(),
        }
    }

    fn of(&mut self, reader: &BlockReader) -> &mut Stand {
        let owner = reader.owner();
        let known = self.of_blocks.iter().position(|(other, _)| *other == owner);
        let place = known.unwrap_or_else(|| {
            if self.of_blocks.len() >= STANDS_MAX {
                self.of_blocks.clear();
            }
            self.of_blocks.push((owner, Stand::default()));
            self.of_blocks.len() - 1
        });
        &mut self.of_blocks[place].1
    }
}

fn block_pieces<K: Kind>(
    series: &Series<K>,
    over: &OverSeries<'_>,
    block: u32,
    ordinal: u32,
    pieces: &mut Vec<Piece<K>>,
) -> Result<()> {
    let LiveBlock { entry, reader } = &series.view.state.blocks[block as usize];
    let Some(shown) = series.view.retained.in_block(entry, series.range) else {
        return Ok(());
    };
    let hidden = over.in_block(entry).map(Arc::new);
    let mut chunks = STANDS.with_borrow_mut(|stands| {
        let mut chunks = std::mem::take(&mut stands.chunks);
        let stand = stands.of(reader);
        reader
            .chunks_on(ordinal, stand, &mut chunks)
            .map(|()| chunks)
    })?;
    for chunk in chunks.drain(..) {
        if !chunk.range.overlaps(&shown) {
            continue;
        }
        let hidden = hidden.as_ref().filter(|hidden| hidden.meets(&chunk.range));
        if hidden.is_some_and(|hidden| hidden.covers(&chunk.range)) {
            continue;
        }
        let mut may_hold = true;
        for needle in series.needles.iter().filter(|needle| !needle.is_silent()) {
            may_hold &= reader.page_may_hold(chunk.page, needle)?;
        }
        if !may_hold {
            continue;
        }
        let range = chunk.range;
        pieces.push(Piece {
            range,
            shown,
            priority: block,
            content: Content::Chunk(block, chunk, hidden.cloned()),
        });
    }
    STANDS.with_borrow_mut(|stands| stands.chunks = chunks);
    Ok(())
}

fn head_pieces<K: Kind>(
    series: &Series<K>,
    over: &OverSeries<'_>,
    (number, start): (u32, Ticks),
    wanted: Wanted,
    pieces: &mut Vec<Piece<K>>,
) -> Result<()> {
    let shown = TickRange::new(series.range.start.max(start), series.range.end);
    let seq = series.view.hold.seq();
    let first = series.view.state.blocks.len();
    let windows = series.view.state.windows.iter().enumerate();
    let views: Vec<_> = windows
        .filter(|(_, window)| window.range().overlaps(&series.range))
        .filter_map(|(place, window)| Some((place, window.cut_lsn(), window.view(number, seq)?)))
        .collect();
    let spans: Vec<_> = views.iter().map(|(_, _, view)| K::span(view)).collect();
    let of_blocks = pieces.len();
    for (at, (place, cut_lsn, view)) in views.into_iter().enumerate() {
        let hidden = over.in_window(cut_lsn);
        // What overlaps is merged, and repetitions are told by all that an entry has.
        let is_alone = spans[at].is_some_and(|span| {
            let mut others = spans.iter().enumerate().filter(|(other, _)| *other != at);
            let meets_window = others.any(|(_, other)| other.is_none_or(|it| it.overlaps(&span)));
            let mut blocks = pieces[..of_blocks].iter();
            !meets_window && !blocks.any(|piece| piece.range.overlaps(&span))
        });
        let looks_at_text = hidden
            .as_ref()
            .is_some_and(|hidden| hidden.looks_at_text(&shown));
        let wanted = match is_alone && !looks_at_text {
            true => wanted,
            false => Wanted::Everything,
        };
        let mut runs = clip(K::decode(view, shown, wanted)?, shown);
        if let Some(hidden) = hidden {
            runs = hidden.cut(runs);
        }
        let (Some(oldest), Some(newest)) = (runs.first(), runs.last()) else {
            continue;
        };
        let range = TickRange {
            start: Ticks(oldest.ticks()[0]),
            end: Ticks(newest.ticks()[newest.count() - 1]),
        };
        let priority = (first + place) as u32;
        pieces.push(Piece {
            range,
            shown,
            priority,
            content: Content::Decoded(runs),
        });
    }
    Ok(())
}

/// Puts pieces that overlap, directly or through others, into one group; groups follow each other
/// in time.
fn group<K: Kind>(mut pieces: Vec<Piece<K>>) -> VecDeque<Vec<Piece<K>>> {
    if pieces.len() == 1 {
        return VecDeque::from([pieces]);
    }
    pieces.sort_by_key(|piece| piece.range.start);
    let mut groups: VecDeque<Vec<Piece<K>>> = VecDeque::new();
    let mut end = Ticks(i64::MIN);
    for piece in pieces {
        let reaches = piece.range.end;
        match groups.back_mut() {
            Some(group) if piece.range.start <= end => group.push(piece),
            _ => groups.push_back(vec![piece]),
        }
        end = end.max(reaches);
    }
    for group in &mut groups {
        // Acknowledged first comes first; within one place, time order stays.
        group.sort_by_key(|piece| (piece.priority, piece.range.start));
    }
    groups
}
