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
use super::decimal::{self, Form};
use super::exceptions::{self, STALE_BITS};
use super::ints::{Column, Reader};
use super::miniblock::BLOCK;
use super::scaled::Scaled;
use super::xor;
use crate::error::{Error, Result};

const CODEC_MASK: u8 = 0x07;
const CONSTANT: u8 = 0;
const DECIMAL_DIVIDED: u8 = 1;
const DECIMAL_MULTIPLIED: u8 = 2;
const XOR: u8 = 3;
const BITS: u8 = 4;
const RAW: u8 = 5;
const HAS_EXCEPTIONS: u8 = 0x08;
const SCALE_SHIFT: u32 = 4;

/// Decimals of at most so many bits a value are taken without trying the other codecs.
const GOOD_BITS: usize = 12;

/// Appends the smallest encoding of the values.
pub(crate) fn encode(values: &[f64], out: &mut Vec<u8>) {
    if let Some(bits) = exceptions::constant(values) {
        let stale = exceptions::places(values, |value| value == STALE_BITS && bits != STALE_BITS);
        out.push(CONSTANT | exceptions_flag(&stale));
        put_varint(out, bits.swap_bytes());
        exceptions::write(values, &stale, out);
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
        let values = &mut out[start..];
        exceptions::read(cursor, count, |place, value| values[place] = value)?;
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

/// Values as scaled integers, with the positions of those that have none.
struct Decimals {
    scale: u8,
    codec: u8,
    column: Column,
    exceptions: Vec<usize>,
    exceptions_bytes: usize,
}

impl Decimals {
    /// The smallest of a few scales.
    fn of(values: &[f64]) -> Option<Decimals> {
        let found = Scaled::candidates(values).into_iter();
        let planned = found.map(|scaled| Decimals::new(values, scaled.in_form(Form::Multiplied)));
        planned.min_by_key(Decimals::size_bytes)
    }

    fn new(values: &[f64], scaled: Scaled) -> Decimals {
        let mut written = Vec::new();
        exceptions::write(values, &scaled.exceptions, &mut written);
        Decimals {
            scale: scaled.scale,
            codec: match scaled.form {
                Form::Multiplied => DECIMAL_MULTIPLIED,
                _ => DECIMAL_DIVIDED,
            },
            column: Column::of(&scaled.integers),
            exceptions: scaled.exceptions,
            exceptions_bytes: written.len(),
        }
    }

    fn size_bytes(&self) -> usize {
        1 + self.column.size_bytes() + self.exceptions_bytes
    }

    fn write(&self, values: &[f64], out: &mut Vec<u8>) {
        out.push(self.codec | exceptions_flag(&self.exceptions) | self.scale << SCALE_SHIFT);
        self.column.write(out);
        exceptions::write(values, &self.exceptions, out);
    }
}

fn exceptions_flag(exceptions: &[usize]) -> u8 {
    if exceptions.is_empty() {
        0
    } else {
        HAS_EXCEPTIONS
    }
}

#[cfg(test)]
mod tests;
