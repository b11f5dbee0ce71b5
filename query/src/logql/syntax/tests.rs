//! Queries to trees and back, and what is said of those that are wrong.

use super::*;

fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

/// Queries with every form of the language.
const QUERIES: &[&str] = &[
    r#"{shop="east"}"#,
    r#"{shop="east", till!="3", clerk=~"a.*", day!~`\d+`}"#,
    r#"({shop="east"} |= "sold")"#,
    r#"{shop="east"} |= "a" or "b" != `c` |~ "d+" !~ "e" |> "<_>f" !> "g<_>""#,
    r#"{shop="east"} |= ip("10.0.0.0/8") or "x" != ip("::1")"#,
    r#"{shop="east"} | json | json price, tax="sums.tax[0]""#,
    r#"{shop="east"} | logfmt --strict --keep-empty price, t="tax" | logfmt"#,
    r#"{shop="east"} | regexp "(?P<a>x)" | pattern "<a> <_>" | unpack | decolorize"#,
    r#"{shop="east"} | line_format "{{.a}}\t" | label_format a=b, c=`{{.d}}`"#,
    r#"{shop="east"} | drop a, b="x" | keep c, d=~"y""#,
    r#"{shop="east"} | a="x" or b!="y" and c=~"z", d!~"w" e>5"#,
    r#"{shop="east"} | (a>=-1.5 or b<2e3) | c==1h30m | d!=80µs | e>20MB | f<=128KiB"#,
    r#"{shop="east"} | a=ip("10.0.0.1") | b!=ip("10.0.0.1-10.0.0.9")"#,
    r#"rate({shop="east"}[5m])"#,
    r#"count_over_time({shop="east"} |= "x" [1h] offset -30m)"#,
    r#"bytes_rate(({shop="east"} | json)[5m])"#,
    r#"bytes_over_time(({shop="east"}[5m]))"#,
    r#"count_over_time({shop="east"}[5m] offset 1m | json | a="b")"#,
    r#"sum_over_time({shop="east"} | json | unwrap price [5m])"#,
    r#"avg_over_time({shop="east"}[5m] | json | unwrap duration(wait) | a!="" | b>1) by (x, y)"#,
    r#"max_over_time({shop="east"} | unwrap duration_seconds(wait) [5m]) without ()"#,
    r#"quantile_over_time(0.25, {shop="east"} | unwrap bytes(size) [5m]) by (x)"#,
    r#"absent_over_time({shop="east"}[90s])"#,
    r#"sum by (x) (rate({shop="east"}[5m]))"#,
    r#"sum(rate({shop="east"}[5m])) without (x, y)"#,
    r#"sum by () (rate({shop="east"}[5m]))"#,
    r#"topk(3, bottomk by (x) (5, rate({shop="east"}[5m])))"#,
    r#"approx_topk(3, rate({shop="east"}[5m]))"#,
    r#"sort(sort_desc(stddev(stdvar(rate({shop="east"}[5m])))))"#,
    r#"vector(0.1) + vector(0.1234567891)"#,
    r#"1 + rate({shop="east"}[1m]) * 2 ^ 3 ^ 2 % 7 - 4 / 2"#,
    r#"rate({shop="a"}[1m]) > bool 0.5 == rate({shop="b"}[1m]) != 1"#,
    r#"rate({a="b"}[1m]) and on (x) rate({a="b"}[1m]) or ignoring () rate({a="b"}[1m])"#,
    r#"rate({a="b"}[1m]) / on (x) group_left rate({a="b"}[1m])"#,
    r#"rate({a="b"}[1m]) / ignoring (x) group_right (y, z) rate({a="b"}[1m])"#,
    r#"rate({a="b"}[1m]) unless (rate({a="b"}[1m]) - (1 - rate({a="b"}[1m])))"#,
    r#"label_replace(rate({a="b"}[1m]), "to", "$1", "from", "(.*)")"#,
    r#"SUM BY (x) (RATE({a="b"} | JSON | sum="1" [1m]))"#,
];

#[test]
fn what_is_printed_is_the_same_query() {
    for text in QUERIES {
        let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let printed = print(&query);
        assert_eq!(parse(&printed), Ok(query.clone()), "{printed}");
        let broken = pretty(&query);
        assert_eq!(parse(&broken), Ok(query), "{broken}");
    }
}

#[test]
fn queries_are_written_as_loki_writes_them() {
    let cases = [
        (
            r#"{a="b"} != "x" or "y" !~ "z" |= "v" or "w""#,
            r#"{a="b"} != "x" != "y" !~ "z" |= "v" or "w""#,
        ),
        (
            r#"rate({a="b"}[90m] offset 1h30m)"#,
            r#"rate({a="b"}[1h30m] offset 1h30m0s)"#,
        ),
        (
            r#"{a="b"} | c > 10KB | d < 1.5MB | e = 128KiB"#,
            r#"{a="b"} | c>10kB | d<1.5MB | e==131072B"#,
        ),
        (
            r#"1000000 * rate({a="b"}[1m])"#,
            r#"(1e+06 * rate({a="b"}[1m]))"#,
        ),
    ];
    for (text, printed) in cases {
        let query = parse(text).unwrap();
        assert_eq!(print(&query), printed);
        assert_eq!(parse(printed), Ok(query));
    }
    let text = r#"quantile_over_time(0.99, {container="ingress-nginx", namespace="edge"} | json
        | unwrap response_latency_seconds | __error__="" [1m] offset 5m) by (cluster)"#;
    let broken = [
        "quantile_over_time(",
        "  0.99,",
        "  {container=\"ingress-nginx\", namespace=\"edge\"} | json",
        "    | unwrap response_latency_seconds",
        "    | __error__=\"\" [1m] offset 5m",
        ") by (cluster)",
    ];
    assert_eq!(pretty(&parse(text).unwrap()), broken.join("\n"));
}

#[test]
fn long_queries_are_broken_and_stay_the_same() {
    for left in QUERIES.iter().filter(|text| !text.starts_with(['{', '('])) {
        for op in ["+", "> bool on (a, b)", "*"] {
            let pair = format!("({left}) {op} ({left})");
            let text = format!("max by (label) (({pair}) - topk(2, {pair}))");
            let query = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let broken = pretty(&query);
            assert!(broken.contains('\n'), "{broken}");
            assert_eq!(parse(&broken), Ok(query), "{broken}");
        }
    }
}

#[test]
fn operators_bind_as_in_arithmetic_and_powers_to_the_right() {
    let shown = |text: &str| print(&parse(text).unwrap());
    assert_eq!(shown("2 ^ 3 ^ 2"), "512");
    assert_eq!(shown("7 % 4 * 2 - 3 - 2"), "1");
    assert_eq!(shown("1 > 2"), "0");
    assert_eq!(shown("1 / 0"), "NaN");
    assert_eq!(shown("1e+3 + 1e-1 + 1E2"), "1100.1");
    assert_eq!(
        shown("vector(1) or vector(2) unless vector(3) == vector(4) + 5"),
        "(vector(1.000000) or (vector(2.000000) unless (vector(3.000000) == (vector(4.000000) + \
         5))))"
    );
    assert_eq!(
        shown(r#"{a="b"} | c="1" or d="2" e="3""#),
        r#"{a="b"} | ( c="1" or ( d="2" , e="3" ) )"#
    );
}

#[test]
fn names_of_functions_are_names_where_nothing_is_called() {
    let query = parse(r#"{sum="1", rate="2"} | json bytes, ip | topk > 3 | keep duration, avg"#);
    assert!(query.is_ok(), "{query:?}");
    assert!(parse(r#"sum by (count) (rate({a="b"}[1m]))"#).is_ok());
}

#[test]
fn errors_name_the_place_and_what_might_stand_there() {
    let cases = [
        ("", "parse error : syntax error: unexpected $end"),
        (
            "{",
            "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or \
             }",
        ),
        (
            "{a",
            "parse error at line 1, col 3: syntax error: unexpected $end, expecting = or =~ or !~ \
             or !=",
        ),
        (
            "{a=\"b\",}",
            "parse error at line 1, col 8: syntax error: unexpected }, expecting IDENTIFIER",
        ),
        (
            "{a=\"b\"}\n|= x",
            "parse error at line 2, col 4: syntax error: unexpected IDENTIFIER, expecting STRING \
             or ip",
        ),
        (
            "rate(sum({a=\"b\"}))",
            "parse error at line 1, col 6: syntax error: unexpected sum, expecting NUMBER or { \
             or (",
        ),
        (
            "rate({a=\"b\"}[1m] offset 3)",
            "parse error at line 1, col 25: syntax error: unexpected NUMBER, expecting DURATION",
        ),
        (
            "count_over_time({a=\"b\"}[5q])",
            "parse error at line 0, col 24: not a valid duration string: \"5q\"",
        ),
        (
            "{a=\"b\"} | unwrap 3",
            "parse error at line 1, col 11: syntax error: unexpected unwrap",
        ),
        (
            "{a=`b}",
            "parse error at line 1, col 4: literal not terminated",
        ),
        (
            "{a=\"ü\"} ?",
            "parse error at line 1, col 9: syntax error: unexpected $unk",
        ),
        (
            "sum by x (rate({a=\"b\"}[1m]))",
            "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER",
        ),
        (
            "sum({a=\"b\"})",
            "parse error at line 1, col 12: syntax error: unexpected )",
        ),
        (
            "vector(rate({a=\"b\"}[1m]))",
            "parse error at line 1, col 8: syntax error: unexpected rate, expecting NUMBER",
        ),
    ];
    for (text, told) in cases {
        assert_eq!(error(text), told, "{text}");
    }
}

#[test]
fn what_no_grammar_tells_is_refused_too() {
    let cases = [
        (
            "sum_over_time({a=\"b\"}[1m])",
            "invalid aggregation sum_over_time without unwrap",
        ),
        (
            "bytes_rate({a=\"b\"} | unwrap c [1m])",
            "invalid aggregation bytes_rate with unwrap",
        ),
        (
            "{a=\"b\"} |~ ip(\"1.2.3.4\")",
            "stage '|~ ip(\"1.2.3.4\")' : ip: invalid operation",
        ),
        (
            "{a=\"b\"} !> \"<_>x\" or ip(\"::1\")",
            "stage '!> \"<_>x\" or ip(\"::1\")' : ip: invalid operation",
        ),
        (
            "rate({a=\"b\"}[1m]) by (c)",
            "grouping not allowed for rate aggregation",
        ),
        (
            "max_over_time(2, {a=\"b\"} | unwrap c [1m])",
            "parameter 2 not supported for operation max_over_time",
        ),
        (
            "bottomk(rate({a=\"b\"}[1m]))",
            "parameter required for operation bottomk",
        ),
        (
            "avg(2, rate({a=\"b\"}[1m]))",
            "unsupported parameter for operation avg(2,",
        ),
        ("topk(-1, rate({a=\"b\"}[1m]))", ""),
        (
            "1 or rate({a=\"b\"}[1m])",
            "unexpected literal for left leg of logical/set binary operation (or): 1.000000",
        ),
        (
            "2 * ({a=\"b\"} | json)",
            "unexpected type for right leg of binary operation (*): *syntax.PipelineExpr",
        ),
        (
            "{a=~\"b**\"}",
            "error parsing regexp: invalid nested repetition operator: `**`",
        ),
    ];
    for (text, told) in cases {
        let error = error(text);
        match told.is_empty() {
            true => assert!(error.starts_with("parse error at "), "{error}"),
            false => assert_eq!(error, format!("parse error : {told}"), "{text}"),
        }
    }
    for text in ["{}", "{a=~\".*\"}", "{a=\"\"}", "sum(rate({a!=\"b\"}[1m]))"] {
        assert!(error(text).contains("queries require at least one regexp or equality matcher"));
    }
    assert_eq!(parse_selector("{}").map(|matchers| matchers.len()), Ok(0));
    let not_a_selector = parse_selector("rate({a=\"b\"}[1m])").map_err(|error| error.to_string());
    assert_eq!(
        not_a_selector.err().as_deref(),
        Some("only label matchers are supported")
    );
}

#[test]
fn no_text_overflows_the_stack_or_takes_long() {
    let deep = [
        "(".repeat(100_000),
        "rate(".repeat(20_000),
        "sum(".repeat(30_000),
        format!("{{a=\"b\"}} | {}", "(".repeat(100_000)),
        format!("count_over_time({}", "(".repeat(100_000)),
        "1^".repeat(60_000),
        "vector(1)+".repeat(10_000),
        format!("{{a=\"b\"}} | {}", "a=1 or ".repeat(15_000)),
        format!("{{a=\"b\"}} | {}", "a=1 ".repeat(30_000)),
        "-".repeat(100_000),
        "[".repeat(100_000),
        "/*".repeat(60_000),
        "1.".repeat(60_000),
        "1x1.".repeat(30_000),
    ];
    for text in deep {
        assert!(parse(&text).is_err(), "{}", &text[..20]);
    }
    let stages = format!("{{a=\"b\"}}{}", " | json".repeat(10_000));
    assert!(parse(&stages).is_ok());
    assert!(error(&"x".repeat(200_000)).contains("input size too long"));
}

#[test]
fn random_words_are_read_or_refused_and_what_is_read_is_printed_as_the_same() {
    let words = [
        "{",
        "}",
        "a=\"b\"",
        "{c=\"d\"}",
        "(",
        ")",
        "[5m]",
        "|",
        "|=",
        "!~",
        "\"x\"",
        "`y`",
        "or",
        "and",
        ",",
        "json",
        "logfmt",
        "--strict",
        "unwrap",
        "duration(e)",
        "f>1",
        "g<=2m",
        "h=3kB",
        "ip(\"::1\")",
        "drop",
        "keep",
        "i",
        "sum",
        "by (j)",
        "rate",
        "count_over_time",
        "topk(2,",
        "vector(1)",
        "offset 1m",
        "+",
        "-",
        "^",
        "==",
        "bool",
        "on (k)",
        "group_left",
        "ignoring ()",
        "4",
        "1.5e3",
        "line_format",
        "label_format",
        "l=m",
        "quantile_over_time(0.5,",
        "without (n)",
        "unless",
        "=",
        ">",
        "!=",
        "\u{e4}",
    ];
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut below = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % end
    };
    let mut read = 0;
    for _ in 0..30_000 {
        // Half of them begin as a query does.
        let mut text = ["", "rate({c=\"d\"} ", "{c=\"d\"} "][below(3)].to_owned();
        for _ in 0..below(9) {
            text += words[below(words.len())];
            text += " ";
        }
        match parse(&text) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(query) => {
                read += 1;
                let printed = print(&query);
                assert_eq!(parse(&printed), Ok(query.clone()), "{text}: {printed}");
                assert_eq!(parse(&pretty(&query)), Ok(query), "{text}");
            }
        }
    }
    assert!(read > 500, "{read}");
}
