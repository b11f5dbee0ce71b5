//! Templates against what Go makes of them.

use chronolith_engine::labels::LabelSet;

use super::{Context, State, Template};
use crate::logql::pipeline::labels::{LabelBuffer, LineLabels};

/// 2024-02-29T13:05:09.12345Z.
const TIME: i64 = 1_709_211_909_123_450_000;

fn render(template: &str) -> Result<String, String> {
    let template = Template::parse("line", template)?;
    let labels = LabelSet::from_pairs([
        ("word", "hello World"),
        ("path", "/a/b/c"),
        ("num", "42"),
        ("neg", "-7.5"),
        ("dur", "1m30s"),
        ("size", "5.3MB"),
        (
            "json",
            r#"{"a":{"b":[1,2.5,"x",null,true]},"n":1234567,"k":"v"}"#,
        ),
    ])
    .unwrap();
    let stream: Vec<_> = labels.as_labels().iter().collect();
    let mut buffer = LabelBuffer::default();
    let labels = LineLabels::new(
        &stream,
        chronolith_engine::labels::Labels::EMPTY,
        &mut buffer,
    );
    let context = Context {
        time: TIME,
        line: b"the line",
        labels: &labels,
    };
    let mut out = Vec::new();
    template.render(&context, &mut State::default(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn check(cases: &[(&str, &str)]) {
    for (template, text) in cases {
        assert_eq!(render(template).as_deref(), Ok(*text), "{template}");
    }
}

#[test]
fn labels_texts_and_constants_are_written() {
    check(&[
        ("plain {not} text", "plain {not} text"),
        ("{{.word}}-{{.missing}}-{{ .num }}", "hello World--42"),
        ("{{__line__}}|{{len __line__}}", "the line|8"),
        (
            r#"{{"a\tb"}}{{`\t`}}{{'x'}}{{1.50}}{{1e9}}{{0x1F}}{{true}}"#,
            "a\tb\\t1201.51e+0931true",
        ),
        ("a {{- /* gone */ -}} b{{/* too */}}c", "abc"),
        ("x  {{- .num -}}  y {{.num}} z", "x42y 42 z"),
    ]);
}

#[test]
fn pipelines_variables_and_branches_do_what_go_does() {
    check(&[
        ("{{.word | ToUpper | trunc 5}}", "HELLO"),
        ("{{$x := .num}}{{$x}}{{$x = \"y\"}}{{$x}}", "42y"),
        ("{{if .missing}}a{{else if .num}}b{{else}}c{{end}}", "b"),
        ("{{if and .num .word}}{{or .missing \"d\"}}{{end}}", "d"),
        (
            "{{with .num}}<{{.}}>{{end}}{{with .missing}}x{{else}}none{{end}}",
            "<42>none",
        ),
        (
            "{{with $y := .num}}{{$y}}{{$.word}}{{end}}",
            "42hello World",
        ),
        ("{{if not .missing}}{{not true}}{{end}}", "false"),
        (
            "{{range $i, $e := (fromJson .json).a.b}}{{$i}}={{$e}};{{end}}",
            "0=1;1=2.5;2=x;3=<no value>;4=true;",
        ),
        ("{{range $k, $v := fromJson .json}}{{$k}} {{end}}", "a k n "),
        (
            "{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}",
            "02",
        ),
        (
            "{{range (fromJson .json).none}}x{{else}}empty{{end}}",
            "empty",
        ),
        (
            "{{$s := \"\"}}{{range 3}}{{$s = print $s .}}{{end}}{{$s}}",
            "012",
        ),
        (
            "{{(fromJson .json).n}} {{index (fromJson .json).a.b 2}}",
            "1.234567e+06 x",
        ),
        ("{{slice .word 6}}{{slice .word 0 5}}", "Worldhello"),
        (
            "{{index (fromJson .json) \"k\"}}{{(fromJson .json).zz}}",
            "v<no value>",
        ),
        (
            "{{eq .num \"1\" \"42\"}} {{ne .num \"42\"}} {{lt 1 2}} {{ge 1.5 1.5}}",
            "true false true true",
        ),
        ("{{(fromJson .json).a}}", "map[b:[1 2.5 x <nil> true]]"),
        ("{{ . | len }}", "7"),
        (
            "{{index . \"num\"}}{{index . \"none\"}}{{$x := .}}{{$x.word}}{{$x.none}}",
            "42hello World",
        ),
    ]);
}

#[test]
fn functions_on_texts() {
    check(&[
        (
            r#"{{lower .word}} {{upper "é"}} {{title "a b-c d_e"}}"#,
            "hello world É A B-C D_e",
        ),
        (
            r#"{{Replace .path "/" "." 2}} {{replace "/" "-" .path}}"#,
            ".a.b/c -a-b-c",
        ),
        (
            r#"{{Trim .path "/c"}} {{TrimLeft .path "/a"}} {{TrimRight .path "c/"}}"#,
            "a/b b/c /a/b",
        ),
        (
            r#"{{trimAll "/" .path}} {{trimPrefix "/a" .path}} {{TrimSuffix .path "/c"}}"#,
            "a/b/c /b/c /a/b",
        ),
        (r#"[{{trim "  x "}}][{{TrimSpace "\tx\n"}}]"#, "[x][x]"),
        (
            "{{trunc -3 .word}}|{{substr 1 3 .word}}|{{substr 6 -1 .word}}",
            "rld|el|World",
        ),
        ("{{substr -1 2 .word}}", "he"),
        (
            r#"{{contains "lo" .word}} {{hasPrefix "x" .word}} {{hasSuffix "ld" .word}}"#,
            "true false true",
        ),
        (
            r#"{{repeat 2 "ab"}}{{indent 2 "a\nb"}}{{nindent 1 "c"}}"#,
            "abab  a\n  b\n c",
        ),
        (r#"{{alignLeft 4 "ab"}}|{{alignRight 4 "ab"}}"#, "ab  |  ab"),
        (r#"{{alignLeft 1 "äb"}}|{{alignRight 1 "äb"}}"#, "ä|b"),
        (
            r#"{{regexReplaceAll "(l+)" .word "<$1>"}} {{regexReplaceAllLiteral "l+" .word "$1"}}"#,
            "he<ll>o Wor<l>d he$1o Wor$1d",
        ),
        (
            r#"{{count "l" .word}} {{count "" "äb"}} {{.word | count "o."}}"#,
            "3 3 2",
        ),
        (
            r#"{{urlencode "a b/ü&"}} {{urldecode "a+b%2Fc"}}"#,
            "a+b%2F%C3%BC%26 a b/c",
        ),
        (
            r#"{{b64enc "hello"}} {{b64dec "aGVsbG8="}} {{b64enc ""}}"#,
            "aGVsbG8= hello ",
        ),
        (
            r#"{{html "<a b='c'>"}} {{js "it's"}} {{urlquery "a b" 1}}"#,
            "&lt;a b=&#39;c&#39;&gt; it\\'s a+b1",
        ),
        (
            r#"{{default "d" .missing}} {{.num | default "d"}} {{default 0 ""}}"#,
            "d 42 0",
        ),
    ]);
}

#[test]
fn functions_on_numbers() {
    check(&[
        (
            "{{add .num 1 2}} {{sub .num 2}} {{mul .num 2}} {{div .num 5}} {{mod .num 5}}",
            "45 40 84 8 2",
        ),
        (
            "{{max .num 1 50}} {{min .num 1 50}} {{int .neg}} {{int \"x\"}} {{int 2.9}}",
            "50 1 -7 0 2",
        ),
        (
            "{{addf 0.1 0.2}} {{subf .neg 0.5}} {{mulf 1.1 1.1}} {{divf 1 3}} {{divf 10 4}}",
            "0.3 -8 1.21 0.3333333333333333 2.5",
        ),
        (
            "{{maxf .neg 0 1.5}} {{minf .neg 0}} {{ceil .neg}} {{floor .neg}} {{ceil -0.5}}",
            "1.5 -7.5 -7 -8 -0",
        ),
        (
            "{{round 2.345 2}} {{round .neg 0}} {{round 1.25 1 0.6}} {{float64 \"1e2\"}}",
            "2.35 -8 1.2 100",
        ),
        (
            "{{bytes .size}} {{duration .dur}} {{duration_seconds \"250ms\"}}",
            "5.3e+06 90 0.25",
        ),
    ]);
}

#[test]
fn functions_on_times() {
    check(&[
        (
            "{{__timestamp__ | unixEpoch}} {{__timestamp__ | unixEpochMillis}} \
             {{__timestamp__ | unixEpochNanos}}",
            "1709211909 1709211909123 1709211909123450000",
        ),
        (
            r#"{{__timestamp__ | date "2006-01-02T15:04:05.000Z07:00 Mon Jan _2 3:04PM"}}"#,
            "2024-02-29T13:05:09.123Z Thu Feb 29 1:05PM",
        ),
        (
            r#"{{date "02/1/06 .999 MST -0700 Monday January 002" __timestamp__}}"#,
            "29/2/24 .123 UTC +0000 Thursday February 060",
        ),
        ("{{__timestamp__}}", "2024-02-29 13:05:09.12345 +0000 UTC"),
        (
            r#"{{toDate "2006-01-02 15:04:05" "2024-03-01 00:00:00.5" | unixEpochMillis}}"#,
            "1709251200500",
        ),
        (
            r#"{{toDate "2006-01-02T15:04:05Z07:00" "2024-03-01T02:00:00+02:00" | unixEpoch}}"#,
            "1709251200",
        ),
        (
            r#"{{toDateInZone "2006-01-02 15:04" "Europe/Berlin" "2024-07-01 12:00" | unixEpoch}}"#,
            "1719828000",
        ),
        (
            r#"{{toDateInZone "2006-01-02" "America/New_York" "2024-01-01"}}"#,
            "2024-01-01 00:00:00 -0500 EST",
        ),
        (
            r#"{{toDate "2006" "nonsense"}}"#,
            "0001-01-01 00:00:00 +0000 UTC",
        ),
        (
            r#"{{toDate "Jan 2, 2006 at 3pm (MST)" "feb 3, 2013 at 7pm (UTC)" | unixEpoch}}"#,
            "1359918000",
        ),
        (
            r#"{{unixToTime "1709211909" | date "15:04:05"}} {{(unixToTime "19782").Year}}"#,
            "13:05:09 2024",
        ),
        (
            r#"{{__timestamp__.Format "15h"}} {{__timestamp__.Weekday}}"#,
            "13h Thursday",
        ),
    ]);
}

#[test]
fn printf_prints_as_go_prints() {
    check(
        &[
            (
                r#"{{printf "%s|%-6s|%6s|%.2s|%q|%x" .num .num .num .word "a\"b" "hi"}}"#,
                "42|42    |    42|he|\"a\\\"b\"|6869",
            ),
            (
                r#"{{printf "%d|%05d|%+d|%x|%X|%o|%b|%c|%U" 42 42 42 255 255 8 5 65 65}}"#,
                "42|00042|+42|ff|FF|10|101|A|U+0041",
            ),
            (
                r#"{{printf "%f|%.1f|%8.2f|%-8.2f|%e|%g|%v" 1.5 1.25 1.5 1.5 1.5 1e9 0.1}}"#,
                "1.500000|1.2|    1.50|1.50    |1.500000e+00|1e+09|0.1",
            ),
            (
                r#"{{printf "%t|%v|%5t|%%" true false true}}"#,
                "true|false| true|%",
            ),
            (r#"{{printf "%d|%s" "x" 1}}"#, "%!d(string=x)|%!s(int=1)"),
            (
                r#"{{printf "%d"}}|{{printf "x" 1 "a"}}|{{printf "%"}}"#,
                "%!d(MISSING)|x%!(EXTRA int=1, string=a)|%!(NOVERB)",
            ),
            (
                r#"{{printf "%*d|%-05d|%05d" 4 7 7 -7}}"#,
                "   7|7    |-0007",
            ),
            (
                r#"{{print 1 2 "a" "b" 3}}|{{println 1 "a"}}"#,
                "1 2ab3|1 a\n",
            ),
        ]
        .map(|(template, text)| (template, text)),
    );
}

#[test]
fn printf_takes_values_by_number_and_writes_texts_as_bytes() {
    let cases = [
        (r#"{{printf "%[2]d %[1]d" 1 2}}"#, "2 1"),
        (r#"{{printf "%[1]s %[1]q %[2]d" "a" 5}}"#, r#"a "a" 5"#),
        (r#"{{printf "%[3]s" "a"}}"#, "%!s(BADINDEX)"),
        (r#"{{printf "%[1]s" "a" "b"}}"#, "a"),
        (
            r#"{{printf "%x|% x|%#x|%# X" "hi" "hi" "hi" "hi"}}"#,
            "6869|68 69|0x6869|0X68 0X69",
        ),
        (
            r#"{{printf "%+q|%#q|%#q|%#U|%O|%+v" "é" "ab" "a`" 8364 8 5}}"#,
            "\"\\u00e9\"|`ab`|\"a`\"|U+20AC '€'|0o10|5",
        ),
        (r#"{{upper "straße"}} {{lower "ΣΑΣ"}}"#, "STRAßE σασ"),
        (
            r#"{{(toDate "15:04 -0700" "10:00 +0130").Format "MST"}}"#,
            "+0130",
        ),
        ("{{1 | }}{{(2 |)}}", "12"),
    ];
    for (template, text) in cases {
        assert_eq!(render(template).as_deref(), Ok(text), "{template}");
    }
}

#[test]
fn wrong_templates_are_refused_in_gos_words() {
    let cases = [
        ("{{.x", "template: line:1: unclosed action"),
        ("{{.x}", "template: line:1: bad character U+007D '}'"),
        (
            "{{nosuch .x",
            "template: line:1: function \"nosuch\" not defined",
        ),
        ("{{.x!}}", "template: line:1: bad character U+0021 '!'"),
        ("{{!}}", "template: line:1: unexpected \"!\" in command"),
        ("{{.x @}}", "template: line:1: unexpected \"@\" in operand"),
        ("{{.x)}}", "template: line:1: unexpected right paren"),
        ("{{..x}}", "template: line:1: unexpected . after term \".\""),
        (
            "a\n{{nosuch .x}}",
            "template: line:2: function \"nosuch\" not defined",
        ),
        ("{{if .x}}a", "template: line:1: unexpected EOF"),
        ("{{end}}", "template: line:1: unexpected {{end}}"),
        ("{{else}}", "template: line:1: unexpected {{else}}"),
        ("{{$x}}", "template: line:1: undefined variable \"$x\""),
        ("{{if}}a{{end}}", "template: line:1: missing value for if"),
        ("{{}}", "template: line:1: missing value for command"),
        ("{{\"abc}}", "template: line:1: unterminated quoted string"),
        ("{{(.x}}", "template: line:1: unclosed left paren"),
        ("{{break}}", "template: line:1: {{break}} outside {{range}}"),
        ("{{/* x }}", "template: line:1: unclosed comment"),
        (
            "{{.x | 1}}",
            "template: line:1: non executable command in pipeline stage 2",
        ),
        ("{{1a}}", "template: line:1: bad number syntax: \"1a\""),
    ];
    for (template, error) in cases {
        assert_eq!(render(template), Err(error.to_owned()), "{template}");
    }
}

#[test]
fn what_fails_while_rendering_says_where() {
    let cases = [
        (
            "{{sub 1 2 3}}",
            "template: line:1:2: executing \"line\" at <sub>: \
             wrong number of args for sub: want 2 got 3",
        ),
        (
            "x{{div 1 .missing}}",
            "template: line:1:3: executing \"line\" at <div 1 .missing>: \
             error calling div: runtime error: integer divide by zero",
        ),
        (
            "{{.num.x}}",
            "template: line:1:2: executing \"line\" at <.num.x>: \
             can't evaluate field x in type string",
        ),
    ];
    for (template, error) in cases {
        assert_eq!(render(template), Err(error.to_owned()), "{template}");
    }
    for template in [
        "{{nil}}",
        "{{lt .num 1}}",
        "{{trunc .num .word}}",
        "{{index (fromJson .json).a.b 9}}",
        "{{.num 1}}",
        "{{range .num}}{{end}}",
        "{{b64dec \"a\"}}",
        "{{regexReplaceAll \"(\" .num \"\"}}",
        "{{substr 20 25 .word}}",
        "{{repeat -1 \"x\"}}",
        "{{len 1}}",
        "{{unixToTime \"12\"}}",
    ] {
        assert!(render(template).is_err(), "{template}");
    }
}

#[test]
fn nothing_a_template_asks_for_is_without_end() {
    for template in [
        "{{repeat 1000000000 \"x\"}}",
        "{{range 1000000000}}{{end}}",
        "{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}",
        "{{$s := \"x\"}}{{range 100}}{{$s = print $s $s}}{{end}}",
        "{{$s := \"x\"}}{{range 100}}{{$s = replace \"x\" \"xx\" $s}}{{end}}",
        "{{alignLeft 1000000000 \"x\"}}",
        "{{range 100000}}{{repeat 1000 \"x\"}}{{end}}",
    ] {
        assert!(render(template).is_err(), "{template}");
    }
    let deep = format!("{}1{}", "{{if 1}}".repeat(100), "{{end}}".repeat(100));
    assert!(render(&deep).is_err());
    let deep = format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000));
    assert!(render(&deep).is_err());
    assert!(render(&format!("{{{{printf \"%{0}.{0}d\" 1}}}}", "9".repeat(30))).is_ok());
}

#[test]
fn no_text_makes_it_panic() {
    let template = "a{{- if and (eq .num \"4\\\"2\") `x` 'y' 1.5e3 -}} b {{range $i, $e := \
                    fromJson .json}}{{$e | printf \"%-5s%q\" $i}}{{else}}{{/* c */}}{{end}}{{end}}";
    assert!(Template::parse("line", template).is_ok());
    for cut in 0..template.len() {
        let _ = render(&template[..cut]);
        let _ = render(&template[cut..]);
        for letter in [
            "{{", "}}", "\"", "$", ".", "(", ")", "é", "-", " ", ":=", "|",
        ] {
            let _ = render(&format!("{}{letter}{}", &template[..cut], &template[cut..]));
            if template.is_char_boundary(cut + 1) {
                let _ = render(&format!(
                    "{}{letter}{}",
                    &template[..cut],
                    &template[cut + 1..]
                ));
            }
        }
    }
}
