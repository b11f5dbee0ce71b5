//! Line filters: `|=`, `!=`, `|~`, `!~`, `|>` and `!>`.

use chronolith_engine::labels::Re2;
use memchr::memmem::Finder;

use super::ip::IpRange;
use super::wild::Wildcard;
use crate::logql::syntax::ast::{LineFilter, LineOp, LineText};

/// A line filter, compiled.
pub(super) struct LineTest {
    is_negative: bool,
    /// What is searched for; one that is found is enough.
    searches: Vec<Search>,
}

enum Search {
    Text(Box<Finder<'static>>),
    Regex(Re2),
    Ip(IpRange),
    Wildcard(Wildcard),
}

impl LineTest {
    /// Compiles a filter; `None` if every line passes it.
    pub(super) fn new(filter: &LineFilter) -> Result<Option<LineTest>, String> {
        let is_negative = matches!(
            filter.op,
            LineOp::NotContains | LineOp::NotRegex | LineOp::NotPattern
        );
        let mut searches = Vec::with_capacity(filter.texts.len());
        for text in &filter.texts {
            let is_pattern = matches!(filter.op, LineOp::Pattern | LineOp::NotPattern);
            let is_empty = matches!(text, LineText::Text(text) if text.is_empty()) && !is_pattern;
            match (is_empty, is_negative) {
                (false, _) => searches.push(Search::new(filter.op, text)?),
                // Nothing is in every line.
                (true, false) => return Ok(None),
                (true, true) => searches.push(Search::text("")),
            }
        }
        Ok(Some(LineTest {
            is_negative,
            searches,
        }))
    }

    pub(super) fn accepts(&self, line: &[u8]) -> bool {
        let is_found = self.searches.iter().any(|search| search.is_in(line));
        is_found != self.is_negative
    }

    /// Texts all of which every line that passes contains.
    pub(super) fn needles(&self) -> Vec<&[u8]> {
        match (&*self.searches, self.is_negative) {
            ([search], false) => search.needles(),
            _ => Vec::new(),
        }
    }
}

impl Search {
    fn new(op: LineOp, text: &LineText) -> Result<Search, String> {
        let text = match text {
            LineText::Ip(pattern) => return IpRange::parse(pattern).map(Search::Ip),
            LineText::Text(text) => text,
        };
        Ok(match op {
            LineOp::Contains | LineOp::NotContains => Search::text(text),
            LineOp::Regex | LineOp::NotRegex => {
                Search::Regex(Re2::compile(text).map_err(|error| error.to_string())?)
            }
            LineOp::Pattern | LineOp::NotPattern => Search::Wildcard(Wildcard::parse(text)?),
        })
    }

    fn text(text: &str) -> Search {
        Search::Text(Box::new(Finder::new(text.as_bytes()).into_owned()))
    }

    fn is_in(&self, line: &[u8]) -> bool {
        match self {
            Search::Text(finder) => finder.find(line).is_some(),
            Search::Regex(pattern) => pattern.is_match(line),
            Search::Ip(range) => range.is_in(line),
            Search::Wildcard(wildcard) => wildcard.matches(line),
        }
    }

    fn needles(&self) -> Vec<&[u8]> {
        match self {
            Search::Text(finder) => vec![finder.needle()],
            Search::Regex(pattern) => match pattern.required() {
                // One of several would not be in every line.
                [only] => vec![only],
                _ => Vec::new(),
            },
            Search::Ip(_) => Vec::new(),
            Search::Wildcard(wildcard) => wildcard.literals().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(op: LineOp, texts: &[&str]) -> Option<LineTest> {
        let texts = texts.iter().map(|text| match text.strip_prefix("ip:") {
            Some(pattern) => LineText::Ip(pattern.to_owned()),
            None => LineText::Text((*text).to_owned()),
        });
        let texts = texts.collect();
        LineTest::new(&LineFilter { op, texts }).unwrap()
    }

    type Case<'c> = (LineOp, &'c [&'c str], &'c [&'c str], &'c [&'c str]);

    #[test]
    fn each_operator_lets_through_what_it_says() {
        let cases: [Case<'_>; 10] = [
            (LineOp::Contains, &["a.c"], &["xa.cx"], &["abc", ""]),
            (LineOp::Contains, &["a", "b"], &["xa", "b"], &["c"]),
            (LineOp::NotContains, &["a", "b"], &["c", ""], &["xa", "b"]),
            (LineOp::NotContains, &[""], &[], &["x", ""]),
            (LineOp::Regex, &["a.c$"], &["xabc"], &["abcx", "a\nc"]),
            (LineOp::Regex, &["(?i)ОШИБ"], &["Ошибка"], &["ok"]),
            (LineOp::NotRegex, &["^$"], &["x"], &[""]),
            (LineOp::Pattern, &["<_>b<_>"], &["abc"], &["b", "ab"]),
            (LineOp::NotPattern, &[""], &["x"], &[""]),
            (
                LineOp::NotContains,
                &["ip:10.0.0.0/8"],
                &["a 11.1.1.1"],
                &["10.1.1.1:80"],
            ),
        ];
        for (op, texts, accepted, others) in cases {
            let test = test(op, texts).unwrap();
            for line in accepted {
                assert!(
                    test.accepts(line.as_bytes()),
                    "{op:?} {texts:?} on {line:?}"
                );
            }
            for line in others {
                assert!(
                    !test.accepts(line.as_bytes()),
                    "{op:?} {texts:?} on {line:?}"
                );
            }
        }
        assert!(test(LineOp::Contains, &["a", ""]).is_none());
        assert!(test(LineOp::Regex, &[""]).is_none());
    }

    #[test]
    fn needles_are_what_every_line_that_passes_contains() {
        let cases: [(LineOp, &[&str], &[&str]); 6] = [
            (LineOp::Contains, &["abc"], &["abc"]),
            (LineOp::Contains, &["abc", "d"], &[]),
            (LineOp::NotContains, &["abc"], &[]),
            (LineOp::Pattern, &["a<_>b<_>"], &["a", "b"]),
            (LineOp::Regex, &["status=\\d+"], &["status="]),
            (LineOp::Regex, &["(?i)abc"], &[]),
        ];
        for (op, texts, needles) in cases {
            let test = test(op, texts).unwrap();
            let found: Vec<_> = test.needles().into_iter().map(|n| n.to_vec()).collect();
            let needles: Vec<_> = needles.iter().map(|n| n.as_bytes().to_vec()).collect();
            assert_eq!(found, needles, "{op:?} {texts:?}");
        }
    }
}
