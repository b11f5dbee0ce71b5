//! Looks through the values of one label name in the head: by beginning, by what they contain, or
//! by asking a pattern.
//!
//! A name's values stand in no order, so a beginning costs a look at each; but they stand close
//! together, so that what they contain is found by one pass over their bytes.

use crate::codec::bytes::Cursor;
use crate::head::symbols::{Entry, PairId, Symbols};
use crate::index::search::Search;
use crate::labels::matcher::Matcher;
use crate::labels::re2::Shape;

/// A beginning of at least so many bytes is searched for as what values contain: a pass over all
/// bytes is quicker than a look at each value unless it finds too much.
const SEARCHED_BYTES_MIN: usize = 3;

/// Which values are wanted.
pub(crate) enum Wanted<'m> {
    All,
    /// Those that begin with the text, and have something that the search finds.
    Beginning(&'m str, Option<Search<'m>>),
    Containing(Search<'m>),
    /// Those that the matcher's pattern accepts, be the matcher negated or not. All of them begin
    /// with the text, and have something that the search finds.
    Accepted(&'m Matcher, &'m str, Option<Search<'m>>),
}

impl<'m> Wanted<'m> {
    /// What a matcher's pattern accepts, be the matcher negated or not.
    pub(crate) fn by(matcher: &'m Matcher) -> Self {
        match matcher.shape() {
            Shape::Any | Shape::NotEmpty => Wanted::All,
            Shape::Prefix(prefix) => Wanted::Beginning(prefix, search_for(prefix)),
            Shape::Contains(text) => Wanted::Containing(Search::one(text)),
            Shape::General { prefix, .. } => {
                let search = Search::required(matcher, prefix).or_else(|| search_for(prefix));
                Wanted::Accepted(matcher, prefix, search)
            }
            Shape::Exact(_) => Wanted::Accepted(matcher, "", None),
        }
    }

    fn takes(&self, value: &[u8]) -> bool {
        match self {
            Wanted::All | Wanted::Containing(_) => true,
            Wanted::Beginning(prefix, _) => value.starts_with(prefix.as_bytes()),
            Wanted::Accepted(matcher, prefix, _) => {
                value.starts_with(prefix.as_bytes())
                    && std::str::from_utf8(value)
                        .is_ok_and(|value| matcher.matches(value) != matcher.op().is_negative())
            }
        }
    }

    fn search(&self) -> Option<&Search<'m>> {
        match self {
            Wanted::Containing(search) => Some(search),
            Wanted::Beginning(_, search) | Wanted::Accepted(_, _, search) => search.as_ref(),
            Wanted::All => None,
        }
    }
}

fn search_for(prefix: &str) -> Option<Search<'_>> {
    (prefix.len() >= SEARCHED_BYTES_MIN).then(|| Search::one(prefix))
}

impl Symbols {
    /// Calls `each` with the live pairs of a piece whose value is wanted.
    pub(crate) fn scan(&self, number: u32, wanted: &Wanted<'_>, mut each: impl FnMut(PairId)) {
        let mut take = |entry: Entry, value: &[u8]| {
            if wanted.takes(value) && self.is_live(number, entry) {
                each(entry.pair);
            }
        };
        let (text, piece) = self.piece(number);
        let entries = &piece.entries[..];
        let Some(search) = wanted.search() else {
            for (place, entry) in entries.iter().enumerate() {
                let value_start = value_start(text, *entry);
                take(*entry, &text[value_start..end_of(text, entries, place)]);
            }
            return;
        };
        let (mut from, mut place) = (0, 0);
        while let Some(found) = search.find(text, from) {
            place = last_before(entries, place, found.start);
            let (start, end) = (
                value_start(text, entries[place]),
                end_of(text, entries, place),
            );
            if found.start < start {
                // In the name.
                from = start;
            } else if found.end > end {
                // Over the border of two pairs: no value has it, but one may begin within it.
                from = found.start + 1;
            } else {
                take(entries[place], &text[start..end]);
                from = end;
            }
        }
    }
}

/// Where the value of a pair begins in its piece.
#[inline]
fn value_start(text: &[u8], entry: Entry) -> usize {
    let start = entry.offset as usize;
    // Most names and values are shorter than 128 bytes: then a length is one byte.
    if let Some(name_length) = text.get(start).filter(|length| **length < 0x80) {
        let length_at = start + 1 + usize::from(*name_length);
        if text.get(length_at).is_some_and(|length| *length < 0x80) {
            return length_at + 1;
        }
    }
    let mut cursor = Cursor::new(&text[start..]);
    cursor.prefixed().expect("interned pairs are canonical");
    cursor.varint().expect("interned pairs are canonical");
    start + cursor.position()
}

/// The last entry from `place` on that does not begin behind `position`; that of `place` does not.
/// Found in steps that double: mostly it is near.
fn last_before(entries: &[Entry], place: usize, position: usize) -> usize {
    let begins_before = |entry: &Entry| entry.offset as usize <= position;
    let mut step = 1;
    while entries.get(place + step).is_some_and(begins_before) {
        step *= 2;
    }
    let (low, high) = (place + step / 2, entries.len().min(place + step));
    low + entries[low..high].partition_point(begins_before) - 1
}

fn end_of(text: &[u8], entries: &[Entry], place: usize) -> usize {
    let next = entries.get(place + 1);
    next.map_or(text.len(), |next| next.offset as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::matcher::MatchOp;
    use crate::labels::set::put_label;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn found(symbols: &Symbols, wanted: &Wanted<'_>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let Some(name) = symbols.name_number("aab") else {
            return found;
        };
        for piece in &symbols.name(name).pieces {
            symbols.scan(*piece, wanted, |pair| {
                assert!(found.insert(symbols.value(pair).to_owned()));
            });
        }
        found
    }

    const PATTERNS: [&str; 14] = [
        ".*",
        "a.*",
        ".*ab.*",
        ".*aa.*",
        "a.*b",
        "(aa|b).*b",
        ".*(ba|bb)a*",
        "a|ab|ba",
        "a[ab]+",
        "[ab]{130,}",
        ".*b.b.*",
        "aab.*",
        "aab[ab]+",
        ".*aab.*",
    ];

    proptest! {
        #[test]
        fn every_search_equals_the_plain_one(
            values in prop::collection::btree_set("[ab]{1,6}|[ab]{126,132}", 1..60),
            gone in prop::collection::vec(0usize..60, 0..40),
        ) {
            let mut symbols = Symbols::default();
            let mut kept = Vec::new();
            for value in values {
                let mut bytes = Vec::new();
                put_label(&mut bytes, "aab", &value);
                kept.push((symbols.intern(b"aab", &bytes, 1, None), value));
            }
            for place in gone {
                if place < kept.len() {
                    let (pair, _) = kept.swap_remove(place);
                    symbols.release(pair, 1);
                }
            }
            for pattern in PATTERNS {
                let matcher = Matcher::new(MatchOp::Regex, "aab", pattern).unwrap();
                let expected: BTreeSet<String> = kept
                    .iter()
                    .map(|(_, value)| value.clone())
                    .filter(|value| matcher.matches(value))
                    .collect();
                prop_assert_eq!(found(&symbols, &Wanted::by(&matcher)), expected, "{}", pattern);
                let negated = Matcher::new(MatchOp::NotRegex, "aab", pattern).unwrap();
                let same = found(&symbols, &Wanted::by(&matcher));
                prop_assert_eq!(found(&symbols, &Wanted::by(&negated)), same, "{}", pattern);
            }
        }
    }
}
