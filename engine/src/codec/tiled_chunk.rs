//! The sealed chunk as compaction writes it: times that are told by the index, stand here or are
//! shared with other chunks; optional start times; then values in tiles.
//!
//! A flags byte comes first. The count of entries and the first and last time are kept beside the
//! chunk by whoever stores it. A reader may ask for a stretch of time and gets the tiles that hold
//! it.

use std::ops::{Deref, Range, RangeInclusive};

use super::bytes::{Cursor, put_prefixed};
use super::float_chunk::finish;
use super::tiled_floats;
use super::tiled_times::{self, Memory};
use super::{CHUNK_ENTRIES_MAX, ints, tiles};
use crate::error::{Error, Result};

const HAS_STARTS: u8 = 1;
const TIMES_MASK: u8 = 6;
/// Times are as far apart from each other as first, last and count say.
const EVEN: u8 = 0;
/// A column of times behind its length.
const OWN: u8 = 2;
/// A column of times that lies elsewhere, for all chunks that have it.
const SHARED: u8 = 4;

/// A column of times of at most so many bytes is not worth sharing.
const OWN_BYTES_MAX: usize = 16;

/// What is known of a chunk beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) count: usize,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// The times of the tiles that hold what was asked for, and which entries they are.
pub(crate) struct Stretch {
    pub(crate) entries: Range<usize>,
    pub(crate) times: Vec<i64>,
    /// Beside the times; absent where the chunk has none.
    pub(crate) starts: Option<Vec<i64>>,
}

/// Appends the times of a chunk and what stands before its values. A column that can be shared is
/// put into `shared`, which is empty otherwise.
pub(crate) fn encode_times(
    times: &[i64],
    starts: Option<&[i64]>,
    memory: &mut Memory,
    out: &mut Vec<u8>,
    shared: &mut Vec<u8>,
) {
    assert!(
        (1..=CHUNK_ENTRIES_MAX).contains(&times.len()),
        "a chunk holds 1 to {CHUNK_ENTRIES_MAX} entries"
    );
    shared.clear();
    if tiled_times::even_step(times).is_none() {
        memory.encode(times, shared);
    }
    let place = match shared.len() {
        0 => EVEN,
        1..=OWN_BYTES_MAX => OWN,
        _ => SHARED,
    };
    out.push(place | if starts.is_some() { HAS_STARTS } else { 0 });
    if place == OWN {
        put_prefixed(out, shared);
        shared.clear();
    }
    if let Some(starts) = starts {
        assert_eq!(times.len(), starts.len(), "a start for each time");
        ints::encode(starts, out);
    }
}

/// Reads the entries of a chunk of floats that lie in `wanted`, and those that share their tiles.
pub(crate) fn decode<B: Deref<Target = [u8]>>(
    bytes: &[u8],
    extent: Extent,
    wanted: &RangeInclusive<i64>,
    shared: &dyn Fn() -> Result<B>,
) -> Result<(Stretch, Vec<f64>)> {
    let mut cursor = Cursor::new(bytes);
    let stretch = decode_times(&mut cursor, extent, wanted, shared)?;
    let (mut values, entries) = (Vec::new(), stretch.entries.clone());
    tiled_floats::decode(&mut cursor, extent.count, entries, &mut values)?;
    if stretch.entries.end == extent.count {
        finish(&cursor)?;
    }
    Ok((stretch, values))
}

/// Reads back what [`encode_times`] wrote, for the tiles that hold what is wanted.
pub(crate) fn decode_times<B: Deref<Target = [u8]>>(
    cursor: &mut Cursor<'_>,
    extent: Extent,
    wanted: &RangeInclusive<i64>,
    shared: &dyn Fn() -> Result<B>,
) -> Result<Stretch> {
    let Extent { count, first, last } = extent;
    if !(1..=CHUNK_ENTRIES_MAX).contains(&count) {
        return Err(Error::corrupt(format!(
            "a chunk of {count} entries, 1 to {CHUNK_ENTRIES_MAX} are valid"
        )));
    }
    let flags = cursor.u8()?;
    let (entries, times) = match flags & TIMES_MASK {
        _ if flags & !(TIMES_MASK | HAS_STARTS) != 0 => {
            return Err(Error::corrupt(format!("chunk flags {flags} are unknown")));
        }
        EVEN => {
            let step = step_of(extent)?;
            let mut times = Vec::new();
            let entries = tiles::around(even_entries(first, step, count, wanted), count);
            tiled_times::push_even(first, step, entries.clone(), &mut times);
            (entries, times)
        }
        OWN => column_entries(cursor.prefixed()?, extent, wanted)?,
        SHARED => column_entries(&shared()?, extent, wanted)?,
        _ => return Err(Error::corrupt("the times of a chunk are nowhere")),
    };
    debug_assert!(times.len() < count || times.last() == Some(&last));
    let starts = match flags & HAS_STARTS {
        0 => None,
        _ => {
            let mut starts = Vec::new();
            ints::decode(cursor, count, &mut starts)?;
            starts.truncate(entries.end);
            starts.drain(..entries.start);
            Some(starts)
        }
    };
    Ok(Stretch {
        entries,
        times,
        starts,
    })
}

/// How far even times are apart.
fn step_of(extent: Extent) -> Result<i64> {
    let steps = extent.count as i64 - 1;
    let span = extent.last.checked_sub(extent.first);
    match span {
        Some(0) if steps == 0 => Ok(0),
        Some(span) if steps > 0 && span > 0 && span % steps == 0 => Ok(span / steps),
        _ => Err(Error::corrupt(format!(
            "{} times cannot be even from {} to {}",
            extent.count, extent.first, extent.last
        ))),
    }
}

/// Which of even times lie in `wanted`.
fn even_entries(first: i64, step: i64, count: usize, wanted: &RangeInclusive<i64>) -> Range<usize> {
    let limited =
        |entries: i64| usize::try_from(entries).map_or(count, |entries| entries.min(count));
    if *wanted.end() < first {
        return 0..0;
    }
    let (from, to) = (
        wanted.start().saturating_sub(first).max(0),
        wanted.end().saturating_sub(first),
    );
    // A step of 0 is that of a single time.
    let step = step.max(1);
    let start = (from / step).saturating_add(i64::from(from % step != 0));
    let end = (to / step).saturating_add(1);
    limited(start)..limited(end).max(limited(start))
}

/// Times of a column that lie in `wanted`, in whole tiles.
fn column_entries(
    column: &[u8],
    extent: Extent,
    wanted: &RangeInclusive<i64>,
) -> Result<(Range<usize>, Vec<i64>)> {
    let Extent { count, first, last } = extent;
    let (mut cursor, mut times) = (Cursor::new(column), Vec::with_capacity(count));
    tiled_times::decode(&mut cursor, first, count, 0..count, &mut times)?;
    finish(&cursor)?;
    if times.first() != Some(&first) || times.last() != Some(&last) {
        return Err(Error::corrupt("a chunk has the times of another"));
    }
    let start = times.partition_point(|time| time < wanted.start());
    let end = times.partition_point(|time| time <= wanted.end());
    let entries = tiles::around(start..end.max(start), count);
    times.truncate(entries.end);
    times.drain(..entries.start);
    Ok((entries, times))
}

#[cfg(test)]
mod tests;
