//! Shapes and required strings: the ones expected, and that they agree with the automata.

use super::*;

fn exact(values: &[&str]) -> Shape {
    Shape::Exact(values.iter().map(|value| Box::from(*value)).collect())
}

fn general(prefix: &str, within: &str) -> Shape {
    Shape::General {
        prefix: prefix.into(),
        inner: within.into(),
    }
}

#[test]
fn anchored_patterns_have_the_expected_shapes() {
    let (prefix, contains) = (
        |text: &str| Shape::Prefix(text.into()),
        |text: &str| Shape::Contains(text.into()),
    );
    let table = [
        ("", exact(&[""])),
        ("a", exact(&["a"])),
        ("b|a", exact(&["a", "b"])),
        ("|dup", exact(&["", "dup"])),
        (
            "api-(a|b)[12]",
            exact(&["api-a1", "api-a2", "api-b1", "api-b2"]),
        ),
        ("(?i)k", exact(&["K", "k", "\u{212a}"])),
        ("(?i)up", exact(&["UP", "Up", "uP", "up"])),
        ("^api$", exact(&["api"])),
        (r"10\.0\.0\.[12]:80", exact(&["10.0.0.1:80", "10.0.0.2:80"])),
        ("a{2,3}", exact(&["aa", "aaa"])),
        ("ab?", exact(&["a", "ab"])),
        ("(?:(a)|b)c", exact(&["ac", "bc"])),
        (r"[^\x00-\x{10FFFF}]", exact(&[])),
        (".*", Shape::Any),
        ("(.*)", Shape::Any),
        (".*.*", Shape::Any),
        ("^.*$", Shape::Any),
        (".*?", Shape::Any),
        (".+", Shape::NotEmpty),
        ("(.+)", Shape::NotEmpty),
        (".*.", Shape::NotEmpty),
        ("p.*", prefix("p")),
        ("node_memory_.*", prefix("node_memory_")),
        ("(foo)(.*)", prefix("foo")),
        ("foo[0-9]*.*", prefix("foo")),
        (".*lit.*", contains("lit")),
        ("(.*)(lit)(.*)", contains("lit")),
        (".*_bytes", general("", "_bytes")),
        ("process_.+", general("process_", "process_")),
        ("5..", general("5", "5")),
        ("g.+|n.+", general("", "")),
        ("get.+|gen.+", general("ge", "")),
        ("job:.*:rate5m", general("job:", ":rate5m")),
        (".*a.*bc.*", general("", "bc")),
        (r"\d+x", general("", "x")),
        (r"a\b", general("a", "a")),
        ("é.+|è.+", general("", "")),
        ("(?-s:.*)", general("", "")),
        ("\u{fffd}", general("", "")),
        ("x\u{fffd}.*", general("x", "")),
        ("a)|(b", general("", "")),
    ];
    for (pattern, expected) in table {
        let re = Re2::anchored(pattern).unwrap();
        let shape = re.shape();
        let same = match (shape, &expected) {
            // The inner string of a general shape is one of several that would do.
            (
                Shape::General { prefix, .. },
                Shape::General {
                    prefix: wanted,
                    inner,
                },
            ) => prefix == wanted && (inner.is_empty() || shape == &expected),
            _ => shape == &expected,
        };
        assert!(same, "{pattern:?}: {shape:?}, not {expected:?}");
    }
}

#[test]
fn searched_patterns_have_the_expected_shapes() {
    let table = [
        ("", Shape::Any),
        ("error", Shape::Contains("error".into())),
        (".*error.*", Shape::Contains("error".into())),
        (r"\d*error(x|y)*", Shape::Contains("error".into())),
        ("^error", Shape::Prefix("error".into())),
        ("^error$", exact(&["error"])),
        ("^", Shape::Any),
        ("$", Shape::Any),
        ("^$", exact(&[""])),
        ("(?s).", Shape::NotEmpty),
        ("(?s).+", Shape::NotEmpty),
        (".", general("", "")),
        ("(?m)^error", general("", "error")),
        ("error$", general("", "error")),
        ("^.*error", general("", "error")),
        ("(?s)^.*error", Shape::Contains("error".into())),
        ("(?s)^.*^error", Shape::Prefix("error".into())),
    ];
    for (pattern, expected) in table {
        let re = Re2::compile(pattern).unwrap();
        assert_eq!(re.shape(), &expected, "{pattern:?}");
    }
}

#[test]
fn required_strings_are_the_selective_ones() {
    let table: [(&str, &[&str]); 10] = [
        ("error|timeout", &["error", "timeout"]),
        (r"took \d+ms", &["took "]),
        (r"(GET|POST) /api/\d+", &["GET /api/", "POST /api/"]),
        (r"\d+", &[]),
        (r"(?:foo\d+)+", &["foo"]),
        (r"foo\d|bar\d", &["bar", "foo"]),
        (r"foo\d|\d", &[]),
        (r"a\bb", &["ab"]),
        ("x?y", &["y"]),
        ("foo|foobar|barfoo", &["foo"]),
    ];
    for (pattern, expected) in table {
        let re = Re2::compile(pattern).unwrap();
        let got: Vec<_> = re
            .required()
            .iter()
            .map(|part| str::from_utf8(part).unwrap())
            .collect();
        assert_eq!(got, expected, "{pattern:?}");
    }
}

#[test]
fn sets_stop_at_their_limits() {
    let values = |pattern: &str| match Re2::anchored(pattern).unwrap().shape() {
        Shape::Exact(values) => Some(values.len()),
        _ => None,
    };
    assert_eq!(values("[a-p][a-p]"), Some(256));
    assert_eq!(values("[a-p][a-q]"), None);
    assert_eq!(values("[a-z]{1000}"), None);
    assert_eq!(values("a{1000}"), Some(1));
    assert_eq!(values("(|a){100}"), Some(101));
    assert_eq!(values(r"\d{3}"), None);
    assert_eq!(values(&"a{1000}".repeat(9)), None);
    assert_eq!(values(&"a{1000}|".repeat(500)), None);
}
