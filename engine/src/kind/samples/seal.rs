//! Samples as sealed chunks: one strip, a chunk of floats or of histograms.
//!
//! A freeze writes chunks that stand alone. Compaction cuts at round times, so that series that are
//! scraped together share their times, packs floats in tiles, and says of each chunk what can be
//! known without decoding it.

use std::ops::Deref;
use std::sync::Arc;

use crate::codec::chunk::SealedChunk;
use crate::codec::histogram::Histogram;
use crate::codec::statistics;
use crate::codec::tiled_chunk::{self, Extent, Stretch};
use crate::codec::tiled_floats::Column;
use crate::codec::{bytes, float_chunk, histogram_chunk};
use crate::error::{Error, Result};
use crate::kind::samples::cut::Cut;
use crate::kind::samples::run::{SampleColumn, SampleRun};
use crate::kind::{ChunkSink, Effort, Scratch, StoredChunk, Wanted};
use crate::time::{TickRange, Ticks};

/// Chunk encodings of this kind.
const FLOATS: u8 = 0;
const HISTOGRAMS: u8 = 1;
const TILED_FLOATS: u8 = 2;
const SHARING_HISTOGRAMS: u8 = 3;

pub(crate) fn seal(
    run: &SampleRun,
    effort: Effort,
    scratch: &mut Scratch,
    sink: &mut ChunkSink<'_>,
) -> Result<()> {
    let cut = match effort {
        Effort::Quick => Cut::by_count(),
        Effort::Best => Cut::by_time(run),
    };
    let mut start = 0;
    while start < run.times.len() {
        let end = chunk_end(run, start, cut);
        let [strip, shared, summary, ..] = &mut scratch.strips;
        for buffer in [&mut *strip, shared, summary] {
            buffer.clear();
        }
        let times = &run.times[start..end];
        let starts = run.starts.as_ref().map(|starts| &starts[start..end]);
        let encoding = match (&run.values, effort) {
            (SampleColumn::Floats(values), Effort::Quick) => {
                float_chunk::encode(times, starts, &values[start..end], strip);
                FLOATS
            }
            (SampleColumn::Floats(values), Effort::Best) => {
                let column = Column::of(&values[start..end]);
                tiled_chunk::encode_times(times, starts, &mut scratch.times, strip, shared);
                column.write(strip);
                statistics::encode(&column, times, strip.len(), summary);
                TILED_FLOATS
            }
            (SampleColumn::Histograms(values), Effort::Quick) => {
                histogram_chunk::encode(times, starts, &owned(&values[start..end]), strip);
                HISTOGRAMS
            }
            (SampleColumn::Histograms(values), Effort::Best) => {
                tiled_chunk::encode_times(times, starts, &mut scratch.times, strip, shared);
                histogram_chunk::encode_body(&owned(&values[start..end]), strip);
                SHARING_HISTOGRAMS
            }
        };
        sink(SealedChunk {
            range: TickRange {
                start: Ticks(times[0]),
                end: Ticks(times[times.len() - 1]),
            },
            count: times.len() as u32,
            encoding,
            strips: &[strip],
            tokens: &[],
            summary,
            shared,
        })?;
        start = end;
    }
    Ok(())
}

fn owned(values: &[Arc<Histogram>]) -> Vec<Histogram> {
    values.iter().map(|value| Histogram::clone(value)).collect()
}

/// Where the chunk that begins at `start` ends.
fn chunk_end(run: &SampleRun, start: usize, cut: Cut) -> usize {
    let end = cut.end(&run.times, start);
    match &run.values {
        SampleColumn::Floats(_) => end,
        SampleColumn::Histograms(values) => {
            start + histogram_chunk::fitting(&owned(&values[start..end]))
        }
    }
}

pub(crate) fn open_chunk<B: Deref<Target = [u8]>>(chunk: &StoredChunk<'_, B>) -> Result<SampleRun> {
    match chunk.wanted {
        Wanted::Everything => open_whole(chunk),
        // Samples have no metadata.
        Wanted::Times | Wanted::Metadata | Wanted::Lengths | Wanted::LengthsAndMetadata => {
            open_times(chunk)
        }
    }
}

/// The times of a chunk, with zeros for values.
fn open_times<B: Deref<Target = [u8]>>(chunk: &StoredChunk<'_, B>) -> Result<SampleRun> {
    let bytes = (chunk.strip)(0)?;
    let (mut cursor, count) = (bytes::Cursor::new(&bytes), chunk.count as usize);
    let stretch = match chunk.encoding {
        FLOATS | HISTOGRAMS => {
            let (mut times, mut starts) = (Vec::new(), None);
            float_chunk::decode_times(&mut cursor, count, &mut times, &mut starts)?;
            let entries = 0..count;
            Stretch {
                entries,
                times,
                starts,
            }
        }
        TILED_FLOATS | SHARING_HISTOGRAMS => {
            let shown = chunk.shown.start.0..=chunk.shown.end.0;
            tiled_chunk::decode_times(&mut cursor, extent(chunk), &shown, chunk.shared)?
        }
        encoding => return Err(unknown(encoding)),
    };
    let values = SampleColumn::Floats(vec![0.0; stretch.times.len()]);
    Ok(run_of(stretch, values))
}

fn unknown(encoding: u8) -> Error {
    Error::corrupt(format!("chunk encoding {encoding} is unknown"))
}

fn open_whole<B: Deref<Target = [u8]>>(chunk: &StoredChunk<'_, B>) -> Result<SampleRun> {
    let (bytes, count) = ((chunk.strip)(0)?, chunk.count as usize);
    let (mut times, mut starts) = (Vec::new(), None);
    match chunk.encoding {
        FLOATS => {
            let mut values = Vec::new();
            float_chunk::decode(&bytes, count, &mut times, &mut starts, &mut values)?;
            let values = SampleColumn::Floats(values);
            Ok(SampleRun {
                times,
                starts,
                values,
            })
        }
        HISTOGRAMS => {
            let mut values = Vec::new();
            histogram_chunk::decode(&bytes, count, &mut times, &mut starts, &mut values)?;
            let values = SampleColumn::Histograms(values.into_iter().map(Arc::new).collect());
            Ok(SampleRun {
                times,
                starts,
                values,
            })
        }
        TILED_FLOATS => {
            let shown = chunk.shown.start.0..=chunk.shown.end.0;
            let extent = extent(chunk);
            let (stretch, values) = tiled_chunk::decode(&bytes, extent, &shown, chunk.shared)?;
            Ok(run_of(stretch, SampleColumn::Floats(values)))
        }
        SHARING_HISTOGRAMS => {
            let (mut cursor, extent) = (bytes::Cursor::new(&bytes), extent(chunk));
            let all = i64::MIN..=i64::MAX;
            let stretch = tiled_chunk::decode_times(&mut cursor, extent, &all, chunk.shared)?;
            let mut values = Vec::new();
            histogram_chunk::decode_body(&mut cursor, count, &mut values)?;
            let values = values.into_iter().map(Arc::new).collect();
            Ok(run_of(stretch, SampleColumn::Histograms(values)))
        }
        encoding => Err(unknown(encoding)),
    }
}

fn extent<B>(chunk: &StoredChunk<'_, B>) -> Extent {
    Extent {
        count: chunk.count as usize,
        first: chunk.range.start.0,
        last: chunk.range.end.0,
    }
}

fn run_of(stretch: Stretch, values: SampleColumn) -> SampleRun {
    SampleRun {
        times: stretch.times,
        starts: stretch.starts,
        values,
    }
}

/// What the index says of the values of a chunk, part by part; `None` where the chunk has to be
/// decoded, as those are that a freeze wrote, those of histograms, and those of one value, which
/// are decoded in no time.
pub(crate) fn statistics(
    range: TickRange,
    count: u32,
    encoding: u8,
    summary: &[u8],
) -> Result<Option<Vec<statistics::Part>>> {
    if encoding != TILED_FLOATS || summary.is_empty() {
        return Ok(None);
    }
    statistics::decode(summary, count as usize, range.start.0, range.end.0).map(Some)
}

/// Fails where the index says of a chunk what its samples are not.
pub(crate) fn check_summary(encoding: u8, summary: &[u8], run: &SampleRun) -> Result<()> {
    let (times, Some(values)) = (&run.times, run.floats()) else {
        return Ok(());
    };
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Ok(());
    };
    let range = TickRange::new(Ticks(first), Ticks(last));
    let Some(parts) = statistics(range, times.len() as u32, encoding, summary)? else {
        return Ok(());
    };
    match parts.iter().all(|part| part.is_true_of(times, values)) {
        true => Ok(()),
        false => Err(Error::corrupt(
            "the statistics of a chunk say what its samples are not",
        )),
    }
}

#[cfg(test)]
mod tests;
