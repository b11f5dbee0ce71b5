//! Codecs for benches, and the bodies of their fuzz targets.
//!
//! A fuzz body takes arbitrary bytes. It reads them as a format, which may fail but not panic, and
//! what was read must survive being written and read again; then it takes them as plain numbers to
//! write and read.

use crate::codec::bytes::Cursor;
use crate::codec::stream::FloatStream;
use crate::codec::tiled_chunk::{self, Extent, Stretch};
use crate::codec::tiled_floats::Column;
use crate::codec::tiled_times::Memory;
use crate::codec::{float_chunk, histogram_chunk, histogram_value, ints, statistics, stream};
use crate::error::Result;

pub use crate::codec::histogram::{BucketCounts, Counts, Histogram, ResetHint, Span};

/// The most entries that fuzz bodies ask a decoder for: a few bytes may rightly stand for a full
/// chunk, which would make every run slow.
const FUZZ_ENTRIES_MAX: u16 = 2048;

/// An open float stream.
#[derive(Clone, Debug, Default)]
pub struct Stream(FloatStream);

impl Stream {
    /// Appends an entry.
    #[inline]
    pub fn append(&mut self, time: i64, bits: u64) {
        self.0.append(time, bits);
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The entries so far.
    pub fn count(&self) -> u32 {
        self.0.len()
    }
}

/// Decodes the first entries of a stream's bytes.
pub fn decode_stream(
    bytes: &[u8],
    count: u32,
    times: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<()> {
    stream::decode(bytes, count, times, values)
}

/// Appends a sealed float chunk.
pub fn encode_float_chunk(
    times: &[i64],
    starts: Option<&[i64]>,
    values: &[f64],
    out: &mut Vec<u8>,
) {
    float_chunk::encode(times, starts, values, out);
}

/// Decodes a sealed float chunk.
pub fn decode_float_chunk(
    bytes: &[u8],
    count: usize,
    times: &mut Vec<i64>,
    starts: &mut Option<Vec<i64>>,
    values: &mut Vec<f64>,
) -> Result<()> {
    float_chunk::decode(bytes, count, times, starts, values)
}

/// Appends an integer column.
pub fn encode_ints(values: &[i64], out: &mut Vec<u8>) {
    ints::encode(values, out);
}

/// Decodes an integer column from the front of `bytes`.
pub fn decode_ints(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<()> {
    ints::decode(&mut Cursor::new(bytes), count, out)
}

/// Appends a sealed histogram chunk.
pub fn encode_histogram_chunk(times: &[i64], histograms: &[Histogram], out: &mut Vec<u8>) {
    histogram_chunk::encode(times, None, histograms, out);
}

/// Decodes a sealed histogram chunk.
pub fn decode_histogram_chunk(
    bytes: &[u8],
    count: usize,
    times: &mut Vec<i64>,
    histograms: &mut Vec<Histogram>,
) -> Result<()> {
    histogram_chunk::decode(bytes, count, times, &mut None, histograms)
}

/// Fuzz body: open float streams.
pub fn fuzz_stream(data: &[u8]) {
    let Some((count, bytes)) = count_and_rest(data) else {
        return;
    };
    let (mut times, mut values) = (Vec::new(), Vec::new());
    if stream::decode(bytes, count.into(), &mut times, &mut values).is_ok() {
        check_stream(&times, &values);
    }
    let (times, values) = numbers(bytes);
    check_stream(&times, &values);
}

/// Fuzz body: sealed float chunks.
pub fn fuzz_float_chunk(data: &[u8]) {
    let Some((count, bytes)) = count_and_rest(data) else {
        return;
    };
    let (mut times, mut starts, mut values) = (Vec::new(), None, Vec::new());
    let read = float_chunk::decode(bytes, count.into(), &mut times, &mut starts, &mut values);
    if read.is_ok() {
        check_float_chunk(&times, starts.as_deref(), &values);
    }
    let (times, values) = numbers(bytes);
    check_float_chunk(&times, None, &values);
}

/// Fuzz body: sealed chunks in tiles. The count in two bytes, the first and the last time, the
/// shared column behind its length, the chunk.
pub fn fuzz_tiled_chunk(data: &[u8]) {
    let Some((count, bytes)) = count_and_rest(data) else {
        return;
    };
    let mut cursor = Cursor::new(bytes);
    let (Ok(first), Ok(last)) = (cursor.i64(), cursor.i64()) else {
        return;
    };
    let extent = Extent {
        count: count.into(),
        first,
        last,
    };
    if let Ok(shared) = cursor.prefixed()
        && let Ok((stretch, values)) = read_tiled(cursor.rest(), extent, shared)
    {
        check_tiled_chunk(&stretch.times, stretch.starts.as_deref(), &values);
    }
    let (times, values) = numbers(bytes);
    check_tiled_chunk(&times, None, &values);
}

/// Fuzz body: statistics of a chunk. The count in two bytes, the first and the last time, the list.
pub fn fuzz_statistics(data: &[u8]) {
    let Some((count, bytes)) = count_and_rest(data) else {
        return;
    };
    let mut cursor = Cursor::new(bytes);
    if let (Ok(first), Ok(last)) = (cursor.i64(), cursor.i64()) {
        let _ = statistics::decode(cursor.rest(), count.into(), first, last);
    }
    let (times, values) = numbers(bytes);
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return;
    };
    let mut list = Vec::new();
    statistics::encode(&Column::of(&values), &times, usize::MAX, &mut list);
    if list.is_empty() {
        return;
    }
    let parts = statistics::decode(&list, times.len(), *first, *last);
    for part in parts.expect("statistics read what they have written") {
        let entries = &values[part.entries];
        let is_inside = |value: &f64| {
            let said = part.values.map(|said| (said.least, said.greatest));
            said.is_none_or(|(least, greatest)| (least..=greatest).contains(value))
        };
        let live = entries.iter().filter(|value| !value.is_nan());
        assert!(
            live.copied().all(|value| is_inside(&value)),
            "a value outside"
        );
    }
}

/// Fuzz body: integer columns.
pub fn fuzz_ints(data: &[u8]) {
    let Some((count, bytes)) = count_and_rest(data) else {
        return;
    };
    let mut values = Vec::new();
    if ints::decode(&mut Cursor::new(bytes), count.into(), &mut values).is_ok() {
        check_ints(&values);
    }
    check_ints(&numbers(bytes).0);
    let small: Vec<i64> = bytes.iter().map(|&byte| i64::from(byte)).collect();
    check_ints(&small);
}

/// Fuzz body: single histograms.
pub fn fuzz_histogram(data: &[u8]) {
    let Ok(histogram) = histogram_value::decode(&mut Cursor::new(data)) else {
        return;
    };
    // Valid or not is all the same here; to say which must not panic.
    let _ = histogram.validate();
    let mut bytes = Vec::new();
    histogram_value::encode(&histogram, &mut bytes);
    let again = histogram_value::decode(&mut Cursor::new(&bytes));
    assert!(
        again.is_ok_and(|again| again == histogram),
        "a histogram came back another"
    );
}

/// Fuzz body: sealed histogram chunks.
pub fn fuzz_histogram_chunk(data: &[u8]) {
    let Some((count, bytes)) = count_and_rest(data) else {
        return;
    };
    let (mut times, mut starts, mut all) = (Vec::new(), None, Vec::new());
    let read = histogram_chunk::decode(bytes, count.into(), &mut times, &mut starts, &mut all);
    if read.is_err() || histogram_chunk::fitting(&all) < all.len() {
        return;
    }
    let mut again = Vec::new();
    histogram_chunk::encode(&times, starts.as_deref(), &all, &mut again);
    let (mut times_back, mut starts_back, mut back) = (Vec::new(), None, Vec::new());
    histogram_chunk::decode(
        &again,
        all.len(),
        &mut times_back,
        &mut starts_back,
        &mut back,
    )
    .expect("a chunk reads what it has written");
    assert!(
        times == times_back && starts == starts_back && all == back,
        "another chunk came back"
    );
}

fn count_and_rest(data: &[u8]) -> Option<(u16, &[u8])> {
    let (count, rest) = data.split_first_chunk::<2>()?;
    Some((u16::from_le_bytes(*count) % FUZZ_ENTRIES_MAX, rest))
}

/// The bytes as words: times as they are, values as the same bits rotated.
fn numbers(bytes: &[u8]) -> (Vec<i64>, Vec<f64>) {
    let (words, _) = bytes.as_chunks::<8>();
    let times: Vec<i64> = words.iter().map(|word| i64::from_le_bytes(*word)).collect();
    let values = times
        .iter()
        .map(|&time| f64::from_bits(time.cast_unsigned().rotate_left(24)));
    (times.clone(), values.collect())
}

fn same_bits(one: &[f64], two: &[f64]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn check_stream(times: &[i64], values: &[f64]) {
    let mut open = FloatStream::new();
    for (time, value) in times.iter().zip(values) {
        open.append(*time, value.to_bits());
    }
    let (mut times_back, mut values_back) = (Vec::new(), Vec::new());
    stream::decode(
        open.as_bytes(),
        open.len(),
        &mut times_back,
        &mut values_back,
    )
    .expect("a stream reads what it has written");
    assert!(
        times == times_back && same_bits(values, &values_back),
        "another stream came back"
    );
}

fn check_float_chunk(times: &[i64], starts: Option<&[i64]>, values: &[f64]) {
    let mut bytes = Vec::new();
    float_chunk::encode(times, starts, values, &mut bytes);
    let (mut times_back, mut starts_back, mut values_back) = (Vec::new(), None, Vec::new());
    float_chunk::decode(
        &bytes,
        times.len(),
        &mut times_back,
        &mut starts_back,
        &mut values_back,
    )
    .expect("a chunk reads what it has written");
    assert!(
        times == times_back && starts == starts_back.as_deref(),
        "other times came back"
    );
    assert!(same_bits(values, &values_back), "other values came back");
}

fn read_tiled(bytes: &[u8], extent: Extent, shared: &[u8]) -> Result<(Stretch, Vec<f64>)> {
    // A part must be as safe to ask for as the whole, and say the same.
    let part = extent.last / 2 + extent.first / 2;
    let source = || Ok(shared);
    let part = tiled_chunk::decode(bytes, extent, &(part..=part), &source);
    let whole = tiled_chunk::decode(bytes, extent, &(i64::MIN..=i64::MAX), &source)?;
    if let Ok((stretch, values)) = part {
        let entries = stretch.entries;
        assert_eq!(stretch.times, whole.0.times[entries.clone()]);
        assert!(same_bits(&values, &whole.1[entries]), "a part differs");
    }
    Ok(whole)
}

fn check_tiled_chunk(times: &[i64], starts: Option<&[i64]>, values: &[f64]) {
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return;
    };
    let (mut bytes, mut shared) = (Vec::new(), Vec::new());
    tiled_chunk::encode_times(
        times,
        starts,
        &mut Memory::default(),
        &mut bytes,
        &mut shared,
    );
    Column::of(values).write(&mut bytes);
    let extent = Extent {
        count: times.len(),
        first,
        last,
    };
    let (stretch, values_back) =
        read_tiled(&bytes, extent, &shared).expect("a chunk reads what it has written");
    assert!(
        times == stretch.times && starts == stretch.starts.as_deref(),
        "other times came back"
    );
    assert!(same_bits(values, &values_back), "other values came back");
}

fn check_ints(values: &[i64]) {
    let (mut bytes, mut back) = (Vec::new(), Vec::new());
    ints::encode(values, &mut bytes);
    let mut cursor = Cursor::new(&bytes);
    ints::decode(&mut cursor, values.len(), &mut back).expect("a column reads what it has written");
    assert!(
        values == back && cursor.is_empty(),
        "another column came back"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fuzz_bodies_hold_on_arbitrary_bytes(data in prop::collection::vec(any::<u8>(), 0..400)) {
            fuzz_stream(&data);
            fuzz_float_chunk(&data);
            fuzz_ints(&data);
            fuzz_tiled_chunk(&data);
            fuzz_statistics(&data);
            fuzz_histogram(&data);
            fuzz_histogram_chunk(&data);
        }
    }
}
