//! What is looked for in many values at once: a text, or several of which one will do.
//!
//! Finds places in bytes; what stands around them is for the caller to judge.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};

use crate::error::Result;
use crate::labels::matcher::Matcher;
use crate::labels::re2::Shape;

/// Several texts are looked for in one pass if there are no more than these: beyond, a pass is
/// slower than asking the pattern.
const TEXTS_MAX: usize = 16;

/// A prepared search.
pub(crate) enum Search<'n> {
    One(Box<Finder<'n>>),
    Several(Prefilter),
}

impl<'n> Search<'n> {
    /// Looks for one text, which is not empty.
    pub(crate) fn one(text: &'n str) -> Self {
        Search::One(Box::new(Finder::new(text.as_bytes())))
    }

    /// Looks for what every value that a matcher's pattern accepts must contain, beside what it is
    /// known to begin with; `None` where that is nothing.
    pub(crate) fn required(matcher: &'n Matcher, known_prefix: &str) -> Option<Self> {
        if let Shape::General { inner, .. } = matcher.shape()
            && !inner.is_empty()
            && !known_prefix.contains(&**inner)
        {
            return Some(Search::one(inner));
        }
        let texts = matcher.required();
        let says_nothing =
            |text: &[u8]| memchr::memmem::find(known_prefix.as_bytes(), text).is_some();
        if texts.len() > TEXTS_MAX || texts.iter().any(|text| says_nothing(text)) {
            return None;
        }
        Prefilter::new(MatchKind::LeftmostFirst, texts).map(Search::Several)
    }

    /// The first place at or behind `from` where something is found.
    pub(crate) fn find(&self, bytes: &[u8], from: usize) -> Option<Range<usize>> {
        match self {
            Search::One(finder) => {
                let start = from + finder.find(bytes.get(from..)?)?;
                Some(start..start + finder.needle().len())
            }
            Search::Several(prefilter) => {
                let span = (from <= bytes.len()).then(|| Span::from(from..bytes.len()))?;
                prefilter.find(bytes, span).map(|found| found.range())
            }
        }
    }

    /// Calls `each` with the places where something is found, ascending, until it fails. Places
    /// that overlap an earlier one may be left out.
    pub(crate) fn each_place(
        &self,
        bytes: &[u8],
        mut each: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        match self {
            Search::One(finder) => finder.find_iter(bytes).try_for_each(each),
            Search::Several(_) => {
                let mut from = 0;
                while let Some(found) = self.find(bytes, from) {
                    each(found.start)?;
                    from = found.end;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::matcher::MatchOp;

    fn places(search: &Search<'_>, text: &str) -> Vec<usize> {
        let mut places = Vec::new();
        let noted = search.each_place(text.as_bytes(), |place| {
            places.push(place);
            Ok(())
        });
        noted.unwrap();
        places
    }

    fn matcher(pattern: &str) -> Matcher {
        Matcher::new(MatchOp::Regex, "job", pattern).unwrap()
    }

    #[test]
    fn one_text_is_found_everywhere() {
        assert_eq!(places(&Search::one("ab"), "abcabxab"), [0, 3, 6]);
    }

    #[test]
    fn any_of_several_texts_is_found() {
        let matcher = matcher(".*(foo|barn)[0-9]+");
        let search = Search::required(&matcher, "").unwrap();
        assert_eq!(places(&search, "a foo1 bar barn22 foo"), [2, 11, 18]);
    }

    #[test]
    fn what_the_prefix_says_already_is_not_looked_for() {
        assert!(Search::required(&matcher("node_.+"), "node_").is_none());
        assert!(Search::required(&matcher("node_.+_total"), "node_").is_some());
        assert!(Search::required(&matcher("[0-9]+"), "").is_none());
    }
}
