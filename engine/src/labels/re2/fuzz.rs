//! The body of the fuzz target for patterns: any bytes are a pattern and a text, and nothing may
//! panic or contradict the automaton.

use super::{Captures, Haystack, Re2, Shape, Template};

/// Automata are kept small here, so that time goes into variety.
const PROGRAM_BYTES_MAX: usize = 1 << 20;

/// The first byte says how long the pattern is; the text follows it.
pub(crate) fn fuzz_re2(data: &[u8]) {
    let Some((&length, rest)) = data.split_first() else {
        return;
    };
    let (pattern, text) = rest.split_at(rest.len().min(usize::from(length)));
    let pattern = String::from_utf8_lossy(pattern);
    let compiled = [
        Re2::compile_within(&pattern, PROGRAM_BYTES_MAX),
        Re2::anchored_within(&pattern, PROGRAM_BYTES_MAX),
    ];
    for re in compiled.into_iter().flatten() {
        check(&re, text);
        // The pattern is more likely to match itself than anything.
        check(&re, pattern.as_bytes());
    }
}

/// Asserts that every way to ask gives the automaton's answer.
pub(super) fn check(re: &Re2, text: &[u8]) {
    let haystack = Haystack::new(text);
    let expected = re.is_match_by_automaton(&haystack);
    assert_eq!(
        re.is_match(text),
        expected,
        "is_match of {re:?} on {text:?}"
    );
    if let (Some(by_table), Ok(_)) = (re.is_match_by_table(text), std::str::from_utf8(text)) {
        assert_eq!(by_table, expected, "the table of {re:?} on {text:?}");
    }
    if let Ok(text) = std::str::from_utf8(text) {
        assert_eq!(
            re.is_match_str(text),
            expected,
            "is_match_str of {re:?} on {text:?}"
        );
    }
    let found = re.find_at(&haystack, 0);
    assert_eq!(found.is_some(), expected, "find_at of {re:?} on {text:?}");
    let mut captures = Captures::default();
    let captured = re.captures_at(&haystack, 0, &mut captures);
    assert_eq!(captured, expected, "captures_at of {re:?} on {text:?}");
    assert_eq!(
        captures.group(0),
        found,
        "whole match of {re:?} on {text:?}"
    );
    if expected {
        check_facts(re, text);
    }
    re.replace_all(&haystack, &Template::new("<$0>"));
}

/// Asserts that what is said of every match holds for this one.
fn check_facts(re: &Re2, text: &[u8]) {
    let has = |part: &[u8]| memchr::memmem::find(text, part).is_some();
    let required = re.required();
    let known = required.is_empty() || required.iter().any(|part| has(part));
    assert!(known, "{re:?} matches {text:?} without any of {required:?}");
    if let Shape::General { prefix, inner } = re.shape() {
        assert!(
            text.starts_with(prefix.as_bytes()),
            "{re:?} matches {text:?} without {prefix:?}"
        );
        assert!(
            has(inner.as_bytes()),
            "{re:?} matches {text:?} without {inner:?}"
        );
    }
}
