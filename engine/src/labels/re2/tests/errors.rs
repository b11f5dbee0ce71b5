//! What is refused, in Go's words.

use super::*;

fn refusal(pattern: &str) -> String {
    match Re2::compile(pattern) {
        Ok(_) => panic!("{pattern:?} is accepted"),
        Err(error) => error.to_string(),
    }
}

/// Checks (pattern, what is wrong, where).
fn check(table: &[(&str, &str, &str)]) {
    for (pattern, wrong, part) in table {
        assert_eq!(
            refusal(pattern),
            format!("error parsing regexp: {wrong}: `{part}`"),
            "{pattern:?}"
        );
    }
}

#[test]
fn repetition_faults_are_named() {
    let nested = "invalid nested repetition operator";
    let missing = "missing argument to repetition operator";
    let count = "invalid repeat count";
    check(&[
        ("x**", nested, "**"),
        ("x*+", nested, "*+"),
        ("x*??", nested, "*??"),
        ("ab+*?c", nested, "+*?"),
        ("a{1,2}{3}", nested, "{1,2}{3}"),
        ("a**?", nested, "**?"),
        ("*", missing, "*"),
        ("+?a", missing, "+?"),
        ("a|*", missing, "*"),
        ("(*)", missing, "*"),
        ("(?i)*", missing, "*"),
        ("(|*)", missing, "*"),
        (r"\Q\E*", missing, "*"),
        ("{2}", missing, "{2}"),
        ("a{1001}", count, "{1001}"),
        ("a{1001,}", count, "{1001,}"),
        ("a{0,1001}", count, "{0,1001}"),
        ("a{3,2}", count, "{3,2}"),
        ("a{99999999999999999999}", count, "{99999999999999999999}"),
        ("(a{1000}){1000}", count, "{1000}"),
        ("((a{10}){10}){11}", count, "{11}"),
        ("((a{2,}){501})", count, "{501}"),
    ]);
}

#[test]
fn repetitions_within_limits_are_accepted() {
    let accepted = [
        "a{1000}",
        "(a{100}){10}",
        "(a{1000}){0}",
        "(a{1000})*",
        "((a{10}){10}){10}",
        "(a{1000}){1}",
        "(a{0,}){1000}",
        "(?:a*)+",
        "x{2}(?i)*",
    ];
    for pattern in accepted {
        Re2::compile(pattern).unwrap();
    }
}

#[test]
fn escape_faults_are_named() {
    let escape = "invalid escape sequence";
    check(&[
        (r"\1", escape, r"\1"),
        (r"\8", escape, r"\8"),
        (r"\q", escape, r"\q"),
        (r"\é", escape, r"\é"),
        (r"\u00e9", escape, r"\u"),
        (r"\C", escape, r"\C"),
        (r"\E", escape, r"\E"),
        (r"\Z", escape, r"\Z"),
        (r"a\x", escape, r"\x"),
        (r"\xg", escape, r"\xg"),
        (r"\x4g1", escape, r"\x4g"),
        (r"\x{}", escape, r"\x{}"),
        (r"\x{110000}", escape, r"\x{110000"),
        (r"\x{41", escape, r"\x{41"),
        (r"[a-\d]", escape, r"\d"),
        (r"[\b]", escape, r"\b"),
        (r"[\Qa\E]", escape, r"\Q"),
        (r"a\", "trailing backslash at end of expression", ""),
        (r"[a\", "trailing backslash at end of expression", ""),
    ]);
}

#[test]
fn class_faults_are_named() {
    let range = "invalid character class range";
    let bracket = "missing closing ]";
    check(&[
        ("x[a", bracket, "[a"),
        ("[", bracket, "["),
        ("[^", bracket, "[^"),
        ("[]", bracket, "[]"),
        ("[a-", bracket, "[a-"),
        ("a[b-z", bracket, "[b-z"),
        ("[z-a]", range, "z-a"),
        (r"[a\x{62}-\x61]", range, r"\x{62}-\x61"),
        ("[a--b]", range, "a--"),
        (r"\p^L", range, r"\p^"),
        ("[[:foo:]]", range, "[:foo:]"),
        ("[[:^foo:]]", range, "[:^foo:]"),
        (r"\p{Script=Greek}", range, r"\p{Script=Greek}"),
        (r"\p{Foo}", range, r"\p{Foo}"),
        (r"\p{Grek}", range, r"\p{Grek}"),
        (r"\p{isGreek}", range, r"\p{isGreek}"),
        (r"\p{Alphabetic}", range, r"\p{Alphabetic}"),
        (r"\p{}", range, r"\p{}"),
        (r"\pX", range, r"\pX"),
        (r"\p", range, r"\p"),
        (r"a\p{Greek", range, r"\p{Greek"),
        (r"[\pX]", range, r"\pX"),
    ]);
}

#[test]
fn group_faults_are_named() {
    let perl = "invalid or unsupported Perl syntax";
    let name = "invalid named capture";
    check(&[
        ("a(", "missing closing )", "a("),
        ("((a)", "missing closing )", "((a)"),
        ("(a|b", "missing closing )", "(a|b"),
        ("a)", "unexpected )", "a)"),
        (")", "unexpected )", ")"),
        ("(?x)a", perl, "(?x"),
        ("(?u)a", perl, "(?u"),
        ("(?R)a", perl, "(?R"),
        ("(?=a)", perl, "(?="),
        ("(?!a)", perl, "(?!"),
        ("(?>a)", perl, "(?>"),
        ("(?#a)", perl, "(?#"),
        ("(?P=n)", perl, "(?P"),
        ("(?--i)", perl, "(?--"),
        ("(?-)", perl, "(?-)"),
        ("(?i-:a)", perl, "(?i-:"),
        ("(?i", perl, "(?i"),
        ("a(?", perl, "(?"),
        ("(?P<n", name, "(?P<n"),
        ("(?P<>a)", name, "(?P<>"),
        ("(?P<x y>a)", name, "(?P<x y>"),
        ("(?<é>a)", name, "(?<é>"),
        ("(?<=a)b", name, "(?<=a)b"),
        ("(?<!a>)b", name, "(?<!a>"),
        ("(?P<n>a", "missing closing )", "(?P<n>a"),
    ]);
}

#[test]
fn an_anchored_pattern_is_wrapped_as_text() {
    let error = Re2::anchored("a(").unwrap_err();
    assert_eq!(
        error.to_string(),
        "error parsing regexp: missing closing ): `^(?s:a()$`"
    );
    let re = Re2::anchored("a)|(b").unwrap();
    assert!(re.is_match(b"ax") && re.is_match(b"xb") && !re.is_match(b"xbx"));
}

#[test]
fn a_long_pattern_is_quoted_in_part() {
    let text = refusal(&format!("({}", "é".repeat(5000)));
    assert!(text.len() < 2000, "{}", text.len());
    assert!(text.ends_with("é...`"));
}
