//! Puts texts together from the pieces of their shapes and the texts of their columns.
//!
//! Most pieces are short: they are copied by whole steps, a little more than they have, where there
//! is room for it.

use crate::error::{Error, Result};

use super::columns::{Canvas, NO_COLUMN, Rows};
use super::span::Span;

/// How many bytes a short piece and longer ones are copied as; what is longer still is left to the
/// system's copy.
const STEP: usize = 16;
const LONG_STEP: usize = 32;
const LONGEST_STEP: usize = 64;

/// Rows whose columns are rendered.
pub(super) struct Assembly<'r, 'a> {
    rows: &'r Rows<'a>,
    /// The texts of all columns, one column behind the other.
    spans: Vec<Span>,
    /// Where each column begins in them.
    starts: Vec<u32>,
}

impl<'r, 'a> Assembly<'r, 'a> {
    /// Renders all columns; `spans` is an empty buffer.
    pub(super) fn of(
        rows: &'r Rows<'a>,
        canvas: &mut Canvas<'_>,
        mut spans: Vec<Span>,
    ) -> Result<Self> {
        let mut starts = Vec::with_capacity(rows.columns.len());
        spans.reserve(rows.columns.iter().map(|column| column.count).sum());
        for column in &rows.columns {
            starts.push(spans.len() as u32);
            let wanted = spans.len() + column.count;
            column.render(canvas, &mut spans)?;
            assert_eq!(spans.len(), wanted, "a column gives what it was asked for");
        }
        Ok(Assembly {
            rows,
            spans,
            starts,
        })
    }

    /// The buffer of spans, to be used again.
    pub(super) fn into_spans(self) -> Vec<Span> {
        self.spans
    }

    /// How long all texts are together.
    pub(super) fn text_bytes(&self) -> usize {
        let shapes = 0..self.rows.shapes.len() as u32;
        let fixed: Vec<usize> = shapes
            .map(|shape| {
                let pieces = self.rows.pieces_of(shape);
                pieces.iter().map(|(piece, _)| piece.length as usize).sum()
            })
            .collect();
        let fixed = self.rows.ids.iter().map(|id| fixed[*id as usize]);
        let varying = self.spans.iter().map(|text| text.length as usize);
        fixed.chain(varying).fold(0, usize::saturating_add)
    }

    /// Writes all texts to `out`, which is as long as they are, and appends their places to `spans`
    /// as if `out` began at `start`.
    pub(super) fn write_texts(
        &self,
        arena: &[u8],
        out: &mut [u8],
        start: usize,
        spans: &mut Vec<Span>,
    ) -> Result<()> {
        let mut cursors = self.starts.clone();
        let mut at = 0;
        for id in &self.rows.ids {
            let end = self.put_text(*id, arena, &mut cursors, out, at)?;
            spans.push(Span::between(start + at, start + end));
            at = end;
        }
        Ok(())
    }

    /// Fills a strip: chunks of so many texts each, their lengths before them.
    pub(super) fn write_strip(&self, counts: &[u32], arena: &[u8], strip: &mut [u8]) -> Result<()> {
        let mut cursors = self.starts.clone();
        let (mut at, mut ids) = (0, self.rows.ids.iter());
        for count in counts {
            let mut length_at = at + 4;
            let head = strip.get_mut(at..length_at).ok_or_else(too_short)?;
            head.copy_from_slice(&count.to_le_bytes());
            at = length_at + 4 * *count as usize;
            for id in ids.by_ref().take(*count as usize) {
                let end = self.put_text(*id, arena, &mut cursors, strip, at)?;
                // A strip is below 4 GiB.
                let length = ((end - at) as u32).to_le_bytes();
                strip[length_at..length_at + 4].copy_from_slice(&length);
                (at, length_at) = (end, length_at + 4);
            }
        }
        match at == strip.len() {
            true => Ok(()),
            false => Err(Error::corrupt(
                "a strip of texts is shorter than it should be",
            )),
        }
    }

    /// Writes the next text, which has this shape, and returns where it ends.
    #[inline]
    fn put_text(
        &self,
        shape: u32,
        arena: &[u8],
        cursors: &mut [u32],
        out: &mut [u8],
        mut at: usize,
    ) -> Result<usize> {
        for (piece, column) in self.rows.pieces_of(shape) {
            at = put(out, at, arena, *piece).ok_or_else(too_short)?;
            if *column != NO_COLUMN {
                let cursor = &mut cursors[*column as usize];
                let text = self.spans[*cursor as usize];
                *cursor += 1;
                at = put(out, at, arena, text).ok_or_else(too_short)?;
            }
        }
        Ok(at)
    }
}

#[cold]
fn too_short() -> Error {
    Error::corrupt("the texts of a strip are longer than the strip")
}

/// Copies a piece to `at` and returns where it ends; none where there is no room.
#[inline(always)]
pub(super) fn put(out: &mut [u8], at: usize, from: &[u8], piece: Span) -> Option<usize> {
    let (start, length) = (piece.start as usize, piece.length as usize);
    let is_put = if length <= STEP {
        put_step::<STEP>(out, at, from, start)
    } else if length <= LONG_STEP {
        put_step::<LONG_STEP>(out, at, from, start)
    } else if length <= LONGEST_STEP {
        put_step::<LONGEST_STEP>(out, at, from, start)
    } else {
        false
    };
    if !is_put {
        let text = from.get(start..start + length)?;
        out.get_mut(at..at + length)?.copy_from_slice(text);
    }
    Some(at + length)
}

/// Copies so many bytes, if both sides have them.
#[inline(always)]
fn put_step<const BYTES: usize>(out: &mut [u8], at: usize, from: &[u8], start: usize) -> bool {
    let from = from.get(start..start + BYTES);
    match (out.get_mut(at..at + BYTES), from) {
        (Some(to), Some(from)) => {
            to.copy_from_slice(from);
            true
        }
        _ => false,
    }
}
