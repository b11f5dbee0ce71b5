//! The entries of one series from several blocks as one sequence, with the memory of a chunk from
//! each.
//!
//! Entries are given out only below the earliest tick at which some block has a chunk that was not
//! decoded: a chunk may begin at the very tick at which the one before ends, and the entries of
//! another block may lie between.

use std::collections::VecDeque;

use crate::block::{BlockReader, ChunkMeta};
use crate::error::{Error, Result};
use crate::kind::merge::merge;
use crate::kind::{Columns, Kind, Parts, StoredChunk, Wanted};
use crate::time::TickRange;

/// What one block has of the series.
pub(crate) struct Source<'a, K: Kind> {
    reader: &'a BlockReader,
    /// Chunks that are not decoded yet, in order of time.
    chunks: VecDeque<ChunkMeta>,
    /// Decoded entries that were not given out.
    ready: Vec<K::Run>,
}

/// Drops what is to be dropped from a run of the source with this place.
pub(crate) type Screen<'a, K> =
    dyn FnMut(usize, <K as Parts>::Run) -> Result<Vec<<K as Parts>::Run>> + 'a;

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

/// Gives the merged entries of `sources`, oldest acknowledged first, to `each`, run by run in
/// order of time.
pub(crate) fn merge_sources<K: Kind>(
    mut sources: Vec<Source<'_, K>>,
    screen: &mut Screen<'_, K>,
    each: &mut dyn FnMut(K::Run) -> Result<()>,
) -> Result<()> {
    while let Some(bound) = sources.iter().filter_map(Source::horizon).min() {
        let parts: Vec<Vec<K::Run>> = sources
            .iter_mut()
            .map(|source| source.take_before(bound))
            .collect();
        give::<K>(parts, each)?;
        for (place, source) in sources.iter_mut().enumerate() {
            if source.horizon() == Some(bound)
                && let Some(chunk) = source.chunks.pop_front()
            {
                source.ready.extend(screen(place, source.decode(&chunk)?)?);
            }
        }
    }
    let rest = sources.into_iter().map(|source| source.ready).collect();
    give::<K>(rest, each)
}

fn give<K: Kind>(
    parts: Vec<Vec<K::Run>>,
    each: &mut dyn FnMut(K::Run) -> Result<()>,
) -> Result<()> {
    let mut parts: Vec<Vec<K::Run>> = parts.into_iter().filter(|runs| !runs.is_empty()).collect();
    let merged = match parts.len() {
        0 => return Ok(()),
        1 => parts.remove(0),
        _ => merge(parts),
    };
    merged.into_iter().try_for_each(each)
}
