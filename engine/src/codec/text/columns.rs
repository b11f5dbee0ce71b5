//! An encoded strip as it is read: shapes, and columns whose texts are not written yet.
//!
//! Reading checks that the parts fit each other. What a search does not look at is never rendered.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, Result};

use super::pick::Walk;
use super::render;
use super::span::Span;
use super::typed::Case;

/// Stands for the column behind the last piece of a shape.
pub(super) const NO_COLUMN: u32 = u32::MAX;

/// So much rendered text is granted to strips however short.
const SLACK_BYTES: usize = 4096;

/// Texts with shapes.
#[derive(Default)]
pub(super) struct Rows<'a> {
    /// Each piece of fixed text with the column behind it.
    pub(super) pieces: Vec<(Span, u32)>,
    /// The pieces of each shape, from and to; its last has no column.
    pub(super) shapes: Vec<(u32, u32)>,
    /// The shape of each text.
    pub(super) ids: Vec<u32>,
    pub(super) columns: Vec<Column<'a>>,
    pub(super) walk: Walk,
}

/// What stands in the holes behind one text.
pub(super) struct Column<'a> {
    pub(super) count: usize,
    pub(super) form: Form<'a>,
}

/// Texts of a column, as they are kept.
pub(super) enum Form<'a> {
    /// In the canvas, one behind the other.
    Texts(Vec<Span>),
    Dictionary {
        entries: Box<Column<'a>>,
        ids: Vec<u32>,
    },
    Rows(Box<Rows<'a>>),
    Integers(Vec<i64>),
    Decimals {
        places: u8,
        scaled: Vec<i64>,
    },
    Masked {
        template: Span,
        varying: Vec<u32>,
        numbers: Vec<i64>,
    },
    /// [`render::hex_bytes`] for each text.
    Hex {
        digits: u32,
        case: Case,
        packed: &'a [u8],
    },
    /// Sixteen bytes for each text.
    Uuids {
        case: Case,
        packed: &'a [u8],
    },
    /// Planes of a byte for each text.
    Addresses([Cow<'a, [u8]>; 4]),
}

/// The section of texts, and behind it what was rendered.
pub(super) struct Canvas {
    pub(super) bytes: Vec<u8>,
    /// Most that may stand in it. Places are kept in 32 bits.
    bytes_max: usize,
    /// An idle buffer.
    pub(super) spare: Vec<Span>,
}

impl Canvas {
    /// `bytes` are the section of texts; what is rendered may take `rendered_max`.
    pub(super) fn new(bytes: Vec<u8>, rendered_max: usize) -> Canvas {
        let least = bytes.len().saturating_add(SLACK_BYTES);
        let bytes_max = rendered_max.max(least).min(u32::MAX as usize);
        Canvas {
            bytes,
            bytes_max,
            spare: Vec::new(),
        }
    }

    /// Asks for room to render `count` texts of at most `bytes` each.
    pub(super) fn room(&self, count: usize, bytes: usize) -> Result<()> {
        let needed = count.saturating_mul(bytes);
        match needed.saturating_add(self.bytes.len()) <= self.bytes_max {
            true => Ok(()),
            false => Err(Error::corrupt(
                "columns claim more text than their strip has",
            )),
        }
    }
}

impl Column<'_> {
    /// Renders some of the texts and appends their places to `spans`.
    pub(super) fn render(
        &self,
        range: Range<usize>,
        canvas: &mut Canvas,
        spans: &mut Vec<Span>,
    ) -> Result<()> {
        let count = range.len();
        match &self.form {
            Form::Texts(texts) => spans.extend_from_slice(&texts[range]),
            Form::Dictionary { entries, ids } => {
                let mut texts = Vec::new();
                entries.render(0..entries.count, canvas, &mut texts)?;
                spans.extend(ids[range].iter().map(|id| texts[*id as usize]));
            }
            Form::Rows(rows) => {
                assert_eq!(range, 0..self.count, "rows are rendered as a whole");
                rows.render(canvas, spans)?;
            }
            Form::Integers(numbers) => {
                canvas.room(count, render::SLOT_BYTES)?;
                render::integers(&numbers[range], &mut canvas.bytes, spans)?;
            }
            Form::Decimals { places, scaled } => {
                canvas.room(count, render::SLOT_BYTES)?;
                render::decimals(*places, &scaled[range], &mut canvas.bytes, spans)?;
            }
            Form::Masked {
                template,
                varying,
                numbers,
            } => {
                canvas.room(count, template.length as usize)?;
                let numbers = &numbers[range];
                render::masked(*template, varying, numbers, &mut canvas.bytes, spans)?;
            }
            Form::Hex {
                digits,
                case,
                packed,
            } => {
                canvas.room(count, *digits as usize + 8)?;
                let each = (*digits as usize).div_ceil(2);
                let packed = &packed[range.start * each..range.end * each];
                render::hex(*digits, *case, packed, &mut canvas.bytes, spans);
            }
            Form::Uuids { case, packed } => {
                canvas.room(count, render::UUID_BYTES)?;
                let packed = &packed[range.start * 16..range.end * 16];
                render::uuids(*case, packed, &mut canvas.bytes, spans);
            }
            Form::Addresses(planes) => {
                canvas.room(count, render::SLOT_BYTES)?;
                let planes = planes.each_ref().map(|plane| &plane[range.clone()]);
                render::addresses(planes, &mut canvas.bytes, spans);
            }
        }
        Ok(())
    }

    /// Renders all texts, once; of a dictionary the entries.
    pub(super) fn settle(&mut self, canvas: &mut Canvas) -> Result<()> {
        match &mut self.form {
            Form::Texts(_) => Ok(()),
            Form::Dictionary { entries, .. } => entries.settle(canvas),
            _ => {
                let mut spans = Vec::with_capacity(self.count);
                self.render(0..self.count, canvas, &mut spans)?;
                self.form = Form::Texts(spans);
                Ok(())
            }
        }
    }
}

impl Rows<'_> {
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

    /// The pieces of a shape, each with the column behind it.
    pub(super) fn pieces_of(&self, shape: u32) -> &[(Span, u32)] {
        let (start, end) = self.shapes[shape as usize];
        &self.pieces[start as usize..end as usize]
    }

    /// Puts all texts together at the canvas' end.
    fn render(&self, canvas: &mut Canvas, spans: &mut Vec<Span>) -> Result<()> {
        let assembly = super::assemble::Assembly::of(self, canvas, Vec::new())?;
        let bytes = assembly.text_bytes();
        canvas.room(1, bytes)?;
        let start = canvas.bytes.len();
        canvas.bytes.resize(start + bytes, 0);
        let (from, to) = canvas.bytes.split_at_mut(start);
        assembly.write_texts(from, to, start, spans)
    }
}
