//! Tests of the whole front end: syntax, errors, limits, facts, replacement, and the automata as a
//! twin.

mod differential;
mod errors;
mod facts;
mod groups;
mod limits;
mod syntax;

use super::*;

/// The text of the first match.
fn first<'h>(pattern: &str, text: &'h [u8]) -> Option<&'h [u8]> {
    let re = Re2::compile(pattern).unwrap_or_else(|error| panic!("{pattern:?}: {error}"));
    fuzz::check(&re, text);
    re.find_at(&Haystack::new(text), 0)
        .map(|found| &text[found])
}

/// The patterns that the random tests put together: one or two of everything.
const ATOMS: &[&str] = &[
    "a", "b", "foo", "é", ".", "[ab]", "[^a]", r"\d", r"\W", r"\b", r"\B", "^", "$", "(a|b)",
    "(?:)", "(?i:k)", "(?s:.)", "(?s:.*)", "(?s:.+)", "[a-c]", "(?m:^)", "(?m:$)", r"\pL",
    "\u{fffd}", "(b?)",
];
const OPERATORS: &[&str] = &[
    "", "", "", "*", "+", "?", "*?", "+?", "{2}", "{0,2}", "{1,}", "|", "|a",
];
const TEXTS: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"foo",
    b"foob",
    b"afoo",
    b"foo\n",
    b"\nfoo",
    b"K",
    "\u{212a}".as_bytes(),
    "é".as_bytes(),
    "aéb".as_bytes(),
    b"a\xffb",
    b"\xe2\x82",
    b"\xff",
    "\u{fffd}".as_bytes(),
    b"aaaa",
    b"abab",
    b"a b",
    b"1",
    b"foofoo",
    b"ab\xf0\x9f\x92b",
    "日本".as_bytes(),
    b"\n",
];
