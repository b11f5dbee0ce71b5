//! Reads an encoded strip as far as its shapes and columns; no text is rendered.
//!
//! Allocations are bounded by the strip's length, which the caller vouches for: in what an encoder
//! writes, each thing that bytes claim to be there becomes at least a byte of the strip.

use crate::codec::ints;
use crate::error::{Error, Result};

use super::columns::{Column, Form, NO_COLUMN, Rows};
use super::sections::{SectionsReader, Unsqueeze};
use super::span::Span;
use super::symbols::Symbols;
use super::typed::Case;
use super::{
    COLUMN_ADDRESSES, COLUMN_AFFIXED, COLUMN_DECIMALS, COLUMN_DICTIONARY, COLUMN_HEX,
    COLUMN_INTEGERS, COLUMN_MASKED, COLUMN_PLAIN, COLUMN_SHAPES, COLUMN_SMALL, COLUMN_UUIDS,
    render,
};

/// Columns inside of columns: a field's shapes, a dictionary in those, its entries.
const DEPTH_MAX: usize = 5;

/// Reads the three sections of a strip.
pub(super) struct Parser<'a, 'u> {
    from: SectionsReader<'a>,
    unsqueeze: &'u mut Unsqueeze<'u>,
    text_next: usize,
    text_end: usize,
    /// Bytes of the strip.
    strip_bytes: usize,
    holes_left: usize,
}

/// How many texts each list has, and all texts.
pub(super) struct Parsed<'a> {
    pub(super) counts: Vec<u32>,
    pub(super) rows: Rows<'a>,
}

impl<'a, 'u> Parser<'a, 'u> {
    /// `text_bytes` is the length of the section of texts.
    pub(super) fn new(
        from: SectionsReader<'a>,
        unsqueeze: &'u mut Unsqueeze<'u>,
        text_bytes: usize,
        strip_bytes: usize,
    ) -> Self {
        Parser {
            from,
            unsqueeze,
            text_next: 0,
            text_end: text_bytes,
            strip_bytes,
            holes_left: strip_bytes.saturating_mul(2),
        }
    }

    /// Reads everything.
    pub(super) fn parse(mut self) -> Result<Parsed<'a>> {
        let counts = self.counts()?;
        let texts = counts.iter().map(|count| *count as usize).sum();
        let rows = self.rows(texts, 0)?;
        let all = self.from.structure.is_empty() && self.from.bodies.is_empty();
        match all && self.text_next == self.text_end {
            true => Ok(Parsed { counts, rows }),
            false => Err(Error::corrupt("bytes behind the last column of a strip")),
        }
    }

    fn counts(&mut self) -> Result<Vec<u32>> {
        let structure = &mut self.from.structure;
        let chunks = structure.length(structure.remaining(), "the number of chunks")?;
        let mut counts = Vec::with_capacity(chunks);
        // Each text takes four bytes of the strip for its length.
        let mut left = self.strip_bytes / 4;
        for _ in 0..chunks {
            let count = structure.length(left, "a chunk's number of texts")?;
            left -= count;
            counts.push(count as u32);
        }
        Ok(counts)
    }

    /// Takes the next bytes of the section of texts.
    fn text(&mut self, length: usize) -> Result<Span> {
        let start = self.text_next;
        if length > self.text_end - start {
            return Err(Error::corrupt("a text goes beyond its section"));
        }
        self.text_next += length;
        Ok(Span::between(start, start + length))
    }

    /// Takes a text of the section of texts whose length is next in the structure.
    fn text_of_length(&mut self, what: &str) -> Result<Span> {
        let length = self.from.structure.length(self.text_end, what)?;
        self.text(length)
    }

    /// Reads the shapes of `count` texts and their columns.
    fn rows(&mut self, count: usize, depth: usize) -> Result<Rows<'a>> {
        let structure = &mut self.from.structure;
        // A column and a shape take at least a byte each.
        let columns = structure.length(structure.remaining(), "the number of columns")?;
        let shapes = structure.length(structure.remaining(), "the number of shapes")?;
        let mut rows = Rows::default();
        for _ in 0..shapes {
            self.shape(columns, &mut rows)?;
        }
        let ids = Symbols::read(count, shapes, &mut self.from)?;
        rows.ids = ids.open(self.unsqueeze)?.into_owned();
        for size in rows.column_sizes(columns) {
            self.holes_left = self
                .holes_left
                .checked_sub(size)
                .ok_or_else(|| Error::corrupt("shapes have more holes than their strip bytes"))?;
            let column = self.column(size, depth)?;
            rows.columns.push(column);
        }
        Ok(rows)
    }

    fn shape(&mut self, columns: usize, rows: &mut Rows<'a>) -> Result<()> {
        let structure = &mut self.from.structure;
        let holes = structure.length(structure.remaining() / 2, "a shape's number of holes")?;
        let start = rows.pieces.len() as u32;
        for _ in 0..holes {
            let structure = &mut self.from.structure;
            let length = structure.length(self.text_end, "a piece's length")?;
            let column = structure.varint()?;
            if column >= columns as u64 {
                return Err(Error::corrupt("a hole's column does not exist"));
            }
            let piece = self.text(length)?;
            rows.pieces.push((piece, column as u32));
        }
        let last = self.text_of_length("a piece's length")?;
        rows.pieces.push((last, NO_COLUMN));
        rows.shapes.push((start, rows.pieces.len() as u32));
        Ok(())
    }

    /// Reads the next column, which has `count` texts.
    fn column(&mut self, count: usize, depth: usize) -> Result<Column<'a>> {
        if depth > DEPTH_MAX {
            return Err(Error::corrupt("columns are nested too deeply"));
        }
        let form = match self.from.structure.u8()? {
            COLUMN_SMALL => {
                let mut texts = Vec::new();
                for _ in 0..count {
                    texts.push(self.text_of_length("a text's length")?);
                }
                Form::Texts(texts)
            }
            COLUMN_PLAIN => {
                let mut texts = Vec::with_capacity(count);
                let mut lengths = Vec::new();
                ints::decode(&mut self.from.bodies, count, &mut lengths)?;
                for length in lengths {
                    let length = usize::try_from(length)
                        .map_err(|_| Error::corrupt("a text's length is negative"))?;
                    texts.push(self.text(length)?);
                }
                Form::Texts(texts)
            }
            COLUMN_DICTIONARY => self.dictionary(count, depth)?,
            COLUMN_AFFIXED => self.affixed(count, depth)?,
            COLUMN_SHAPES => Form::Rows(Box::new(self.rows(count, depth + 1)?)),
            tag => self.typed(tag, count)?,
        };
        Ok(Column { count, form })
    }

    fn dictionary(&mut self, count: usize, depth: usize) -> Result<Form<'a>> {
        let distinct = self.from.structure.length(count, "a dictionary's size")?;
        let entries = Box::new(self.column(distinct, depth + 1)?);
        let ids = Symbols::read(count, distinct, &mut self.from)?;
        Ok(Form::Dictionary { entries, ids })
    }

    /// What all texts begin and end with is a shape that they share.
    fn affixed(&mut self, count: usize, depth: usize) -> Result<Form<'a>> {
        let structure = &mut self.from.structure;
        let prefix = structure.length(self.text_end, "a prefix")?;
        let suffix = structure.length(self.text_end, "a suffix")?;
        let (prefix, suffix) = (self.text(prefix)?, self.text(suffix)?);
        let rest = self.column(count, depth + 1)?;
        Ok(Form::Rows(Box::new(Rows {
            pieces: vec![(prefix, 0), (suffix, NO_COLUMN)],
            shapes: vec![(0, 2)],
            ids: vec![0; count],
            columns: vec![rest],
            ..Rows::default()
        })))
    }

    fn typed(&mut self, tag: u8, count: usize) -> Result<Form<'a>> {
        let from = &mut self.from;
        match tag {
            COLUMN_INTEGERS => Ok(Form::Integers(from.ints(count)?)),
            COLUMN_DECIMALS => Ok(Form::Decimals {
                places: from.structure.u8()?,
                scaled: from.ints(count)?,
            }),
            COLUMN_MASKED => {
                let length = from.structure.length(self.text_end, "a text's length")?;
                let places = from.structure.length(length, "the number of digits")?;
                let mut varying = Vec::with_capacity(places);
                for _ in 0..places {
                    // A length is below 32 bits.
                    varying.push(from.structure.length(length, "a digit's place")? as u32);
                }
                let numbers = from.ints(count)?;
                let template = self.text(length)?;
                Ok(Form::Masked {
                    template,
                    varying,
                    numbers,
                })
            }
            COLUMN_HEX => {
                let case = Case::read(from.structure.u8()?)?;
                let digits = from.structure.varint()?;
                let digits = u32::try_from(digits).ok().filter(|digits| *digits > 0);
                let bytes = digits.and_then(|digits| render::hex_bytes(digits, count));
                let (Some(digits), Some(bytes)) = (digits, bytes) else {
                    return Err(Error::corrupt(
                        "a hexadecimal column has an impossible width",
                    ));
                };
                let packed = from.bodies.take(bytes)?;
                Ok(Form::Hex {
                    digits,
                    case,
                    packed,
                })
            }
            COLUMN_UUIDS => {
                let case = Case::read(from.structure.u8()?)?;
                let packed = from.bodies.take(count.saturating_mul(16))?;
                Ok(Form::Uuids { case, packed })
            }
            COLUMN_ADDRESSES => {
                let mut plane = || from.plane(count);
                Ok(Form::Addresses([plane()?, plane()?, plane()?, plane()?]))
            }
            tag => Err(Error::corrupt(format!("a column has unknown tag {tag}"))),
        }
    }
}
