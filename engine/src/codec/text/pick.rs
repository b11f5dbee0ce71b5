//! Puts single texts together, in ascending order, and renders nothing else.

use crate::error::Result;

use super::columns::{Canvas, Column, Form, NO_COLUMN, Rows};

/// Where the next text of each column is, as far as texts were passed.
#[derive(Default)]
pub(super) struct Walk {
    /// The next text of the rows.
    next: usize,
    /// The next text of each column, without those of `passed`.
    cursors: Vec<usize>,
    /// How many texts of each shape were passed since the last one that was put, and which shapes
    /// those are.
    passed: Vec<usize>,
    touched: Vec<u32>,
}

impl Rows<'_> {
    /// Appends the text at `place`, which is behind the one before.
    pub(super) fn put(
        &mut self,
        place: usize,
        canvas: &mut Canvas<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.walk_to(place);
        let (start, end) = self.shapes[self.ids[place] as usize];
        for (piece, column) in &self.pieces[start as usize..end as usize] {
            out.extend_from_slice(piece.of(&canvas.bytes));
            if *column != NO_COLUMN {
                let cursor = &mut self.walk.cursors[*column as usize];
                self.columns[*column as usize].put(*cursor, canvas, out)?;
                *cursor += 1;
            }
        }
        self.walk.next = place + 1;
        Ok(())
    }

    fn walk_to(&mut self, place: usize) {
        let walk = &mut self.walk;
        assert!(walk.next <= place, "texts are put in ascending order");
        walk.cursors.resize(self.columns.len(), 0);
        walk.passed.resize(self.shapes.len(), 0);
        for id in &self.ids[walk.next..place] {
            let passed = &mut walk.passed[*id as usize];
            if *passed == 0 {
                walk.touched.push(*id);
            }
            *passed += 1;
        }
        for shape in walk.touched.drain(..) {
            let (start, end) = self.shapes[shape as usize];
            let passed = std::mem::take(&mut walk.passed[shape as usize]);
            for (_, column) in &self.pieces[start as usize..end as usize] {
                if *column != NO_COLUMN {
                    walk.cursors[*column as usize] += passed;
                }
            }
        }
    }
}

impl Column<'_> {
    /// Appends the text at `place`; those of rows are asked for in ascending order.
    fn put(&mut self, place: usize, canvas: &mut Canvas<'_>, out: &mut Vec<u8>) -> Result<()> {
        match &mut self.form {
            Form::Texts(texts) => out.extend_from_slice(texts[place].of(&canvas.bytes)),
            Form::Rows(rows) => rows.put(place, canvas, out)?,
            Form::Dictionary { entries, ids } => {
                let id = ids.known(canvas.unsqueeze)?[place];
                entries.settle(canvas)?;
                entries.put(id as usize, canvas, out)?;
            }
            _ => {
                let end = canvas.bytes.len();
                let mut spans = std::mem::take(&mut canvas.spare);
                spans.clear();
                if self.render_packed(place..place + 1, canvas, &mut spans)? {
                    out.extend_from_slice(spans[0].of(&canvas.bytes));
                    canvas.bytes.truncate(end);
                } else {
                    // What is unpacked as a whole is rendered as a whole.
                    self.settle(canvas)?;
                    self.put(place, canvas, out)?;
                }
                canvas.spare = spans;
            }
        }
        Ok(())
    }
}
