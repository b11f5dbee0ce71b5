//! A block: its series in label order, each with its samples, less what tombstones delete.

use std::path::Path;

use super::index::{ChunkRef, Index, SeriesEntry};
use super::segments::Segments;
use super::tombstones::Tombstones;
use crate::transfer::fault::{Fault, Result};
use crate::wire::chunks::chunk::{self, Value};

/// A block that is being read.
pub(crate) struct BlockReader {
    index: Index,
    samples: SampleReader,
}

/// What turns the chunks of a series into samples.
pub(crate) struct SampleReader {
    segments: Segments,
    tombstones: Tombstones,
}

impl BlockReader {
    pub(crate) fn open(folder: &Path) -> Result<BlockReader> {
        Ok(BlockReader {
            index: Index::open(&folder.join("index"))?,
            samples: SampleReader {
                segments: Segments::open(&folder.join("chunks"))?,
                tombstones: Tombstones::open(&folder.join("tombstones"))?,
            },
        })
    }

    /// The next series, and what reads its samples.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, SeriesEntry<'_>, &mut SampleReader)>> {
        let found = self.index.next()?;
        Ok(found.map(|(reference, entry)| (reference, entry, &mut self.samples)))
    }
}

impl SampleReader {
    /// Hands on the samples of one chunk of a series that are not deleted. How many there are with
    /// those that are.
    pub(crate) fn chunk(
        &mut self,
        series: u64,
        chunk: &ChunkRef,
        mut each: impl FnMut(i64, Value) -> Result<()>,
    ) -> Result<u64> {
        let deleted = self.tombstones.of(series);
        let (encoding, bytes) = self.segments.chunk(chunk.reference)?;
        let is_deleted = |time: i64| {
            deleted
                .iter()
                .any(|(start, end)| (*start..=*end).contains(&time))
        };
        let decoded = chunk::decode(encoding, bytes, |time, value| match is_deleted(time) {
            true => Ok(()),
            false => each(time, value),
        });
        decoded.map_err(|fault: Fault| fault.at(format_args!("chunk {}", chunk.reference)))
    }
}
