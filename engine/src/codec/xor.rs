//! Sealed floats as XORs with the value before, for those that are no decimals.
//!
//! The value before the first is 0.0. Each value is `0` for the same bits again, `1 0` and the XOR
//! through the open [`Window`], or `1 1`, a window header and the XOR; the last byte is filled with
//! zeros.

use super::bits::{BitReader, PEEK_BITS, push_bits};
use super::bytes::Cursor;
use super::window::{Fit, Residual, Window};
use crate::error::Result;

/// The bytes of the column.
pub(crate) fn encode(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * 8 + 16);
    let (mut tail, mut last, mut window) = (0u8, 0u64, Window::CLOSED);
    for value in values {
        let bits = value.to_bits();
        let residual = bits ^ last;
        last = bits;
        if residual == 0 {
            tail = push_bits(&mut bytes, tail, 0, 1);
            continue;
        }
        if window.fit(residual, Residual::Xor) == Fit::Opened {
            let header = window.header(Residual::Xor);
            tail = push_bits(&mut bytes, tail, 0b11 | header.bits << 2, 2 + header.width);
        } else {
            tail = push_bits(&mut bytes, tail, 0b01, 2);
        }
        let field = window.field(residual);
        tail = push_bits(&mut bytes, tail, field.bits, field.width);
    }
    bytes
}

/// Appends exactly `count` values to `out`.
pub(crate) fn decode(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<f64>) -> Result<()> {
    let mut reader = BitReader::new(cursor.rest());
    // A value takes a bit at least.
    out.reserve(count.min(cursor.remaining().saturating_mul(8)));
    let (mut value, mut window, mut left) = (0u64, Window::CLOSED, count);
    while left > 0 {
        let next = reader.peek();
        if next & 1 == 0 {
            let run = (next.trailing_zeros().min(PEEK_BITS) as usize).min(left);
            reader.skip(run as u32);
            reader.check()?;
            out.resize(out.len() + run, f64::from_bits(value));
            left -= run;
            continue;
        }
        reader.skip(2);
        if next & 2 != 0 {
            window = Window::read_header(&mut reader, Residual::Xor);
        }
        value ^= window.read(&mut reader);
        reader.check()?;
        out.push(f64::from_bits(value));
        left -= 1;
    }
    cursor.take(reader.bytes_used())?;
    Ok(())
}
