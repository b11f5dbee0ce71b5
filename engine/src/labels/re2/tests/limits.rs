//! Patterns that are large, deep or hostile.

use super::*;
use crate::error::ErrorKind;

fn limited(pattern: &str) -> String {
    let error = Re2::compile(pattern).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    error.to_string()
}

#[test]
fn large_ascii_and_unicode_repeats_compile() {
    assert!(Re2::compile(r"\w{1000}").unwrap().is_match(&[b'a'; 1000]));
    let address = Re2::compile(r"[\w.-]{1,256}@x").unwrap();
    assert!(address.is_match(b"some.one@x"));
    assert!(!address.is_match(b"@x"));
    let letters = Re2::compile(r"^[\pL]{1000}$").unwrap();
    assert!(letters.is_match("é".repeat(1000).as_bytes()));
    assert!(!letters.is_match("é".repeat(999).as_bytes()));
}

#[test]
fn what_would_need_too_much_memory_is_refused_early() {
    assert!(limited(&r"\pL{1000}".repeat(20)).contains("expression too large"));
    assert!(limited(&r".{1000}".repeat(1000)).contains("expression too large"));
    assert!(limited(&r"[\pL]".repeat(3000)).contains("expression too large"));
    assert!(limited(&"(a)".repeat(50_000)).contains("expression too large"));
    assert!(limited(&format!("[{}]", r"\pL".repeat(20_000))).contains("expression too large"));
    assert!(limited(&r"(?i)[B-\x{10FFFF}]".repeat(100)).contains("expression too large"));
    assert!(limited(&"a".repeat(1 << 20)).contains("too long"));
    let small = Re2::compile_within(r"\pL{100}", 1 << 16).unwrap_err();
    assert_eq!(small.kind(), ErrorKind::Limit);
}

#[test]
fn nesting_is_limited_to_a_thousand_levels() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [("(", ")"), ("(?:", ")*"), ("(?:a|b(?:", "c)?)")] {
        assert!(limited(&nested(open, close, 1001)).contains("expression nests too deeply"));
        assert!(limited(&nested(open, close, 9000)).contains("expression nests too deeply"));
        Re2::compile(&nested(open, close, 240)).unwrap();
    }
    let deepest = Re2::compile(&nested("(?:a|b(?:", "c)?)", 245)).unwrap();
    fuzz::check(&deepest, b"bbcc");
    let groups = Re2::compile(&nested("(", ")", 500)).unwrap();
    assert_eq!(groups.captures_len(), 501);
    fuzz::check(&groups, b"");
    // Groups that only group are no level of their own.
    Re2::compile(&nested("(?:", ")", 50_000)).unwrap();
    assert!(Re2::compile(&"(".repeat(100_000)).is_err());
    assert!(Re2::compile(&")".repeat(100_000)).is_err());
    assert!(Re2::compile(&"(?:|".repeat(50_000)).is_err());
}

#[test]
fn long_alternations_compile_and_match() {
    let names: Vec<String> = (0..5000).map(|number| format!("name-{number}")).collect();
    let re = Re2::anchored(&names.join("|")).unwrap();
    assert!(re.is_match(b"name-4999"));
    assert!(!re.is_match(b"name-5000"));
    match re.shape() {
        Shape::General { prefix, .. } => assert_eq!(&**prefix, "name"),
        other => panic!("{other:?}"),
    }
}
