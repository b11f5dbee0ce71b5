//! A cursor over pattern text: single characters, escapes and repeat counts.
//!
//! It knows the spelling of the small tokens and their errors; what they mean is the parser's
//! business.

use super::syntax::Fault;
use crate::error::Result;

/// Greatest count in `x{n}`; the product of nested counts is held to it as well.
pub(super) const REPEAT_MAX: u32 = 1000;

/// A position in a pattern.
#[derive(Clone, Copy)]
pub(super) struct Scan<'p> {
    pub(super) whole: &'p str,
    pub(super) at: usize,
}

/// What stands in `{...}` after an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// Not a repeat at all: the brace is a literal.
    Literal,
    /// The form is right, the numbers are not.
    OutOfRange,
    /// From `min` up to `max`, without end if `None`.
    Range(u32, Option<u32>),
}

impl<'p> Scan<'p> {
    pub(super) fn new(whole: &'p str) -> Self {
        Scan { whole, at: 0 }
    }

    pub(super) fn rest(&self) -> &'p str {
        &self.whole[self.at..]
    }

    /// The text from an earlier position up to here.
    pub(super) fn since(&self, start: usize) -> &'p str {
        &self.whole[start..self.at]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Steps over `text` if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Reads an escape that stands for one code point (perhaps a surrogate, which no text
    /// contains). The cursor is on the backslash.
    pub(super) fn escape(&mut self) -> Result<u32> {
        let start = self.at;
        let opened = self.take("\\");
        debug_assert!(opened);
        let Some(letter) = self.next() else {
            return Err(Fault::TrailingBackslash.at(""));
        };
        let value = match letter {
            '1'..='7' if !matches!(self.peek(), Some('0'..='7')) => None,
            '0'..='7' => Some(self.octal(letter)),
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0c),
            'n' => Some(0x0a),
            'r' => Some(0x0d),
            't' => Some(0x09),
            'v' => Some(0x0b),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
            _ => None,
        };
        value.ok_or_else(|| Fault::Escape.at(self.since(start)))
    }

    /// Up to three octal digits, the first of which has been read.
    fn octal(&mut self, first: char) -> u32 {
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) else {
                break;
            };
            self.at += 1;
            value = value * 8 + digit;
        }
        value
    }

    /// `7F` or `{10FFFF}` after `\x`.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next().and_then(|next| next.to_digit(16));
            return Some(first.to_digit(16)? * 16 + second?);
        }
        let mut value = None;
        loop {
            match self.next()? {
                '}' => return value,
                digit => {
                    let next = value.unwrap_or(0) * 16 + digit.to_digit(16)?;
                    if next > u32::from(char::MAX) {
                        return None;
                    }
                    value = Some(next);
                }
            }
        }
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; the cursor is on the brace and stays there unless it is a
    /// repeat.
    pub(super) fn counts(&mut self) -> Counts {
        let mut ahead = *self;
        let Some(counts) = ahead.counts_ahead() else {
            return Counts::Literal;
        };
        *self = ahead;
        counts
    }

    fn counts_ahead(&mut self) -> Option<Counts> {
        let opened = self.take("{");
        debug_assert!(opened);
        let min = self.number()?;
        let max = if !self.take(",") {
            Some(min)
        } else if self.peek() == Some('}') {
            None
        } else {
            Some(self.number()?)
        };
        if !self.take("}") {
            return None;
        }
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
            return Some(Counts::OutOfRange);
        }
        Some(Counts::Range(min, max))
    }

    /// A decimal number without leading zeros; one that is too long saturates.
    fn number(&mut self) -> Option<u32> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let text = &rest[..digits];
        if text.is_empty() || (digits > 1 && text.starts_with('0')) {
            return None;
        }
        self.at += digits;
        Some(text.parse().unwrap_or(u32::MAX))
    }
}
