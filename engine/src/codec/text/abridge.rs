//! Puts texts together with no more of them than a reader says is enough.
//!
//! A reader looks at shapes, of which there are few, and not at lines: it names the holes that it
//! needs and gives the text that is to stand between them. Columns that nobody needs are never
//! rendered; they are asked only whether their texts are of the sort on which the reader counts.
//! Texts of a shape that the reader does not know, or whose holes hold something else, stay whole.

use crate::error::{Error, Result};

use super::assemble::put;
use super::columns::{Canvas, NO_COLUMN, Rows};
use super::decode;
use super::filling::{Abridge, Abridged, Asked};
use super::sections::Unsqueeze;
use super::span::Span;
use super::{Found, Scratch};

/// Where shapes are more than such a part of the texts, they are not worth a look at each.
const SHAPES_PART: usize = 4;

/// Stands for the texts of a column that nobody needs.
const NOT_RENDERED: u32 = u32::MAX;

/// All texts of a strip that has `strip_bytes` bytes when it is decoded, abridged. None where it
/// has to be decoded instead: it has other than one list, or nothing can be left out.
pub(crate) fn abridge(
    encoded: &[u8],
    strip_bytes: usize,
    reader: &dyn Abridge,
    unsqueeze: &mut Unsqueeze<'_>,
    scratch: &mut Scratch,
) -> Result<Option<Found>> {
    let opened = decode::open(encoded, strip_bytes, unsqueeze)?;
    let canvas = std::mem::take(&mut scratch.canvas);
    let (parsed, mut canvas) = decode::parse(&opened, strip_bytes, unsqueeze, canvas)?;
    let rows = &parsed.rows;
    let is_one = parsed.counts.len() == 1 && rows.shapes.len() * SHAPES_PART <= rows.ids.len();
    let found = match is_one.then(|| plans(rows, reader, &canvas)).flatten() {
        Some(plans) => match Ways::new(rows, &plans, &mut canvas)? {
            Some(ways) => ways.write(strip_bytes, &canvas)?,
            None => None,
        },
        None => None,
    };
    scratch.canvas = canvas.bytes;
    Ok(found)
}

/// What is enough of each shape; none of those whose texts stay whole, and none at all if all do.
fn plans(
    rows: &Rows<'_>,
    reader: &dyn Abridge,
    canvas: &Canvas<'_>,
) -> Option<Vec<Option<Abridged>>> {
    let mut asked = Asked::default();
    let shapes = 0..rows.shapes.len() as u32;
    let plans: Vec<Option<Abridged>> = shapes
        .map(|shape| {
            let pieces = rows.pieces_of(shape);
            let texts: Vec<&[u8]> = pieces
                .iter()
                .map(|(piece, _)| piece.of(&canvas.bytes))
                .collect();
            let plan = reader.shape(&texts)?;
            assert!(
                plan.fillings.len() + 1 == pieces.len(),
                "a reader says what each hole must be"
            );
            let mut holes = pieces.iter().zip(&plan.fillings);
            holes
                .all(|((_, column), filling)| asked.meets(rows, *column, *filling, &canvas.bytes))
                .then_some(plan)
        })
        .collect();
    plans.iter().any(Option::is_some).then_some(plans)
}

/// A text, and the column whose next text follows it, or is passed over.
struct Step {
    text: Span,
    column: u32,
    is_put: bool,
}

/// How the texts of each shape are put together.
struct Ways<'r, 'a> {
    rows: &'r Rows<'a>,
    steps: Vec<Step>,
    /// The steps of each shape, from and to.
    shapes: Vec<(usize, usize)>,
    /// The texts of all columns that are needed, one column behind the other.
    spans: Vec<Span>,
    /// Where each column begins in them.
    starts: Vec<u32>,
}

impl<'r, 'a> Ways<'r, 'a> {
    /// None where there is no room for what a reader gives.
    fn new(
        rows: &'r Rows<'a>,
        plans: &[Option<Abridged>],
        canvas: &mut Canvas<'_>,
    ) -> Result<Option<Self>> {
        let mut ways = Ways {
            rows,
            steps: Vec::new(),
            shapes: Vec::with_capacity(plans.len()),
            spans: Vec::new(),
            starts: vec![NOT_RENDERED; rows.columns.len()],
        };
        ways.render(plans, canvas)?;
        for (shape, plan) in plans.iter().enumerate() {
            let start = ways.steps.len();
            match plan {
                Some(plan) if ways.abridged(shape as u32, plan, canvas).is_none() => {
                    return Ok(None);
                }
                Some(_) => {}
                None => ways.whole(shape as u32),
            }
            ways.shapes.push((start, ways.steps.len()));
        }
        Ok(Some(ways))
    }

    /// Renders the columns that a shape needs.
    fn render(&mut self, plans: &[Option<Abridged>], canvas: &mut Canvas<'_>) -> Result<()> {
        let mut needed = vec![false; self.rows.columns.len()];
        for (shape, plan) in plans.iter().enumerate() {
            let pieces = self.rows.pieces_of(shape as u32);
            let mut need = |hole: usize| match pieces.get(hole) {
                Some((_, column)) if *column != NO_COLUMN => needed[*column as usize] = true,
                _ => {}
            };
            match plan {
                Some(plan) => plan.parts.iter().for_each(|(_, hole)| need(*hole)),
                None => (0..pieces.len()).for_each(need),
            }
        }
        let columns = self.rows.columns.iter().zip(&mut self.starts).zip(needed);
        for ((column, start), _) in columns.filter(|(_, needed)| *needed) {
            // Texts are bounded by what a canvas may hold, which is below 32 bits.
            *start = self.spans.len() as u32;
            let wanted = self.spans.len() + column.count;
            column.render(canvas, &mut self.spans)?;
            assert_eq!(
                self.spans.len(),
                wanted,
                "a column gives what it was asked for"
            );
        }
        Ok(())
    }

    fn whole(&mut self, shape: u32) {
        for (piece, column) in self.rows.pieces_of(shape) {
            self.steps.push(Step {
                text: *piece,
                column: *column,
                is_put: *column != NO_COLUMN,
            });
        }
    }

    fn abridged(&mut self, shape: u32, plan: &Abridged, canvas: &mut Canvas<'_>) -> Option<()> {
        let mut parts = plan.parts.iter().peekable();
        for (hole, (_, column)) in self.rows.pieces_of(shape).iter().enumerate() {
            if *column == NO_COLUMN || self.starts[*column as usize] == NOT_RENDERED {
                continue;
            }
            let part = parts.next_if(|(_, of)| *of == hole);
            self.steps.push(Step {
                text: keep(part.map_or(&[], |(text, _)| text), canvas)?,
                column: *column,
                is_put: part.is_some(),
            });
        }
        assert!(
            parts.next().is_none(),
            "a reader names holes that are there, in their order"
        );
        self.steps.push(Step {
            text: keep(&plan.last, canvas)?,
            column: NO_COLUMN,
            is_put: false,
        });
        Some(())
    }

    /// All texts; none where they are no shorter than the strip.
    fn write(&self, strip_bytes: usize, canvas: &Canvas<'_>) -> Result<Option<Found>> {
        let most = self.bytes_at_most();
        if most >= strip_bytes {
            return Ok(None);
        }
        let count = self.rows.ids.len();
        let mut found = Found {
            count,
            places: (0..count as u32).collect(),
            bytes: vec![0; most],
            ends: Vec::with_capacity(count),
        };
        let mut cursors = self.starts.clone();
        let mut at = 0;
        for id in &self.rows.ids {
            let (from, to) = self.shapes[*id as usize];
            for step in &self.steps[from..to] {
                at = put(&mut found.bytes, at, &canvas.bytes, step.text).ok_or_else(too_long)?;
                if step.column == NO_COLUMN {
                    continue;
                }
                let cursor = &mut cursors[step.column as usize];
                if step.is_put {
                    let text = self.spans[*cursor as usize];
                    at = put(&mut found.bytes, at, &canvas.bytes, text).ok_or_else(too_long)?;
                }
                *cursor += 1;
            }
            // What is written is shorter than a strip, which is below 4 GiB.
            found.ends.push(at as u32);
        }
        found.bytes.truncate(at);
        Ok(Some(found))
    }

    /// At least how long all texts are together.
    fn bytes_at_most(&self) -> usize {
        let fixed: Vec<usize> = (self.shapes.iter())
            .map(|(from, to)| {
                let steps = self.steps[*from..*to].iter();
                steps.map(|step| step.text.length as usize).sum()
            })
            .collect();
        let fixed = self.rows.ids.iter().map(|id| fixed[*id as usize]);
        let varying = self.spans.iter().map(|text| text.length as usize);
        fixed.chain(varying).fold(0, usize::saturating_add)
    }
}

/// Keeps a text on the canvas, if there is room.
fn keep(text: &[u8], canvas: &mut Canvas<'_>) -> Option<Span> {
    canvas.room(1, text.len()).ok()?;
    let start = canvas.bytes.len();
    canvas.bytes.extend_from_slice(text);
    Some(Span::between(start, canvas.bytes.len()))
}

#[cold]
fn too_long() -> Error {
    Error::corrupt("abridged texts are longer than what they are made of")
}

#[cfg(test)]
mod tests;
