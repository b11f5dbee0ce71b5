//! The parser and the printer against each other, and against what Prometheus says.

use super::*;

/// Queries of every form, in the printer's own spelling.
const CANONICAL: &[&str] = &[
    "1",
    "-1",
    "NaN",
    "+Inf",
    "1h30m",
    "\"text\\n\"",
    "foo",
    "foo{a=\"b\"}",
    "foo{a!=\"b\",c=~\"d.*\",e!~\"f\"}",
    "{\"label.name\"=\"x\",__name__=\"my.metric\"}",
    "foo offset 5m",
    "foo offset -5m",
    "foo @ 10.000",
    "foo @ start() offset 1h",
    "foo[5m]",
    "foo[5m] anchored",
    "foo smoothed",
    "foo[5m] smoothed @ end() offset 1m",
    "foo[5m + 1m]",
    "foo[step() * 2]",
    "foo[min_of(5m, range())]",
    "foo[(1m + 2m) / 3]",
    "foo offset (1m + 2m)",
    "foo offset -step()",
    "foo[5m:1m]",
    "foo[5m:]",
    "rate(foo[5m])[1h:5m] @ 1.500 offset 1m",
    "(foo)",
    "-foo",
    "-foo ^ 2",
    "Inf ^ 2 + -Inf ^ 2",
    "a + b * c ^ d",
    "a or b and c unless d",
    "a atan2 b",
    "a == bool 1",
    "a </ 1",
    "a >/ 1",
    "a + on (x, y) group_left (z) b",
    "a + ignoring (x) group_right () b",
    "a + on () b",
    "a + fill (0) b",
    "a + on (x) fill_left (1) fill_right (2.5) b",
    "sum(foo)",
    "sum by (a, \"b.c\") (foo)",
    "sum without () (foo)",
    "topk(3, foo)",
    "count_values without (a) (\"v\", foo)",
    "limitk(2, foo)",
    "limit_ratio(-0.5, foo)",
    "time()",
    "round(foo, 5)",
    "label_replace(foo, \"a\", \"$1\", \"b\", \"(.*)\")",
    "info(foo, {data=~\".*\"})",
    "start() + end() + step() + range()",
    "min_of(1, 2)",
    "sum + avg + by + offset + start + fill",
];

#[test]
fn what_is_printed_parses_to_the_same_tree() {
    for query in CANONICAL {
        let tree = parse(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
        assert_eq!(print(&tree), *query);
        let again = parse(&print(&tree)).unwrap();
        assert_eq!(tree, again, "{query}");
        let broken = parse(&pretty(&tree)).unwrap();
        assert_eq!(tree, broken, "{query}");
    }
}

#[test]
fn other_spellings_are_the_same_query() {
    let pairs = [
        ("sum(foo) by (a)", "sum by (a) (foo)"),
        ("SUM(foo)", "sum(foo)"),
        ("foo{a='b',}", "foo{a=\"b\"}"),
        ("foo{a=`\\d+`}", "foo{a=\"\\\\d+\"}"),
        ("foo[300]", "foo[5m]"),
        ("foo offset 30", "foo offset 30s"),
        ("foo offset 0s", "foo"),
        ("0x1F + 1_000", "31 + 1000"),
        ("- 1", "-1"),
        ("+1", "1"),
        ("a # comment\n+ b", "a + b"),
        ("foo @ -1", "foo @ -1.000"),
        ("foo offset 5m @ 1", "foo @ 1.000 offset 5m"),
        ("a + ignoring() b", "a + b"),
        ("foo[ 5m : 1m ]", "foo[5m:1m]"),
        ("foo[(5m)] offset ((1m))", "foo[5m] offset 1m"),
        ("foo[((5m + 1m))]", "foo[(5m + 1m)]"),
    ];
    for (written, printed) in pairs {
        let tree = parse(written).unwrap_or_else(|error| panic!("{written}: {error:?}"));
        assert_eq!(print(&tree), printed, "{written}");
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    let shape = |query: &str| match parse(query).unwrap().kind {
        ExprKind::Binary(binary) => format!("{} {}", print(&binary.left), binary.op.symbol()),
        ExprKind::Unary(_, inside) => format!("-[{}]", print(&inside)),
        other => panic!("{query}: {other:?}"),
    };
    assert_eq!(shape("-a ^ 2"), "-[a ^ 2]");
    assert_eq!(shape("-a * 2"), "-a *");
    assert_eq!(shape("2 ^ 3 ^ 2"), "2 ^");
    assert_eq!(shape("a - b - c"), "a - b -");
    assert_eq!(shape("a or b and c"), "a or");
    assert_eq!(shape("a > b + c"), "a >");
    assert_eq!(shape("a and b or c"), "a and b or");
}

/// A wrong query and what is said about it.
const WRONG: &[(&str, &str)] = &[
    (
        "",
        "unknown position: parse error: no expression found in input",
    ),
    (" ", "1:1: parse error: no expression found in input"),
    ("foo bar", "1:5: parse error: unexpected identifier \"bar\""),
    (
        "sum(foo bar)",
        "1:9: parse error: unexpected identifier \"bar\" in aggregation",
    ),
    ("1 +", "1:4: parse error: unexpected end of input"),
    (
        "clamp(foo,, 1)",
        "1:10: parse error: trailing commas not allowed in function call args",
    ),
    (
        "topk(1, * foo)",
        "1:7: parse error: trailing commas not allowed in function call args",
    ),
    (
        "sum(foo * on (a) group_left)",
        "1:28: parse error: unexpected \")\" in grouping opts, expected \"(\"",
    ),
    (
        "foo * on (a) group_left",
        "1:24: parse error: unexpected end of input in grouping opts, expected \"(\"",
    ),
    (
        "1mm",
        "1:1: parse error: bad number or duration syntax: \"1mm\"",
    ),
    (
        "foo @ -Inf",
        "1:1: parse error: timestamp out of bounds for @ modifier: -Inf",
    ),
    ("(1", "1:3: parse error: unclosed left parenthesis"),
    ("1)", "1:3: parse error: unexpected right parenthesis ')'"),
    ("foo]", "1:4: parse error: unexpected right bracket ']'"),
    ("foo[5m", "1:7: parse error: unclosed left bracket"),
    (
        "foo{",
        "1:5: parse error: unexpected end of input inside braces",
    ),
    (
        "foo{a}",
        "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator",
    ),
    (
        "foo{a=b}",
        "1:7: parse error: unexpected identifier \"b\" in label matching, expected string",
    ),
    (
        "foo{a=\"b\" c=\"d\"}",
        "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
    ),
    (
        "foo offset",
        "1:11: parse error: unexpected end of input in offset, \
         expected number, duration, step(), or range()",
    ),
    (
        "foo offset 1m offset 2m",
        "1:1: parse error: offset may not be set multiple times",
    ),
    (
        "foo @ bar",
        "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp",
    ),
    (
        "foo[0s]",
        "1:5: parse error: duration must be greater than 0",
    ),
    (
        "foo[]",
        "1:5: parse error: unexpected \"]\" in subquery or range selector, \
         expected number, duration, step(), or range()",
    ),
    (
        "sum(x)[5m]",
        "1:7: parse error: ranges only allowed for vector selectors",
    ),
    (
        "nope(x)",
        "1:1: parse error: unknown function with name \"nope\"",
    ),
    (
        "rate(x,)",
        "1:7: parse error: trailing commas not allowed in function call args",
    ),
    (
        "topk(x)",
        "1:1: parse error: wrong number of arguments for aggregate \
         expression provided, expected 2, got 1",
    ),
    (
        "sum by x (y)",
        "1:8: parse error: unexpected identifier \"x\" in grouping opts, expected \"(\"",
    ),
    (
        "a group_left b",
        "1:3: parse error: unexpected <group_left>",
    ),
    (
        "'\\q'",
        "1:1: parse error: unknown escape sequence U+0071 'q'",
    ),
    ("\"abc", "1:1: parse error: unterminated quoted string"),
    ("5", ""),
    (
        "1_",
        "1:1: parse error: bad number or duration syntax: \"1_\"",
    ),
    ("foo{a=~\"(\"}", "1:5: parse error: "),
    ("foo 'b'", "1:5: parse error: unexpected string \"'b'\""),
    (
        "a\n+\n)",
        "3:2: parse error: unexpected right parenthesis ')'",
    ),
];

#[test]
fn errors_say_what_and_where() {
    for (query, wanted) in WRONG {
        match parse(query) {
            Ok(_) => assert!(wanted.is_empty(), "{query:?} was accepted"),
            Err(error) => {
                let said = error.describe(query);
                let cut = said.get(..wanted.len()).unwrap_or(&said);
                let is_open = wanted.ends_with(": ");
                assert_eq!(if is_open { cut } else { &said }, *wanted, "{query:?}");
            }
        }
    }
}

#[test]
fn deep_and_long_queries_are_refused_and_not_a_crash() {
    for open in ["(", "-", "abs(", "a ^ ", "foo[1m:"] {
        let query = open.repeat(100_000);
        assert!(parse(&query).is_err(), "{open}");
    }
    let chain = vec!["a"; OPERATORS_MAX + 2].join(" + ");
    assert!(parse(&chain).is_err());
    let chain = vec!["a"; OPERATORS_MAX].join(" + ");
    assert_eq!(print(&parse(&chain).unwrap()), chain);
    let brackets = format!("a{}", "[1m:]".repeat(OPERATORS_MAX + 1));
    assert!(parse(&brackets).is_err());
    assert!(parse(&" ".repeat(QUERY_BYTES_MAX + 1)).is_err());
}

#[test]
fn selectors_alone_are_parsed() {
    assert_eq!(parse_selector("foo{a=\"b\"}").unwrap().len(), 2);
    assert_eq!(parse_selector("{a=\"b\"}").unwrap().len(), 1);
    assert!(parse_selector("foo[5m]").is_err());
    assert!(parse_selector("sum(foo)").is_err());
}
