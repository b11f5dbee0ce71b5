//! Stages of LogQL over any line: none panics, and a parser that is asked for some labels finds
//! what one finds that is asked for all, but for what is wrong behind these labels.

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_query::logql::LogQuery;
use chronolith_query::logql::pipeline::{LabelsWanted, Pipeline, detect};
use chronolith_query::logql::syntax::{
    self,
    ast::{Extraction, FormatSource, LabelFormat, LineFilter, LineOp, LineText, Logfmt, Stage},
};

/// A query: what parses is printed, on one line and broken, as a query that is the same.
pub(crate) fn fuzz_logql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(error) = LogQuery::parse(text) {
        assert!(!error.to_string().is_empty(), "an error says nothing");
    }
    let _ = syntax::parse_selector(text);
    let Ok(query) = syntax::parse(text) else {
        return;
    };
    let printed = syntax::print(&query);
    for again in [&printed, &syntax::pretty(&query)] {
        let again = syntax::parse(again).map(|query| syntax::print(&query));
        assert_eq!(again.as_ref(), Ok(&printed), "printed from {text:?}");
    }
}

/// Queries with every sort of syntax.
pub(crate) fn seeds_logql() -> Vec<Vec<u8>> {
    let queries = [
        "{a=\"b\", c!~`d.*`} |= \"x\" or ip(\"10.0.0.0/8\") !> \"<_>y\" # said in passing",
        "{a=\"b\"} | json | json c, d=\"e[0].f\" | logfmt --strict --keep-empty g",
        "{a=\"b\"} | regexp \"(?P<c>.)\" | pattern \"<d> <_>\" | unpack | decolorize \
         | drop e, f=\"g\"",
        "{a=\"b\"} | c=\"d\" or e>=1.5 and (f<1h30m, g!=20KiB h=ip(\"::1\")) | keep i",
        "{a=\"b\"} | line_format \"{{.c}}\\t\" | label_format d=e, f=`{{.g}}`",
        "sum by (c) (rate({a=\"b\"} |~ \"x\" [5m] offset -1m)) > bool 0.5 % 7 ^ 2",
        "topk(3, quantile_over_time(0.9, {a=\"b\"} | unwrap duration(c) | d!=\"\" [1h]) by (e))",
        "vector(1.5) / on (a) group_left (b) count_over_time(({c=\"d\"})[1d] | json) \
         unless vector(0)",
        "label_replace(absent_over_time({a=\"b\"}[90s]), \"c\", \"$1\", \"d\", \"(.*)\") or -2e3",
        "((((((({a=\"b\"})))))))",
    ];
    queries.map(|query| query.as_bytes().to_vec()).to_vec()
}

/// Labels that the second run asks for.
const WANTED: [&str; 3] = ["a", "b_c", "app_extracted"];

/// A stage by its number, a text that belongs to it behind its length in two bytes, and a line.
pub fn fuzz_logql_stage(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let Some((length, rest)) = rest.split_at_checked(2) else {
        return;
    };
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let (text, line) = rest.split_at(length.min(rest.len()));
    let text = String::from_utf8_lossy(text).into_owned();
    let stages = [stage(*kind, text)];
    let Ok(pipeline) = Pipeline::new(&stages, &LabelsWanted::All) else {
        return;
    };
    let all = found(&pipeline, line);
    let wanted = LabelsWanted::Names(WANTED.map(str::to_owned).into());
    let some = Pipeline::new(&stages, &wanted).expect("it has been compiled before");
    let mut some = found(&some, line);
    if let (Some(some), Some(all)) = (&mut some, &all)
        && some.error.is_none()
        && some.values.iter().all(Option::is_some)
    {
        // What is wrong behind the last label that is asked for is not looked at.
        some.error.clone_from(&all.error);
    }
    assert_eq!(some, all);
    let _ = detect::fields(line, |name| name == "app");
}

/// What comes through: the line, the labels that are asked for, and the error.
#[derive(Debug, PartialEq)]
struct Found {
    line: Vec<u8>,
    values: Vec<Option<String>>,
    error: Option<String>,
}

fn found(pipeline: &Pipeline, line: &[u8]) -> Option<Found> {
    let stream = LabelSet::from_pairs([("app", "x"), ("num", "42")]).expect("these are labels");
    let mut bound = pipeline.stream(stream.as_labels());
    let outcome = bound.process(1_700_000_000_123_456_789, line, Labels::EMPTY)?;
    let values = WANTED.iter().map(|name| outcome.labels.value(name));
    Some(Found {
        line: outcome.line.to_vec(),
        values: values.map(|value| value.map(str::to_owned)).collect(),
        error: outcome.labels.error().map(str::to_owned),
    })
}

fn stage(kind: u8, text: String) -> Stage {
    let line = |op, text| {
        Stage::Line(LineFilter {
            op,
            texts: vec![text],
        })
    };
    let extraction = || Extraction {
        name: "a".to_owned(),
        expression: text.clone(),
    };
    match kind % 12 {
        0 => Stage::LineFormat(text),
        1 => Stage::LabelFormat(vec![LabelFormat {
            name: "a".to_owned(),
            source: FormatSource::Template(text),
        }]),
        2 => Stage::Json(Vec::new()),
        3 => Stage::Json(vec![extraction()]),
        4 => Stage::Logfmt(Logfmt {
            is_strict: text.is_empty(),
            ..Logfmt::default()
        }),
        5 => Stage::Logfmt(Logfmt {
            extractions: vec![extraction()],
            ..Logfmt::default()
        }),
        6 => Stage::Regexp(text),
        7 => Stage::Pattern(text),
        8 => Stage::Unpack,
        9 => line(LineOp::Pattern, LineText::Text(text)),
        10 => line(LineOp::Contains, LineText::Ip(text)),
        _ => Stage::Decolorize,
    }
}

/// An input for each stage, and templates of every sort.
pub fn seeds_logql_stage() -> Vec<Vec<u8>> {
    let json = r#"{"a":1,"b":{"c":"x\u00e9"},"app":[1,{"k":null}],"_entry":"a=1 b=2"}"#;
    let logfmt = r#"a=1 b.c="x \"y\"" app=z =bad k=v=w flag"#;
    let ip = "from 10.1.2.3:80 to [2001:db8::1]";
    let cases = [
        (
            0,
            "{{.num}} {{__line__ | ToUpper | trunc -5}} {{printf \"%05d|%-4s|%q\" 7 .app \"x\"}}",
            "line",
        ),
        (
            0,
            "{{$d := fromJson __line__}}{{range $k, $v := $d}}{{if eq $k \"a\"}}\
             {{$v}}{{else}}{{continue}}{{end}}{{end}}{{- /* c */ -}}",
            json,
        ),
        (
            0,
            "{{with .app}}{{.}}{{end}}{{add .num 1 | mul 2}}{{divf .num 3}}\
             {{round 1.25 1}}{{regexReplaceAll \"(o+)\" .app \"<$1>\"}}",
            "x",
        ),
        (
            0,
            "{{__timestamp__ | date \"Mon Jan _2 15:04:05.000 MST 2006\"}}\
             {{toDateInZone \"2006-01-02\" \"Europe/Berlin\" \"2024-07-01\" | unixEpoch}}",
            "x",
        ),
        (
            1,
            "{{if and .app (not .none)}}{{default \"d\" .none}}{{else}}x{{end}}",
            "x",
        ),
        (2, "", json),
        (3, "b.c", json),
        (3, "app[1][\"k\"]", json),
        (4, "lenient", logfmt),
        (4, "", logfmt),
        (5, "b.c", logfmt),
        (6, "(?P<a>\\w+)=(?P<app>[^ ]*)", logfmt),
        (7, "<a>=<_> <b_c>\"<app>", logfmt),
        (8, "", json),
        (9, "a=<_> b<_>", logfmt),
        (10, "10.0.0.0/8", ip),
        (10, "2001:db8::/32", ip),
        (11, "", "\u{1b}[1;32ma\u{1b}[0m\u{1b}]0;t\u{7}b"),
    ];
    let encode = |(kind, text, line): (u8, &str, &str)| {
        let length = u16::try_from(text.len()).expect("texts of seeds are short");
        let mut input = vec![kind];
        input.extend_from_slice(&length.to_le_bytes());
        input.extend_from_slice(text.as_bytes());
        input.extend_from_slice(line.as_bytes());
        input
    };
    cases.map(encode).to_vec()
}
