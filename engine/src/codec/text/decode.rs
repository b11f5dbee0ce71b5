//! Reads a strip of texts back: columns are rendered one by one, then texts are put together from
//! pieces by copying.
//!
//! Allocations are bounded by the strip's length, which the caller vouches for: in what an encoder
//! writes, each thing that bytes claim to be there becomes at least a byte of the strip.

use std::borrow::Cow;

use crate::error::{Error, Result};

use super::assemble::{NO_COLUMN, Rows};
use super::sections::{Opened, SectionsReader, Unsqueeze};
use super::span::Span;
use super::symbols::read_ints;
use super::typed::Case;
use super::{
    COLUMN_ADDRESSES, COLUMN_AFFIXED, COLUMN_DECIMALS, COLUMN_DICTIONARY, COLUMN_HEX,
    COLUMN_INTEGERS, COLUMN_MASKED, COLUMN_PLAIN, COLUMN_SHAPES, COLUMN_SMALL, COLUMN_UUIDS,
    render, symbols,
};

/// Columns inside of columns: a field's shapes, a dictionary in those, its entries.
const DEPTH_MAX: usize = 5;

/// What is rendered takes at most so many bytes for each of the strip's.
const ARENA_FACTOR: usize = 32;

/// So much is granted to strips however short.
const SLACK_BYTES: usize = 4096;

/// Large buffers that decoding reuses from strip to strip.
#[derive(Default)]
pub(crate) struct Scratch {
    arena: Vec<u8>,
    spans: Vec<Span>,
}

impl Scratch {
    /// How much memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}

pub(super) fn decode(
    encoded: &[u8],
    strip: &mut [u8],
    unsqueeze: &mut Unsqueeze<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    let Some((&super::TAG, stored)) = encoded.split_first() else {
        return Err(Error::corrupt("a strip of texts has another tag"));
    };
    let sections_max = strip.len().saturating_mul(4).saturating_add(SLACK_BYTES);
    let opened = Opened::read(stored, sections_max, unsqueeze)?;
    let arena_max = strip.len().saturating_mul(ARENA_FACTOR);
    let mut arena = std::mem::take(&mut scratch.arena);
    arena.clear();
    arena.extend_from_slice(&opened.texts);
    let mut decoder = Decoder {
        text_next: 0,
        text_end: opened.texts.len(),
        arena,
        // Places in it are kept in 32 bits.
        arena_max: arena_max.min(u32::MAX as usize),
        holes_left: strip.len().saturating_mul(2),
        from: opened.reader(unsqueeze),
    };
    let counts = decoder.counts(strip.len())?;
    let texts = counts.iter().map(|count| *count as usize).sum();
    let mut spans = std::mem::take(&mut scratch.spans);
    spans.clear();
    let rows = decoder.rows(texts, 0, spans)?;
    decoder.finish()?;
    let written = rows.write_strip(&counts, &decoder.arena, strip);
    *scratch = Scratch {
        arena: decoder.arena,
        spans: rows.spans,
    };
    written
}

struct Decoder<'a, 'u> {
    from: SectionsReader<'a, 'u>,
    /// The section of texts, then everything rendered.
    arena: Vec<u8>,
    arena_max: usize,
    text_next: usize,
    text_end: usize,
    holes_left: usize,
}

impl Decoder<'_, '_> {
    fn counts(&mut self, bytes_max: usize) -> Result<Vec<u32>> {
        let structure = &mut self.from.structure;
        let chunks = structure.length(structure.remaining(), "the number of chunks")?;
        let mut counts = Vec::with_capacity(chunks);
        // Each text takes four bytes of the strip for its length.
        let mut left = bytes_max / 4;
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

    /// Asks for room to render `count` texts of at most `bytes` each.
    fn room(&self, count: usize, bytes: usize) -> Result<()> {
        let needed = count.saturating_mul(bytes).saturating_add(self.arena.len());
        match needed <= self.arena_max.max(self.text_end + SLACK_BYTES) {
            true => Ok(()),
            false => Err(Error::corrupt(
                "columns claim more text than their strip has",
            )),
        }
    }

    fn finish(&self) -> Result<()> {
        let from = &self.from;
        let all = from.structure.is_empty() && from.bodies.is_empty();
        match all && self.text_next == self.text_end {
            true => Ok(()),
            false => Err(Error::corrupt("bytes behind the last column of a strip")),
        }
    }

    /// Reads the shapes of `count` texts and their columns, whose texts go to `spans`, still empty.
    fn rows(&mut self, count: usize, depth: usize, spans: Vec<Span>) -> Result<Rows> {
        let structure = &mut self.from.structure;
        // A column and a shape take at least a byte each.
        let columns = structure.length(structure.remaining(), "the number of columns")?;
        let shapes = structure.length(structure.remaining(), "the number of shapes")?;
        let mut rows = Rows {
            spans,
            ..Rows::default()
        };
        for _ in 0..shapes {
            self.shape(columns, &mut rows)?;
        }
        rows.ids = symbols::read(count, shapes, &mut self.from)?;
        let sizes = rows.column_sizes(columns);
        for size in sizes {
            self.holes_left = self
                .holes_left
                .checked_sub(size)
                .ok_or_else(|| Error::corrupt("shapes have more holes than their strip bytes"))?;
            rows.starts.push(rows.spans.len() as u32);
            let wanted = rows.spans.len() + size;
            self.column(size, depth, &mut rows.spans)?;
            assert_eq!(
                rows.spans.len(),
                wanted,
                "a column gives what it was asked for"
            );
        }
        Ok(rows)
    }

    fn shape(&mut self, columns: usize, rows: &mut Rows) -> Result<()> {
        let structure = &mut self.from.structure;
        let holes = structure.length(structure.remaining() / 2, "a shape's number of holes")?;
        let start = rows.pieces.len() as u32;
        for _ in 0..holes {
            let length = self
                .from
                .structure
                .length(self.text_end, "a piece's length")?;
            let column = self.from.structure.varint()?;
            if column >= columns as u64 {
                return Err(Error::corrupt("a hole's column does not exist"));
            }
            let piece = self.text(length)?;
            rows.pieces.push((piece, column as u32));
        }
        let length = self
            .from
            .structure
            .length(self.text_end, "a piece's length")?;
        let last = self.text(length)?;
        rows.pieces.push((last, NO_COLUMN));
        rows.shapes.push((start, rows.pieces.len() as u32));
        Ok(())
    }

    /// Appends the `count` texts of the next column.
    fn column(&mut self, count: usize, depth: usize, spans: &mut Vec<Span>) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(Error::corrupt("columns are nested too deeply"));
        }
        match self.from.structure.u8()? {
            COLUMN_SMALL => {
                for _ in 0..count {
                    let length = self
                        .from
                        .structure
                        .length(self.text_end, "a text's length")?;
                    spans.push(self.text(length)?);
                }
                Ok(())
            }
            COLUMN_PLAIN => {
                for length in read_ints(count, &mut self.from.bodies)? {
                    let length = usize::try_from(length)
                        .map_err(|_| Error::corrupt("a text's length is negative"))?;
                    spans.push(self.text(length)?);
                }
                Ok(())
            }
            COLUMN_DICTIONARY => self.dictionary(count, depth, spans),
            COLUMN_AFFIXED => self.affixed(count, depth, spans),
            COLUMN_SHAPES => self.nested(count, depth, spans),
            tag => self.typed(tag, count, spans),
        }
    }

    fn dictionary(&mut self, count: usize, depth: usize, spans: &mut Vec<Span>) -> Result<()> {
        let distinct = self.from.structure.length(count, "a dictionary's size")?;
        let mut entries = Vec::new();
        self.column(distinct, depth + 1, &mut entries)?;
        let ids = symbols::read(count, distinct, &mut self.from)?;
        spans.extend(ids.iter().map(|id| entries[*id as usize]));
        Ok(())
    }

    fn affixed(&mut self, count: usize, depth: usize, spans: &mut Vec<Span>) -> Result<()> {
        let prefix = self.from.structure.length(self.text_end, "a prefix")?;
        let suffix = self.from.structure.length(self.text_end, "a suffix")?;
        let (prefix, suffix) = (self.text(prefix)?, self.text(suffix)?);
        let mut rest = Vec::new();
        self.column(count, depth + 1, &mut rest)?;
        let affixes = prefix.length as usize + suffix.length as usize;
        let bytes: usize = rest.iter().map(|text| text.length as usize).sum();
        self.room(1, bytes)?;
        self.room(count, affixes)?;
        for text in rest {
            let start = self.arena.len();
            for part in [prefix, text, suffix] {
                self.arena
                    .extend_from_within(part.start as usize..part.end());
            }
            spans.push(Span::between(start, self.arena.len()));
        }
        Ok(())
    }

    /// Texts with shapes of their own.
    fn nested(&mut self, count: usize, depth: usize, spans: &mut Vec<Span>) -> Result<()> {
        let rows = self.rows(count, depth + 1, Vec::new())?;
        let bytes = rows.text_bytes();
        self.room(1, bytes)?;
        let texts = rows.texts(&self.arena, bytes)?;
        let start = self.arena.len();
        self.arena.extend_from_slice(&texts.bytes);
        let moved = |text: &Span| Span::between(start + text.start as usize, start + text.end());
        spans.extend(texts.spans.iter().map(moved));
        Ok(())
    }

    fn typed(&mut self, tag: u8, count: usize, spans: &mut Vec<Span>) -> Result<()> {
        let from = &mut self.from;
        match tag {
            COLUMN_INTEGERS => {
                let numbers = read_ints(count, &mut from.bodies)?;
                self.room(count, render::SLOT_BYTES)?;
                render::integers(&numbers, &mut self.arena, spans)
            }
            COLUMN_DECIMALS => {
                let places = from.structure.u8()?;
                let numbers = read_ints(count, &mut from.bodies)?;
                self.room(count, render::SLOT_BYTES)?;
                render::decimals(places, &numbers, &mut self.arena, spans)
            }
            COLUMN_MASKED => {
                let length = from.structure.length(self.text_end, "a text's length")?;
                let places = from.structure.length(length, "the number of digits")?;
                let mut varying = Vec::with_capacity(places);
                for _ in 0..places {
                    // A length is below 32 bits.
                    varying.push(from.structure.length(length, "a digit's place")? as u32);
                }
                let numbers = read_ints(count, &mut from.bodies)?;
                let template = self.text(length)?;
                self.room(count, length)?;
                render::masked(template, &varying, &numbers, &mut self.arena, spans)
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
                self.room(count, digits as usize + 8)?;
                render::hex(digits, case, packed, &mut self.arena, spans);
                Ok(())
            }
            COLUMN_UUIDS => {
                let case = Case::read(from.structure.u8()?)?;
                let packed = from.bodies.take(count.saturating_mul(16))?;
                self.room(count, render::UUID_BYTES)?;
                render::uuids(case, packed, &mut self.arena, spans);
                Ok(())
            }
            COLUMN_ADDRESSES => {
                let mut planes: [Cow<'_, [u8]>; 4] = Default::default();
                for plane in &mut planes {
                    *plane = from.numbers(count)?;
                }
                self.room(count, render::SLOT_BYTES)?;
                render::addresses(&planes, &mut self.arena, spans);
                Ok(())
            }
            tag => Err(Error::corrupt(format!("a column has unknown tag {tag}"))),
        }
    }
}
