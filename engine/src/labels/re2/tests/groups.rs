//! Groups, searching from a position, and replacement.

use super::*;

fn expanded(pattern: &str, text: &str, template: &str) -> Option<String> {
    let re = Re2::compile(pattern).unwrap();
    let haystack = Haystack::from(text);
    let mut captures = Captures::default();
    if !re.captures_at(&haystack, 0, &mut captures) {
        return None;
    }
    let mut out = Vec::new();
    re.expand(&Template::new(template), &haystack, &captures, &mut out);
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn groups_are_numbered_and_named() {
    let re = Re2::compile("(a)(?P<x>b)?(?:c)(?<y1>d|(e))").unwrap();
    assert_eq!(re.captures_len(), 5);
    let names: Vec<_> = re.capture_names().collect();
    assert_eq!(names, [None, None, Some("x"), Some("y1"), None]);
    let mut captures = Captures::default();
    assert!(re.captures_at(&Haystack::from("zace"), 0, &mut captures));
    let groups: Vec<_> = (0..6).map(|index| captures.group(index)).collect();
    assert_eq!(
        groups,
        [Some(1..4), Some(1..2), None, Some(3..4), Some(3..4), None]
    );
}

#[test]
fn two_groups_may_share_a_name() {
    let pattern = "(?P<n>a)|(?P<n>b)";
    assert_eq!(expanded(pattern, "a", "<$n>").as_deref(), Some("<a>"));
    assert_eq!(expanded(pattern, "b", "<$n>").as_deref(), Some("<b>"));
}

#[test]
fn a_group_repeated_no_times_still_counts() {
    let re = Re2::compile("(a){0}(b)(c){0}").unwrap();
    assert_eq!(re.captures_len(), 4);
    assert_eq!(
        expanded("(a){0}(b)(c){0}", "b", "[$1$2$3]").as_deref(),
        Some("[b]")
    );
    assert_eq!(Re2::compile("(a){0}").unwrap().captures_len(), 2);
    fuzz::check(&Re2::compile("(a){0}").unwrap(), b"a");
}

#[test]
fn templates_follow_go() {
    let table = [
        ("$1-$2", "ab-cd"),
        ("${1}x", "abx"),
        ("$1x", ""),
        ("$$1", "$1"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("${1", "${1"),
        ("${}", "${}"),
        ("${1 }", "${1 }"),
        ("$0", "ab cd"),
        ("$00", ""),
        ("$9", ""),
        ("$word", "cd"),
        ("${word}s", "cds"),
        ("$words", ""),
        ("$1é", ""),
        ("$1日", ""),
        ("$1€", "ab€"),
        ("$99999999999999999999", ""),
        ("$2$1", "cdab"),
        ("\\1", "\\1"),
        ("", ""),
    ];
    for (template, expected) in table {
        let got = expanded(r"(\w+) (?P<word>\w+)", "ab cd", template);
        assert_eq!(got.as_deref(), Some(expected), "{template:?}");
    }
}

#[test]
fn all_matches_are_replaced_as_in_go() {
    let table: [(&str, &[u8], &str, &[u8]); 12] = [
        ("a", b"banana", "<$0>", b"b<a>n<a>n<a>"),
        ("a*", b"baaac", "x", b"xbxcx"),
        ("", b"abc", "-", b"-a-b-c-"),
        ("", "é".as_bytes(), "-", "-é-".as_bytes()),
        ("", b"", "-", b"-"),
        ("^a", b"aaa", "", b"aa"),
        (r"\b", b"ab cd", "|", b"|ab| |cd|"),
        ("x", b"abc", "y", b"abc"),
        ("(.)(.)", b"abcd", "$2$1", b"badc"),
        (".", b"a\xffb", "<$0>", b"<a><\xff><b>"),
        ("b", b"\xff\xfeb\xff", "c", b"\xff\xfec\xff"),
        ("", b"\xe2\x82a", "-", b"-\xe2-\x82-a-"),
    ];
    for (pattern, text, template, expected) in table {
        let re = Re2::compile(pattern).unwrap();
        let got = re.replace_all(&Haystack::new(text), &Template::new(template));
        let shown = got.escape_ascii().to_string();
        assert_eq!(
            got,
            expected,
            "{pattern:?} on {:?}: {shown}",
            text.escape_ascii().to_string()
        );
    }
    let re = Re2::compile("a").unwrap();
    assert_eq!(
        re.replace_all(&Haystack::from("ab"), &Template::literal("$0")),
        b"$0b"
    );
}

#[test]
fn a_search_may_begin_anywhere_and_sees_what_is_before() {
    let re = Re2::compile(r"\ba|^b").unwrap();
    let haystack = Haystack::from("aab ab");
    assert_eq!(re.find_at(&haystack, 0), Some(0..1));
    assert_eq!(re.find_at(&haystack, 1), Some(4..5));
    assert_eq!(re.find_at(&haystack, 5), None);
    assert_eq!(re.find_at(&haystack, 7), None);
    let broken = Haystack::new(b"\xff\xffa\xffa");
    let letter = Re2::compile("a").unwrap();
    assert_eq!(letter.find_at(&broken, 0), Some(2..3));
    assert_eq!(letter.find_at(&broken, 3), Some(4..5));
    assert_eq!(letter.find_at(&broken, 5), None);
}

#[test]
fn programs_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    shared(&Re2::compile("a").unwrap());
}

#[test]
fn groups_in_loops_and_empty_branches_are_those_of_go() {
    type Groups = &'static [Option<Range<usize>>];
    let table: [(&str, &[u8], Option<Groups>); 9] = [
        ("x*(|(y))z*", b"xxzz", Some(&[Some(0..4), Some(2..2), None])),
        ("(xx)*$", b"x", Some(&[Some(1..1), None])),
        ("(x){0}", b"", Some(&[Some(0..0), None])),
        ("(|x)*", b"xx", Some(&[Some(0..0), Some(0..0)])),
        (
            "((x|y|z)*(w))",
            b"xyzw",
            Some(&[Some(0..4), Some(0..4), Some(2..3), Some(3..4)]),
        ),
        (
            "(.)(.)",
            "日x".as_bytes(),
            Some(&[Some(0..4), Some(0..3), Some(3..4)]),
        ),
        ("(\u{fffd})", b"ab\xffc", Some(&[Some(2..3), Some(2..3)])),
        (r"(\x{fffd})", b"\xc2\0", Some(&[Some(0..1), Some(0..1)])),
        (r"[^\D\d]", b"a1", None),
    ];
    for (pattern, text, expected) in table {
        let re = Re2::compile(pattern).unwrap();
        let mut captures = Captures::default();
        let found = re.captures_at(&Haystack::new(text), 0, &mut captures);
        let groups: Vec<_> = (0..re.captures_len())
            .map(|index| captures.group(index))
            .collect();
        assert_eq!(found.then_some(groups.as_slice()), expected, "{pattern:?}");
    }
}
