//! Sealed columns of times that are not even, in tiles: told from the first time, so that whoever
//! is scraped by the same clock has the same column.
//!
//! A step comes first, then an integer for each time: how far it is from the first time plus its
//! place times the step.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;

use super::bytes::{Cursor, put_varint_signed};
use super::times::grid;
use super::{tile, tiles};
use crate::error::Result;

/// The distance between any two neighbours, if it is the same for all and times ascend, so that
/// first, last and count say all of them; 0 for a single time.
pub(crate) fn even_step(times: &[i64]) -> Option<i64> {
    let [first, second, .., last] = *times else {
        return match *times {
            [first, last] => last.checked_sub(first).filter(|&step| step > 0),
            _ => Some(0),
        };
    };
    // A span that does not overflow has no step that does.
    last.checked_sub(first)?;
    let step = second.checked_sub(first).filter(|&step| step > 0)?;
    let even = |pair: &[i64]| pair[1].wrapping_sub(pair[0]) == step;
    times.windows(2).all(even).then_some(step)
}

/// Appends the times at these places of an even sequence.
pub(crate) fn push_even(first: i64, step: i64, places: Range<usize>, out: &mut Vec<i64>) {
    let mut next = first.wrapping_add(step.wrapping_mul(places.start as i64));
    // Adding is what compilers turn into several at once; a product of the place is not.
    out.extend(places.map(|_| {
        let time = next;
        next = next.wrapping_add(step);
        time
    }));
}

/// Appends the column of these times.
fn encode(times: &[i64], out: &mut Vec<u8>) {
    let first = times.first().copied().unwrap_or(0);
    let (step, residuals) = grid(times).unwrap_or_else(|| (0, times.to_vec()));
    let distances = residuals
        .into_iter()
        .map(|residual| residual.wrapping_sub(first));
    put_varint_signed(out, step);
    tiles::write(&[tiles::Integers::plan(distances.collect())], out);
}

/// Columns that were written lately, by a hash of their times: in label order the series of one
/// target come one by one between those of all others, and to plan a column is dear.
#[derive(Default)]
pub(crate) struct Memory {
    columns: Vec<Vec<u8>>,
    bytes: usize,
    times: Vec<i64>,
}

/// Columns that are remembered at most, a place for each by hash.
const REMEMBERED_MAX: usize = 1 << 14;
/// Bytes of columns that are remembered at most.
const REMEMBERED_BYTES_MAX: usize = 16 << 20;

impl Memory {
    /// Appends the column of these times.
    pub(crate) fn encode(&mut self, times: &[i64], out: &mut Vec<u8>) {
        if self.columns.is_empty() {
            self.columns.resize_with(REMEMBERED_MAX, Vec::new);
        }
        let place = place_of(times);
        if self.holds(place, times) {
            return out.extend_from_slice(&self.columns[place]);
        }
        let before = out.len();
        encode(times, out);
        let column = &mut self.columns[place];
        self.bytes -= column.len();
        column.clear();
        if self.bytes + out.len() - before <= REMEMBERED_BYTES_MAX {
            column.extend_from_slice(&out[before..]);
        }
        self.bytes += column.len();
    }

    /// Whether the column at this place says these times: a hash alone is not believed.
    fn holds(&mut self, place: usize, times: &[i64]) -> bool {
        let (column, count) = (&self.columns[place], times.len());
        if column.is_empty() {
            return false;
        }
        self.times.clear();
        let mut cursor = Cursor::new(column);
        let read = decode(&mut cursor, times[0], count, 0..count, &mut self.times);
        read.is_ok() && cursor.is_empty() && self.times == times
    }
}

fn place_of(times: &[i64]) -> usize {
    let mut hasher = FixedState::default().build_hasher();
    for time in times {
        hasher.write_i64(time.wrapping_sub(times[0]));
    }
    // The remainder is below the number of places, so the cast cannot lose.
    (hasher.finish() % REMEMBERED_MAX as u64) as usize
}

/// Appends the wanted times of a column of `count`, which are those of whole tiles.
pub(crate) fn decode(
    cursor: &mut Cursor<'_>,
    first: i64,
    count: usize,
    wanted: Range<usize>,
    out: &mut Vec<i64>,
) -> Result<()> {
    let step = cursor.varint_signed()?;
    let mut even = first.wrapping_add(step.wrapping_mul(wanted.start as i64));
    tiles::read_each(cursor, count, wanted, |cursor, count, buffers| {
        out.extend(tile::read(cursor, count, buffers)?.iter().map(|distance| {
            let time = even.wrapping_add(*distance);
            even = even.wrapping_add(step);
            time
        }));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jittered(target: i64) -> Vec<i64> {
        let time = |n: i64| target * 977 + n * 15_000 + (n * n + target) % 5;
        (0..600).map(time).collect()
    }

    #[test]
    fn a_column_from_memory_is_the_one_that_would_be_written() {
        let mut memory = Memory::default();
        for round in 0..3 {
            for target in 0..50 {
                let (times, mut out, mut fresh) = (jittered(target), vec![7], vec![7]);
                memory.encode(&times, &mut out);
                encode(&times, &mut fresh);
                assert_eq!(out, fresh, "round {round} target {target}");
            }
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = Memory::default();
        for target in 0..1_500 {
            let time = |n: i64| n * 1_000_000 + (n * n * 2_654_435 + target * n) % 999_983;
            let wild: Vec<i64> = (0..6_000).map(time).collect();
            memory.encode(&wild, &mut Vec::new());
            assert!(memory.bytes <= REMEMBERED_BYTES_MAX);
        }
        let held: usize = memory.columns.iter().map(Vec::len).sum();
        assert!(held == memory.bytes && held > REMEMBERED_BYTES_MAX / 2);
    }

    #[test]
    fn times_of_a_clock_that_jumps_are_even_only_where_first_and_last_say_so() {
        assert_eq!(even_step(&[0, 10, 20]), Some(10));
        assert_eq!(even_step(&[0, 10, 21]), None);
        assert_eq!(even_step(&[5]), Some(0));
        assert_eq!(even_step(&[5, 5]), None);
        assert_eq!(even_step(&[i64::MIN, i64::MAX]), None);
        assert_eq!(even_step(&[30, 20, 10]), None);
    }
}
