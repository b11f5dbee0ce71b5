//! [`Span`]: where something stands in the text of a query.

use std::fmt;

/// Where something stands in the text of a query, in bytes; the end is not part of it.
///
/// All spans are equal: two trees are the same query wherever their parts stood.
#[derive(Clone, Copy, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
}

impl Span {
    /// The span from `start` to `end`.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// From the beginning of this to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span::new(self.start, other.end)
    }

    /// The beginning as "line:column", both from 1, columns in bytes.
    pub fn place(self, text: &str) -> String {
        if text.is_empty() {
            return "unknown position".to_owned();
        }
        let before = &text.as_bytes()[..self.start.min(text.len())];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = match before.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => before.len() - last,
            None => before.len() + 1,
        };
        format!("{line}:{column}")
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_bytes_from_one() {
        let text = "sum(\n  foo\n)";
        assert_eq!(Span::new(0, 3).place(text), "1:1");
        assert_eq!(Span::new(7, 10).place(text), "2:3");
        assert_eq!(Span::new(12, 12).place(text), "3:2");
        assert_eq!(Span::new(0, 0).place(""), "unknown position");
    }
}
