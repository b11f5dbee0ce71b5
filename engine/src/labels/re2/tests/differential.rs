//! Random patterns and texts: against `regex-automata`'s own syntax where both agree, and every
//! shortcut against the automata.

use proptest::prelude::*;
use proptest::sample::select;
use regex_automata::meta::Regex;

use super::fuzz::{check, fuzz_re2};
use super::*;

/// Pieces that mean the same here and in `regex-syntax` with Unicode off for classes and borders.
const SHARED: &[&str] = &[
    "a",
    "b",
    "c",
    "ab",
    "[ab]",
    "[^a]",
    "(a)",
    "(?:b|c)",
    ".",
    "^",
    "$",
    r"\b",
    r"(?-u:\w)",
    r"(?-u:\d)",
    "(?s:.)",
    "(?i:a)",
    "(?m:^)",
    "(",
    ")",
    "|",
];
const SHARED_OPERATORS: &[&str] = &[
    "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}",
];

fn pattern(
    atoms: &'static [&'static str],
    operators: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let part =
        (select(atoms), select(operators)).prop_map(|(atom, operator)| format!("{atom}{operator}"));
    prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat())
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(select(TEXTS), 0..4).prop_map(|parts| parts.concat()),
        "[abcAB \n]{0,12}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn common_syntax_means_the_same_as_in_regex_automata(
        pattern in pattern(SHARED, SHARED_OPERATORS),
        text in "[abcABC1_ \n]{0,12}",
    ) {
        // `\w` and its like are spelled differently where Unicode is the default.
        let ours = pattern.replace(r"(?-u:\w)", r"\w").replace(r"(?-u:\d)", r"\d");
        let theirs = pattern.replace(r"\b", r"(?-u:\b)");
        if let (Ok(ours), Ok(theirs)) = (Re2::compile(&ours), Regex::new(&theirs)) {
            let mut captures = Captures::default();
            ours.captures_at(&Haystack::from(text.as_str()), 0, &mut captures);
            let mut expected = theirs.create_captures();
            theirs.captures(&text, &mut expected);
            for index in 0..ours.captures_len() {
                let group = expected.get_group(index).map(|span| span.range());
                let ours = captures.group(index);
                prop_assert_eq!(ours, group, "group {} of {:?} on {:?}", index, pattern, text);
            }
        }
    }

    #[test]
    fn facts_and_shortcuts_agree_with_the_automata(
        pattern in pattern(ATOMS, OPERATORS),
        text in text(),
    ) {
        for re in [Re2::compile(&pattern), Re2::anchored(&pattern)].into_iter().flatten() {
            check(&re, &text);
            for text in TEXTS {
                check(&re, text);
            }
            if let Shape::Exact(values) = re.shape() {
                for value in values.iter() {
                    prop_assert!(re.is_match_by_automaton(&Haystack::from(&**value)));
                }
            }
        }
    }

    #[test]
    fn any_bytes_as_pattern_and_text_do_not_panic(
        data in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        fuzz_re2(&data);
    }

    #[test]
    fn any_syntax_characters_as_pattern_do_not_panic(
        pattern in r"[\\()\[\]{}|*+?^$.:<>P=!iQEpLdwbx0-9,a-c é-]{0,24}",
        text in text(),
    ) {
        for re in [Re2::compile(&pattern), Re2::anchored(&pattern)].into_iter().flatten() {
            check(&re, &text);
        }
    }

    #[test]
    fn anchored_means_the_whole_text(
        pattern in pattern(SHARED, SHARED_OPERATORS),
        text in "[abc\n]{0,8}",
    ) {
        // Only patterns that stand alone mean the same when wrapped.
        if Re2::compile(&pattern).is_ok() {
            let anchored = Re2::anchored(&pattern).unwrap();
            let spelled = Re2::compile(&format!(r"\A(?:(?s){pattern})\z")).unwrap();
            prop_assert_eq!(anchored.is_match_str(&text), spelled.is_match_str(&text));
        }
    }
}

#[test]
fn positions_survive_the_repair_of_broken_text() {
    for text in TEXTS {
        let haystack = Haystack::new(text);
        for at in 0..=text.len() {
            assert_eq!(
                haystack.to_bytes(haystack.to_text(at)),
                at,
                "{text:?} at {at}"
            );
        }
        let expected = String::from_utf8_lossy(text).chars().count();
        let repaired = str::from_utf8(haystack.text()).unwrap().chars().count();
        assert!(repaired >= expected, "{text:?}");
    }
}
