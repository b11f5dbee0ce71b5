//! What can be wrong with a pattern, in the words of Go's `regexp/syntax`, and the flags in force.
//!
//! People compare our answers with Prometheus and Loki, so the texts are theirs to the letter.

use crate::error::{Error, ErrorKind};

/// Bytes of a pattern that an error quotes.
const QUOTED_BYTES_MAX: usize = 1 << 10;

/// A syntax error's code; the text names the part of the pattern it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    CharRange,
    Escape,
    NamedCapture,
    PerlSyntax,
    NestedRepeat,
    RepeatCount,
    MissingBracket,
    MissingParen,
    MissingRepeatArgument,
    TrailingBackslash,
    UnexpectedParen,
    TooDeep,
    TooLarge,
}

impl Fault {
    /// The error for this fault in `part` of the pattern.
    pub(super) fn at(self, part: &str) -> Error {
        let kind = match self {
            Fault::TooDeep | Fault::TooLarge => ErrorKind::Limit,
            _ => ErrorKind::Invalid,
        };
        let (part, cut) = match part.get(..part.floor_char_boundary(QUOTED_BYTES_MAX)) {
            Some(beginning) if beginning.len() < part.len() => (beginning, "..."),
            _ => (part, ""),
        };
        Error::new(
            kind,
            format!("error parsing regexp: {}: `{part}{cut}`", self.text()),
        )
    }

    fn text(self) -> &'static str {
        match self {
            Fault::CharRange => "invalid character class range",
            Fault::Escape => "invalid escape sequence",
            Fault::NamedCapture => "invalid named capture",
            Fault::PerlSyntax => "invalid or unsupported Perl syntax",
            Fault::NestedRepeat => "invalid nested repetition operator",
            Fault::RepeatCount => "invalid repeat count",
            Fault::MissingBracket => "missing closing ]",
            Fault::MissingParen => "missing closing )",
            Fault::MissingRepeatArgument => "missing argument to repetition operator",
            Fault::TrailingBackslash => "trailing backslash at end of expression",
            Fault::UnexpectedParen => "unexpected )",
            Fault::TooDeep => "expression nests too deeply",
            Fault::TooLarge => "expression too large",
        }
    }
}

/// The flags that `(?imsU)` sets, with the defaults of Go's `regexp.Compile`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `i`: letters match all of their cases.
    pub(super) fold: bool,
    /// `m`: `^` and `$` match at line borders too.
    pub(super) lines: bool,
    /// `s`: `.` matches a newline.
    pub(super) dot_newline: bool,
    /// `U`: `x*` is lazy and `x*?` greedy.
    pub(super) lazy: bool,
}

impl Flags {
    /// Sets or clears the flag of this letter; `None` when there is no such flag.
    pub(super) fn with(mut self, letter: char, on: bool) -> Option<Flags> {
        match letter {
            'i' => self.fold = on,
            'm' => self.lines = on,
            's' => self.dot_newline = on,
            'U' => self.lazy = on,
            _ => return None,
        }
        Some(self)
    }
}
