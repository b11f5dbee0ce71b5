//! The sealed chunk of histograms: runs of one layout, and in a run a column for each number.
//!
//! Flags, times and start times are those of a float chunk. Then the number of runs less one, and
//! for each its length less one, whether its counts are floats, the layout, and the columns: reset
//! hints, counts, zero counts, sums, and one for each bucket, first the positive ones. Buckets that
//! never change take two bytes.
//!
//! A few bytes can stand for very many equal buckets, so a chunk has a limit on its cells, which
//! reader and writer both keep.

use super::bytes::{Cursor, put_varint};
use super::float_chunk::{decode_times, encode_times, finish};
use super::histogram::{BucketCounts, Counts, Histogram};
use super::histogram_value::{hint_number, hint_of, put_layout, read_layout};
use super::{CHUNK_ENTRIES_MAX, floats, ints};
use crate::error::{Error, Result};

/// The most cells of a chunk: buckets, spans and custom values, and a few for each histogram
/// itself.
pub(crate) const HISTOGRAM_CHUNK_CELLS_MAX: usize = 1 << 22;
const CELLS_EACH: usize = 16;

const INTEGER_COUNTS: u8 = 0;
const FLOAT_COUNTS: u8 = 1;

/// How many histograms from the front may share one chunk; at least one, whatever its size.
pub(crate) fn fitting(histograms: &[Histogram]) -> usize {
    let mut cells = 0;
    for (index, histogram) in histograms.iter().enumerate().take(CHUNK_ENTRIES_MAX) {
        cells += cells_of(histogram);
        if cells > HISTOGRAM_CHUNK_CELLS_MAX {
            return index.max(1);
        }
    }
    histograms.len().min(CHUNK_ENTRIES_MAX)
}

/// Appends a chunk of as many histograms as times; no more than [`fitting`] allows.
pub(crate) fn encode(
    times: &[i64],
    starts: Option<&[i64]>,
    histograms: &[Histogram],
    out: &mut Vec<u8>,
) {
    assert_eq!(times.len(), histograms.len(), "a histogram for each time");
    encode_times(times, starts, out);
    encode_body(histograms, out);
}

/// The part behind the times; no more histograms than [`fitting`] allows.
pub(crate) fn encode_body(histograms: &[Histogram], out: &mut Vec<u8>) {
    assert!(
        histograms.len() <= fitting(histograms),
        "the caller cuts chunks where they are full"
    );
    let runs: Vec<&[Histogram]> = histograms
        .chunk_by(|one, two| one.has_layout_of(two))
        .collect();
    put_varint(out, runs.len() as u64);
    for run in runs {
        put_varint(out, run.len() as u64 - 1);
        encode_run(run, out);
    }
}

/// Appends the `count` histograms of a chunk. After an error the vectors may hold a part of it.
pub(crate) fn decode(
    bytes: &[u8],
    count: usize,
    times: &mut Vec<i64>,
    starts: &mut Option<Vec<i64>>,
    histograms: &mut Vec<Histogram>,
) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    decode_times(&mut cursor, count, times, starts)?;
    decode_body(&mut cursor, count, histograms)
}

/// Reads back what [`encode_body`] wrote, to the end of the cursor.
pub(crate) fn decode_body(
    cursor: &mut Cursor<'_>,
    count: usize,
    histograms: &mut Vec<Histogram>,
) -> Result<()> {
    let runs = cursor.length(count, "a count of runs")?;
    let (mut left, mut cells) = (count, HISTOGRAM_CHUNK_CELLS_MAX);
    for _ in 0..runs {
        let most = left
            .checked_sub(1)
            .ok_or_else(|| Error::corrupt("a run of no histograms"))?;
        let length = cursor.length(most, "the length of a run")? + 1;
        decode_run(cursor, length, &mut cells, histograms)?;
        left -= length;
    }
    if left != 0 {
        return Err(Error::corrupt(format!(
            "the runs of a chunk leave out {left} histograms"
        )));
    }
    finish(cursor)
}

fn cells_of(histogram: &Histogram) -> usize {
    let (positive, negative) = bucket_numbers(histogram);
    layout_cells(histogram, positive, negative)
}

fn layout_cells(layout: &Histogram, positive: usize, negative: usize) -> usize {
    let spans = layout.positive_spans.len() + layout.negative_spans.len();
    CELLS_EACH + positive + negative + spans + layout.custom_values.len()
}

fn bucket_numbers(histogram: &Histogram) -> (usize, usize) {
    match &histogram.counts {
        Counts::Integer(counts) => (counts.positive.len(), counts.negative.len()),
        Counts::Float(counts) => (counts.positive.len(), counts.negative.len()),
    }
}

fn encode_run(run: &[Histogram], out: &mut Vec<u8>) {
    let Some(first) = run.first() else {
        return;
    };
    let (positive, negative) = bucket_numbers(first);
    out.push(if matches!(first.counts, Counts::Float(_)) {
        FLOAT_COUNTS
    } else {
        INTEGER_COUNTS
    });
    put_layout(first, positive, negative, out);
    let hints: Vec<i64> = run
        .iter()
        .map(|h| i64::from(hint_number(h.reset_hint)))
        .collect();
    ints::encode(&hints, out);
    let sums: Vec<f64> = run.iter().map(|histogram| histogram.sum).collect();
    floats::encode(&sums, out);
    // A layout is shared, so a run has counts of one sort only.
    let integers: Vec<&BucketCounts<u64>> = run.iter().filter_map(integer_counts).collect();
    if integers.len() == run.len() {
        encode_columns(&integers, out, |column, out| {
            let column: Vec<i64> = column.into_iter().map(u64::cast_signed).collect();
            ints::encode(&column, out);
        });
    } else {
        let all: Vec<&BucketCounts<f64>> = run.iter().filter_map(float_counts).collect();
        encode_columns(&all, out, |column, out| floats::encode(&column, out));
    }
}

fn encode_columns<T: Copy>(
    run: &[&BucketCounts<T>],
    out: &mut Vec<u8>,
    encode: impl Fn(Vec<T>, &mut Vec<u8>),
) {
    encode(run.iter().map(|counts| counts.count).collect(), out);
    encode(run.iter().map(|counts| counts.zero_count).collect(), out);
    let Some(first) = run.first() else {
        return;
    };
    for bucket in 0..first.positive.len() {
        encode(
            run.iter().map(|counts| counts.positive[bucket]).collect(),
            out,
        );
    }
    for bucket in 0..first.negative.len() {
        encode(
            run.iter().map(|counts| counts.negative[bucket]).collect(),
            out,
        );
    }
}

fn integer_counts(histogram: &Histogram) -> Option<&BucketCounts<u64>> {
    match &histogram.counts {
        Counts::Integer(counts) => Some(counts),
        Counts::Float(_) => None,
    }
}

fn float_counts(histogram: &Histogram) -> Option<&BucketCounts<f64>> {
    match &histogram.counts {
        Counts::Integer(_) => None,
        Counts::Float(counts) => Some(counts),
    }
}

fn decode_run(
    cursor: &mut Cursor<'_>,
    length: usize,
    cells: &mut usize,
    histograms: &mut Vec<Histogram>,
) -> Result<()> {
    let sort = cursor.u8()?;
    let (layout, positive, negative) = read_layout(cursor)?;
    let wanted = layout_cells(&layout, positive, negative).saturating_mul(length);
    let left = cells.checked_sub(wanted);
    *cells = left.ok_or_else(|| Error::corrupt("a chunk has more histogram cells than valid"))?;
    // A column takes two bytes at least, which bounds the work before a short chunk is found out.
    if positive + negative > cursor.remaining() {
        return Err(Error::corrupt("a run has more buckets than bytes"));
    }
    let mut hints = Vec::new();
    ints::decode(cursor, length, &mut hints)?;
    let mut sums = Vec::new();
    floats::decode(cursor, length, &mut sums)?;
    let counts: Vec<Counts> = match sort {
        INTEGER_COUNTS => {
            let mut column: Vec<i64> = Vec::new();
            decode_columns(length, positive, negative, |slot| {
                column.clear();
                ints::decode(cursor, length, &mut column)?;
                column
                    .iter()
                    .enumerate()
                    .for_each(|(row, &n)| slot(row, n.cast_unsigned()));
                Ok(())
            })?
            .into_iter()
            .map(Counts::Integer)
            .collect()
        }
        FLOAT_COUNTS => {
            let mut column: Vec<f64> = Vec::new();
            decode_columns(length, positive, negative, |slot| {
                column.clear();
                floats::decode(cursor, length, &mut column)?;
                column
                    .iter()
                    .enumerate()
                    .for_each(|(row, &count)| slot(row, count));
                Ok(())
            })?
            .into_iter()
            .map(Counts::Float)
            .collect()
        }
        _ => {
            return Err(Error::corrupt(format!(
                "histogram counts of sort {sort} are unknown"
            )));
        }
    };
    for ((hint, sum), counts) in hints.into_iter().zip(sums).zip(counts) {
        let number = u8::try_from(hint).unwrap_or(u8::MAX);
        histograms.push(Histogram {
            reset_hint: hint_of(number)?,
            sum,
            counts,
            ..layout.clone()
        });
    }
    Ok(())
}

/// Reads columns in their order and turns them into rows; `next` hands each number of a column to
/// its row.
fn decode_columns<T: Copy + Default>(
    length: usize,
    positive: usize,
    negative: usize,
    mut next: impl FnMut(&mut dyn FnMut(usize, T)) -> Result<()>,
) -> Result<Vec<BucketCounts<T>>> {
    let empty = || BucketCounts {
        count: T::default(),
        zero_count: T::default(),
        positive: Vec::with_capacity(positive),
        negative: Vec::with_capacity(negative),
    };
    let mut rows: Vec<BucketCounts<T>> = (0..length).map(|_| empty()).collect();
    next(&mut |row, count| rows[row].count = count)?;
    next(&mut |row, count| rows[row].zero_count = count)?;
    for _ in 0..positive {
        next(&mut |row, count| rows[row].positive.push(count))?;
    }
    for _ in 0..negative {
        next(&mut |row, count| rows[row].negative.push(count))?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
