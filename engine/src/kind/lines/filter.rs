//! Line filters: what the text of a line must be for a deletion to take it.
//!
//! They read and mean what they do in LogQL: a literal text or an RE2 expression that is searched
//! for anywhere in the line, or must not be found there. Compiled once; knows no times and no
//! labels.

use std::fmt;
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::error::Result;
use crate::labels::matcher::write_quoted;
use crate::labels::re2::Re2;

/// How a line filter looks at a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineOp {
    /// `|=`: the line contains the text.
    Contains,
    /// `!=`: the line does not contain the text.
    NotContains,
    /// `|~`: the regular expression matches somewhere in the line.
    Matches,
    /// `!~`: the regular expression matches nowhere in the line.
    NotMatches,
}

/// A condition on the text of a line, such as `|= "password"`. Cheap to clone.
#[derive(Clone)]
pub struct LineFilter {
    condition: Arc<Condition>,
}

struct Condition {
    op: LineOp,
    text: Box<str>,
    search: Search,
}

enum Search {
    Text(Box<Finder<'static>>),
    Pattern(Re2),
}

impl LineOp {
    /// Whether the operator is one of those with a `!`.
    pub fn is_negative(self) -> bool {
        matches!(self, LineOp::NotContains | LineOp::NotMatches)
    }

    fn is_regex(self) -> bool {
        matches!(self, LineOp::Matches | LineOp::NotMatches)
    }
}

impl LineFilter {
    /// Builds a filter, compiling `text` if the operator takes a regular expression.
    pub fn new(op: LineOp, text: &str) -> Result<LineFilter> {
        let search = match op.is_regex() {
            true => Search::Pattern(Re2::compile(text)?),
            false => Search::Text(Box::new(Finder::new(text.as_bytes()).into_owned())),
        };
        let text = text.into();
        Ok(LineFilter {
            condition: Arc::new(Condition { op, text, search }),
        })
    }

    /// The operator.
    pub fn op(&self) -> LineOp {
        self.condition.op
    }

    /// The text or pattern as given.
    pub fn text(&self) -> &str {
        &self.condition.text
    }

    /// Whether the filter lets a line through.
    pub fn accepts(&self, line: &[u8]) -> bool {
        let is_found = match &self.condition.search {
            Search::Text(finder) => finder.find(line).is_some(),
            Search::Pattern(pattern) => pattern.is_match(line),
        };
        is_found != self.op().is_negative()
    }
}

/// Filters are equal when they read the same.
impl PartialEq for LineFilter {
    fn eq(&self, other: &Self) -> bool {
        (self.op(), self.text()) == (other.op(), other.text())
    }
}

impl Eq for LineFilter {}

impl fmt::Display for LineOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineOp::Contains => "|=",
            LineOp::NotContains => "!=",
            LineOp::Matches => "|~",
            LineOp::NotMatches => "!~",
        })
    }
}

/// As in LogQL: `|= "text"`.
impl fmt::Display for LineFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.op())?;
        write_quoted(f, self.text())
    }
}

impl fmt::Debug for LineFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_lets_through_what_it_says() {
        let cases: [(LineOp, &str, &[&str], &[&str]); 5] = [
            (LineOp::Contains, "a.c", &["xa.cx"], &["abc", ""]),
            (LineOp::NotContains, "a.c", &["abc", ""], &["xa.cx"]),
            (LineOp::Matches, "a.c$", &["xabc"], &["abcx", "ac"]),
            (LineOp::NotMatches, "a.c$", &["abcx", ""], &["xabc"]),
            (LineOp::Contains, "", &["", "x"], &[]),
        ];
        for (op, text, accepted, others) in cases {
            let filter = LineFilter::new(op, text).unwrap();
            for line in accepted {
                assert!(filter.accepts(line.as_bytes()), "{filter} on {line:?}");
            }
            for line in others {
                assert!(!filter.accepts(line.as_bytes()), "{filter} on {line:?}");
            }
        }
    }

    #[test]
    fn a_filter_prints_as_in_logql_and_a_bad_pattern_is_refused() {
        let filter = LineFilter::new(LineOp::NotMatches, "a\"b").unwrap();
        assert_eq!(format!("{filter:?}"), r#"!~ "a\"b""#);
        assert_eq!(filter.clone(), filter);
        assert!(LineFilter::new(LineOp::Matches, "a(").is_err());
        assert!(LineFilter::new(LineOp::Contains, "a(").is_ok());
    }
}
