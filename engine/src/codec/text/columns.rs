//! An encoded strip as it is read: shapes, and columns whose texts are not written yet.
//!
//! Reading checks that the parts fit each other. What a search does not look at is never rendered.

use std::borrow::Cow;
use std::ops::Range;

use crate::codec::bytes::Cursor;
use crate::codec::ints;
use crate::error::{Error, Result};

use super::assemble::Assembly;
use super::pick::Walk;
use super::render;
use super::sections::{Plane, Unsqueeze};
use super::span::Span;
use super::symbols::Symbols;
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
        ids: Symbols<'a>,
    },
    Rows(Box<Rows<'a>>),
    /// A packed column of them.
    Integers(&'a [u8]),
    Decimals {
        places: u8,
        scaled: &'a [u8],
    },
    Masked {
        template: Span,
        varying: Vec<u32>,
        numbers: &'a [u8],
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
    Addresses([Plane<'a>; 4]),
}

/// The section of texts, and behind it what was rendered.
pub(super) struct Canvas<'u> {
    pub(super) bytes: Vec<u8>,
    /// Most that may stand in it. Places are kept in 32 bits.
    bytes_max: usize,
    pub(super) unsqueeze: &'u mut Unsqueeze<'u>,
    /// Idle buffers.
    pub(super) spare: Vec<Span>,
    pub(super) numbers: Vec<i64>,
}

impl<'u> Canvas<'u> {
    /// `bytes` are the section of texts; what is rendered may take `rendered_max`.
    pub(super) fn new(
        bytes: Vec<u8>,
        rendered_max: usize,
        unsqueeze: &'u mut Unsqueeze<'u>,
    ) -> Self {
        let least = bytes.len().saturating_add(SLACK_BYTES);
        let bytes_max = rendered_max.max(least).min(u32::MAX as usize);
        Canvas {
            bytes,
            bytes_max,
            unsqueeze,
            spare: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Unpacks a column of `count` integers.
    fn unpack(&mut self, packed: &[u8], count: usize) -> Result<()> {
        self.numbers.clear();
        ints::decode(&mut Cursor::new(packed), count, &mut self.numbers)
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
    /// Renders all texts and appends their places to `spans`.
    pub(super) fn render(&self, canvas: &mut Canvas<'_>, spans: &mut Vec<Span>) -> Result<()> {
        let count = self.count;
        match &self.form {
            Form::Texts(texts) => spans.extend_from_slice(texts),
            Form::Dictionary { entries, ids } => {
                let mut texts = Vec::with_capacity(entries.count);
                entries.render(canvas, &mut texts)?;
                let ids = ids.open(canvas.unsqueeze)?;
                spans.extend(ids.iter().map(|id| texts[*id as usize]));
            }
            Form::Rows(rows) => rows.render(canvas, spans)?,
            Form::Integers(packed) => {
                canvas.room(count, render::SLOT_BYTES)?;
                canvas.unpack(packed, count)?;
                render::integers(&canvas.numbers, &mut canvas.bytes, spans)?;
            }
            Form::Decimals { places, scaled } => {
                canvas.room(count, render::SLOT_BYTES)?;
                canvas.unpack(scaled, count)?;
                render::decimals(*places, &canvas.numbers, &mut canvas.bytes, spans)?;
            }
            Form::Masked {
                template,
                varying,
                numbers,
            } => {
                canvas.room(count, template.length as usize)?;
                canvas.unpack(numbers, count)?;
                let Canvas { numbers, bytes, .. } = canvas;
                render::masked(*template, varying, numbers, bytes, spans)?;
            }
            Form::Hex { .. } | Form::Uuids { .. } => {
                self.render_packed(0..count, canvas, spans)?;
            }
            Form::Addresses(planes) => {
                canvas.room(count, render::SLOT_BYTES)?;
                let mut opened: [Cow<'_, [u8]>; 4] = Default::default();
                for (opened, plane) in opened.iter_mut().zip(planes) {
                    *opened = plane.open(canvas.unsqueeze)?;
                }
                let planes = opened.each_ref().map(|plane| &**plane);
                render::addresses(planes, &mut canvas.bytes, spans);
            }
        }
        Ok(())
    }

    /// Renders some texts of a column that can be entered anywhere, and tells whether it is one.
    pub(super) fn render_packed(
        &self,
        range: Range<usize>,
        canvas: &mut Canvas<'_>,
        spans: &mut Vec<Span>,
    ) -> Result<bool> {
        match &self.form {
            Form::Hex {
                digits,
                case,
                packed,
            } => {
                canvas.room(range.len(), *digits as usize + 8)?;
                let each = (*digits as usize).div_ceil(2);
                let packed = &packed[range.start * each..range.end * each];
                render::hex(*digits, *case, packed, &mut canvas.bytes, spans);
            }
            Form::Uuids { case, packed } => {
                canvas.room(range.len(), render::UUID_BYTES)?;
                let packed = &packed[range.start * 16..range.end * 16];
                render::uuids(*case, packed, &mut canvas.bytes, spans);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Renders all texts, once; of a dictionary the entries.
    pub(super) fn settle(&mut self, canvas: &mut Canvas<'_>) -> Result<()> {
        match &mut self.form {
            Form::Texts(_) => Ok(()),
            Form::Dictionary { entries, ids } => {
                ids.known(canvas.unsqueeze)?;
                entries.settle(canvas)
            }
            _ => {
                let mut spans = Vec::with_capacity(self.count);
                self.render(canvas, &mut spans)?;
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
    fn render(&self, canvas: &mut Canvas<'_>, spans: &mut Vec<Span>) -> Result<()> {
        let assembly = Assembly::of(self, canvas, Vec::new())?;
        let bytes = assembly.text_bytes();
        canvas.room(1, bytes)?;
        let start = canvas.bytes.len();
        canvas.bytes.resize(start + bytes, 0);
        let (from, to) = canvas.bytes.split_at_mut(start);
        assembly.write_texts(from, to, start, spans)
    }
}
