//! What patterns mean, as a table of (pattern, text, first match).

use super::first;

const NONE: Option<&[u8]> = None;

/// A pattern, a text, and the part of it that matches first.
type Row = (&'static str, &'static [u8], Option<&'static [u8]>);

fn check(table: &[Row]) {
    for (pattern, text, expected) in table {
        let found = first(pattern, text);
        let shown = found.map(|found| String::from_utf8_lossy(found).into_owned());
        assert_eq!(
            found,
            *expected,
            "{pattern:?} on {:?}: {shown:?}",
            text.escape_ascii().to_string()
        );
    }
}

#[test]
fn braces_that_are_no_repeat_are_literals() {
    check(&[
        ("a{b", b"xa{b", Some(b"a{b")),
        ("y{,3}", b"yyy{,3}", Some(b"y{,3}")),
        ("{", b"{", Some(b"{")),
        ("a{1", b"a{1", Some(b"a{1")),
        ("a{1,", b"a{1,", Some(b"a{1,")),
        ("a{01}", b"a{01}", Some(b"a{01}")),
        ("a{ 1}", b"a{ 1}", Some(b"a{ 1}")),
        ("a{,}", b"a{,}", Some(b"a{,}")),
        ("a{1}b{2}", b"abb", Some(b"abb")),
        ("a{2,}", b"aaaa", Some(b"aaaa")),
        ("a{0}b", b"ab", Some(b"b")),
        ("a{1,2}?", b"aa", Some(b"a")),
        ("]", b"]", Some(b"]")),
        ("}", b"}", Some(b"}")),
        ("{*", b"{{{", Some(b"{{{")),
    ]);
}

#[test]
fn quoted_text_and_escapes_stand_for_characters() {
    check(&[
        (r"\Qa.b\E", b"axb a.b", Some(b"a.b")),
        (r"\Qa.b", b"a.b", Some(b"a.b")),
        (r"a\Q\E*", b"aaa", Some(b"aaa")),
        (r"\Qab\E*", b"abbb", Some(b"abbb")),
        (r"\Qab\E+c", b"abbc", Some(b"abbc")),
        (r"(?i)\QaB\E", b"Ab", Some(b"Ab")),
        (r"\012", b"\n", Some(b"\n")),
        (r"\0", b"\0", Some(b"\0")),
        (r"\101", b"A", Some(b"A")),
        (r"\0101", b"\x081", Some(b"\x081")),
        (r"\x41\x{42}\x{000043}", b"ABC", Some(b"ABC")),
        (
            r"\x{10FFFF}",
            "\u{10ffff}".as_bytes(),
            Some("\u{10ffff}".as_bytes()),
        ),
        (
            r"\x7F\a\f\n\r\t\v",
            b"\x7f\x07\x0c\n\r\t\x0b",
            Some(b"\x7f\x07\x0c\n\r\t\x0b"),
        ),
        (r"\<a\>", b"<a>", Some(b"<a>")),
        (r"\.\*\_\-\/\`\~\!", b".*_-/`~!", Some(b".*_-/`~!")),
        (r"\x{e9}", "é".as_bytes(), Some("é".as_bytes())),
        (r"\x{D800}", "\u{fffd}".as_bytes(), NONE),
        (r"\ ", b" ", Some(b" ")),
        ("\\\n", b"\n", Some(b"\n")),
    ]);
}

#[test]
fn perl_and_posix_classes_are_ascii() {
    let nbsp = "\u{a0}".as_bytes();
    check(&[
        (r"\d", "٣".as_bytes(), NONE),
        (r"\w", "é".as_bytes(), NONE),
        (r"\s", nbsp, NONE),
        (r"\s", b"\x0b", NONE),
        (r"^\s+$", b"\t\n\x0c\r ", Some(b"\t\n\x0c\r ")),
        (r"\D", "٣".as_bytes(), Some("٣".as_bytes())),
        (r"\W", "é".as_bytes(), Some("é".as_bytes())),
        (r"\S", b"\x0b", Some(b"\x0b")),
        (r"^\w+$", b"azAZ09_", Some(b"azAZ09_")),
        ("[[:space:]]", b"\x0b", Some(b"\x0b")),
        ("[[:alpha:]]+", "aé".as_bytes(), Some(b"a")),
        ("[[:^alpha:]]+", "aé1".as_bytes(), Some("é1".as_bytes())),
        ("[[:word:]]+", b"a_1-", Some(b"a_1")),
        ("[[:punct:][:digit:]]+", b"a~1!", Some(b"~1!")),
        ("^[[:alnum:]]+$", b"aZ9", Some(b"aZ9")),
        ("^[[:ascii:]]$", b"\x7f", Some(b"\x7f")),
        ("^[[:blank:]]+$", b" \t", Some(b" \t")),
        ("^[[:cntrl:]]+$", b"\0\x1f\x7f", Some(b"\0\x1f\x7f")),
        ("^[[:graph:]]+$", b"!~", Some(b"!~")),
        ("[[:graph:]]", b" ", NONE),
        ("[[:print:]]", b" ", Some(b" ")),
        ("^[[:lower:]]+$", b"az", Some(b"az")),
        ("[[:upper:]]", b"aZ", Some(b"Z")),
        ("^[[:xdigit:]]+$", b"09afAF", Some(b"09afAF")),
    ]);
}

#[test]
fn brackets_have_no_set_operators() {
    check(&[
        (r"[\d-z]+", b"a1-z", Some(b"1-z")),
        ("[a&&b]+", b"x&ba", Some(b"&ba")),
        ("[a~~b]+", b"~b", Some(b"~b")),
        ("[+--]+", b"+,-.", Some(b"+,-")),
        ("[[a]]", b"[]", Some(b"[]")),
        ("[[a]]", b"a]", Some(b"a]")),
        ("[]a]+", b"]a", Some(b"]a")),
        ("[^]a]", b"]ab", Some(b"b")),
        ("[a-]+", b"-a", Some(b"-a")),
        ("[-a]+", b"-a", Some(b"-a")),
        ("[a-c-e]+", b"b-e", Some(b"b-e")),
        (r"[\]\\]+", br"\]", Some(br"\]")),
        ("[[:alpha]+", b":alph", Some(b":alph")),
        ("[^^]", b"^a", Some(b"a")),
        (r"[\x00-\x{10FFFF}]", b"a", Some(b"a")),
        (r"[^\x00-\x{10FFFF}]", b"a", NONE),
        (
            r"[\x{D000}-\x{E000}]",
            "\u{d7ff}".as_bytes(),
            Some("\u{d7ff}".as_bytes()),
        ),
        (
            r"[^\x00-\x{D7FF}\x{E000}-\x{10FFFF}]",
            "\u{d7ff}\u{e000}".as_bytes(),
            NONE,
        ),
        (
            r"[^\x00-\x{D7FE}\x{E000}-\x{10FFFF}]",
            "\u{d7ff}\u{e000}".as_bytes(),
            Some("\u{d7ff}".as_bytes()),
        ),
        (
            r"[\pL\PL]+",
            "\u{d7ff}\u{e000}".as_bytes(),
            Some("\u{d7ff}\u{e000}".as_bytes()),
        ),
        (r"[^\pL\PL]", "\u{d7ff}\u{e000}".as_bytes(), NONE),
        ("[.*+?(){}|$]+", b".*+?(){}|$", Some(b".*+?(){}|$")),
        ("[^a]", b"\n", Some(b"\n")),
    ]);
}

#[test]
fn unicode_classes_go_by_category_and_script() {
    check(&[
        (r"\pL+", "1aéβ2".as_bytes(), Some("aéβ".as_bytes())),
        (r"\p{Greek}+", "aβγ".as_bytes(), Some("βγ".as_bytes())),
        (r"\P{Greek}+", "aβγ".as_bytes(), Some(b"a")),
        (r"\p{^Greek}+", "aβγ".as_bytes(), Some(b"a")),
        (r"\P{^Greek}+", "aβγ".as_bytes(), Some("βγ".as_bytes())),
        (r"\pN+", "a1٣".as_bytes(), Some("1٣".as_bytes())),
        (r"[\p{Lu}\d]+", "aÉ1".as_bytes(), Some("É1".as_bytes())),
        (r"[^\pL]+", "é1!".as_bytes(), Some(b"1!")),
        (r"\p{Han}", "日".as_bytes(), Some("日".as_bytes())),
        (r"\p{Any}", "日".as_bytes(), Some("日".as_bytes())),
        (r"\p{Thai}", "ก".as_bytes(), Some("ก".as_bytes())),
    ]);
}

#[test]
fn case_folding_is_simple_and_unicode() {
    let kelvin = "\u{212a}".as_bytes();
    check(&[
        ("(?i)k", kelvin, Some(kelvin)),
        ("(?i)[k]", kelvin, Some(kelvin)),
        ("(?i)[^k]", kelvin, NONE),
        (r"(?i)\w", kelvin, Some(kelvin)),
        (r"(?i)\W", kelvin, NONE),
        (r"\W", kelvin, Some(kelvin)),
        ("(?i)é", "É".as_bytes(), Some("É".as_bytes())),
        ("(?i)ß", b"ss", NONE),
        ("(?i)σ", "ς".as_bytes(), Some("ς".as_bytes())),
        ("(?i)a-Z", b"A-z", Some(b"A-z")),
        ("(?i)[a-c]+", b"AbC", Some(b"AbC")),
        (r"(?i)\p{Lu}", b"a", Some(b"a")),
        (r"(?i)\P{Lu}", b"a", NONE),
        ("(?i)[[:upper:]]", b"a", Some(b"a")),
        ("a(?i)b", b"aB", Some(b"aB")),
        ("(?i:a)b", b"AB", NONE),
        ("((?i)a)b", b"Ab", Some(b"Ab")),
        ("(?i)a(?-i)b", b"AB", NONE),
    ]);
}

#[test]
fn anchors_borders_and_flags() {
    check(&[
        (r"caf\b", "café".as_bytes(), Some(b"caf")),
        (r"\b{start}", b"a{start}", Some(b"{start}")),
        (r"é\B", "é".as_bytes(), Some("é".as_bytes())),
        ("a$", b"a\n", NONE),
        (r"a\z", b"a\n", NONE),
        ("(?m)a$", b"a\n", Some(b"a")),
        ("(?m)^b", b"a\nb", Some(b"b")),
        ("^b", b"a\nb", NONE),
        (r"(?m)\Ab", b"a\nb", NONE),
        ("a.b", b"a\nb", NONE),
        ("(?s)a.b", b"a\nb", Some(b"a\nb")),
        ("(?s)(?-s).", b"\n", NONE),
        ("(?U)a+", b"aa", Some(b"a")),
        ("(?U)a+?", b"aa", Some(b"aa")),
        ("(?U:a+)a*", b"aaa", Some(b"aaa")),
        ("^*", b"a", Some(b"")),
        ("(?:$)+", b"a", Some(b"")),
        ("(?i-s:A.)", b"ab", Some(b"ab")),
        ("a(?i)*", b"aaa", Some(b"aaa")),
        ("a*(?i)*", b"aaa", Some(b"aaa")),
        ("(?:a*)*", b"aaa", Some(b"aaa")),
    ]);
}

#[test]
fn the_leftmost_first_match_wins() {
    check(&[
        ("a|ab", b"ab", Some(b"a")),
        ("ab|a", b"ab", Some(b"ab")),
        ("(?:|a)b", b"ab", Some(b"ab")),
        ("|a", b"a", Some(b"")),
        ("a||b", b"b", Some(b"")),
        ("(a|)+", b"aa", Some(b"aa")),
        ("", b"abc", Some(b"")),
        ("b+?", b"abb", Some(b"b")),
        ("x*", b"ax", Some(b"")),
        ("foo|bar|baz", b"xbaz", Some(b"baz")),
    ]);
}

#[test]
fn a_broken_byte_is_read_as_one_character() {
    check(&[
        ("a.b", b"a\xffb", Some(b"a\xffb")),
        ("a[^x]b", b"a\xffb", Some(b"a\xffb")),
        (r"a\Wb", b"a\xffb", Some(b"a\xffb")),
        ("a\u{fffd}b", b"a\xffb", Some(b"a\xffb")),
        ("a[x-y]b", b"a\xffb", NONE),
        ("^..$", b"\xe2\x82", Some(b"\xe2\x82")),
        ("^.$", "€".as_bytes(), Some("€".as_bytes())),
        ("^..$", "€".as_bytes(), NONE),
        ("^.$", b"\xe2\x82", NONE),
        ("^.{4}$", b"\xf0\x9f\x92a", Some(b"\xf0\x9f\x92a")),
        ("é", b"\xc3\xc3\xa9", Some("é".as_bytes())),
        ("b.*d", b"\xffab\xffcd\xff", Some(b"b\xffcd")),
        (r"\x{FF}", b"\xff", NONE),
        ("a$", b"\xffa", Some(b"a")),
    ]);
}
