//! [`Abridge`]: how a reader says how little of lines of one shape is enough for it, and what must
//! be true of what stands in the holes for that to hold.
//!
//! Columns answer by their make where they can: a number has no quote. Knows no strips.

use memchr::memchr2;

use super::columns::{Column, Form, NO_COLUMN, Rows};
use super::span::Span;

/// Says how little of lines is enough for a reader, one shape of lines at a time.
pub trait Abridge: Send + Sync {
    /// The lines of a shape are these pieces with a hole between any two: texts that differ from
    /// line to line and that nobody has looked at yet. None if the lines have to stay whole.
    fn shape(&self, pieces: &[&[u8]]) -> Option<Abridged>;
}

/// What is enough of the lines of a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abridged {
    /// A text and the number of the hole whose text follows it; numbers ascend.
    pub parts: Vec<(Vec<u8>, usize)>,
    /// What follows the last of them.
    pub last: Vec<u8>,
    /// What the text of each hole must be. Where one is something else the lines stay whole.
    pub fillings: Vec<Filling>,
}

/// What the text of a hole must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filling {
    /// Anything.
    #[default]
    Any,
    /// It can stand between quotes: it has none itself, but behind a backslash, and no backslash is
    /// its last byte, but behind another one.
    Quoted,
    /// A [`Filling::Number`], or `true`, `false`, `null`.
    Word,
    /// A [`Filling::Run`] that begins with a digit or a minus.
    Number,
    /// No space, comma, quote, backslash, bracket or brace is in it.
    Run,
}

impl Filling {
    pub(super) fn is_met_by(self, text: &[u8]) -> bool {
        match self {
            Filling::Any => true,
            Filling::Quoted => is_quoted(text),
            Filling::Word => {
                matches!(text, b"true" | b"false" | b"null") || Filling::Number.is_met_by(text)
            }
            Filling::Number => begins_number(text) && is_run(text),
            Filling::Run => is_run(text),
        }
    }
}

fn is_quoted(mut text: &[u8]) -> bool {
    while let Some(place) = memchr2(b'"', b'\\', text) {
        match text.get(place + 2..) {
            Some(behind) if text[place] == b'\\' => text = behind,
            _ => return false,
        }
    }
    true
}

fn begins_number(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'0'..=b'9' | b'-'))
}

fn is_run(text: &[u8]) -> bool {
    const ENDS: &[u8] = b" \t\r\n,\"\\[]{}";
    !text.iter().any(|byte| ENDS.contains(byte))
}

impl Column<'_> {
    /// Whether all texts are such. No may be wrong, yes is not.
    pub(super) fn meets(&self, filling: Filling, canvas: &[u8]) -> bool {
        match &self.form {
            _ if filling == Filling::Any => true,
            Form::Texts(texts) => {
                let is_it = |text: &Span| filling.is_met_by(text.of(canvas));
                has_no_quotes(texts, filling, canvas) || texts.iter().all(is_it)
            }
            Form::Dictionary { entries, .. } => entries.meets(filling, canvas),
            Form::Rows(rows) => rows.meet(filling, canvas),
            // Digits and points, a digit first.
            Form::Integers(_) | Form::Decimals { .. } | Form::Addresses(_) => true,
            // What differs are digits, which are all alike here.
            Form::Masked { template, .. } => filling.is_met_by(template.of(canvas)),
            Form::Hex { .. } | Form::Uuids { .. } => {
                matches!(filling, Filling::Quoted | Filling::Run)
            }
        }
    }
}

/// Whether texts that stand one behind the other need no look at each: there is no quote at all.
fn has_no_quotes(texts: &[Span], filling: Filling, canvas: &[u8]) -> bool {
    let (Some(first), Some(last)) = (texts.first(), texts.last()) else {
        return true;
    };
    let follows = |pair: &[Span]| pair[0].end() == pair[1].start as usize;
    filling == Filling::Quoted
        && texts.windows(2).all(follows)
        && memchr2(b'"', b'\\', &canvas[first.start as usize..last.end()]).is_none()
}

impl Rows<'_> {
    fn meet(&self, filling: Filling, canvas: &[u8]) -> bool {
        let rest = match filling {
            Filling::Word | Filling::Number => Filling::Run,
            other => other,
        };
        let mut shapes = 0..self.shapes.len() as u32;
        shapes.all(|shape| {
            let pieces = self.pieces_of(shape);
            let begins = match pieces.first() {
                _ if rest == filling => true,
                Some((piece, column)) if piece.length == 0 && *column != NO_COLUMN => {
                    self.columns[*column as usize].meets(Filling::Number, canvas)
                }
                Some((piece, _)) => begins_number(piece.of(canvas)),
                None => false,
            };
            begins
                && pieces
                    .iter()
                    .all(|(piece, _)| rest.is_met_by(piece.of(canvas)))
        }) && self.columns.iter().all(|column| column.meets(rest, canvas))
    }
}

/// What columns were found to be, each asked once.
#[derive(Default)]
pub(super) struct Asked {
    answers: Vec<[Option<bool>; FILLINGS]>,
}

const FILLINGS: usize = Filling::Run as usize + 1;

impl Asked {
    /// Whether the texts of a hole's column are such.
    pub(super) fn meets(
        &mut self,
        rows: &Rows<'_>,
        column: u32,
        filling: Filling,
        canvas: &[u8],
    ) -> bool {
        self.answers.resize(rows.columns.len(), [None; FILLINGS]);
        let answer = &mut self.answers[column as usize][filling as usize];
        let column = &rows.columns[column as usize];
        *answer.get_or_insert_with(|| column.meets(filling, canvas))
    }
}
