//! Regular expressions as Prometheus and Loki understand them: the syntax and meaning of RE2 as in
//! Go's `regexp`, run by the automata of `regex-automata`.
//!
//! Everything in the store that matches a pattern comes through here, because Rust's `regex`
//! differs from RE2 silently (classes, word borders, set operators). Matches are leftmost-first;
//! text that is not UTF-8 is read as Go reads it. What a pattern means without an automaton is its
//! [`Shape`].

mod class;
mod compile;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod haystack;
mod node;
mod parse;
mod replace;
mod scan;
mod shape;
mod strings;
mod syntax;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::util::primitives::NonMaxUsize;

pub use haystack::Haystack;
pub use replace::Template;
pub use shape::Shape;

use crate::error::Result;
use compile::{PROGRAM_BYTES_MAX, Program, compile};

/// A compiled pattern. Cheap to clone, free to share between threads.
#[derive(Clone)]
pub struct Re2 {
    pattern: Arc<str>,
    program: Arc<Program>,
}

/// The groups of one match; reuse it to save allocations.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    slots: Vec<Option<NonMaxUsize>>,
}

impl Re2 {
    /// Compiles a pattern that may match anywhere in a text.
    pub fn compile(pattern: &str) -> Result<Re2> {
        Re2::compile_within(pattern, PROGRAM_BYTES_MAX)
    }

    /// Compiles a pattern that must match all of a text, in which `.` matches newlines too: what
    /// label matchers mean.
    pub fn anchored(pattern: &str) -> Result<Re2> {
        Re2::anchored_within(pattern, PROGRAM_BYTES_MAX)
    }

    /// [`Re2::compile`], refusing a pattern any of whose automata would take more than `bytes_max`.
    pub fn compile_within(pattern: &str, bytes_max: usize) -> Result<Re2> {
        Ok(Re2 {
            pattern: pattern.into(),
            program: Arc::new(compile(pattern, bytes_max)?),
        })
    }

    /// [`Re2::anchored`], refusing a pattern any of whose automata would take more than
    /// `bytes_max`.
    pub fn anchored_within(pattern: &str, bytes_max: usize) -> Result<Re2> {
        // As Prometheus does it, on the text: `a)|(b` is accepted there, and its errors quote all
        // of this.
        let program = compile(&format!("^(?s:{pattern})$"), bytes_max)?;
        Ok(Re2 {
            pattern: pattern.into(),
            program: Arc::new(program),
        })
    }

    /// The pattern as given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// What the pattern accepts, as far as it can be said without it.
    pub fn shape(&self) -> &Shape {
        &self.program.facts.shape
    }

    /// Strings of which every match contains at least one; empty if none are known.
    pub fn required(&self) -> &[Box<[u8]>] {
        &self.program.facts.required
    }

    /// Texts with one of which every accepted text begins, sorted, none the beginning of another;
    /// empty if none are known. Of a pattern whose shape says all, none are told.
    pub(crate) fn prefixes(&self) -> &[Box<str>] {
        &self.program.facts.prefixes
    }

    /// Whether the pattern matches somewhere in these bytes.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        if let Some(answer) = self.decide(bytes) {
            return answer;
        }
        // A match found in the bytes as they are is a match; only a pattern that can take a byte
        // that is not UTF-8 may match more than that.
        self.is_match_as_it_is(bytes)
            || (self.program.reads_replacement
                && std::str::from_utf8(bytes).is_err()
                && self.is_match_by_automaton(&Haystack::new(bytes)))
    }

    /// Whether the pattern matches somewhere in these bytes, whatever they would become as text.
    fn is_match_as_it_is(&self, bytes: &[u8]) -> bool {
        let program = &self.program;
        let by_table = program.table.is_match(&program.hir, bytes);
        by_table.unwrap_or_else(|| program.regex().is_match(bytes))
    }

    /// The same by the table alone, if the pattern has one.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn is_match_by_table(&self, bytes: &[u8]) -> Option<bool> {
        self.program.table.ask(&self.program.hir, bytes)
    }

    /// Whether the pattern matches somewhere in this text: [`Re2::is_match`] without the question
    /// whether it is UTF-8.
    pub fn is_match_str(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        self.decide(bytes)
            .unwrap_or_else(|| self.program.regex().is_match(bytes))
    }

    /// The slow twin of [`Re2::is_match`], without shapes and shortcuts.
    pub(crate) fn is_match_by_automaton(&self, haystack: &Haystack<'_>) -> bool {
        self.program.regex().is_match(haystack.text())
    }

    fn decide(&self, bytes: &[u8]) -> Option<bool> {
        let finder = self.program.finder.as_ref();
        let contains = |bytes: &[u8]| finder.is_none_or(|finder| finder.find(bytes).is_some());
        match self.shape().decide(bytes, contains) {
            None if !contains(bytes) => Some(false),
            answer => answer,
        }
    }

    /// The leftmost match that begins at `at` or after; what is before `at` still counts as
    /// context.
    pub fn find_at(&self, haystack: &Haystack<'_>, at: usize) -> Option<Range<usize>> {
        let found = self.program.regex().search(&input(haystack, at)?)?;
        Some(haystack.to_bytes(found.start())..haystack.to_bytes(found.end()))
    }

    /// Like [`Re2::find_at`], but fills in all groups; tells whether there was a match.
    pub fn captures_at(&self, haystack: &Haystack<'_>, at: usize, captures: &mut Captures) -> bool {
        captures.slots.clear();
        captures.slots.resize(2 * self.captures_len(), None);
        let Some(input) = input(haystack, at) else {
            return false;
        };
        if self
            .program
            .regex()
            .search_slots(&input, &mut captures.slots)
            .is_none()
        {
            return false;
        }
        for slot in &mut captures.slots {
            *slot = slot.and_then(|place| NonMaxUsize::new(haystack.to_bytes(place.get())));
        }
        true
    }

    /// How many groups there are, the whole match included.
    pub fn captures_len(&self) -> usize {
        self.program.names.len()
    }

    /// The names of the groups by number; the whole match, number 0, has none.
    pub fn capture_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.program.names.iter().map(Option::as_deref)
    }
}

fn input<'t>(haystack: &'t Haystack<'_>, at: usize) -> Option<Input<'t>> {
    let text = haystack.text();
    let place = haystack.to_text(at);
    (place <= text.len()).then(|| Input::new(text).range(place..))
}

impl Captures {
    /// Where a group matched, if it took part in the match.
    pub fn group(&self, index: usize) -> Option<Range<usize>> {
        let slot = index.checked_mul(2)?;
        let start = (*self.slots.get(slot)?)?;
        let end = (*self.slots.get(slot + 1)?)?;
        Some(start.get()..end.get())
    }
}

impl fmt::Debug for Re2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Re2({:?})", self.pattern)
    }
}
