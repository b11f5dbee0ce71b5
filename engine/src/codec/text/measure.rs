//! How long the texts of a strip are, without putting them together.
//!
//! Columns answer by their make: a number by its size, a dictionary by the lengths of its entries.
//! Nothing is rendered.

use std::borrow::Cow;

use crate::codec::bytes::Cursor;
use crate::codec::ints;
use crate::error::{Error, Result};

use super::columns::{Column, Form, NO_COLUMN, Rows};
use super::decode;
use super::render;
use super::sections::Unsqueeze;
use super::{Found, Scratch};

/// How long all texts of a strip are that has `strip_bytes` bytes when it is decoded: they come
/// empty, with their ends. None where the strip has to be decoded instead: it has other than one
/// list.
pub(crate) fn measure(
    encoded: &[u8],
    strip_bytes: usize,
    unsqueeze: &mut Unsqueeze<'_>,
    scratch: &mut Scratch,
) -> Result<Option<Found>> {
    let opened = decode::open(encoded, strip_bytes, unsqueeze)?;
    let canvas = std::mem::take(&mut scratch.canvas);
    let (parsed, canvas) = decode::parse(&opened, strip_bytes, unsqueeze, canvas)?;
    let lengths = match parsed.counts.len() {
        1 => Some(parsed.rows.lengths(canvas.unsqueeze)?),
        _ => None,
    };
    scratch.canvas = canvas.bytes;
    let Some(lengths) = lengths else {
        return Ok(None);
    };
    let (mut ends, mut end) = (Vec::with_capacity(lengths.len()), 0u32);
    for length in &lengths {
        end = end.checked_add(*length).ok_or_else(too_long)?;
        ends.push(end);
    }
    // Before its texts a list has its count and all lengths.
    match end as usize + 4 * lengths.len() + 4 == strip_bytes {
        true => Ok(Some(Found {
            count: lengths.len(),
            places: (0..lengths.len() as u32).collect(),
            bytes: Vec::new(),
            ends,
        })),
        false => Err(Error::corrupt(
            "the texts of a strip are not as long as the strip",
        )),
    }
}

/// How long the texts of a column are.
enum Lengths {
    Same(u32),
    Each(Vec<u32>),
}

impl Column<'_> {
    fn lengths(&self, unsqueeze: &mut Unsqueeze<'_>) -> Result<Lengths> {
        let each = match &self.form {
            Form::Texts(texts) => texts.iter().map(|text| text.length).collect(),
            Form::Dictionary { entries, ids } => {
                let entries = entries.lengths(unsqueeze)?;
                let ids = match entries {
                    Lengths::Same(_) => return Ok(entries),
                    Lengths::Each(_) => ids.open(unsqueeze)?,
                };
                ids.iter().map(|id| entries.at(*id as usize)).collect()
            }
            Form::Rows(rows) => rows.lengths(unsqueeze)?,
            Form::Integers(packed) => {
                let numbers = self.numbers(packed)?;
                numbers.iter().map(|number| digits(*number)).collect()
            }
            Form::Decimals { places, scaled } => {
                let least = u32::from(*places) + 1;
                let numbers = self.numbers(scaled)?;
                let length = |number: &i64| digits(*number).max(least) + 1;
                numbers.iter().map(length).collect()
            }
            Form::Masked { template, .. } => return Ok(Lengths::Same(template.length)),
            Form::Hex { digits, .. } => return Ok(Lengths::Same(*digits)),
            Form::Uuids { .. } => return Ok(Lengths::Same(render::UUID_BYTES as u32)),
            Form::Addresses(planes) => {
                let mut opened: [Cow<'_, [u8]>; 4] = Default::default();
                for (opened, plane) in opened.iter_mut().zip(planes) {
                    *opened = plane.open(unsqueeze)?;
                }
                render::address_lengths(opened.each_ref().map(|plane| &**plane))
            }
        };
        Ok(Lengths::Each(each))
    }

    fn numbers(&self, packed: &[u8]) -> Result<Vec<i64>> {
        let mut numbers = Vec::with_capacity(self.count);
        ints::decode(&mut Cursor::new(packed), self.count, &mut numbers)?;
        render::check(&numbers)?;
        Ok(numbers)
    }
}

impl Lengths {
    fn at(&self, index: usize) -> u32 {
        match self {
            Lengths::Same(length) => *length,
            Lengths::Each(lengths) => lengths[index],
        }
    }
}

impl Rows<'_> {
    fn lengths(&self, unsqueeze: &mut Unsqueeze<'_>) -> Result<Vec<u32>> {
        let of_columns = self.columns.iter().map(|column| column.lengths(unsqueeze));
        let of_columns: Vec<Lengths> = of_columns.collect::<Result<_>>()?;
        // What does not differ between the texts of a shape is added up once.
        let mut fixed = Vec::with_capacity(self.shapes.len());
        let mut varying = Vec::with_capacity(self.shapes.len());
        for shape in 0..self.shapes.len() as u32 {
            let (mut length, mut holes) = (0u32, Vec::new());
            for (piece, column) in self.pieces_of(shape) {
                let of_column = match *column {
                    NO_COLUMN => 0,
                    column => match &of_columns[column as usize] {
                        Lengths::Same(length) => *length,
                        Lengths::Each(_) => {
                            holes.push(column as usize);
                            0
                        }
                    },
                };
                let more = piece.length.checked_add(of_column);
                let sum = more.and_then(|more| length.checked_add(more));
                length = sum.ok_or_else(too_long)?;
            }
            fixed.push(length);
            varying.push(holes);
        }
        let mut cursors = vec![0usize; self.columns.len()];
        let lengths = self.ids.iter().map(|id| {
            let mut length = fixed[*id as usize];
            for column in &varying[*id as usize] {
                let at = &mut cursors[*column];
                length = length.checked_add(of_columns[*column].at(*at))?;
                *at += 1;
            }
            Some(length)
        });
        lengths.map(|length| length.ok_or_else(too_long)).collect()
    }
}

/// How many digits a number has in text.
fn digits(number: i64) -> u32 {
    number.checked_ilog10().map_or(1, |digits| digits + 1)
}

#[cold]
fn too_long() -> Error {
    Error::corrupt("texts of a strip beyond 4 GiB")
}
