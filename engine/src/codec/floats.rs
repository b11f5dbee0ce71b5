//! Sealed columns of floats: every bit pattern in, the smallest of a few exact encodings out.
//!
//! The first byte is the codec in its low bits, whether a list of exceptions follows the body, and
//! for decimals the scale in the high four:
//! - constant: the byte-swapped bits as a varint, short for the usual constants;
//! - decimal: an integer column; its integers are divided by ten to the scale, or multiplied by the
//!   inverse where the encoder has verified that this gives the same bits for every value;
//! - bits: the bit patterns as an integer column;
//! - xor: XORs through a bit window;
//! - raw: eight bytes each.
//!
//! Exceptions are positions and bit patterns that replace what the body says, chiefly stale
//! markers.

use super::bytes::{Cursor, put_varint};
use super::decimal;
use super::ints::{Column, Reader};
use super::miniblock::BLOCK;
use super::xor;
use crate::error::{Error, Result};

/// The NaN that says "this series has ended here"; so common as a last value that its exception is
/// two bytes.
pub(crate) const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

const CODEC_MASK: u8 = 0x07;
const CONSTANT: u8 = 0;
const DECIMAL_DIVIDED: u8 = 1;
const DECIMAL_MULTIPLIED: u8 = 2;
const XOR: u8 = 3;
const BITS: u8 = 4;
const RAW: u8 = 5;
const HAS_EXCEPTIONS: u8 = 0x08;
const SCALE_SHIFT: u32 = 4;

/// How many values are looked at before a scale is chosen.
const SCALE_SAMPLES: usize = 8;
/// Decimals with exceptions for more than one value in so many are not tried.
const EXCEPTION_SHARE: usize = 8;
/// Decimals of at most so many bits a value are taken without trying the other codecs.
const GOOD_BITS: usize = 12;

/// Appends the smallest encoding of the values.
pub(crate) fn encode(values: &[f64], out: &mut Vec<u8>) {
    if let Some(bits) = constant(values) {
        let stale = positions(values, |value| value == STALE_BITS && bits != STALE_BITS);
        out.push(CONSTANT | exceptions_flag(&stale));
        put_varint(out, bits.swap_bytes());
        write_exceptions(values, &stale, out);
        return;
    }
    let decimals = Decimals::of(values);
    if let Some(decimals) = &decimals
        && decimals.size_bytes() * 8 <= values.len() * GOOD_BITS
    {
        return decimals.write(values, out);
    }
    let patterns: Vec<i64> = values.iter().map(|value| value.to_bits() as i64).collect();
    let bits = Column::of(&patterns);
    let xors = xor::encode(values);
    let decimals_bytes = decimals.as_ref().map_or(usize::MAX, Decimals::size_bytes);
    let smallest = decimals_bytes
        .min(1 + bits.size_bytes())
        .min(1 + xors.len());
    if let Some(decimals) = decimals.filter(|decimals| decimals.size_bytes() == smallest) {
        decimals.write(values, out);
    } else if values.len() * 8 < smallest {
        out.push(RAW);
        for pattern in &patterns {
            out.extend_from_slice(&pattern.to_le_bytes());
        }
    } else if 1 + bits.size_bytes() == smallest {
        out.push(BITS);
        bits.write(out);
    } else {
        out.push(XOR);
        out.extend_from_slice(&xors);
    }
}

/// Appends exactly `count` values to `out`. The caller has limited `count`.
#[inline]
pub(crate) fn decode(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<f64>) -> Result<()> {
    let tag = cursor.u8()?;
    let (codec, scale, start) = (tag & CODEC_MASK, tag >> SCALE_SHIFT, out.len());
    if scale != 0 && codec != DECIMAL_DIVIDED && codec != DECIMAL_MULTIPLIED {
        return Err(Error::corrupt(format!(
            "float column tag {tag} has a scale"
        )));
    }
    match codec {
        CONSTANT => {
            let value = f64::from_bits(cursor.varint()?.swap_bytes());
            out.resize(start + count, value);
        }
        DECIMAL_DIVIDED if scale == 0 => {
            decode_ints(cursor, count, out, |integer| integer as f64)?;
        }
        DECIMAL_DIVIDED => {
            let divisor = decimal::POWERS[usize::from(scale)];
            decode_ints(cursor, count, out, |integer| integer as f64 / divisor)?;
        }
        DECIMAL_MULTIPLIED => {
            let inverse = 1.0 / decimal::POWERS[usize::from(scale)];
            decode_ints(cursor, count, out, |integer| integer as f64 * inverse)?;
        }
        BITS => decode_ints(cursor, count, out, |integer| f64::from_bits(integer as u64))?,
        XOR => xor::decode(cursor, count, out)?,
        RAW => {
            let (words, _) = cursor.take(count.saturating_mul(8))?.as_chunks::<8>();
            out.extend(words.iter().map(|word| f64::from_le_bytes(*word)));
        }
        _ => return Err(Error::corrupt(format!("float column tag {tag} is unknown"))),
    }
    if tag & HAS_EXCEPTIONS != 0 {
        read_exceptions(cursor, &mut out[start..])?;
    }
    Ok(())
}

/// Decodes an integer column and converts each mini-block while it is in the nearest cache.
#[inline]
fn decode_ints(
    cursor: &mut Cursor<'_>,
    count: usize,
    out: &mut Vec<f64>,
    convert: impl Fn(i64) -> f64,
) -> Result<()> {
    // Clearing the buffer is a good part of the work for a short chunk.
    if count <= BLOCK / 2 {
        convert_blocks(cursor, count, out, &mut [0; BLOCK / 2], convert)
    } else {
        convert_blocks(cursor, count, out, &mut [0; BLOCK], convert)
    }
}

#[inline]
fn convert_blocks(
    cursor: &mut Cursor<'_>,
    count: usize,
    out: &mut Vec<f64>,
    integers: &mut [i64],
    convert: impl Fn(i64) -> f64,
) -> Result<()> {
    let mut reader = Reader::open(cursor)?;
    out.reserve(count);
    let mut left = count;
    while left > 0 {
        let block = &mut integers[..left.min(BLOCK)];
        reader.read(cursor, block)?;
        out.extend(block.iter().map(|&integer| convert(integer)));
        left -= block.len();
    }
    Ok(())
}

/// The bits that all values have, stale markers aside.
fn constant(values: &[f64]) -> Option<u64> {
    let mut live = values
        .iter()
        .map(|value| value.to_bits())
        .filter(|&bits| bits != STALE_BITS);
    let Some(first) = live.next() else {
        return Some(if values.is_empty() { 0 } else { STALE_BITS });
    };
    live.all(|bits| bits == first).then_some(first)
}

/// Values as scaled integers, with the positions of those that have none.
struct Decimals {
    scale: u8,
    codec: u8,
    column: Column,
    exceptions: Vec<usize>,
    exceptions_bytes: usize,
}

impl Decimals {
    /// The best scale that is found cheaply: that of a few samples, or the larger one that
    /// exceptions ask for.
    fn of(values: &[f64]) -> Option<Decimals> {
        let scale = sampled_scale(values)?;
        let (integers, exceptions) = integers_at(values, scale);
        let larger = exceptions
            .iter()
            .filter_map(|&at| scale_above(values[at].to_bits(), scale))
            .max();
        let first = Decimals::new(values, scale, &integers, exceptions);
        let Some(larger) = larger else {
            return first;
        };
        let (integers, exceptions) = integers_at(values, larger);
        let second = Decimals::new(values, larger, &integers, exceptions);
        [first, second]
            .into_iter()
            .flatten()
            .min_by_key(Decimals::size_bytes)
    }

    fn new(
        values: &[f64],
        scale: u8,
        integers: &[i64],
        exceptions: Vec<usize>,
    ) -> Option<Decimals> {
        if exceptions.len() > values.len() / EXCEPTION_SHARE + 1 {
            return None;
        }
        let inverse = 1.0 / decimal::POWERS[usize::from(scale)];
        let multiplies = scale > 0
            && integers.iter().all(|&integer| {
                let divided = decimal::value(integer, scale);
                (integer as f64 * inverse).to_bits() == divided.to_bits()
            });
        let mut written = Vec::new();
        write_exceptions(values, &exceptions, &mut written);
        Some(Decimals {
            scale,
            codec: if multiplies {
                DECIMAL_MULTIPLIED
            } else {
                DECIMAL_DIVIDED
            },
            column: Column::of(integers),
            exceptions,
            exceptions_bytes: written.len(),
        })
    }

    fn size_bytes(&self) -> usize {
        1 + self.column.size_bytes() + self.exceptions_bytes
    }

    fn write(&self, values: &[f64], out: &mut Vec<u8>) {
        out.push(self.codec | exceptions_flag(&self.exceptions) | self.scale << SCALE_SHIFT);
        self.column.write(out);
        write_exceptions(values, &self.exceptions, out);
    }
}

fn scale_above(bits: u64, scale: u8) -> Option<u8> {
    decimal::scale_of(bits, scale + 1, decimal::SCALE_MAX)
}

/// The scale that most of a few samples have; none if they are no decimals.
fn sampled_scale(values: &[f64]) -> Option<u8> {
    let step = values.len().div_ceil(SCALE_SAMPLES).max(1);
    let (mut scale, mut samples, mut misses) = (0, 0, 0);
    for value in values.iter().step_by(step) {
        samples += 1;
        match decimal::scale_of(value.to_bits(), scale, decimal::SCALE_MAX) {
            Some(wanted) => scale = wanted,
            None => misses += 1,
        }
    }
    (misses * 2 <= samples).then_some(scale)
}

/// The integers at a scale, with the value before standing in for those that have none.
fn integers_at(values: &[f64], scale: u8) -> (Vec<i64>, Vec<usize>) {
    let exact = |value: &f64| decimal::exact(value.to_bits(), scale);
    let mut last = values.iter().find_map(exact).unwrap_or(0);
    let mut exceptions = Vec::new();
    let integers = values
        .iter()
        .enumerate()
        .map(|(position, value)| {
            match exact(value) {
                Some(integer) => last = integer,
                None => exceptions.push(position),
            }
            last
        })
        .collect();
    (integers, exceptions)
}

fn positions(values: &[f64], is_exception: impl Fn(u64) -> bool) -> Vec<usize> {
    let exceptional =
        |(position, value): (usize, &f64)| is_exception(value.to_bits()).then_some(position);
    values.iter().enumerate().filter_map(exceptional).collect()
}

fn exceptions_flag(exceptions: &[usize]) -> u8 {
    if exceptions.is_empty() {
        0
    } else {
        HAS_EXCEPTIONS
    }
}

/// A count less one; for each exception the gap to the one before with the stale flag in the lowest
/// bit, and the byte-swapped bits as a varint unless it is stale.
fn write_exceptions(values: &[f64], exceptions: &[usize], out: &mut Vec<u8>) {
    let Some(more) = exceptions.len().checked_sub(1) else {
        return;
    };
    put_varint(out, more as u64);
    let mut next = 0;
    for &position in exceptions {
        let bits = values[position].to_bits();
        let is_stale = bits == STALE_BITS;
        put_varint(out, ((position - next) as u64) << 1 | u64::from(is_stale));
        if !is_stale {
            put_varint(out, bits.swap_bytes());
        }
        next = position + 1;
    }
}

#[cold]
fn read_exceptions(cursor: &mut Cursor<'_>, values: &mut [f64]) -> Result<()> {
    let count = cursor.length(values.len().saturating_sub(1), "a count of exceptions")? + 1;
    let mut next = 0usize;
    for _ in 0..count {
        let mark = cursor.varint()?;
        let gap = usize::try_from(mark >> 1).ok();
        let position = gap
            .and_then(|gap| next.checked_add(gap))
            .unwrap_or(usize::MAX);
        let bits = if mark & 1 == 1 {
            STALE_BITS
        } else {
            cursor.varint()?.swap_bytes()
        };
        let total = values.len();
        match values.get_mut(position) {
            Some(value) => *value = f64::from_bits(bits),
            None => {
                return Err(Error::corrupt(format!(
                    "an exception at {position} of {total} floats"
                )));
            }
        }
        next = position + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
