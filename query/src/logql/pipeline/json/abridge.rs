//! [`Abridger`]: how little of lines of JSON is enough for `| json`, told from what lines of one
//! shape have in common.
//!
//! The fixed texts of a shape are read once, with a digit in each hole. What comes of it is an
//! object with the wanted members alone, their keys and values as they were written. It holds for
//! every line of the shape as long as strings stay strings and words stay words, whatever stands in
//! the holes; where that cannot be said, or anything is wrong with the shape, lines stay whole. So
//! no error of a line is lost, and of members with one name the first is still the first.

use chronolith_engine::logs::{Abridge, Abridged, Filling};

use super::flatten::DEPTH_MAX;
use super::scan::{Scanner, Value};
use crate::logql::pipeline::name::push_name;
use crate::logql::pipeline::needs::Needs;

/// Stands in holes while a shape is read. In a number it is a digit, in a string a letter.
const PLACEHOLDER: u8 = b'0';

/// Abridges lines of JSON to the members that some stages want.
pub(in crate::logql::pipeline) struct Abridger {
    /// What is wanted of each parser of the pipeline.
    wanted: Vec<Needs>,
}

impl Abridger {
    pub(in crate::logql::pipeline) fn new(wanted: Vec<Needs>) -> Abridger {
        Abridger { wanted }
    }

    fn wants(&self, name: &[u8]) -> bool {
        !name.is_empty() && self.wanted.iter().any(|needs| needs.wants(name))
    }
}

impl Abridge for Abridger {
    fn shape(&self, pieces: &[&[u8]]) -> Option<Abridged> {
        let shape = Shape::new(pieces)?;
        let fillings = vec![Filling::Any; shape.holes.len()];
        let mut reading = Reading {
            abridger: self,
            scanner: Scanner::new(&shape.line),
            shape: &shape,
            next: 0,
            made: Abridged {
                fillings,
                ..Abridged::default()
            },
            name: Vec::new(),
            open: Vec::new(),
        };
        reading.object()?;
        Some(reading.made)
    }
}

/// A line of the shape.
struct Shape {
    line: Vec<u8>,
    /// Where its holes are.
    holes: Vec<usize>,
}

impl Shape {
    /// None if what stands in a hole may be escaped by what stands before it.
    fn new(pieces: &[&[u8]]) -> Option<Shape> {
        let (last, before) = pieces.split_last()?;
        let mut shape = Shape {
            line: Vec::new(),
            holes: Vec::with_capacity(before.len()),
        };
        for piece in before {
            if piece.ends_with(b"\\") {
                return None;
            }
            shape.line.extend_from_slice(piece);
            shape.holes.push(shape.line.len());
            shape.line.push(PLACEHOLDER);
        }
        shape.line.extend_from_slice(last);
        Some(shape)
    }
}

/// An object that is open.
struct Open {
    /// How long the name was before it.
    name: usize,
    /// How long the text was before its key.
    text: usize,
    /// How many parts there were then.
    parts: usize,
}

struct Reading<'s> {
    abridger: &'s Abridger,
    scanner: Scanner<'s>,
    shape: &'s Shape,
    /// The next hole.
    next: usize,
    made: Abridged,
    name: Vec<u8>,
    open: Vec<Open>,
}

impl Reading<'_> {
    /// Reads the line as `flatten` does. None if it is not sound.
    fn object(&mut self) -> Option<()> {
        if !self.scanner.take(b'{') {
            return None;
        }
        self.made.last.push(b'{');
        loop {
            if self.member()? && self.scanner.more().ok()? {
                continue;
            }
            // An object has ended; so may those around it.
            loop {
                self.made.last.push(b'}');
                let Some(open) = self.open.pop() else {
                    return Some(());
                };
                self.name.truncate(open.name);
                if self.made.parts.len() == open.parts && self.is_bare(&open) {
                    self.made.last.truncate(open.text);
                }
                if self.scanner.more().ok()? {
                    break;
                }
            }
        }
    }

    /// Reads the next member, or the beginning of one that is an object; whether there was one that
    /// has ended. The innermost object has ended otherwise.
    fn member(&mut self) -> Option<bool> {
        loop {
            let start = self.scanner.peek().map(|_| self.scanner.at())?;
            let Some(key) = self.scanner.key().ok()? else {
                return Some(false);
            };
            let end = self.scanner.at();
            if key.has_escapes || self.hole_before(end).is_some() {
                return None;
            }
            let (name, text) = (self.name.len(), self.made.last.len());
            let parts = self.made.parts.len();
            if name > 0 {
                self.name.push(b'_');
            }
            push_name(&mut self.name, key.raw);
            let line = &self.shape.line[start..end];
            if self.scanner.peek() == Some(b'{') {
                self.scanner.take(b'{');
                self.open.push(Open { name, text, parts });
                if self.open.len() > DEPTH_MAX {
                    return None;
                }
                self.separate();
                self.made.last.extend_from_slice(line);
                self.made.last.push(b'{');
                continue;
            }
            // Arrays give no labels.
            let is_plain = self.scanner.peek() != Some(b'[');
            match is_plain && self.abridger.wants(&self.name) {
                true => {
                    self.separate();
                    self.made.last.extend_from_slice(line);
                    self.value(Keep::Copied)?;
                }
                false => self.value(Keep::Passed)?,
            }
            self.name.truncate(name);
            return Some(true);
        }
    }

    /// Whether an object that is closed has no member, nor had one that was copied.
    fn is_bare(&self, open: &Open) -> bool {
        self.made.last[open.text..].ends_with(b"{}")
    }

    fn separate(&mut self) {
        // What was copied ends with a value, or with the brace of an object that is open.
        let is_first = match self.made.last.last() {
            Some(last) => *last == b'{',
            None => false,
        };
        if !is_first {
            self.made.last.push(b',');
        }
    }

    /// Reads a value, and says what its holes must be.
    fn value(&mut self, keep: Keep) -> Option<()> {
        self.scanner.peek()?;
        let start = self.scanner.at();
        let value = self.scanner.value().ok()?;
        let end = self.scanner.at();
        let (first, mut from) = (self.next, start);
        match value {
            Value::String(_) => self.fill(end, |_| Filling::Quoted),
            Value::Number(_) | Value::Bool(_) | Value::Null => self.fill(end, |hole| match hole {
                hole if hole > start => Filling::Run,
                _ if end > start + 1 => Filling::Number,
                _ => Filling::Word,
            }),
            Value::Array(block) | Value::Object(block) => {
                let strings = strings(block, start);
                let is_in = |hole: usize| {
                    let within = |(from, to): &(usize, usize)| (*from..*to).contains(&hole);
                    strings.iter().any(within)
                };
                self.fill(end, |hole| match is_in(hole) {
                    true => Filling::Quoted,
                    false => Filling::Run,
                });
            }
        }
        if keep == Keep::Passed {
            return Some(());
        }
        for hole in first..self.next {
            let at = self.shape.holes[hole];
            self.made.last.extend_from_slice(&self.shape.line[from..at]);
            let text = std::mem::take(&mut self.made.last);
            self.made.parts.push((text, hole));
            from = at + 1;
        }
        self.made
            .last
            .extend_from_slice(&self.shape.line[from..end]);
        Some(())
    }

    /// Says of all holes up to a place what they must be.
    fn fill(&mut self, end: usize, filling: impl Fn(usize) -> Filling) {
        while let Some(hole) = self.hole_before(end) {
            self.made.fillings[self.next] = filling(hole);
            self.next += 1;
        }
    }

    /// The place of the next hole, if it is before another place.
    fn hole_before(&self, end: usize) -> Option<usize> {
        let hole = self.shape.holes.get(self.next);
        hole.copied().filter(|hole| *hole < end)
    }
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Copied,
    Passed,
}

/// Where the strings of an array or object lie that begins at a place of the line, quotes included.
fn strings(block: &[u8], at: usize) -> Vec<(usize, usize)> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(place) = memchr::memchr(b'"', &block[from..]) {
        let start = from + place;
        let mut string = Scanner::new(&block[start..]);
        if string.skip().is_err() {
            break;
        }
        from = start + string.at();
        found.push((at + start, at + from));
    }
    found
}

#[cfg(test)]
mod tests;
