//! Chunks of floats without a store around them: what benchmarks of the codecs drive.

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::codec::tiled_floats::{self, Column, Decimal};
use crate::codec::{exceptions, floats, xor};
use crate::error::Result;
use crate::kind::samples::Samples;
use crate::kind::samples::run::{SampleColumn, SampleRun};
use crate::kind::samples::seal::statistics;
use crate::kind::{Effort, Parts, Scratch, StoredChunk, Wanted};
use crate::time::TickRange;

/// The bytes of a sealed chunk of floats: what the benchmark of the codec decodes.
pub fn float_chunk_bytes(times: &[i64], values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::codec::float_chunk::encode(times, None, values, &mut bytes);
    bytes
}

/// Decodes a sealed chunk of `count` floats without start times into columns, which are emptied
/// first.
pub fn read_float_chunk(
    bytes: &[u8],
    count: usize,
    times: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<()> {
    times.clear();
    values.clear();
    crate::codec::float_chunk::decode(bytes, count, times, &mut None, values)
}

/// A chunk as compaction writes it: what the benchmark of the codec decodes.
pub struct CompactedChunk {
    strip: Vec<u8>,
    shared: Vec<u8>,
    summary: Vec<u8>,
    range: TickRange,
    count: u32,
    encoding: u8,
}

/// The chunks that compaction makes of a run of floats.
pub fn compacted_chunks(times: &[i64], values: &[f64]) -> Vec<CompactedChunk> {
    let run = SampleRun {
        times: times.to_vec(),
        starts: None,
        values: SampleColumn::Floats(values.to_vec()),
    };
    let mut chunks = Vec::new();
    let sealed = Samples::seal(&run, Effort::Best, &mut Scratch::default(), &mut |chunk| {
        chunks.push(CompactedChunk {
            strip: chunk.strips.concat(),
            shared: chunk.shared.to_vec(),
            summary: chunk.summary.to_vec(),
            range: chunk.range,
            count: chunk.count,
            encoding: chunk.encoding,
        });
        Ok(())
    });
    sealed.expect("sealing fails only where its sink does");
    chunks
}

impl CompactedChunk {
    /// Decodes the chunk to columns.
    pub fn read(&self) -> Result<SampleRun> {
        Samples::open_chunk(&StoredChunk {
            range: self.range,
            count: self.count,
            encoding: self.encoding,
            wanted: Wanted::Everything,
            shown: TickRange::ALL,
            strip: &|_| Ok(&self.strip[..]),
            shared: &|| Ok(&self.shared[..]),
        })
    }

    /// Bytes of the chunk, of what it shares and of its statistics.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.strip.len(), self.shared.len(), self.summary.len())
    }

    /// How many stretches of the chunk its statistics tell of.
    pub fn parts(&self) -> Result<usize> {
        let parts = statistics(self.range, self.count, self.encoding, &self.summary)?;
        Ok(parts.map_or(0, |parts| parts.len()))
    }
}

/// Codecs of a column of floats: what the comparison with those of others drives.
#[derive(Clone, Copy, Debug)]
pub enum ColumnCodec {
    /// What compaction writes.
    Tiles,
    /// What a freeze writes.
    Packed,
    /// XORs through a bit window, one of the codecs of [`ColumnCodec::Packed`].
    Xor,
}

impl ColumnCodec {
    /// The column of these values.
    pub fn write(self, values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            ColumnCodec::Tiles => Column::of(values).write(&mut bytes),
            ColumnCodec::Packed => floats::encode(values, &mut bytes),
            ColumnCodec::Xor => bytes = xor::encode(values),
        }
        bytes
    }

    /// The values of a column of `count`.
    pub fn read(self, bytes: &[u8], count: usize) -> Result<Vec<f64>> {
        let (mut cursor, mut values) = (Cursor::new(bytes), Vec::new());
        match self {
            ColumnCodec::Tiles => tiled_floats::decode(&mut cursor, count, 0..count, &mut values)?,
            ColumnCodec::Packed => floats::decode(&mut cursor, count, &mut values)?,
            ColumnCodec::Xor => xor::decode(&mut cursor, count, &mut values)?,
        }
        Ok(values)
    }
}

/// How the integers of a column become floats again.
pub struct Decimals<'a> {
    decimal: Decimal,
    exceptions: &'a [u8],
}

impl<'a> Decimals<'a> {
    /// Reads what [`decimal_integers`] gave beside the integers, and what stands behind it.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8])> {
        let mut cursor = Cursor::new(bytes);
        let decimal = Decimal::read(cursor.u8()?, &mut cursor)?;
        let exceptions = cursor.prefixed()?;
        let read = Decimals {
            decimal,
            exceptions,
        };
        Ok((read, cursor.rest()))
    }

    /// The floats of all integers of a column of `count`.
    pub fn values(&self, integers: &[i64], count: usize) -> Result<Vec<f64>> {
        let value = |&integer: &i64| self.decimal.value(integer);
        let mut values: Vec<f64> = integers.iter().map(value).collect();
        if !self.exceptions.is_empty() {
            let mut listed = Cursor::new(self.exceptions);
            exceptions::read(&mut listed, count, |place, value| values[place] = value)?;
        }
        Ok(values)
    }
}

/// The integers of a column of decimals, before them bytes that say how they become floats; `None`
/// where that is not what compaction would write.
pub fn decimal_integers(values: &[f64]) -> Option<(Vec<u8>, Vec<i64>)> {
    let column = Column::of(values);
    let (decimal, integers) = column.decimals()?;
    let (mut bytes, mut listed) = (Vec::new(), Vec::new());
    decimal.write(&mut bytes);
    exceptions::write(values, column.exceptions(), &mut listed);
    put_prefixed(&mut bytes, &listed);
    Some((bytes, integers.to_vec()))
}
