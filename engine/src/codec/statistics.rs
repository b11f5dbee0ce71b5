//! Statistics of the parts of a chunk of floats: what can be said of its values without decoding
//! them.
//!
//! A part is so many tiles; its numbers are integers of the chunk's decimals, so that they are
//! exact and small, or keys of floats. A list takes a bounded share of the chunk that it describes,
//! with longer parts where values take next to nothing; where even one part is too much there is no
//! list. Stale markers are left out of everything; a part with another value that has no number
//! says nothing. Sums are told of whole numbers only, as long as no order of adding them can round.

use super::bytes::{put_varint, put_varint_signed};
use super::exceptions::STALE_BITS;
use super::tiled_floats::{Column, Decimal};
use super::tiled_times::even_step;
use super::tiles::TILE;

mod read;

#[cfg(test)]
pub(crate) use read::PartValues;
pub(crate) use read::{Part, decode};

/// A list takes at most one in so many bytes of what it describes.
const SHARE: usize = 20;

/// A tag of its own where numbers are keys of floats; otherwise that of a decimal.
const KEYS: u8 = 4;
/// With the tag: times are not even, so the first time of each part but the first is told.
const HAS_TIMES: u8 = 8;
/// A part is at most two to this power tiles.
const PART_POWER_MAX: u8 = 8;

/// Flags of a part.
const SILENT: u8 = 1;
const HAS_STALE: u8 = 2;
const HAS_RESETS: u8 = 4;
/// The least is not one of the first and the last.
const HAS_LEAST: u8 = 8;
const HAS_GREATEST: u8 = 16;
const HAS_SUM: u8 = 32;

/// Sums are told where no partial sum can reach this: below it every whole number is a float.
const SUM_LIMIT: i128 = 1 << 53;

/// Statistics in numbers: integers of decimals, or keys.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    count: usize,
    first: i64,
    last: i64,
    least: i64,
    greatest: i64,
    resets: usize,
    sum: i128,
}

impl Numbers {
    fn of(number: i64) -> Numbers {
        Numbers {
            count: 1,
            first: number,
            last: number,
            least: number,
            greatest: number,
            resets: 0,
            sum: i128::from(number),
        }
    }

    /// This and what follows it.
    fn and(self, next: Numbers) -> Numbers {
        Numbers {
            count: self.count + next.count,
            first: self.first,
            last: next.last,
            least: self.least.min(next.least),
            greatest: self.greatest.max(next.greatest),
            resets: self.resets + next.resets + usize::from(next.first < self.last),
            sum: self.sum + next.sum,
        }
    }
}

/// What becomes of the values of a tile, or of several.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// Stale markers alone.
    Nothing,
    Silent,
    Numbers(Numbers),
}

impl Told {
    fn and(self, next: Told) -> Told {
        match (self, next) {
            (Told::Silent, _) | (_, Told::Silent) => Told::Silent,
            (Told::Nothing, told) | (told, Told::Nothing) => told,
            (Told::Numbers(one), Told::Numbers(two)) => Told::Numbers(one.and(two)),
        }
    }
}

/// Appends the statistics of a column whose chunk takes `chunk_bytes`, if they are worth their
/// bytes.
pub(crate) fn encode(column: &Column<'_>, times: &[i64], chunk_bytes: usize, out: &mut Vec<u8>) {
    if column.is_constant() {
        return;
    }
    let before = out.len();
    let decimal = column.decimals().map(|(decimal, _)| decimal);
    let mut told = told_of_tiles(column);
    for power in 0..=PART_POWER_MAX {
        encode_parts(decimal, &told, times, power, out);
        if (out.len() - before) * SHARE <= chunk_bytes {
            return;
        }
        out.truncate(before);
        if told.len() == 1 {
            return;
        }
        let pair = |pair: &[Told]| pair.iter().copied().reduce(Told::and);
        told = told.chunks(2).filter_map(pair).collect();
    }
}

fn told_of_tiles(column: &Column<'_>) -> Vec<Told> {
    let values = column.values();
    let numbers: Vec<Option<i64>> = match column.decimals() {
        Some((_, integers)) => {
            let mut numbers: Vec<Option<i64>> = integers.iter().copied().map(Some).collect();
            // What stands in for an exception says nothing of it.
            column
                .exceptions()
                .iter()
                .for_each(|&place| numbers[place] = None);
            numbers
        }
        None => values.iter().map(|value| key_of(*value)).collect(),
    };
    let told = |(value, number): (&f64, &Option<i64>)| match number {
        _ if value.to_bits() == STALE_BITS => Told::Nothing,
        Some(number) => Told::Numbers(Numbers::of(*number)),
        None => Told::Silent,
    };
    let tiles = values.chunks(TILE).zip(numbers.chunks(TILE));
    let of_tile = |(values, numbers): (&[f64], &[Option<i64>])| {
        let all = values.iter().zip(numbers).map(told);
        all.reduce(Told::and).unwrap_or(Told::Nothing)
    };
    tiles.map(of_tile).collect()
}

/// A number that orders floats as their values do. NaNs have none, and neither has negative zero,
/// which equals another float.
fn key_of(value: f64) -> Option<i64> {
    let bits = value.to_bits().cast_signed();
    let key = bits ^ ((bits >> 63) & i64::MAX);
    (!value.is_nan() && bits != i64::MIN).then_some(key)
}

fn encode_parts(
    decimal: Option<Decimal>,
    told: &[Told],
    times: &[i64],
    power: u8,
    out: &mut Vec<u8>,
) {
    let tag_at = out.len();
    match decimal {
        Some(decimal) => decimal.write(out),
        None => out.push(KEYS),
    }
    let even = even_step(times);
    if even.is_none() {
        out[tag_at] |= HAS_TIMES;
    }
    out.push(power);
    let mut last = 0;
    for (part, told) in told.iter().enumerate() {
        let start = part * (TILE << power);
        let entries = (times.len() - start).min(TILE << power);
        match told {
            Told::Numbers(numbers) => {
                encode_part(decimal, numbers, entries, last, out);
                last = numbers.last;
            }
            Told::Silent | Told::Nothing => out.push(SILENT),
        }
        if even.is_none() && part > 0 {
            put_varint_signed(out, times[start].wrapping_sub(expected(times, start)));
        }
    }
}

/// Where a time would be if all were even.
fn expected(times: &[i64], place: usize) -> i64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    between(first, last, times.len(), place)
}

fn between(first: i64, last: i64, count: usize, place: usize) -> i64 {
    // Wider than a time: a span of all times is.
    let span = i128::from(last) - i128::from(first);
    let steps = (count - 1).max(1) as i128;
    (i128::from(first) + span * place as i128 / steps) as i64
}

fn encode_part(
    decimal: Option<Decimal>,
    numbers: &Numbers,
    entries: usize,
    before: i64,
    out: &mut Vec<u8>,
) {
    let (lesser, greater) = (
        numbers.first.min(numbers.last),
        numbers.first.max(numbers.last),
    );
    let summed = decimal.is_some_and(|decimal| is_exact(decimal, numbers));
    let flag = |flag: u8, set: bool| if set { flag } else { 0 };
    out.push(
        flag(HAS_STALE, numbers.count < entries)
            | flag(HAS_RESETS, numbers.resets > 0)
            | flag(HAS_LEAST, numbers.least < lesser)
            | flag(HAS_GREATEST, numbers.greatest > greater)
            | flag(HAS_SUM, summed),
    );
    put_varint_signed(out, numbers.first.wrapping_sub(before));
    put_varint_signed(out, numbers.last.wrapping_sub(numbers.first));
    if numbers.count < entries {
        put_varint(out, (entries - numbers.count) as u64);
    }
    if numbers.resets > 0 {
        put_varint(out, numbers.resets as u64);
    }
    if numbers.least < lesser {
        put_varint(out, lesser.wrapping_sub(numbers.least).cast_unsigned());
    }
    if numbers.greatest > greater {
        put_varint(out, numbers.greatest.wrapping_sub(greater).cast_unsigned());
    }
    if summed {
        let line = line_sum(numbers.first, numbers.last, numbers.count);
        // Exact sums and what they are told from are far below 64 bits.
        put_varint_signed(out, (numbers.sum - line) as i64);
    }
}

/// The sum of so many numbers on a line from `first` to `last`: what a sum is told from.
fn line_sum(first: i64, last: i64, count: usize) -> i128 {
    (i128::from(first) + i128::from(last)) * count as i128 / 2
}

/// Whether all values are whole numbers that floats can add up without rounding.
fn is_exact(decimal: Decimal, numbers: &Numbers) -> bool {
    let bounds = [numbers.least, numbers.greatest];
    bounds.iter().all(|&number| {
        let whole = decimal.whole(number);
        whole.is_some_and(|whole| whole.abs() * (numbers.count as i128) < SUM_LIMIT)
    })
}

#[cfg(test)]
mod tests;
