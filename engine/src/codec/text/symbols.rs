//! Columns of small numbers: which shape a text has, which entry of a dictionary it is.
//!
//! One alone takes nothing. Otherwise a tag, then an integer column or planes of bytes, the lowest
//! first, each compressed if that is smaller.

use crate::codec::bytes::{Cursor, put_varint};
use crate::codec::ints;
use crate::error::{Error, Result};

use super::sections::{Sections, SectionsReader, Squeeze};
use super::typed::planned;

const TAG_INTS: u8 = 0;
const TAG_PLANES: u8 = 1;

/// How many byte planes numbers below `distinct` take.
fn planes(distinct: usize) -> usize {
    match distinct {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 3,
    }
}

/// The most distinct symbols.
pub(super) const DISTINCT_MAX: usize = 1 << 24;

pub(super) fn write(
    symbols: &[u32],
    distinct: usize,
    out: &mut Sections,
    squeeze: &mut Squeeze,
) -> Result<()> {
    debug_assert!(distinct <= DISTINCT_MAX);
    if distinct <= 1 {
        return Ok(());
    }
    let numbers: Vec<i64> = symbols.iter().map(|&symbol| i64::from(symbol)).collect();
    let column = planned(&numbers);
    let mut packed = Vec::new();
    for plane in 0..planes(distinct) {
        // The cast takes one byte on purpose.
        let bytes: Vec<u8> = symbols
            .iter()
            .map(|symbol| (symbol >> (8 * plane)) as u8)
            .collect();
        packed.push(squeeze.numbers(bytes)?);
    }
    let bytes: usize = packed.iter().map(Vec::len).sum();
    if column.size_bytes() <= bytes {
        out.structure.push(TAG_INTS);
        column.write(&mut out.bodies);
        return Ok(());
    }
    out.structure.push(TAG_PLANES);
    for plane in packed {
        put_varint(&mut out.structure, plane.len() as u64);
        out.bodies.extend_from_slice(&plane);
    }
    Ok(())
}

/// Reads `count` symbols, each below `distinct`.
pub(super) fn read(
    count: usize,
    distinct: usize,
    from: &mut SectionsReader<'_, '_>,
) -> Result<Vec<u32>> {
    if distinct <= 1 {
        return match distinct == 1 || count == 0 {
            true => Ok(vec![0; count]),
            false => Err(Error::corrupt("symbols without an alphabet")),
        };
    }
    let symbols: Vec<u32> = match from.structure.u8()? {
        TAG_INTS => {
            let mut numbers = Vec::new();
            ints::decode(&mut from.bodies, count, &mut numbers)?;
            let whole = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
            numbers.into_iter().map(whole).collect()
        }
        TAG_PLANES => {
            let mut symbols = vec![0u32; count];
            for plane in 0..planes(distinct) {
                let bytes = from.numbers(count)?;
                for (symbol, byte) in symbols.iter_mut().zip(&*bytes) {
                    *symbol |= u32::from(*byte) << (8 * plane);
                }
            }
            symbols
        }
        tag => return Err(Error::corrupt(format!("symbols have unknown tag {tag}"))),
    };
    match symbols.iter().all(|&symbol| (symbol as usize) < distinct) {
        true => Ok(symbols),
        false => Err(Error::corrupt("a symbol is beyond its alphabet")),
    }
}

/// Reads a column of integers; `Cursor` is where its body begins.
pub(super) fn read_ints(count: usize, bodies: &mut Cursor<'_>) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    ints::decode(bodies, count, &mut numbers)?;
    Ok(numbers)
}
