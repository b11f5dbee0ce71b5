//! The entries of one series from several blocks as one sequence, with the memory of a chunk from
//! each.
//!
//! Entries are given out only below the earliest tick at which some block has a chunk that was not
//! decoded: a chunk may begin at the very tick at which the one before ends, and the entries of
//! another block may lie between. A chunk that no other block has entries beside, and that is
//! packed for long, is not decoded: its page is given out as it is stored.

use std::collections::VecDeque;

use crate::block::carried::CarriedPage;
use crate::block::{BlockReader, ChunkMeta};
use crate::error::{Error, Result};
use crate::kind::merge::merge;
use crate::kind::{Columns, Kind, StoredChunk, Wanted};
use crate::time::TickRange;

/// What one block has of the series.
pub(crate) struct Source<'a, K: Kind> {
    reader: &'a BlockReader,
    /// Chunks that are not decoded yet, in order of time.
    chunks: VecDeque<ChunkMeta>,
    /// Decoded entries that were not given out.
    ready: Vec<K::Run>,
}

/// What a merge drops of the source with a place.
pub(crate) trait Screen<R> {
    /// Whether nothing of these times is to be dropped.
    fn spares(&mut self, source: usize, range: TickRange) -> bool;
    /// What is left of a run.
    fn screen(&mut self, source: usize, run: R) -> Result<Vec<R>>;
}

/// The next entries of a series.
pub(crate) enum Piece<R> {
    Run(R),
    Page(CarriedPage),
}

impl<'a, K: Kind> Source<'a, K> {
    pub(crate) fn open(reader: &'a BlockReader, ordinal: u32) -> Result<Self> {
        let mut chunks = Vec::new();
        reader.chunks(ordinal, &mut chunks)?;
        Ok(Source {
            reader,
            chunks: chunks.into(),
            ready: Vec::new(),
        })
    }

    fn decode(&self, chunk: &ChunkMeta) -> Result<K::Run> {
        let opened = K::open_chunk(&StoredChunk {
            range: chunk.range,
            count: chunk.count,
            encoding: chunk.encoding,
            wanted: Wanted::Everything,
            shown: TickRange::ALL,
            strip: &|strip| self.reader.strip(chunk, strip),
            shared: &|| self.reader.shared(chunk),
        });
        let checked = opened.and_then(|run| match run.count() == chunk.count as usize {
            true => Ok(run),
            false => Err(Error::corrupt(
                "a chunk holds another number of entries than its index says",
            )),
        });
        checked.map_err(|error| error.at_path(self.reader.path()))
    }

    /// The first tick at which entries may still have to be decoded.
    fn horizon(&self) -> Option<i64> {
        self.chunks.front().map(|chunk| chunk.range.start.0)
    }

    /// Takes the entries before `bound` out of what is ready.
    fn take_before(&mut self, bound: i64) -> Vec<K::Run> {
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for run in std::mem::take(&mut self.ready) {
            let split = run.ticks().partition_point(|tick| *tick < bound);
            match split {
                0 => rest.push(run),
                split if split == run.count() => taken.push(run),
                split => {
                    let count = run.count();
                    taken.push(run.clone().slice(0, split));
                    rest.push(run.slice(split, count));
                }
            }
        }
        self.ready = rest;
        taken
    }
}

/// Gives the merged entries of `sources`, oldest acknowledged first, to `each`, piece by piece in
/// order of time.
pub(crate) fn merge_sources<K: Kind>(
    mut sources: Vec<Source<'_, K>>,
    full_page_bytes: Option<usize>,
    screen: &mut dyn Screen<K::Run>,
    each: &mut dyn FnMut(Piece<K::Run>) -> Result<()>,
) -> Result<()> {
    while let Some(bound) = sources.iter().filter_map(Source::horizon).min() {
        let parts: Vec<Vec<K::Run>> = sources
            .iter_mut()
            .map(|source| source.take_before(bound))
            .collect();
        give::<K>(parts, each)?;
        if let Some(least) = full_page_bytes
            && let Some(page) = carry_next(&mut sources, least, screen)?
        {
            each(Piece::Page(page))?;
            continue;
        }
        for (place, source) in sources.iter_mut().enumerate() {
            if source.horizon() == Some(bound)
                && let Some(chunk) = source.chunks.pop_front()
            {
                let run = source.decode(&chunk)?;
                source.ready.extend(screen.screen(place, run)?);
            }
        }
    }
    let rest = sources.into_iter().map(|source| source.ready).collect();
    give::<K>(rest, each)
}

/// Takes the next chunk as it is stored, where it stands alone: no entry that is decoded waits, and
/// no other source has one until behind its end.
fn carry_next<K: Kind>(
    sources: &mut [Source<'_, K>],
    full_page_bytes: usize,
    screen: &mut dyn Screen<K::Run>,
) -> Result<Option<CarriedPage>> {
    if sources.iter().any(|source| !source.ready.is_empty()) {
        return Ok(None);
    }
    let begins = |source: &Source<'_, K>| source.horizon().unwrap_or(i64::MAX);
    let places = 0..sources.len();
    let Some(first) = places.min_by_key(|place| begins(&sources[*place])) else {
        return Ok(None);
    };
    let Some(chunk) = sources[first].chunks.front().copied() else {
        return Ok(None);
    };
    let is_beside = |(place, source): (usize, &Source<'_, K>)| {
        place != first && begins(source) <= chunk.range.end.0
    };
    if sources.iter().enumerate().any(is_beside) || !screen.spares(first, chunk.range) {
        return Ok(None);
    }
    let carried = sources[first].reader.carry(&chunk, full_page_bytes)?;
    if carried.is_some() {
        sources[first].chunks.pop_front();
    }
    Ok(carried)
}

fn give<K: Kind>(
    parts: Vec<Vec<K::Run>>,
    each: &mut dyn FnMut(Piece<K::Run>) -> Result<()>,
) -> Result<()> {
    let mut parts: Vec<Vec<K::Run>> = parts.into_iter().filter(|runs| !runs.is_empty()).collect();
    let merged = match parts.len() {
        0 => return Ok(()),
        1 => parts.remove(0),
        _ => merge(parts),
    };
    merged.into_iter().map(Piece::Run).try_for_each(each)
}
