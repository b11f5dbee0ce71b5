//! Puts texts together from the pieces of their shapes and the texts of their columns.
//!
//! Most pieces are short: they are copied by whole steps, a little more than they have, where there
//! is room for it.

use crate::error::{Error, Result};

use super::span::Span;

/// Stands for the column behind the last piece of a shape.
pub(super) const NO_COLUMN: u32 = u32::MAX;

/// How many bytes a short piece and a longer one are copied as; what is longer still is left to the
/// system's copy.
const STEP: usize = 16;
const LONG_STEP: usize = 32;

/// Shapes, the shape of each text, and the columns' texts.
#[derive(Default)]
pub(super) struct Rows {
    /// Each piece of fixed text with the column behind it.
    pub(super) pieces: Vec<(Span, u32)>,
    /// The pieces of each shape, from and to; its last has no column.
    pub(super) shapes: Vec<(u32, u32)>,
    pub(super) ids: Vec<u32>,
    /// The texts of all columns, one column behind the other.
    pub(super) spans: Vec<Span>,
    /// Where each column begins in them.
    pub(super) starts: Vec<u32>,
}

/// Texts that were put together.
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: Vec<Span>,
}

impl Rows {
    /// How many texts each of the columns has.
    pub(super) fn column_sizes(&self, columns: usize) -> Vec<usize> {
        let mut uses = vec![0usize; self.shapes.len()];
        for id in &self.ids {
            uses[*id as usize] += 1;
        }
        let mut sizes = vec![0usize; columns];
        for ((start, end), uses) in self.shapes.iter().zip(uses) {
            for (_, column) in &self.pieces[*start as usize..*end as usize] {
                if *column != NO_COLUMN {
                    let size = &mut sizes[*column as usize];
                    *size = size.saturating_add(uses);
                }
            }
        }
        sizes
    }

    /// How long all texts are together.
    pub(super) fn text_bytes(&self) -> usize {
        let fixed: Vec<usize> = self
            .shapes
            .iter()
            .map(|(start, end)| {
                let pieces = &self.pieces[*start as usize..*end as usize];
                pieces.iter().map(|(piece, _)| piece.length as usize).sum()
            })
            .collect();
        let fixed = self.ids.iter().map(|id| fixed[*id as usize]);
        let varying = self.spans.iter().map(|text| text.length as usize);
        fixed.chain(varying).fold(0, usize::saturating_add)
    }

    /// All texts, which are `bytes` long together.
    pub(super) fn texts(&self, arena: &[u8], bytes: usize) -> Result<Texts> {
        let mut texts = Texts {
            bytes: vec![0; bytes],
            spans: Vec::with_capacity(self.ids.len()),
        };
        let mut cursors = self.starts.clone();
        let mut at = 0;
        for id in &self.ids {
            let end = self.put_text(*id, arena, &mut cursors, &mut texts.bytes, at)?;
            texts.spans.push(Span::between(at, end));
            at = end;
        }
        Ok(texts)
    }

    /// Fills a strip: chunks of so many texts each, their lengths before them.
    pub(super) fn write_strip(&self, counts: &[u32], arena: &[u8], strip: &mut [u8]) -> Result<()> {
        let mut cursors = self.starts.clone();
        let (mut at, mut ids) = (0, self.ids.iter());
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
        let (start, end) = self.shapes[shape as usize];
        for (piece, column) in &self.pieces[start as usize..end as usize] {
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
fn put(out: &mut [u8], at: usize, from: &[u8], piece: Span) -> Option<usize> {
    let (start, length) = (piece.start as usize, piece.length as usize);
    let is_put = if length <= STEP {
        put_step::<STEP>(out, at, from, start)
    } else if length <= LONG_STEP {
        put_step::<LONG_STEP>(out, at, from, start)
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
