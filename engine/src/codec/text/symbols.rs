//! Columns of small numbers: which shape a text has, which entry of a dictionary it is.
//!
//! One alone takes nothing. Otherwise a tag, then an integer column or planes of bytes, the lowest
//! first, each compressed if that is smaller.

use std::borrow::Cow;

use crate::codec::bytes::{Cursor, put_varint};
use crate::codec::ints;
use crate::error::{Error, Result};

use super::sections::{Plane, Sections, SectionsReader, Squeeze, Unsqueeze};
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

/// Symbols as they are stored, or as they were opened.
pub(super) enum Symbols<'a> {
    Known(Vec<u32>),
    /// A packed column of so many integers, and what they are below.
    Ints {
        packed: &'a [u8],
        count: usize,
        distinct: usize,
    },
    /// Planes of bytes, the lowest first, and what the symbols are below.
    Planes(Vec<Plane<'a>>, usize),
}

impl<'a> Symbols<'a> {
    /// Reads `count` symbols, each below `distinct`.
    pub(super) fn read(
        count: usize,
        distinct: usize,
        from: &mut SectionsReader<'a>,
    ) -> Result<Self> {
        if distinct <= 1 {
            return match distinct == 1 || count == 0 {
                true => Ok(Symbols::Known(vec![0; count])),
                false => Err(Error::corrupt("symbols without an alphabet")),
            };
        }
        match from.structure.u8()? {
            TAG_INTS => Ok(Symbols::Ints {
                packed: from.ints(count)?,
                count,
                distinct,
            }),
            TAG_PLANES => {
                let planes = (0..planes(distinct)).map(|_| from.plane(count));
                Ok(Symbols::Planes(planes.collect::<Result<_>>()?, distinct))
            }
            tag => Err(Error::corrupt(format!("symbols have unknown tag {tag}"))),
        }
    }

    /// The symbols.
    pub(super) fn open(&self, unsqueeze: &mut Unsqueeze<'_>) -> Result<Cow<'_, [u32]>> {
        let (planes, distinct) = match self {
            Symbols::Known(symbols) => return Ok(Cow::Borrowed(symbols)),
            Symbols::Ints {
                packed,
                count,
                distinct,
            } => {
                let mut numbers = Vec::new();
                ints::decode(&mut Cursor::new(packed), *count, &mut numbers)?;
                let whole = |number: &i64| u32::try_from(*number).unwrap_or(u32::MAX);
                let symbols = numbers.iter().map(whole).collect();
                return checked(symbols, *distinct).map(Cow::Owned);
            }
            Symbols::Planes(planes, distinct) => (planes, *distinct),
        };
        let mut symbols = Vec::new();
        for (place, plane) in planes.iter().enumerate() {
            let bytes = plane.open(unsqueeze)?;
            match place {
                0 => symbols.extend(bytes.iter().map(|byte| u32::from(*byte))),
                _ => {
                    for (symbol, byte) in symbols.iter_mut().zip(&*bytes) {
                        *symbol |= u32::from(*byte) << (8 * place);
                    }
                }
            }
        }
        checked(symbols, distinct).map(Cow::Owned)
    }

    /// The symbols, opened once.
    pub(super) fn known(&mut self, unsqueeze: &mut Unsqueeze<'_>) -> Result<&[u32]> {
        if let Cow::Owned(symbols) = self.open(unsqueeze)? {
            *self = Symbols::Known(symbols);
        }
        match self {
            Symbols::Known(symbols) => Ok(symbols),
            // They were just opened, which owns what comes out.
            Symbols::Ints { .. } | Symbols::Planes(..) => Ok(&[]),
        }
    }
}

fn checked(symbols: Vec<u32>, distinct: usize) -> Result<Vec<u32>> {
    match symbols
        .iter()
        .max()
        .is_none_or(|&most| (most as usize) < distinct)
    {
        true => Ok(symbols),
        false => Err(Error::corrupt("a symbol is beyond its alphabet")),
    }
}
