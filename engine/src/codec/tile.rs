//! A tile: up to [`BLOCK`] integers of a longer column that are read by themselves.
//!
//! A tile holds the values, their differences or the differences of those, each as its distance
//! above a base or, folded, to both sides of it; the distances lie in layers. What is smallest is
//! written, with a small price on what takes a reader time. All arithmetic wraps, so any i64 is
//! fine.

use super::bytes::{Cursor, put_varint_signed, unzigzag, zigzag};
use super::layers::{self, Buffers, Lengths};
use super::miniblock::{BLOCK, signed_bytes};
use crate::error::{Error, Result};

const TRANSFORM_MASK: u8 = 3;
const VALUES: u8 = 0;
const DIFFERENCES: u8 = 1;
const SECOND_DIFFERENCES: u8 = 2;
/// Distances go to both sides of the base, as zigzag numbers.
const FOLDED: u8 = 4;

/// Folding back and summing up each take a reader as long as so many bits of every so many values.
const PASS_PRICE: usize = 8;

/// How a tile will be written, and how many bytes that takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    head: u8,
    start: i64,
    step: i64,
    base: i64,
    layers: layers::Plan,
    pub(crate) size_bytes: usize,
    cost: usize,
}

impl Plan {
    /// The cheapest plan for 1 to [`BLOCK`] values.
    pub(crate) fn of(values: &[i64]) -> Plan {
        let mut buffer = [0i64; BLOCK];
        let numbers = &mut buffer[..values.len()];
        numbers.copy_from_slice(values);
        let plain = Plan::transformed(VALUES, (0, 0), numbers);
        let start = differ(numbers);
        let differences = Plan::transformed(DIFFERENCES, (start, 0), numbers);
        // What differences do not help, differences of them hardly ever do.
        if plain.cost <= differences.cost {
            return plain;
        }
        let step = differ(numbers);
        let second = Plan::transformed(SECOND_DIFFERENCES, (start, step), numbers);
        if differences.cost <= second.cost {
            differences
        } else {
            second
        }
    }

    /// The cheaper of the two ways to write numbers that have been transformed already.
    fn transformed(transform: u8, (start, step): (i64, i64), numbers: &[i64]) -> Plan {
        let least = numbers.iter().copied().min().unwrap_or(0);
        let plan = |folded: u8, base: i64, lengths: &Lengths| {
            let head = transform | folded;
            let layers = layers::Plan::of(lengths);
            let mut fixed = 1 + signed_bytes(base);
            if transform != VALUES {
                fixed += signed_bytes(start);
            }
            if transform == SECOND_DIFFERENCES {
                fixed += signed_bytes(step);
            }
            let passes = usize::from(transform) + usize::from(folded != 0);
            Plan {
                head,
                start,
                step,
                base,
                layers,
                size_bytes: fixed + layers.size_bytes,
                cost: fixed * 8 + layers.cost + numbers.len() * passes / PASS_PRICE,
            }
        };
        let above = Lengths::of(
            numbers
                .iter()
                .map(|n| n.wrapping_sub(least).cast_unsigned()),
        );
        let straight = plan(0, least, &above);
        let mut sorted = [0i64; BLOCK];
        let sorted = &mut sorted[..numbers.len()];
        sorted.copy_from_slice(numbers);
        let (_, &mut middle, _) = sorted.select_nth_unstable(numbers.len() / 2);
        let around = Lengths::of(numbers.iter().map(|n| zigzag(n.wrapping_sub(middle))));
        let folded = plan(FOLDED, middle, &around);
        if straight.cost <= folded.cost {
            straight
        } else {
            folded
        }
    }

    /// Writes the values that the plan was made for.
    pub(crate) fn write(&self, values: &[i64], out: &mut Vec<u8>) {
        let before = out.len();
        let mut buffer = [0i64; BLOCK];
        let numbers = &mut buffer[..values.len()];
        numbers.copy_from_slice(values);
        let transform = self.head & TRANSFORM_MASK;
        out.push(self.head);
        if transform != VALUES {
            differ(numbers);
            put_varint_signed(out, self.start);
        }
        if transform == SECOND_DIFFERENCES {
            differ(numbers);
            put_varint_signed(out, self.step);
        }
        put_varint_signed(out, self.base);
        let distances = numbers.iter().map(|number| number.wrapping_sub(self.base));
        match self.head & FOLDED {
            0 => self.layers.write(distances.map(i64::cast_unsigned), out),
            _ => self.layers.write(distances.map(zigzag), out),
        }
        debug_assert_eq!(out.len() - before, self.size_bytes);
    }
}

/// Turns values into differences, as many as there were: the first repeats the second, and what is
/// returned is the value before the first that this needs.
fn differ(values: &mut [i64]) -> i64 {
    let Some(&first) = values.first() else {
        return 0;
    };
    for at in (1..values.len()).rev() {
        values[at] = values[at].wrapping_sub(values[at - 1]);
    }
    values[0] = values.get(1).copied().unwrap_or(0);
    first.wrapping_sub(values[0])
}

/// Reads the `count` values of a tile.
#[inline]
pub(crate) fn read<'b>(
    cursor: &mut Cursor<'_>,
    count: usize,
    buffers: &'b mut Buffers,
) -> Result<&'b [i64]> {
    let head = cursor.u8()?;
    let transform = head & TRANSFORM_MASK;
    if head & !(TRANSFORM_MASK | FOLDED) != 0 || transform > SECOND_DIFFERENCES {
        return Err(Error::corrupt(format!("tile head {head:#x} is unknown")));
    }
    let start = match transform {
        VALUES => 0,
        _ => cursor.varint_signed()?,
    };
    let step = match transform {
        SECOND_DIFFERENCES => cursor.varint_signed()?,
        _ => 0,
    };
    let base = cursor.varint_signed()?;
    let folded = head & FOLDED != 0;
    let numbers = layers::read(cursor, count, if folded { 0 } else { base }, buffers)?;
    if folded {
        for number in numbers.iter_mut() {
            *number = unzigzag(number.cast_unsigned()).wrapping_add(base);
        }
    }
    if transform == SECOND_DIFFERENCES {
        sum(numbers, step);
    }
    if transform != VALUES {
        sum(numbers, start);
    }
    Ok(numbers)
}

/// Replaces differences by running sums from `start`.
#[inline]
fn sum(numbers: &mut [i64], start: i64) {
    let mut total = start;
    for number in numbers {
        total = total.wrapping_add(*number);
        *number = total;
    }
}

#[cfg(test)]
mod tests;
