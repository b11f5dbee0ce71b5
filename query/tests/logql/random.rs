//! Random queries over random lines, against the slow twin and over every kind of source.

use std::num::NonZeroUsize;

use chronolith_query::logql::syntax::Query;
use chronolith_query::logql::{
    Direction, LineSource, LinesAnswer, LinesRequest, LogQuery, Options, Steps,
};
use chronolith_query::promql::Value;

use crate::shop::{Dice, Line, OPEN, OPENS, SECOND, hour, memory};
use crate::store::{Stage, Store};
use crate::twin;

const SELECTORS: &[&str] = &[
    r#"{format="json"}"#,
    r#"{format="logfmt", till="1"}"#,
    r#"{format=~".+", floor=""}"#,
    r#"{till=~"1|2"}"#,
    r#"{format="none"}"#,
];

const STAGES: &[&str] = &[
    r#"|= "sale""#,
    r#"|= "a" or "x""#,
    r#"!= "refund""#,
    r#"|~ "err|ref""#,
    r#"!~ "[0-9]{2}""#,
    r#"|> "<_>of<_>""#,
    "| json",
    "| logfmt",
    r#"| json price, name="who.clerk""#,
    "| logfmt --keep-empty clerk, wait",
    r#"| pattern "<kind> of <price> by <_>""#,
    r#"| regexp "of (?P<price>[0-9]+)""#,
    r#"| kind="sale" or clerk!="""#,
    "| price >= 20",
    "| wait < 300ms and price != 3",
    r#"| line_format "{{.kind}} {{.price}}""#,
    r#"| label_format sort=kind, shown="{{.price}}/{{.till}}""#,
    "| drop clerk, who_clerk",
    "| keep till, kind, price, wait",
    "| decolorize",
];

/// What every pipeline of these tests ends with: lines with errors fail metric queries.
const NO_ERRORS: &str = r#"| __error__="""#;

const RANGES: &[(&str, &str)] = &[
    ("count_over_time", ""),
    ("rate", ""),
    ("bytes_over_time", ""),
    ("bytes_rate", ""),
    ("sum_over_time", "| unwrap price"),
    ("avg_over_time", "| unwrap duration(wait)"),
    ("max_over_time", "| unwrap price"),
    ("min_over_time", "| unwrap duration_seconds(wait)"),
    ("rate", "| unwrap price"),
];

fn pipeline(dice: &mut Dice) -> String {
    let mut text = dice.pick(SELECTORS).to_owned();
    for _ in 0..dice.below(4) {
        text = format!("{text} {}", dice.pick(STAGES));
    }
    text
}

fn metric(dice: &mut Dice) -> String {
    let place = usize::try_from(dice.below(u64::try_from(RANGES.len()).unwrap())).unwrap();
    let (op, unwrap) = RANGES[place];
    let length = dice.pick(&["45s", "5m", "20m", "2h"]);
    let offset = dice.pick(&["", " offset 7m", " offset -3m"]);
    let lines = pipeline(dice);
    let behind = if unwrap.is_empty() { "" } else { NO_ERRORS };
    let mut text = format!("{op}({lines} {NO_ERRORS} {unwrap} {behind} [{length}]{offset})");
    if matches!(op, "avg_over_time" | "max_over_time" | "min_over_time") {
        text += dice.pick(&["", " by (till)", " without (customer, price)", " by ()"]);
    }
    match dice.below(3) {
        0 => text,
        _ => {
            let op = dice.pick(&["sum", "sum", "avg", "max", "min", "count"]);
            let by = dice.pick(&[
                "",
                "by (till)",
                "by (kind, nosuch)",
                "by (format)",
                "without (price, wait)",
                "by (customer)",
            ]);
            format!("{op} {by} ({text})")
        }
    }
}

fn options(workers: usize) -> Options {
    let mut options = Options {
        steps: Steps::AsAsked,
        workers: NonZeroUsize::new(workers),
        ..Options::default()
    };
    options.limits.series_max = usize::MAX;
    options
}

fn request(dice: &mut Dice) -> LinesRequest {
    let start = OPENS + i64::try_from(dice.below(1_800)).unwrap() * SECOND;
    LinesRequest {
        start,
        end: start + i64::try_from(dice.below(2_400)).unwrap() * SECOND,
        limit: usize::try_from(1 + dice.below(60)).unwrap(),
        direction: *dice.pick(&[&Direction::Forward, &Direction::Backward]),
        interval: match dice.below(4) {
            0 => 40 * SECOND,
            _ => 0,
        },
    }
}

/// The lines of an answer; those of one time in no order.
fn found(answer: &LinesAnswer) -> Vec<twin::Found> {
    let mut found: Vec<twin::Found> = Vec::new();
    for stream in answer.merged() {
        let labels = stream.labels.iter();
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels: Vec<_> = labels.collect();
        let entries = stream.entries.iter();
        found.extend(entries.map(|entry| (entry.time, labels.clone(), entry.line.clone())));
    }
    found.sort();
    found
}

fn check_lines(text: &str, lines: &[Line], source: &dyn LineSource, dice: &mut Dice) {
    let query = LogQuery::parse(text).unwrap();
    let Query::Lines(tree) = query.expr() else {
        panic!("{text} asks for lines");
    };
    let request = request(dice);
    let workers = usize::try_from(1 + dice.below(3)).unwrap();
    let answer = query.lines(source, &request, &options(workers)).unwrap();
    let mut expected = twin::lines(tree, lines, &request);
    expected.sort();
    let mut got = found(&answer);
    if got.len() == request.limit && request.interval == 0 {
        // Which lines of the last time are left out is not told.
        let edge = match request.direction {
            Direction::Forward => expected.iter().map(|(time, ..)| *time).max(),
            Direction::Backward => expected.iter().map(|(time, ..)| *time).min(),
        };
        assert_eq!(got.len(), expected.len(), "{text} {request:?}");
        got.retain(|(time, ..)| Some(*time) != edge);
        expected.retain(|(time, ..)| Some(*time) != edge);
    }
    if request.interval > 0 {
        // Which of several lines of one time comes first is not told across streams.
        let times = |all: &[twin::Found]| all.iter().map(|(time, ..)| *time).collect::<Vec<_>>();
        assert_eq!(times(&got), times(&expected), "{text} {request:?}");
        return;
    }
    assert_eq!(got, expected, "{text} {request:?}");
}

fn check_numbers(text: &str, lines: &[Line], source: &dyn LineSource, dice: &mut Dice) {
    let query = LogQuery::parse(text).unwrap();
    let Query::Metric(tree) = query.expr() else {
        panic!("{text} asks for numbers");
    };
    let step = i64::try_from(30 + dice.below(900)).unwrap() * SECOND;
    let start = OPENS + i64::try_from(dice.below(600)).unwrap() * SECOND;
    let count = OPEN / step;
    let times: Vec<i64> = (0..=count).map(|place| start + place * step).collect();
    let end = *times.last().unwrap();
    let workers = usize::try_from(1 + dice.below(3)).unwrap();
    let answer = query.range(source, (start, end, step), &options(workers));
    let answer = answer.unwrap_or_else(|error| panic!("{text}: {error}"));
    let Value::Matrix(series) = answer.value else {
        panic!("a range query gives a matrix");
    };
    let mut got = twin::Numbers::new();
    for series in series {
        let labels = series.labels.as_labels().iter();
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let points = series.points.iter().map(|point| {
            let step = (point.time * 1_000_000 - start) / step;
            let value = point.sample.as_float().unwrap();
            (usize::try_from(step).unwrap(), value)
        });
        got.insert(labels.collect(), points.collect());
    }
    let expected = twin::numbers(tree, lines, &times);
    let labels = |all: &twin::Numbers| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(labels(&got), labels(&expected), "{text}");
    for (labels, values) in &expected {
        let steps = |all: &twin::Numbers| all[labels].keys().copied().collect::<Vec<_>>();
        assert_eq!(steps(&got), steps(&expected), "{text} {labels:?}");
        for (step, value) in values {
            let same = (got[labels][step] - value).abs() <= 1e-9 * value.abs();
            assert!(
                same,
                "{text} {labels:?} {step}: {} {value}",
                got[labels][step]
            );
        }
    }
}

/// Runs `check` over all sources with so many random queries each.
fn over_all(queries: u64, ask: fn(&mut Dice) -> String, check: Check) {
    for seed in 1..=4 {
        let mut dice = Dice::new(seed);
        let lines = hour(&mut dice, 400);
        let stages = [Stage::Head, Stage::Block, Stage::Both];
        let stores = stages.map(|stage| Store::new(&lines, stage));
        let engines = stores.each_ref().map(Store::lines);
        let memory = memory(&lines);
        let mut sources: Vec<&dyn LineSource> = vec![&memory];
        sources.extend(engines.iter().map(|source| source as &dyn LineSource));
        for _ in 0..queries {
            let text = ask(&mut dice);
            let seed = dice.below(u64::MAX / 4096);
            for source in &sources {
                check(&text, &lines, *source, &mut Dice::new(seed));
            }
        }
    }
}

type Check = fn(&str, &[Line], &dyn LineSource, &mut Dice);

#[test]
fn random_pipelines_give_the_lines_of_a_slow_twin() {
    over_all(40, pipeline, check_lines);
}

#[test]
fn random_numbers_are_those_of_a_slow_twin() {
    over_all(25, metric, check_numbers);
}
