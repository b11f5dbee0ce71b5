//! Metric queries: what windows hold, how numbers are made of labels, and what operators do.

use std::sync::Mutex;

use chronolith_engine::Wanted;
use chronolith_engine::labels::Labels;
use chronolith_query::logql::source::Runs;
use chronolith_query::logql::{
    Direction, ErrorKind, LineRequest, LineSource, LineStream, LogQuery, MemoryLines, Options,
    Result, Steps,
};
use chronolith_query::promql::{Sample, Value};

use crate::shop::{OPENS, SECOND, line, memory, set};

const EAST: &[(&str, &str)] = &[("shop", "east"), ("till", "1")];
const WEST: &[(&str, &str)] = &[("shop", "west"), ("till", "1")];

/// A line a minute in the east, one every second minute in the west, from the first minute on.
fn shop() -> MemoryLines {
    let east = (1..=30).map(|minute| line(EAST, minute * 60, &format!("price={minute} n=7x")));
    let west = (1..=15).map(|pair| line(WEST, pair * 120, "price=2 wait=1500ms size=2kB"));
    memory(&east.chain(west).collect::<Vec<_>>())
}

/// `labels value` of each series at a minute, in the order of the answer.
fn at(text: &str, minute: i64) -> Vec<String> {
    try_at(text, minute, &shop()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn try_at(text: &str, minute: i64, source: &dyn LineSource) -> Result<Vec<String>> {
    let query = LogQuery::parse(text)?;
    let answer = query.instant(source, OPENS + minute * 60 * SECOND, &Options::default())?;
    Ok(match answer.value {
        Value::Scalar(_, value) => vec![value.to_string()],
        Value::Vector(series) => {
            let shown = |sample: &Sample| sample.as_float().unwrap().to_string();
            let series = series.iter();
            let series = series.map(|series| {
                let labels = series.labels.as_labels().to_string();
                format!("{labels} {}", shown(&series.points[0].sample))
            });
            series.collect()
        }
        other => panic!("{other:?} is no answer at a time"),
    })
}

#[test]
fn a_window_is_open_at_its_beginning_and_closed_at_its_end() {
    let counted = |range: &str| {
        at(
            &format!(r#"sum(count_over_time({{shop="east"}}[{range}]))"#),
            10,
        )
    };
    assert_eq!(counted("1m"), ["{} 1"]);
    assert_eq!(counted("61s"), ["{} 2"]);
    assert_eq!(counted("59s"), ["{} 1"]);
    let moved = at(r#"sum(count_over_time({shop="east"}[5m] offset 7m))"#, 10);
    assert_eq!(moved, ["{} 3"]);
    let ahead = at(r#"sum(count_over_time({shop="east"}[5m] offset -10m))"#, 25);
    assert_eq!(ahead, Vec::<String>::new());
}

#[test]
fn every_aggregation_over_windows_gives_its_number() {
    let unwrapped = |op: &str| {
        let text = format!(r#"{op}({{shop="east"}} | logfmt price | unwrap price [4m])"#);
        let shown = at(&text, 10).join(" ");
        shown.replace(r#"{shop="east", till="1"} "#, "")
    };
    assert_eq!(unwrapped("sum_over_time"), "34");
    assert_eq!(unwrapped("avg_over_time"), "8.5");
    assert_eq!(unwrapped("min_over_time"), "7");
    assert_eq!(unwrapped("max_over_time"), "10");
    assert_eq!(unwrapped("stdvar_over_time"), "1.25");
    assert_eq!(unwrapped("stddev_over_time"), 1.25f64.sqrt().to_string());
    assert_eq!(unwrapped("first_over_time"), "7");
    assert_eq!(unwrapped("last_over_time"), "10");
    assert_eq!(unwrapped("rate"), (34.0 / 240.0f64).to_string());
    let median = at(
        r#"quantile_over_time(0.5, {shop="east"} | logfmt | unwrap price [4m]) by (shop)"#,
        10,
    );
    assert_eq!(median, [r#"{shop="east"} 8.5"#]);
    let bytes = at(r#"sum by (shop) (bytes_over_time({shop="west"}[4m]))"#, 10);
    assert_eq!(bytes, [r#"{shop="west"} 56"#]);
    let rate = at(
        r#"sum(bytes_rate({shop="west"} | line_format "abc" [4m]))"#,
        10,
    );
    assert_eq!(rate, ["{} 0.025"]);
}

#[test]
fn conversions_make_seconds_and_bytes() {
    let text = r#"sum by () (sum_over_time({shop="west"} | logfmt | unwrap duration(wait) [4m]))"#;
    assert_eq!(at(text, 10), ["{} 3"]);
    let text = r#"max_over_time({shop="west"} | logfmt | unwrap bytes(size) [4m]) by (till)"#;
    assert_eq!(at(text, 10), [r#"{till="1"} 2000"#]);
}

#[test]
fn what_is_absent_has_the_labels_that_were_asked_for() {
    let text = r#"absent_over_time({shop="north", till=~".+", floor="1"}[5m])"#;
    assert_eq!(at(text, 10), [r#"{floor="1", shop="north"} 1"#]);
    for (selector, labels) in [
        (r#"{shop="north", shop=~"n.*"}"#, "{}"),
        (r#"{shop="north", shop!="east"}"#, "{}"),
        (r#"{shop=~"n.*", shop="north"}"#, r#"{shop="north"}"#),
        (r#"{shop="north", till="1", till="2"}"#, r#"{shop="north"}"#),
        (
            r#"{shop="north", till="1", till="2", till="3"}"#,
            r#"{shop="north"}"#,
        ),
    ] {
        let text = format!("absent_over_time({selector}[5m])");
        assert_eq!(at(&text, 10), [format!("{labels} 1")], "{text}");
    }
    assert!(at(r#"absent_over_time({shop="east"}[5m])"#, 10).is_empty());
    let text = r#"absent_over_time({shop="east"} | logfmt | unwrap nosuch [5m])"#;
    assert_eq!(at(text, 10), [r#"{shop="east"} 1"#]);
}

#[test]
fn an_unwrapped_label_is_not_the_series_unless_it_is_grouped_by() {
    let text = r#"count(sum_over_time({shop="east"} | logfmt | unwrap price [4m]))"#;
    assert_eq!(at(text, 10), ["{} 1"]);
    let text = r#"max_over_time({shop="east"} | logfmt | unwrap price [2m]) by (price)"#;
    assert_eq!(at(text, 10), [r#"{price="10"} 10"#, r#"{price="9"} 9"#]);
}

#[test]
fn operators_work_between_series_and_literals() {
    let count = r#"sum by (shop) (count_over_time({till="1"}[4m]))"#;
    assert_eq!(at("2 * 3 > 5", 10), ["1"]);
    assert_eq!(at("vector(1) + vector(1)", 10), ["{} 2"]);
    assert_eq!(at(&format!("{count} > 3"), 10), [r#"{shop="east"} 4"#]);
    assert_eq!(at(&format!("3 > {count}"), 10), [r#"{shop="west"} 2"#]);
    let east = r#"{shop="east"} 1"#;
    let west = r#"{shop="west"} 0"#;
    assert_eq!(at(&format!("{count} > bool 3"), 10), [east, west]);
    let nothing = r#"{shop="east"} NaN"#;
    assert_eq!(at(&format!("({count} > 3) / 0"), 10), [nothing]);
    assert_eq!(at("1 / 0", 10), ["NaN"]);
    assert_eq!(
        at(&format!("{count} and {count} > 3"), 10),
        [r#"{shop="east"} 4"#]
    );
    let share = format!("{count} / on () group_left sum({count})");
    let third = |part: f64| (part / 6.0).to_string();
    let shares = [
        format!(r#"{{shop="east"}} {}"#, third(4.0)),
        format!(r#"{{shop="west"}} {}"#, third(2.0)),
    ];
    assert_eq!(at(&share, 10), shares);
    let error = try_at(&format!("{count} / on () {count}"), 10, &shop()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadData);
    assert!(
        error
            .to_string()
            .starts_with("found duplicate series on the right hand-side")
    );
}

#[test]
fn series_come_in_label_order_unless_they_are_sorted() {
    let count = r#"sum by (shop) (count_over_time({till="1"}[4m]))"#;
    let (east, west) = (r#"{shop="east"} 4"#, r#"{shop="west"} 2"#);
    assert_eq!(at(count, 10), [east, west]);
    assert_eq!(at(&format!("sort({count})"), 10), [west, east]);
    assert_eq!(at(&format!("sort_desc({count})"), 10), [east, west]);
    assert_eq!(at(&format!("topk(2, {count})"), 10), [east, west]);
    assert_eq!(at(&format!("bottomk(1, {count})"), 10), [west]);
    assert_eq!(at(&format!("approx_topk(1, {count})"), 10), [east]);
    let renamed = format!(r#"label_replace({count}, "shop", "$1!", "shop", "(e.*)")"#);
    assert_eq!(at(&renamed, 10), [r#"{shop="east!"} 4"#, west]);
}

#[test]
fn series_that_label_replace_makes_the_same_stay_apart() {
    let count = r#"sum by (shop) (count_over_time({till="1"}[4m]))"#;
    let same = format!(r#"label_replace({count}, "shop", "any", "shop", ".*")"#);
    let (four, two) = (r#"{shop="any"} 4"#, r#"{shop="any"} 2"#);
    assert_eq!(at(&same, 10), [four, two]);
    assert_eq!(at(&format!("sort({same})"), 10), [two, four]);
    assert_eq!(at(&format!("{same} > 2"), 10), [four]);
    assert_eq!(at(&format!("{same} * 1"), 10), [four, two]);
    assert_eq!(at(&format!("topk(1, {same})"), 10), [four]);
    assert_eq!(
        at(&format!("sum by (shop) ({same})"), 10),
        [r#"{shop="any"} 6"#]
    );
    assert_eq!(at(&format!("count({same})"), 10), ["{} 2"]);
    // One that stands for many must be one.
    let error = try_at(&format!("{same} + {same}"), 10, &shop()).unwrap_err();
    assert!(error.to_string().starts_with("found duplicate series"));

    let query = LogQuery::parse(&same).unwrap();
    let minute = 60 * SECOND;
    let range = (OPENS + 10 * minute, OPENS + 20 * minute, 10 * minute);
    let mut options = Options::default();
    // They count as one.
    options.limits.series_max = 1;
    let answer = query.range(&shop(), range, &options).unwrap();
    let Value::Matrix(series) = answer.value else {
        panic!("a range query gives a matrix");
    };
    let [any] = &series[..] else {
        panic!("{series:?} is not one series");
    };
    let points = any.points.iter().map(|point| {
        let minute = (point.time * 1_000_000 - OPENS) / minute;
        (minute, point.sample.as_float().unwrap())
    });
    let points: Vec<(i64, f64)> = points.collect();
    assert_eq!(points, [(10, 4.0), (10, 2.0), (20, 4.0), (20, 2.0)]);
}

#[test]
fn a_line_is_read_no_further_than_to_the_last_label_that_is_wanted() {
    let cut = |text: &str| memory(&[line(EAST, 60, text)]);
    let (json, logfmt) = (r#"{"id":7,"kind":"cut off"#, r#"id=7 kind="cut off"#);
    let fails = |query: &str, text: &str| {
        let outcome = try_at(query, 2, &cut(text));
        let error = outcome.map_err(|error| error.to_string()).unwrap_err();
        assert!(error.starts_with("pipeline error: "), "{query}: {error}");
    };
    for (text, stage) in [(json, "json"), (logfmt, "logfmt --strict")] {
        let of_stage = |query: &str| query.replace("STAGE", stage);
        let enough = [
            (
                r#"sum by (id) (count_over_time({shop="east"} | STAGE [5m]))"#,
                r#"{id="7"} 1"#,
            ),
            (
                r#"sum(count_over_time({shop="east"} | STAGE | id > 5 [5m]))"#,
                "{} 1",
            ),
            (
                r#"max_over_time({shop="east"} | STAGE | unwrap id [5m]) by (id)"#,
                r#"{id="7"} 7"#,
            ),
        ];
        for (query, answer) in enough {
            let found = try_at(&of_stage(query), 2, &cut(text));
            assert_eq!(found.unwrap(), [answer], "{query}");
        }
        for wants_more in [
            "sum by (id, kind) (count_over_time({shop=\"east\"} | STAGE [5m]))",
            "sum by (id, shop) (count_over_time({shop=\"east\"} | STAGE [5m]))",
            "sum by (id) (count_over_time({shop=\"east\"} | STAGE | kind!=\"x\" [5m]))",
            "sum without (id) (count_over_time({shop=\"east\"} | STAGE [5m]))",
            "count_over_time({shop=\"east\"} | STAGE | keep id [5m])",
        ] {
            fails(&of_stage(wants_more), text);
        }
        let asks = r#"sum by (__error__) (count_over_time({shop="east"} | STAGE | id="7" [5m]))"#;
        let counted = try_at(&of_stage(asks), 2, &cut(text)).unwrap();
        assert!(counted[0].contains("ParserErr"), "{counted:?}");
    }
}

#[test]
fn errors_of_lines_fail_numbers_that_look_at_them() {
    let fails = |text: &str| try_at(text, 10, &shop()).map_err(|error| error.to_string());
    let unwrapped = r#"{shop="east"} | logfmt | unwrap n"#;
    let error = fails(&format!("sum_over_time({unwrapped} [4m])")).unwrap_err();
    assert!(error.starts_with("pipeline error: 'SampleExtractionErr' for series: '{__error__="));
    assert!(
        error.contains("(e.g | __error__!=\"SampleExtractionErr\")"),
        "{error}"
    );
    let skipped = fails(&format!(
        r#"sum(sum_over_time({unwrapped} | __error__="" [4m]))"#
    ));
    assert_eq!(skipped, Ok(Vec::new()));
    // Nobody looks at what JSON would give, so nobody notices that there is none.
    let unseen = fails(r#"sum by (shop) (count_over_time({shop="east"} | json [4m]))"#);
    assert_eq!(unseen, Ok(vec![r#"{shop="east"} 4"#.to_owned()]));
    let seen = fails(r#"sum by (price) (count_over_time({shop="east"} | json [4m]))"#);
    assert!(seen.is_err());
    let asked = r#"sum by (__error__) (count_over_time({shop="east"} | json [4m]))"#;
    let asked = fails(asked).unwrap();
    assert_eq!(asked, [r#"{__error__="JSONParserErr"} 4"#]);
}

#[test]
fn steps_are_multiples_of_the_step_or_as_asked() {
    let query = LogQuery::parse(r#"sum(count_over_time({shop="east"}[5m]))"#).unwrap();
    let minute = 60 * SECOND;
    let range = (OPENS + 6 * minute, OPENS + 14 * minute, 5 * minute);
    let times = |steps| {
        let options = Options {
            steps,
            ..Options::default()
        };
        let answer = query.range(&shop(), range, &options).unwrap();
        let Value::Matrix(series) = answer.value else {
            panic!("a range query gives a matrix");
        };
        let points = series[0].points.iter();
        let points = points.map(|point| {
            let minute = (point.time * 1_000_000 - OPENS) / minute;
            (minute, point.sample.as_float().unwrap())
        });
        points.collect::<Vec<_>>()
    };
    assert_eq!(times(Steps::Aligned), [(5, 5.0), (10, 5.0), (15, 5.0)]);
    assert_eq!(times(Steps::AsAsked), [(6, 5.0), (11, 5.0)]);
}

/// A source that notes what of its lines was wanted.
struct Noting {
    source: MemoryLines,
    wanted: Mutex<Vec<Wanted>>,
}

struct NotingStream<'s> {
    stream: Box<dyn LineStream + 's>,
    wanted: &'s Mutex<Vec<Wanted>>,
}

impl LineSource for Noting {
    fn streams<'s>(&'s self, request: &LineRequest<'_>) -> Result<Vec<Box<dyn LineStream + 's>>> {
        let streams = self.source.streams(request)?.into_iter();
        let wanted = &self.wanted;
        let noting = |stream| Box::new(NotingStream { stream, wanted }) as Box<_>;
        Ok(streams.map(noting).collect())
    }
}

impl LineStream for NotingStream<'_> {
    fn labels(&self) -> Labels<'_> {
        self.stream.labels()
    }

    fn runs(&self, wanted: Wanted, direction: Direction) -> Result<Runs<'_>> {
        self.wanted.lock().unwrap().push(wanted);
        self.stream.runs(wanted, direction)
    }
}

#[test]
fn no_more_of_a_line_is_read_than_somebody_looks_at() {
    let mut sale = line(EAST, 60, "sale");
    sale.metadata = set(&[("clerk", "ann")]);
    let cases = [
        (
            "sum by (shop) (count_over_time({till=\"1\"}[5m]))",
            Wanted::Times,
        ),
        ("sum(rate({till=\"1\"}[5m]))", Wanted::Times),
        ("absent_over_time({till=\"1\"}[5m])", Wanted::Times),
        ("count_over_time({till=\"1\"}[5m])", Wanted::Metadata),
        ("sum by (clerk) (rate({till=\"1\"}[5m]))", Wanted::Metadata),
        (
            "sum(count_over_time({till=\"1\"} | clerk=\"ann\" [5m]))",
            Wanted::Metadata,
        ),
        ("sum(bytes_rate({till=\"1\"}[5m]))", Wanted::Lengths),
        (
            "sum by (clerk) (bytes_rate({till=\"1\"}[5m]))",
            Wanted::LengthsAndMetadata,
        ),
        (
            "sum(bytes_rate({till=\"1\"} |= \"sale\" [5m]))",
            Wanted::Everything,
        ),
        (
            "sum(bytes_rate({till=\"1\"} | line_format \"{{.clerk}}\" [5m]))",
            Wanted::Everything,
        ),
        (
            "sum(rate({till=\"1\"} |= \"sale\" [5m]))",
            Wanted::Everything,
        ),
    ];
    for (text, expected) in cases {
        let noting = Noting {
            source: memory(std::slice::from_ref(&sale)),
            wanted: Mutex::default(),
        };
        let answer = try_at(text, 2, &noting).unwrap();
        assert_eq!(
            answer.len(),
            usize::from(!text.starts_with("absent")),
            "{text}"
        );
        assert_eq!(*noting.wanted.lock().unwrap(), [expected], "{text}");
    }
}

#[test]
fn the_longest_chains_and_the_deepest_nests_are_evaluated() {
    let chain = format!("vector(0){}", " + vector(1)".repeat(400));
    assert_eq!(at(&chain, 10), ["{} 400"]);
    let nest = format!("{}vector(1){}", "sum(".repeat(90), ")".repeat(90));
    assert_eq!(at(&nest, 10), ["{} 1"]);
    let count = |filter: &str| {
        let text = format!(r#"sum(count_over_time({{shop="east"}} | logfmt | {filter} [4m]))"#);
        at(&text, 10)
    };
    assert_eq!(
        count(&format!("price=9{}", " or price=8".repeat(400))),
        ["{} 2"]
    );
    assert_eq!(
        count(&format!("{}price=9{}", "(".repeat(90), ")".repeat(90))),
        ["{} 1"]
    );
}
