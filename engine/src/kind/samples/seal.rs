//! Samples as sealed chunks: one strip, a float chunk or a histogram chunk.

use std::sync::Arc;

use crate::codec::histogram::Histogram;
use crate::codec::{float_chunk, histogram_chunk};
use crate::error::{Error, Result};
use crate::kind::samples::run::{SampleColumn, SampleRun};
use crate::kind::{ChunkSink, Scratch, SealedChunk};
use crate::time::TickRange;
use crate::time::Ticks;

/// Chunk encodings of this kind.
const FLOATS: u8 = 0;
const HISTOGRAMS: u8 = 1;

/// Samples of one chunk at most: long enough to pack well, short enough for a narrow query.
const CHUNK_SAMPLES_MAX: usize = 1024;

pub(crate) fn seal(run: &SampleRun, scratch: &mut Scratch, sink: &mut ChunkSink<'_>) -> Result<()> {
    let mut start = 0;
    while start < run.times.len() {
        let end = chunk_end(run, start);
        let out = &mut scratch.strips[0];
        out.clear();
        let times = &run.times[start..end];
        let starts = run.starts.as_ref().map(|starts| &starts[start..end]);
        let encoding = match &run.values {
            SampleColumn::Floats(values) => {
                float_chunk::encode(times, starts, &values[start..end], out);
                FLOATS
            }
            SampleColumn::Histograms(values) => {
                let values: Vec<Histogram> = values[start..end]
                    .iter()
                    .map(|value| Histogram::clone(value))
                    .collect();
                histogram_chunk::encode(times, starts, &values, out);
                HISTOGRAMS
            }
        };
        sink(SealedChunk {
            range: TickRange {
                start: Ticks(times[0]),
                end: Ticks(times[times.len() - 1]),
            },
            count: times.len() as u32,
            encoding,
            strips: &[out],
            tokens: &[],
            summary: &[],
        })?;
        start = end;
    }
    Ok(())
}

/// Where the chunk that begins at `start` ends.
fn chunk_end(run: &SampleRun, start: usize) -> usize {
    let end = run.times.len().min(start + CHUNK_SAMPLES_MAX);
    match &run.values {
        SampleColumn::Floats(_) => end,
        SampleColumn::Histograms(values) => {
            let values: Vec<Histogram> = values[start..end]
                .iter()
                .map(|value| Histogram::clone(value))
                .collect();
            start + histogram_chunk::fitting(&values)
        }
    }
}

pub(crate) fn open_chunk(encoding: u8, count: u32, bytes: &[u8]) -> Result<SampleRun> {
    let count = count as usize;
    let (mut times, mut starts) = (Vec::new(), None);
    let values = match encoding {
        FLOATS => {
            let mut values = Vec::new();
            float_chunk::decode(bytes, count, &mut times, &mut starts, &mut values)?;
            SampleColumn::Floats(values)
        }
        HISTOGRAMS => {
            let mut values = Vec::new();
            histogram_chunk::decode(bytes, count, &mut times, &mut starts, &mut values)?;
            SampleColumn::Histograms(values.into_iter().map(Arc::new).collect())
        }
        _ => {
            return Err(Error::corrupt(format!(
                "chunk encoding {encoding} is unknown"
            )));
        }
    };
    Ok(SampleRun {
        times,
        starts,
        values,
    })
}
