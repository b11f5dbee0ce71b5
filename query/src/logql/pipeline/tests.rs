//! Whole pipelines over lines, stage by stage and one behind the other.

use std::collections::BTreeSet;

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};

use super::{Candidates, LabelsWanted, Pipeline, Unwrapped, Unwrapper};
use crate::logql::syntax::ast::{
    CompareOp, Conversion, Extraction, FormatSource, IpFilter, LabelFilter, LabelFormat,
    LineFilter, LineOp, LineText, Logfmt, Named, Stage, Unwrap,
};

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

fn matcher(op: MatchOp, name: &str, value: &str) -> Matcher {
    Matcher::new(op, name, value).unwrap()
}

fn text_is(name: &str, value: &str) -> Stage {
    Stage::Label(LabelFilter::Text(matcher(MatchOp::Equal, name, value)))
}

fn more_than(name: &str, value: f64) -> LabelFilter {
    LabelFilter::Number(name.to_owned(), CompareOp::Greater, value)
}

fn contains(text: &str) -> Stage {
    Stage::Line(LineFilter {
        op: LineOp::Contains,
        texts: vec![LineText::Text(text.to_owned())],
    })
}

fn json() -> Stage {
    Stage::Json(Vec::new())
}

fn logfmt() -> Stage {
    Stage::Logfmt(Logfmt::default())
}

fn strict() -> Stage {
    Stage::Logfmt(Logfmt {
        is_strict: true,
        ..Logfmt::default()
    })
}

fn extraction(name: &str, expression: &str) -> Extraction {
    Extraction {
        name: name.to_owned(),
        expression: expression.to_owned(),
    }
}

fn named(name: &str) -> Named {
    Named::Name(name.to_owned())
}

fn format(name: &str, template: &str) -> LabelFormat {
    LabelFormat {
        name: name.to_owned(),
        source: FormatSource::Template(template.to_owned()),
    }
}

fn rename(name: &str, label: &str) -> LabelFormat {
    LabelFormat {
        name: name.to_owned(),
        source: FormatSource::Label(label.to_owned()),
    }
}

fn names(names: &[&str]) -> LabelsWanted {
    LabelsWanted::Names(names.iter().map(|name| (*name).to_owned()).collect())
}

/// What comes through of a line of `{app="a"}` with the metadata `user="u"`: the line if a stage
/// changed it, then stream, metadata and parsed labels, each sorted.
fn through_wanting(stages: &[Stage], wanted: &LabelsWanted, line: &[u8]) -> Option<String> {
    let (stream, metadata) = (set(&[("app", "a")]), set(&[("user", "u")]));
    let pipeline = Pipeline::new(stages, wanted).unwrap();
    let mut bound = pipeline.stream(stream.as_labels());
    let mut shown = None;
    // The second time nothing of the first may be left.
    for _ in 0..2 {
        let outcome = bound.process(1_000_000_000, line, metadata.as_labels());
        shown = outcome.map(|outcome| {
            let mut out = match outcome.line == line {
                true => String::new(),
                false => format!("<{}> ", String::from_utf8_lossy(outcome.line)),
            };
            let labels = &outcome.labels;
            let part = |labels: Vec<(&str, &str)>| {
                let sorted: BTreeSet<_> = labels.into_iter().collect();
                let shown = sorted.iter().map(|(name, value)| format!("{name}={value}"));
                shown.collect::<Vec<_>>().join(" ")
            };
            out += &part(labels.stream().collect());
            out += " | ";
            out += &part(labels.metadata().collect());
            out += " | ";
            out + &part(labels.parsed().collect())
        });
    }
    shown
}

fn through(stages: &[Stage], line: &str) -> String {
    let shown = through_wanting(stages, &LabelsWanted::All, line.as_bytes());
    shown.unwrap_or_else(|| "dropped".to_owned())
}

#[test]
fn without_stages_a_line_is_what_it_was() {
    assert_eq!(through(&[], "x"), "app=a | user=u | ");
}

#[test]
fn json_makes_labels_of_every_value_and_gives_way_to_stream_and_metadata() {
    let line = r#"{"app":"b","user":"v","n":{"x":1},"n_x":2}"#;
    let found = "app=a | user=u | app_extracted=b n_x=1 user_extracted=v";
    assert_eq!(through(&[json()], line), found);
    let error = "Value looks like object, but can't find closing '}' symbol";
    let found = format!("app=a | user=u | __error__=JSONParserErr __error_details__={error}");
    assert_eq!(through(&[json()], "plain"), found);
    assert_eq!(through(&[json()], ""), "app=a | user=u | ");
}

#[test]
fn json_with_a_list_sets_what_is_missing_to_nothing() {
    let list = [
        extraction("a", "x[1].y"),
        extraction("b", "nope"),
        extraction("user", "user"),
    ];
    let stage = [Stage::Json(list.to_vec())];
    let line = r#"{"x":[0,{"y":"two"}],"user":null}"#;
    assert_eq!(
        through(&stage, line),
        "app=a | user=u | a=two b= user_extracted="
    );
    assert_eq!(through(&stage, r#"["x"]"#), "app=a | user=u | a= b=");
    assert_eq!(
        through(&stage, "12"),
        "app=a | user=u | __error__=JSONParserErr"
    );
}

#[test]
fn logfmt_keeps_the_first_of_a_key_and_with_a_list_the_last() {
    let line = "k=1 k=2 flag e= bad=x=y user=v";
    assert_eq!(
        through(&[logfmt()], line),
        "app=a | user=u | k=1 user_extracted=v"
    );
    let keeping = Stage::Logfmt(Logfmt {
        keeps_empty: true,
        ..Logfmt::default()
    });
    let found = "app=a | user=u | e= flag= k=1 user_extracted=v";
    assert_eq!(through(&[keeping], line), found);
    let listed = Stage::Logfmt(Logfmt {
        extractions: vec![extraction("z", "k"), extraction("none", "none")],
        ..Logfmt::default()
    });
    assert_eq!(through(&[listed], line), "app=a | user=u | none= z=2");
    let found = "app=a | user=u | __error__=LogfmtParserErr \
                 __error_details__=logfmt syntax error at pos 22 : unexpected '=' k=1";
    assert_eq!(through(&[strict()], line), found);
}

#[test]
fn an_earlier_parser_keeps_its_labels() {
    let line = r#"{"_entry":"a=2 b=3","a":"1"}"#;
    let found = "<a=2 b=3> app=a | user=u | a=1 b=3";
    assert_eq!(through(&[Stage::Unpack, logfmt()], line), found);
}

#[test]
fn unpack_needs_a_packed_line() {
    let cases = [
        (
            r#"{"_entry":"l\n","p":"x","n":1,"o":{"a":"b"},"app":"q"}"#,
            "<l\n> app=a | user=u | app_extracted=q p=x",
        ),
        (r#"{"p":"x"}"#, "app=a | user=u | "),
        (
            "plain",
            "app=a | user=u | __error__=JSONParserErr __error_details__=expecting \
             json object(6), but it is not",
        ),
        (
            "{\"_entry\":\"cut",
            "app=a | user=u | __error__=JSONParserErr __error_details__=Value is string, \
             but can't find closing '\"' symbol",
        ),
        ("", "app=a | user=u | "),
    ];
    for (line, found) in cases {
        assert_eq!(through(&[Stage::Unpack], line), found, "{line}");
    }
    let unseen = through_wanting(&[Stage::Unpack], &names(&[]), b"plain");
    assert_eq!(unseen.as_deref(), Some("app=a | user=u | "));
}

#[test]
fn regexp_and_pattern_set_labels_where_they_match() {
    let regexp = [Stage::Regexp(r"(?P<n>\d+)(?: (?P<unit>ms|s))?".to_owned())];
    assert_eq!(
        through(&regexp, "took 5 ms"),
        "app=a | user=u | n=5 unit=ms"
    );
    assert_eq!(through(&regexp, "took 5"), "app=a | user=u | n=5 unit=");
    assert_eq!(through(&regexp, "took long"), "app=a | user=u | ");
    let pattern = [Stage::Pattern("<user> [<_>] <rest>".to_owned())];
    let found = "app=a | user=u | rest=c d user_extracted=a";
    assert_eq!(through(&pattern, "a [b] c d"), found);
    assert_eq!(
        through(&pattern, "a b"),
        "app=a | user=u | user_extracted=a b"
    );
}

#[test]
fn filters_on_labels_drop_keep_or_complain() {
    let stages = |filter: LabelFilter| [logfmt(), Stage::Label(filter)];
    let number = more_than("n", 2.0);
    assert_eq!(
        through(&stages(number.clone()), "n=3"),
        "app=a | user=u | n=3"
    );
    assert_eq!(through(&stages(number.clone()), "n=1"), "dropped");
    assert_eq!(through(&stages(number.clone()), "m=3"), "dropped");
    let wrong = "app=a | user=u | __error__=LabelFilterErr \
                 __error_details__=strconv.ParseFloat: parsing \"x\": invalid syntax n=x";
    assert_eq!(through(&stages(number.clone()), "n=x"), wrong);
    let duration = LabelFilter::Duration("d".to_owned(), CompareOp::LessOrEqual, 1_500_000_000);
    assert_eq!(
        through(&stages(duration.clone()), "d=1.5s"),
        "app=a | user=u | d=1.5s"
    );
    assert_eq!(through(&stages(duration), "d=2s"), "dropped");
    let bytes = LabelFilter::Bytes("b".to_owned(), CompareOp::Equal, 2000);
    assert_eq!(through(&stages(bytes), "b=2KB"), "app=a | user=u | b=2KB");
    assert_eq!(through(&[text_is("none", "")], "x"), "app=a | user=u | ");
    assert_eq!(through(&[text_is("user", "other")], "x"), "dropped");
    let both = LabelFilter::And(Box::new(number.clone()), Box::new(more_than("m", 0.0)));
    assert_eq!(
        through(&stages(both), "n=3 m=1"),
        "app=a | user=u | m=1 n=3"
    );
    let either = LabelFilter::Or(Box::new(number), Box::new(more_than("m", 0.0)));
    assert_eq!(
        through(&stages(either), "n=1 m=1"),
        "app=a | user=u | m=1 n=1"
    );
}

#[test]
fn filters_on_addresses_keep_lines_that_have_an_error_already() {
    let condition = |pattern: &str, is_negative| {
        LabelFilter::Ip(IpFilter {
            name: "ip".to_owned(),
            is_negative,
            pattern: pattern.to_owned(),
        })
    };
    let filter = |pattern: &str, is_negative| Stage::Label(condition(pattern, is_negative));
    let inside = [strict(), filter("10.0.0.0/8", false)];
    assert_eq!(
        through(&inside, "ip=10.1.2.3"),
        "app=a | user=u | ip=10.1.2.3"
    );
    assert_eq!(through(&inside, "ip=11.1.2.3"), "dropped");
    assert_eq!(through(&inside, "x=1"), "dropped");
    assert!(through(&inside, "=x").contains("LogfmtParserErr"));
    assert_eq!(through(&inside, "ip=11.1.2.3 =x"), "dropped");
    let outside = [logfmt(), filter("10.0.0.0/8", true)];
    assert_eq!(
        through(&outside, "ip=11.1.2.3"),
        "app=a | user=u | ip=11.1.2.3"
    );
    // What is no address is refused where it stands alone, and told of each line otherwise.
    let refused = Pipeline::new(&[filter("10.0.0.x", false)], &LabelsWanted::All);
    let text = refused.err().map(|error| error.to_string());
    let expected = "stage '| ip=ip(\"10.0.0.x\")' : ip: invalid pattern: \"10.0.0.x\"";
    assert_eq!(text, Some(format!("parse error : {expected}")));
    let wrong = condition("10.0.0.x", false);
    let both = Stage::Label(LabelFilter::And(wrong.into(), more_than("n", 0.0).into()));
    let told = through(&[logfmt(), both], "ip=1.1.1.1 n=1");
    assert!(told.contains("__error__=LabelFilterErr"), "{told}");
}

#[test]
fn formats_make_lines_and_labels() {
    let line = Stage::LineFormat("{{.a}}:{{__line__}}".to_owned());
    assert_eq!(
        through(&[logfmt(), line], "a=1"),
        "<1:a=1> app=a | user=u | a=1"
    );
    let cut = Stage::LineFormat("{{trunc 5 __line__}}".to_owned());
    assert_eq!(
        through(&[cut], "走走"),
        "<走\u{fffd}\u{fffd}> app=a | user=u | "
    );
    let wrong = Stage::LineFormat("x{{div 1 .none}}".to_owned());
    let found = through(&[logfmt(), wrong], "a=1");
    assert!(
        found.starts_with("app=a | user=u | __error__=TemplateFormatErr"),
        "{found}"
    );
    let swap = Stage::LabelFormat(vec![format("a", "{{.b}}"), format("b", "{{.a}}")]);
    assert_eq!(
        through(&[logfmt(), swap], "a=1 b=2"),
        "app=a | user=u | a=2 b=1"
    );
    let over = Stage::LabelFormat(vec![format("app", "x-{{.app}}"), format("user", "")]);
    assert_eq!(through(&[over], ""), " |  | app=x-a user=");
    let renamed = Stage::LabelFormat(vec![rename("service", "app"), rename("b", "none")]);
    assert_eq!(through(&[renamed], ""), "service=a | user=u | ");
    // What is behind a rename sees it.
    let chained = Stage::LabelFormat(vec![
        rename("who", "user"),
        format("x", "{{.who}}{{.user}}"),
    ]);
    assert_eq!(through(&[chained], ""), "app=a | who=u | x=u");
}

#[test]
fn drop_and_keep_take_labels_away() {
    let line = "a=1 b=2 c=3";
    let b_is = |value| Named::Matching(matcher(MatchOp::Equal, "b", value));
    let drop = |named| [logfmt(), Stage::Drop(named)];
    let keep = |named| [logfmt(), Stage::Keep(named)];
    let found = through(&drop(vec![named("a"), named("user"), named("app")]), line);
    assert_eq!(found, " |  | b=2 c=3");
    assert_eq!(
        through(&drop(vec![b_is("2")]), line),
        "app=a | user=u | a=1 c=3"
    );
    assert_eq!(
        through(&drop(vec![b_is("3")]), line),
        "app=a | user=u | a=1 b=2 c=3"
    );
    assert_eq!(
        through(&keep(vec![named("a"), b_is("2")]), line),
        " |  | a=1 b=2"
    );
    assert_eq!(
        through(&keep(vec![named("user"), b_is("3")]), line),
        " | user=u | "
    );
    let errors = [json(), Stage::Keep(vec![named("app")])];
    assert!(through(&errors, "x").contains("__error__=JSONParserErr"));
    let errors = [
        json(),
        Stage::Drop(vec![named("__error__"), named("__error_details__")]),
    ];
    assert_eq!(through(&errors, "x"), "app=a | user=u | ");
}

#[test]
fn decolorize_and_filters_see_the_line_as_it_is_by_then() {
    let stages = [Stage::Decolorize, contains("ab")];
    assert_eq!(through(&stages, "a\x1b[0mb"), "<ab> app=a | user=u | ");
    assert_eq!(
        through(&[contains("ab"), Stage::Decolorize], "a\x1b[0mb"),
        "dropped"
    );
}

#[test]
fn unwrap_reads_a_number_or_tells_why_not() {
    let sample = |conversion, line: &str, filters| {
        let stream = set(&[("app", "a")]);
        let pipeline = Pipeline::new(&[logfmt()], &LabelsWanted::All).unwrap();
        let unwrapper = Unwrapper::new(&Unwrap {
            label: "v".to_owned(),
            conversion,
            filters,
        });
        let unwrapper = unwrapper.unwrap();
        let mut bound = pipeline.stream(stream.as_labels());
        let metadata = LabelSet::default();
        let mut outcome = bound
            .process(0, line.as_bytes(), metadata.as_labels())
            .unwrap();
        let sample = unwrapper.sample(&mut outcome.labels);
        (sample, outcome.labels.error().map(str::to_owned))
    };
    let failed = (Unwrapped::Error, Some("SampleExtractionErr".to_owned()));
    let no_error = || LabelFilter::Text(matcher(MatchOp::Equal, "__error__", ""));
    let value = |value| (Unwrapped::Value(value), None);
    assert_eq!(sample(Conversion::Number, "v=-1.5", vec![]), value(-1.5));
    assert_eq!(sample(Conversion::Duration, "v=1m30s", vec![]), value(90.0));
    assert_eq!(
        sample(Conversion::DurationSeconds, "v=5ms", vec![]),
        value(0.005)
    );
    assert_eq!(sample(Conversion::Bytes, "v=2KiB", vec![]), value(2048.0));
    assert_eq!(
        sample(Conversion::Number, "w=1", vec![]),
        (Unwrapped::Skip, None)
    );
    assert_eq!(sample(Conversion::Number, "v=x", vec![]), failed);
    assert_eq!(
        sample(Conversion::Number, "v=x", vec![no_error()]).0,
        Unwrapped::Skip
    );
    let above = || vec![more_than("v", 2.0)];
    assert_eq!(
        sample(Conversion::Number, "v=1", above()).0,
        Unwrapped::Skip
    );
    assert_eq!(sample(Conversion::Number, "v=3", above()), value(3.0));
}

#[test]
fn only_what_is_wanted_is_parsed_and_no_answer_changes() {
    let line = br#"{"a":"1","b":"2","app":"x","c":{"d":"3"}}"#;
    let wanting = |stages: &[Stage], labels: &[&str]| {
        through_wanting(stages, &names(labels), line).unwrap_or_default()
    };
    assert_eq!(wanting(&[json()], &["b"]), "app=a | user=u | b=2");
    assert_eq!(
        wanting(&[json()], &["app_extracted", "c_d"]),
        "app=a | user=u | app_extracted=x c_d=3"
    );
    assert_eq!(wanting(&[json()], &["app"]), "app=a | user=u | ");
    assert_eq!(
        wanting(&[json(), text_is("a", "1")], &[]),
        "app=a | user=u | a=1"
    );
    let made = Stage::LabelFormat(vec![format("x", "{{.a}}{{.b}}")]);
    assert_eq!(
        wanting(&[json(), made], &["x"]),
        "app=a | user=u | a=1 b=2 x=12"
    );
    let kept = Stage::Keep(vec![named("a")]);
    assert_eq!(
        through_wanting(&[json(), kept], &LabelsWanted::All, line).unwrap(),
        " |  | a=1"
    );
    // Nobody looks at labels, so nobody learns that this is no JSON; unless a filter asks.
    let broken = |stages: &[Stage], labels: &[&str]| {
        through_wanting(stages, &names(labels), b"broken").is_some_and(|out| out.contains("Err"))
    };
    assert!(!broken(&[json()], &[]) && !broken(&[json()], &["app"]));
    assert!(broken(&[json()], &["b"]) && broken(&[json()], &["__error__"]));
    let has_error = Stage::Label(LabelFilter::Text(matcher(
        MatchOp::NotEqual,
        "__error__",
        "",
    )));
    assert!(broken(&[json(), has_error], &[]));
}

#[test]
fn a_pipeline_says_what_it_looks_at() {
    let new = |stages: &[Stage], wanted: &LabelsWanted| Pipeline::new(stages, wanted).unwrap();
    let all = LabelsWanted::All;
    assert!(!new(&[], &names(&[])).wants_text());
    assert!(!new(&[json()], &names(&[])).wants_text());
    assert!(!new(&[text_is("app", "a")], &all).wants_text());
    assert!(new(&[json()], &all).wants_text());
    assert!(new(&[contains("x")], &names(&[])).wants_text());
    assert!(!new(&[contains("")], &names(&[])).wants_text());
    assert!(new(&[], &all).wants_metadata());
    assert!(!new(&[contains("x"), json()], &names(&[])).wants_metadata());
    let by_app = new(&[contains("x")], &names(&["app"]));
    let stream = set(&[("app", "a")]);
    assert!(by_app.wants_metadata() && !by_app.wants_metadata_of(stream.as_labels()));
    let stages = [
        contains("ab"),
        json(),
        contains("cd"),
        Stage::Decolorize,
        contains("ef"),
    ];
    assert_eq!(
        new(&stages, &all).needles(),
        [b"ab".to_vec(), b"cd".to_vec()]
    );
}

#[test]
fn candidates_are_the_lines_with_the_longest_needle() {
    let lines = ["xab", "c", "abc", "", "ab", "cabc abc", "bc", "abc"];
    let text = lines.concat();
    let mut end = 0;
    let ends = lines.map(|line| {
        end += u32::try_from(line.len()).unwrap();
        end
    });
    let found = |stages: &[Stage]| {
        let pipeline = Pipeline::new(stages, &LabelsWanted::All).unwrap();
        let candidates = Candidates {
            finder: pipeline.finder.as_ref(),
            lines: lines.len(),
            text: text.as_bytes(),
            ends: &ends,
            next: 0,
        };
        candidates.collect::<Vec<_>>()
    };
    assert_eq!(found(&[contains("b"), contains("abc")]), [2, 5, 7]);
    assert_eq!(found(&[contains("xa")]), [0]);
    assert_eq!(found(&[contains("nowhere")]), [0usize; 0]);
    assert_eq!(found(&[json()]), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn what_does_not_compile_is_told_with_its_stage() {
    let line = |op, text: &str| {
        Stage::Line(LineFilter {
            op,
            texts: vec![LineText::Text(text.to_owned())],
        })
    };
    let cases = [
        (
            line(LineOp::Regex, "a("),
            "stage '|~ \"a(\"' : error parsing regexp: missing closing ): `a(`",
        ),
        (
            Stage::Json(vec![extraction("a", "..b")]),
            "stage '| json a=\"..b\"' : cannot parse expression [..b]: \
             syntax error: unexpected DOT, expecting LSB or FIELD",
        ),
        (
            Stage::Regexp("(x)".to_owned()),
            "invalid regexp parser: at least one named capture must be supplied",
        ),
        (
            Stage::Regexp("(?P<a>x)(?P<a>y)".to_owned()),
            "invalid regexp parser: duplicate extracted label name 'a'",
        ),
        (
            Stage::Pattern("x".to_owned()),
            "invalid pattern parser: at least one capture is required",
        ),
        (
            Stage::LabelFormat(vec![rename("a", "b"), format("a", "c")]),
            "stage '| label_format a=b,a=\"c\"' : multiple label name 'a' not allowed in a \
             single format operation",
        ),
        (
            Stage::LabelFormat(vec![format("__error__", "")]),
            "stage '| label_format __error__=\"\"' : __error__ cannot be formatted",
        ),
        (
            Stage::LineFormat("{{.x".to_owned()),
            "stage '| line_format \"{{.x\"' : invalid line template: \
             template: line:1: unclosed action",
        ),
    ];
    for (stage, error) in cases {
        let refused = Pipeline::new(&[stage], &LabelsWanted::All).err().unwrap();
        assert_eq!(refused.to_string(), format!("parse error : {error}"));
    }
}

#[test]
fn no_line_makes_any_stage_panic() {
    let stages = [
        json(),
        Stage::Json(vec![extraction("q", "a.b[0]"), extraction("r", "[\"k\"]")]),
        strict(),
        Stage::Unpack,
        Stage::Regexp("(?P<x>.)(?P<y>\\W+)?".to_owned()),
        Stage::Pattern("<p> <q>:<r>".to_owned()),
        Stage::Decolorize,
        Stage::LineFormat("{{.x}}{{trunc 3 __line__}}{{fromJson __line__}}".to_owned()),
    ];
    let line = "{\"_entry\":\"a=1 \\u00e9\",\"a\":{\"b\":[1,{}]}} k=\"v\\\" \x1b[1m".as_bytes();
    for stage in &stages {
        for cut in 0..=line.len() {
            for byte in [0u8, b'"', b'\\', b'{', b'=', 0xff, 0xc3, 0x1b] {
                let mut changed = line[..cut].to_vec();
                changed.push(byte);
                changed.extend_from_slice(line.get(cut + 1..).unwrap_or(&[]));
                let alone = std::slice::from_ref(stage);
                through_wanting(alone, &LabelsWanted::All, &changed);
            }
        }
    }
}
