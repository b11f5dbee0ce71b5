//! Sealed columns of timestamps: exactly regular ones cost a few bytes, jittered ones the jitter.
//!
//! A column is regular with a step of whole thousands of ticks, or the residuals from an even grid,
//! or any integer column as it is. Ticks are plain i64s here; which unit they have is the kind's
//! business.

use super::bytes::{Cursor, put_varint_signed};
use super::ints::{self, Column};
use super::miniblock::{BLOCK, signed_bytes};
use crate::error::Result;

/// Tags beyond those of integer columns, which otherwise stand here themselves.
const TAG_REGULAR: u8 = 8;
const TAG_GRID: u8 = 9;

/// The unit of a regular column's step: scrape intervals are whole seconds of milliseconds.
const STEP_UNIT: i64 = 1000;
/// Residuals from a grid of at most so many bits each are taken without trying anything else.
const GOOD_BITS: usize = 4;
/// Fewer times than this are not worth the search for a grid.
const GRID_COUNT_MIN: usize = 8;

/// Appends the smallest encoding of the times.
pub(crate) fn encode(times: &[i64], out: &mut Vec<u8>) {
    if let Some((first, units)) = regular(times) {
        out.push(TAG_REGULAR);
        put_varint_signed(out, first);
        put_varint_signed(out, units);
        return;
    }
    let from_grid = grid(times).map(|(step, residuals)| (step, Column::of(&residuals)));
    if let Some((step, column)) = from_grid {
        let size_bytes = 1 + signed_bytes(step) + column.size_bytes();
        let is_good = size_bytes * 8 <= times.len() * GOOD_BITS;
        if is_good || size_bytes < Column::of(times).size_bytes() {
            out.push(TAG_GRID);
            put_varint_signed(out, step);
            column.write(out);
            return;
        }
    }
    Column::of(times).write(out);
}

/// Appends exactly `count` times to `out`; the caller has limited `count`.
#[inline]
pub(crate) fn decode(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<i64>) -> Result<()> {
    match cursor.rest().first() {
        Some(&TAG_REGULAR) => {
            cursor.u8()?;
            let first = cursor.varint_signed()?;
            let step = cursor.varint_signed()?.wrapping_mul(STEP_UNIT);
            let start = out.len();
            out.resize(start + count, first);
            ints::add_line(&mut out[start..], step);
            Ok(())
        }
        Some(&TAG_GRID) => {
            cursor.u8()?;
            let step = cursor.varint_signed()?;
            decode_grid(cursor, count, step, out)
        }
        _ => ints::decode(cursor, count, out),
    }
}

fn decode_grid(cursor: &mut Cursor<'_>, count: usize, step: i64, out: &mut Vec<i64>) -> Result<()> {
    let mut reader = ints::Reader::open(cursor)?;
    let start = out.len();
    out.resize(start + count, 0);
    let mut place = 0i64;
    for block in out[start..].chunks_mut(BLOCK) {
        reader.read(cursor, block)?;
        for time in block {
            *time = time.wrapping_add(place);
            place = place.wrapping_add(step);
        }
    }
    Ok(())
}

/// The first time and the step in units, if the times are that regular.
fn regular(times: &[i64]) -> Option<(i64, i64)> {
    let [first, second, ..] = *times else {
        return None;
    };
    let step = second.wrapping_sub(first);
    let even = times
        .windows(2)
        .all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    (even && step % STEP_UNIT == 0).then_some((first, step / STEP_UNIT))
}

/// The step that leaves the smallest residuals, and those. Medians of jittered steps are off by a
/// little, which adds up over a column, so rounder numbers near them are tried too.
pub(super) fn grid(times: &[i64]) -> Option<(i64, Vec<i64>)> {
    if times.len() < GRID_COUNT_MIN {
        return None;
    }
    let sampling = times.len().div_ceil(64);
    let mut steps: Vec<i64> = times
        .windows(2)
        .step_by(sampling)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let middle = steps.len() / 2;
    let (_, &mut median, _) = steps.select_nth_unstable(middle);
    let span = times[times.len() - 1].wrapping_sub(times[0]);
    let mean = span / i64::try_from(times.len() - 1).ok()?;
    let rounded = |unit: i64| {
        let half = unit / 2;
        median
            .saturating_add(half)
            .div_euclid(unit)
            .saturating_mul(unit)
    };
    let candidates = [rounded(STEP_UNIT), rounded(100), rounded(10), mean];
    let step = candidates
        .into_iter()
        .min_by_key(|&step| residual_span(times, step))?;
    Some((step, residuals(times, step).collect()))
}

fn residuals(times: &[i64], step: i64) -> impl Iterator<Item = i64> {
    let mut place = 0i64;
    times.iter().map(move |time| {
        let residual = time.wrapping_sub(place);
        place = place.wrapping_add(step);
        residual
    })
}

fn residual_span(times: &[i64], step: i64) -> u64 {
    let (low, high) = residuals(times, step).fold((i64::MAX, i64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    high.abs_diff(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;

    fn encoded(times: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(times, &mut bytes);
        bytes
    }

    fn decoded(bytes: &[u8], count: usize) -> Result<Vec<i64>> {
        let (mut cursor, mut out) = (Cursor::new(bytes), Vec::new());
        decode(&mut cursor, count, &mut out)?;
        if cursor.is_empty() {
            Ok(out)
        } else {
            Err(Error::corrupt("bytes left over"))
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    proptest! {
        #[test]
        fn any_times_come_back(
            times in prop_oneof![
                prop::collection::vec(any::<i64>(), 0..300),
                prop::collection::vec(-50i64..50, 0..600).prop_map(|jitter| {
                    (0i64..).zip(jitter).map(|(i, j)| 1_768_471_200_123 + i * 15_000 + j).collect()
                }),
                (any::<i64>(), -9i64..9, 0usize..600).prop_map(|(first, seconds, count)| {
                    let place = |i: i64| first.wrapping_add(i * seconds * 1000);
                    (0..count as i64).map(place).collect()
                }),
            ],
        ) {
            prop_assert_eq!(decoded(&encoded(&times), times.len()).unwrap(), times);
        }

        #[test]
        fn decoding_arbitrary_bytes_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..1000,
        ) {
            let _ = decoded(&bytes, count);
        }
    }

    #[test]
    fn a_missed_scrape_costs_a_few_bytes_and_regular_ones_nothing() {
        let mut times: Vec<i64> = (0..120).map(|i| 1_768_471_200_123 + i * 15_000).collect();
        assert_eq!(encoded(&times).len(), 8);
        times.drain(50..53);
        assert!(encoded(&times).len() <= 24, "{}", encoded(&times).len());
    }

    #[test]
    fn a_cut_column_is_an_error() {
        let jittered: Vec<i64> = (0..300).map(|i| i * 15_000 + i * 7919 % 50).collect();
        let regular: Vec<i64> = (0..300).map(|i| i * 15_000).collect();
        for times in [jittered, regular] {
            let bytes = encoded(&times);
            for end in 0..bytes.len() {
                assert!(decoded(&bytes[..end], times.len()).is_err());
            }
        }
    }

    #[test]
    fn the_bytes_of_each_tag_are_these() {
        assert_eq!(hex(&encoded(&[1000, 16_000, 31_000])), "08d00f1e");
        let jittered: Vec<i64> = (0..12).map(|i| i * 15_000 + i * 5 % 8).collect();
        assert_eq!(hex(&encoded(&jittered)), "09b0ea01030980050a4b0a");
        assert_eq!(hex(&encoded(&[1])), "0002");
    }
}
