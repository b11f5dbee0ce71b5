//! Reads statistics back.

use std::ops::Range;

use super::{
    HAS_GREATEST, HAS_LEAST, HAS_RESETS, HAS_STALE, HAS_SUM, HAS_TIMES, KEYS, PART_POWER_MAX,
    SILENT, SUM_LIMIT, between, line_sum,
};
use crate::codec::bytes::Cursor;
use crate::codec::exceptions::STALE_BITS;
use crate::codec::tiled_floats::Decimal;
use crate::codec::tiles::TILE;
use crate::error::{Error, Result};

/// What is known of a stretch of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// Which entries of the chunk it holds.
    pub(crate) entries: Range<usize>,
    /// The time of its first entry.
    pub(crate) start: i64,
    /// `None` where its values have to be decoded.
    pub(crate) values: Option<PartValues>,
}

/// Statistics of the values of a part, stale markers left out; there is at least one other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PartValues {
    pub(crate) count: usize,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
    /// How often a value is below the one before it in this part.
    pub(crate) resets: usize,
    /// Exact, whatever the order of adding; `None` where that is not known.
    pub(crate) sum: Option<f64>,
}

impl Part {
    /// Whether all that it says is so, of these columns of its chunk.
    pub(crate) fn is_true_of(&self, times: &[i64], values: &[f64]) -> bool {
        let starts_right = times.get(self.entries.start) == Some(&self.start);
        let Some(said) = &self.values else {
            return starts_right;
        };
        let entries = values.get(self.entries.clone()).unwrap_or_default();
        let is_live = |value: &f64| value.to_bits() != STALE_BITS;
        let live: Vec<f64> = entries.iter().copied().filter(is_live).collect();
        let (Some(&first), Some(&last)) = (live.first(), live.last()) else {
            return false;
        };
        let least = live.iter().copied().fold(first, f64::min);
        let greatest = live.iter().copied().fold(first, f64::max);
        starts_right
            && live.len() == said.count
            && [first, last, least, greatest] == [said.first, said.last, said.least, said.greatest]
            && live.windows(2).filter(|pair| pair[1] < pair[0]).count() == said.resets
            && said.sum.is_none_or(|sum| live.iter().sum::<f64>() == sum)
    }
}

/// Reads the statistics of a chunk whose count, first and last time are known.
pub(crate) fn decode(bytes: &[u8], count: usize, first: i64, last: i64) -> Result<Vec<Part>> {
    let mut cursor = Cursor::new(bytes);
    let tag = cursor.u8()?;
    let has_times = tag & HAS_TIMES != 0;
    let decimal = match tag & !HAS_TIMES {
        KEYS => None,
        tag => Some(Decimal::read(tag, &mut cursor)?),
    };
    let power = cursor.u8()?;
    if power > PART_POWER_MAX {
        return Err(Error::corrupt(format!(
            "a part of 2^{power} tiles, at most 2^{PART_POWER_MAX} are valid"
        )));
    }
    let mut parts = Vec::new();
    let mut before = 0;
    for start in (0..count).step_by(TILE << power) {
        let entries = start..count.min(start + (TILE << power));
        let values = decode_part(&mut cursor, decimal, entries.len(), &mut before)?;
        let mut time = between(first, last, count, start);
        if has_times && start > 0 {
            time = time.wrapping_add(cursor.varint_signed()?);
        }
        parts.push(Part {
            entries,
            start: time,
            values,
        });
    }
    if !cursor.is_empty() {
        return Err(Error::corrupt("bytes behind the last part of a chunk"));
    }
    Ok(parts)
}

fn decode_part(
    cursor: &mut Cursor<'_>,
    decimal: Option<Decimal>,
    entries: usize,
    before: &mut i64,
) -> Result<Option<PartValues>> {
    let flags = cursor.u8()?;
    if flags == SILENT {
        return Ok(None);
    }
    if flags & !(HAS_STALE | HAS_RESETS | HAS_LEAST | HAS_GREATEST | HAS_SUM) != 0 {
        return Err(Error::corrupt(format!("part flags {flags} are unknown")));
    }
    let first = before.wrapping_add(cursor.varint_signed()?);
    let last = first.wrapping_add(cursor.varint_signed()?);
    *before = last;
    let stale = match flags & HAS_STALE {
        0 => 0,
        _ => cursor.length(entries - 1, "a number of stale markers")?,
    };
    let resets = match flags & HAS_RESETS {
        0 => 0,
        _ => cursor.length(entries, "a number of resets")?,
    };
    let (mut least, mut greatest) = (first.min(last), first.max(last));
    if flags & HAS_LEAST != 0 {
        least = least.wrapping_sub(cursor.varint()?.cast_signed());
    }
    if flags & HAS_GREATEST != 0 {
        greatest = greatest.wrapping_add(cursor.varint()?.cast_signed());
    }
    let count = entries - stale;
    let sum = match (flags & HAS_SUM, decimal) {
        (0, _) => None,
        (_, None) => return Err(Error::corrupt("a sum of what are no decimals")),
        (_, Some(decimal)) => {
            let line = line_sum(first, last, count);
            let sum = line + i128::from(cursor.varint_signed()?);
            Some(sum_of(decimal, sum, count)?)
        }
    };
    let value = |number: i64| match decimal {
        Some(decimal) => decimal.value(number),
        None => value_of_key(number),
    };
    Ok(Some(PartValues {
        count,
        first: value(first),
        last: value(last),
        least: value(least),
        greatest: value(greatest),
        resets,
        sum,
    }))
}

/// The sum of whole numbers from that of their integers.
fn sum_of(decimal: Decimal, integers: i128, count: usize) -> Result<f64> {
    let whole = decimal
        .whole(0)
        .zip(decimal.whole(1))
        .map(|(first, second)| (first, second - first));
    let sum = whole.and_then(|(first, divisor)| {
        let distances = integers.checked_mul(divisor)?;
        first.checked_mul(count as i128)?.checked_add(distances)
    });
    match sum {
        Some(sum) if sum.abs() < SUM_LIMIT => Ok(sum as f64),
        _ => Err(Error::corrupt("a sum that floats cannot hold")),
    }
}

fn value_of_key(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63) & i64::MAX)).cast_unsigned())
}
