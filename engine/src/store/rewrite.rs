//! Writes what can be read of a damaged block into a new one.
//!
//! Takes a block apart and puts it together as a merge of one would, but goes on where a chunk
//! cannot be read, and counts what is lost. Index sections that say the same twice stand in for
//! each other.

use std::path::Path;

use crate::block::salvage::LabelSource;
use crate::block::{BlockReader, BlockSummary, BlockWriter, ChunkMeta, Paging, block_path};
use crate::error::Result;
use crate::io::Fs;
use crate::kind::{Effort, Kind, Scratch};
use crate::labels::set::{Labels, SeriesId};
use crate::store::check::read_chunk;
use crate::store::recover::is_passing;
use crate::store::repair::LostSeries;
use crate::time::TickRange;

/// Series that have lost entries and are named; the rest are counted.
const LOST_SERIES_MAX: usize = 1_000;

/// What became of a block.
pub(crate) struct Rewritten {
    /// The new block; none where nothing could be kept.
    pub(crate) block: Option<BlockSummary>,
    /// The first of the series that have lost entries.
    pub(crate) lost: Vec<LostSeries>,
    /// The range of all that is lost.
    pub(crate) range_lost: Option<TickRange>,
    pub(crate) series_lost: u64,
    pub(crate) entries_lost: u64,
}

/// Writes the rest of a block under a new number. `None` where its index is beyond use: nobody can
/// say which entries are whose. An error is the disk's.
pub(crate) fn rewrite<K: Kind>(
    fs: &dyn Fs,
    reader: &BlockReader,
    blocks: &Path,
    number: u64,
) -> Result<Option<Rewritten>> {
    let labels = match LabelSource::open(reader) {
        Ok(labels) if is_of::<K>(reader) => labels,
        Err(error) if is_passing(&error) => return Err(error),
        _ => return Ok(None),
    };
    let mut copy = Copy::<K> {
        fs,
        reader,
        blocks,
        number,
        effort: match reader.header().level {
            0 => Effort::Quick,
            _ => Effort::Best,
        },
        writer: None,
        scratch: Scratch::default(),
        kept: Vec::new(),
        rewritten: Rewritten {
            block: None,
            lost: Vec::new(),
            range_lost: None,
            series_lost: 0,
            entries_lost: 0,
        },
    };
    match copy.all(&labels) {
        Ok(Reached::End) => copy.finish().map(Some),
        Ok(Reached::DamagedIndex) => {
            copy.abandon();
            Ok(None)
        }
        Err(error) => {
            copy.abandon();
            Err(error)
        }
    }
}

fn hull(one: TickRange, other: TickRange) -> TickRange {
    TickRange::new(one.start.min(other.start), one.end.max(other.end))
}

fn is_of<K: Kind>(reader: &BlockReader) -> bool {
    reader.strip_count() == K::strip_packing(Effort::Quick).len()
}

/// How far a copy came.
enum Reached {
    End,
    /// The list of chunks, or where their pages are, cannot be read.
    DamagedIndex,
}

struct Copy<'a, K: Kind> {
    fs: &'a dyn Fs,
    reader: &'a BlockReader,
    blocks: &'a Path,
    number: u64,
    effort: Effort,
    /// Made when there is something to write.
    writer: Option<BlockWriter<'a>>,
    scratch: Scratch,
    /// The series at hand, as far as it can be read.
    kept: Vec<K::Run>,
    rewritten: Rewritten,
}

impl<'a, K: Kind> Copy<'a, K> {
    fn all(&mut self, source: &LabelSource<'_>) -> Result<Reached> {
        let (mut metas, mut labels) = (Vec::new(), Vec::new());
        let mut previous: Vec<u8> = Vec::new();
        for ordinal in 0..self.reader.series_count() {
            if self.reader.chunks(ordinal, &mut metas).is_err() || !self.are_placed(&metas) {
                return Ok(Reached::DamagedIndex);
            }
            let is_told = source.labels(ordinal, &mut labels).is_ok();
            let checked = Labels::from_bytes(&labels).ok().filter(|_| is_told);
            let in_order =
                |labels: &Labels<'_>| previous.is_empty() || *labels > Labels::trusted(&previous);
            let Some(known) = checked.filter(in_order) else {
                // The labels are the index's word for whose entries these are.
                return Ok(Reached::DamagedIndex);
            };
            self.series(known.id(), known, &metas)?;
            std::mem::swap(&mut previous, &mut labels);
        }
        Ok(Reached::End)
    }

    /// Whether the page table can be read for these chunks.
    fn are_placed(&self, metas: &[ChunkMeta]) -> bool {
        let is_placed = |meta: &ChunkMeta| self.reader.has_page(meta.page);
        metas.iter().all(is_placed)
    }

    fn series(&mut self, id: SeriesId, labels: Labels<'_>, metas: &[ChunkMeta]) -> Result<()> {
        let mut lost: Option<LostSeries> = None;
        for meta in metas {
            match read_chunk::<K>(self.reader, meta) {
                Ok(run) => self.kept.push(run),
                Err(error) if is_passing(&error) => return Err(error),
                Err(_) => {
                    let lost = lost.get_or_insert_with(|| LostSeries {
                        labels: labels.to_set(),
                        range: meta.range,
                        entries: 0,
                    });
                    lost.entries += u64::from(meta.count);
                    lost.range = hull(lost.range, meta.range);
                }
            }
        }
        if let Some(lost) = lost {
            let all = &mut self.rewritten;
            all.series_lost += 1;
            all.entries_lost += lost.entries;
            all.range_lost = Some(
                all.range_lost
                    .map_or(lost.range, |range| hull(range, lost.range)),
            );
            if all.lost.len() < LOST_SERIES_MAX {
                all.lost.push(lost);
            }
        }
        self.write_kept(id, labels)
    }

    fn write_kept(&mut self, id: SeriesId, labels: Labels<'_>) -> Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin()?,
        };
        writer.series(id, labels)?;
        for run in std::mem::take(&mut self.kept) {
            K::seal(&run, self.effort, &mut self.scratch, &mut |chunk| {
                writer.chunk(chunk)
            })?;
        }
        self.writer = Some(writer);
        Ok(())
    }

    fn begin(&self) -> Result<BlockWriter<'a>> {
        let effort = self.effort;
        let paging = Paging::new(K::strip_packing(effort), K::page_bytes(effort));
        let header = *self.reader.header();
        BlockWriter::create(self.fs, self.blocks, self.number, header, paging)
    }

    fn finish(mut self) -> Result<Rewritten> {
        if let Some(writer) = self.writer.take() {
            self.rewritten.block = Some(writer.finish()?);
        }
        Ok(self.rewritten)
    }

    /// Removes what was written; where that fails it is litter.
    fn abandon(mut self) {
        if self.writer.take().is_some() {
            let _ = self.fs.remove_file(&block_path(self.blocks, self.number));
        }
    }
}
