//! Marks the texts that may contain a needle; those that are not marked do not.

use memchr::memmem::Finder;

use crate::error::Result;

use super::columns::{Canvas, Column, Form, NO_COLUMN, Rows};
use super::span::Span;
use super::typed::Case;

/// Of a longer needle the beginning is sought.
pub(super) const NEEDLE_BYTES_MAX: usize = 255;

/// Where more than one of so many texts is marked, all are put together, which is quicker.
const MANY: usize = 4;

/// Places at which a needle may be cut in two by the end of a text, as a set of numbers below 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends([u64; 4]);

impl Ends {
    fn insert(&mut self, cut: usize) {
        self.0[cut / 64] |= 1 << (cut % 64);
    }

    fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    fn or(self, other: Ends) -> Ends {
        Ends(std::array::from_fn(|place| self.0[place] | other.0[place]))
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        let words = self.0.into_iter().enumerate();
        words.flat_map(|(place, mut word)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(64 * place + bit)
            })
        })
    }

    fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        for cut in self.iter() {
            if !keep(cut) {
                self.0[cut / 64] &= !(1 << (cut % 64));
            }
        }
    }
}

/// What is asked of the texts of a column, besides whether the needle is in them.
#[derive(Clone, Copy, Debug, Default)]
struct Question {
    /// The needle may go on in the text from one of these places: as far as both reach, the text
    /// begins with what is behind the cut.
    heads: Ends,
    /// The needle may have begun in the text, which then ends with what is before the cut.
    tails: Ends,
    /// The needle may have begun in the text or before it: as far as both reach, the text ends with
    /// what is before the cut.
    through: Ends,
}

impl Question {
    fn asks_for_ends(&self) -> bool {
        !(self.heads.is_empty() && self.tails.is_empty() && self.through.is_empty())
    }
}

/// Looks for one needle.
pub(super) struct Seeker<'n> {
    needle: &'n [u8],
    finder: Finder<'n>,
    /// Where the section of texts has the needle, and where the section ends.
    hits: Vec<usize>,
    texts_end: usize,
    /// The bytes that may end a text in which the needle begins, and begin one in which it goes on.
    before: [bool; 256],
    behind: [bool; 256],
}

/// Whether so many texts are marked that all may as well be.
pub(super) fn are_many(marks: &[bool]) -> bool {
    marks.iter().filter(|marked| **marked).count() * MANY > marks.len()
}

/// Whether a text begins like another, as far as both reach.
fn meets(text: &[u8], other: &[u8]) -> bool {
    let both = text.len().min(other.len());
    text[..both] == other[..both]
}

/// Whether a text ends like another, as far as both reach.
fn meets_back(text: &[u8], other: &[u8]) -> bool {
    let both = text.len().min(other.len());
    text[text.len() - both..] == other[other.len() - both..]
}

impl<'n> Seeker<'n> {
    /// The needle has 1 to [`NEEDLE_BYTES_MAX`] bytes; `texts` is the section of texts.
    pub(super) fn new(needle: &'n [u8], texts: &[u8]) -> Self {
        assert!((1..=NEEDLE_BYTES_MAX).contains(&needle.len()));
        let finder = Finder::new(needle);
        let (mut hits, mut from) = (Vec::new(), 0);
        while let Some(at) = finder.find(&texts[from..]) {
            hits.push(from + at);
            // Pieces know no borders of other pieces: hits may overlap.
            from += at + 1;
        }
        let (mut before, mut behind) = ([false; 256], [false; 256]);
        for cut in 1..needle.len() {
            before[usize::from(needle[cut - 1])] = true;
            behind[usize::from(needle[cut])] = true;
        }
        Seeker {
            needle,
            finder,
            hits,
            texts_end: texts.len(),
            before,
            behind,
        }
    }

    /// Whether the needle is inside of a part of the section of texts.
    fn is_in(&self, start: usize, end: usize) -> bool {
        let next = self.hits.partition_point(|hit| *hit < start);
        let hit = self.hits.get(next);
        hit.is_some_and(|hit| hit + self.needle.len() <= end)
    }

    /// Marks texts that may contain the needle, or meet one of its parts at their ends. None where
    /// no text is marked.
    pub(super) fn rows(
        &self,
        rows: &mut Rows<'_>,
        heads: Ends,
        tails: Ends,
        canvas: &mut Canvas<'_>,
    ) -> Result<Option<Vec<bool>>> {
        let mut questions = vec![Question::default(); rows.columns.len()];
        let whole: Vec<bool> = (0..rows.shapes.len() as u32)
            .map(|shape| {
                let pieces = rows.pieces_of(shape);
                self.shape(pieces, &canvas.bytes, &mut questions)
                    || self.shape_ends(pieces, (heads, tails), &canvas.bytes, &mut questions)
            })
            .collect();
        let mut marks: Option<Vec<bool>> = None;
        if whole.contains(&true) {
            marks = Some(rows.ids.iter().map(|id| whole[*id as usize]).collect());
        }
        for (number, question) in questions.into_iter().enumerate() {
            let column = &mut rows.columns[number];
            if let Some(of_column) = self.column(column, question, canvas)? {
                let marks = marks.get_or_insert_with(|| vec![false; rows.ids.len()]);
                rows.spread(number as u32, &of_column, marks);
                if are_many(marks) {
                    marks.fill(true);
                    break;
                }
            }
        }
        Ok(marks.filter(|marks| marks.contains(&true)))
    }

    /// Whether every text of a shape has the needle; otherwise asks its columns.
    fn shape(&self, pieces: &[(Span, u32)], bytes: &[u8], questions: &mut [Question]) -> bool {
        let needle = self.needle;
        let last = pieces.len() - 1;
        for (place, (piece, column)) in pieces.iter().enumerate() {
            if self.is_in(piece.start as usize, piece.end()) {
                return true;
            }
            if *column == NO_COLUMN {
                continue;
            }
            let question = &mut questions[*column as usize];
            let (piece, next) = (piece.of(bytes), pieces[place + 1].0.of(bytes));
            if matches!(piece, [.., end] if self.before[usize::from(*end)]) {
                (1..needle.len())
                    .filter(|cut| piece.ends_with(&needle[..*cut]))
                    .for_each(|cut| question.heads.insert(cut));
            }
            if matches!(next, [begin, ..] if !self.behind[usize::from(*begin)]) {
                continue;
            }
            for cut in 1..needle.len() {
                let behind = &needle[cut..];
                // Behind the last piece there is nothing for the needle to go on in.
                if meets(next, behind) && (place + 1 < last || behind.len() <= next.len()) {
                    question.tails.insert(cut);
                }
            }
        }
        false
    }

    /// The same for a needle that comes from what is before the text, or goes on in what is behind.
    fn shape_ends(
        &self,
        pieces: &[(Span, u32)],
        (heads, tails): (Ends, Ends),
        bytes: &[u8],
        questions: &mut [Question],
    ) -> bool {
        let last = pieces.len() - 1;
        for cut in heads.iter() {
            let (first, behind) = (pieces[0].0.of(bytes), &self.needle[cut..]);
            if meets(first, behind) {
                if first.len() >= behind.len() || last == 0 {
                    return true;
                }
                let column = pieces[0].1 as usize;
                questions[column].heads.insert(cut + first.len());
            }
        }
        for cut in tails.iter() {
            let (end, before) = (pieces[last].0.of(bytes), &self.needle[..cut]);
            if meets_back(end, before) {
                if end.len() >= before.len() || last == 0 {
                    return true;
                }
                let column = pieces[last - 1].1 as usize;
                questions[column].through.insert(cut - end.len());
            }
        }
        false
    }

    fn column(
        &self,
        column: &mut Column<'_>,
        question: Question,
        canvas: &mut Canvas<'_>,
    ) -> Result<Option<Vec<bool>>> {
        match &mut column.form {
            Form::Rows(rows) => {
                let tails = question.tails.or(question.through);
                self.rows(rows, question.heads, tails, canvas)
            }
            Form::Dictionary { entries, ids } => {
                let Some(marks) = self.column(entries, question, canvas)? else {
                    return Ok(None);
                };
                let ids = ids.known(canvas.unsqueeze)?;
                Ok(Some(ids.iter().map(|id| marks[*id as usize]).collect()))
            }
            Form::Texts(texts) => Ok(self.texts(texts, true, question, &canvas.bytes)),
            form => {
                let (inside, question) = self.possible(form, question, &canvas.bytes);
                if !inside && !question.asks_for_ends() {
                    return Ok(None);
                }
                let mut texts = Vec::with_capacity(column.count);
                column.render(canvas, &mut texts)?;
                let marks = self.texts(&texts, inside, question, &canvas.bytes);
                column.form = Form::Texts(texts);
                Ok(marks)
            }
        }
    }

    /// What of a question the bytes and lengths of a typed column leave open, and whether the
    /// needle may be inside of a text.
    fn possible(&self, form: &Form<'_>, mut question: Question, canvas: &[u8]) -> (bool, Question) {
        let (shortest, longest) = lengths(form);
        // From each place of the needle, how many bytes the column may have.
        let length = self.needle.len();
        let mut runs = [0; NEEDLE_BYTES_MAX + 1];
        for (place, byte) in self.needle.iter().enumerate().rev() {
            runs[place] = match may_have(form, *byte, canvas) {
                true => runs[place + 1] + 1,
                false => 0,
            };
        }
        question
            .heads
            .retain(|cut| runs[cut] >= shortest.min(length - cut));
        question
            .tails
            .retain(|cut| runs[0] >= cut && cut <= longest);
        question.through.retain(|cut| {
            let both = shortest.min(cut);
            runs[cut - both] >= both
        });
        (runs[0] == length && length <= longest, question)
    }

    /// Marks texts in the canvas, which stand there in their order.
    fn texts(
        &self,
        texts: &[Span],
        inside: bool,
        question: Question,
        canvas: &[u8],
    ) -> Option<Vec<bool>> {
        let mut marks = None;
        if inside {
            self.inside(texts, canvas, &mut marks);
        }
        if !question.asks_for_ends() {
            return marks;
        }
        for (place, text) in texts.iter().enumerate() {
            if self.meets_ends(text.of(canvas), &question) {
                marks.get_or_insert_with(|| vec![false; texts.len()])[place] = true;
            }
        }
        marks
    }

    /// Whether the ends of a text are what a question asks for.
    #[inline]
    fn meets_ends(&self, text: &[u8], question: &Question) -> bool {
        let ([begin, ..], [.., end]) = (text, text) else {
            return true;
        };
        // Most texts are told apart by one byte.
        if self.behind[usize::from(*begin)] {
            let meets = |cut: usize| meets(text, &self.needle[cut..]);
            if question.heads.iter().any(meets) {
                return true;
            }
        }
        if self.before[usize::from(*end)] {
            let ends = |cut: usize| text.ends_with(&self.needle[..cut]);
            let meets = |cut: usize| meets_back(text, &self.needle[..cut]);
            return question.tails.iter().any(ends) || question.through.iter().any(meets);
        }
        false
    }

    /// Marks the texts that have the needle inside: all are searched as one.
    fn inside(&self, texts: &[Span], canvas: &[u8], marks: &mut Option<Vec<bool>>) {
        let (Some(first), Some(last)) = (texts.first(), texts.last()) else {
            return;
        };
        let (mut from, mut place) = (first.start as usize, 0);
        let end = last.end();
        if end <= self.texts_end && !self.is_in(from, end) {
            return;
        }
        while let Some(at) = canvas
            .get(from..end)
            .and_then(|rest| self.finder.find(rest))
        {
            let at = from + at;
            let behind = |text: &&Span| text.end() <= at;
            place += texts[place..].iter().take_while(behind).count();
            let Some(text) = texts.get(place) else {
                return;
            };
            // What stands between texts, or goes from one to the next, is not in a text.
            if text.start as usize <= at && at + self.needle.len() <= text.end() {
                marks.get_or_insert_with(|| vec![false; texts.len()])[place] = true;
                from = text.end();
            } else {
                from = at + 1;
            }
        }
    }
}

impl Rows<'_> {
    /// Marks the texts that have a marked text of a column in one of their holes.
    fn spread(&self, column: u32, of_column: &[bool], marks: &mut [bool]) {
        let shapes = 0..self.shapes.len() as u32;
        let uses: Vec<usize> = shapes
            .map(|shape| {
                let is_it = |(_, other): &&(Span, u32)| *other == column;
                self.pieces_of(shape).iter().filter(is_it).count()
            })
            .collect();
        let mut at = 0;
        for (mark, id) in marks.iter_mut().zip(&self.ids) {
            let uses = uses[*id as usize];
            *mark |= of_column[at..at + uses].contains(&true);
            at += uses;
        }
    }
}

/// How short and how long the texts of a typed column may be.
fn lengths(form: &Form<'_>) -> (usize, usize) {
    match form {
        Form::Integers(_) => (1, 18),
        Form::Decimals { places, .. } => (usize::from(*places) + 2, 20),
        Form::Masked { template, .. } => (template.length as usize, template.length as usize),
        Form::Hex { digits, .. } => (*digits as usize, *digits as usize),
        Form::Uuids { .. } => (36, 36),
        Form::Addresses(_) => (7, 15),
        Form::Texts(_) | Form::Dictionary { .. } | Form::Rows(_) => (0, usize::MAX),
    }
}

/// Whether texts of a typed column may have this byte.
fn may_have(form: &Form<'_>, byte: u8, canvas: &[u8]) -> bool {
    let hexadecimal = |case: &Case| match case {
        Case::Lower => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        Case::Upper => matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
    };
    match form {
        Form::Integers(_) => byte.is_ascii_digit(),
        Form::Decimals { .. } | Form::Addresses(_) => byte.is_ascii_digit() || byte == b'.',
        Form::Masked { template, .. } => {
            byte.is_ascii_digit() || template.of(canvas).contains(&byte)
        }
        Form::Hex { case, .. } => hexadecimal(case),
        Form::Uuids { case, .. } => hexadecimal(case) || byte == b'-',
        Form::Texts(_) | Form::Dictionary { .. } | Form::Rows(_) => true,
    }
}
