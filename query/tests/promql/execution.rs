//! How queries run: on any number of threads with the same answer, with equal parts evaluated once,
//! and with an explanation if one is wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::STALE_NAN_BITS;
use chronolith_query::promql::histogram::Histogram;
use chronolith_query::promql::script::{Loaded, Shelf};
use chronolith_query::promql::source::{Request, Source, SourceSeries, Unread};
use chronolith_query::promql::{
    Answer, CancelFlag, ErrorKind, Explanation, Limits, MemorySource, NameRemoval, Options, Query,
    Result, Sample, Value, Workers,
};

use crate::shelf::{EngineShelf, Stage};

const MINUTE: i64 = 60_000;

/// Series enough for several threads: counters, fractions, gaps, stale markers, odd numbers, and
/// histograms here and there.
fn source() -> MemorySource {
    let (mut source, mut state) = (MemorySource::new(), 1_u64);
    let mut draw = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for number in 0..300_u64 {
        let (n, g) = (number.to_string(), (number % 7).to_string());
        let name = if number % 3 == 0 { "gauge" } else { "c_total" };
        let pairs = [("__name__", name), ("n", &n), ("g", &g)];
        let labels = LabelSet::from_pairs(pairs).unwrap();
        let mut value = 0.0;
        for minute in 0..90_i64 {
            let sample = match draw(40) {
                0 => continue,
                1 => f64::from_bits(STALE_NAN_BITS),
                2 => [f64::NAN, f64::INFINITY, -0.0, 1e300][draw(4) as usize],
                3 => 0.0,
                _ if number % 3 == 0 => draw(1000) as f64 / 7.0,
                _ => value + draw(90) as f64,
            };
            value = if sample.is_finite() { sample } else { value };
            let sample = match number % 50 == 49 && minute % 20 > 12 {
                true => Sample::Histogram(Arc::new(Histogram::default())),
                false => Sample::Float(sample),
            };
            source.push(&labels, minute * MINUTE, sample, 0);
        }
    }
    source
}

fn run(text: &str, source: &dyn Source, options: &Options) -> Result<Answer> {
    Query::parse(text)?.range(source, (0, 90 * MINUTE, 30_000), options)
}

fn on(threads: usize) -> Options {
    Options {
        workers: Workers::new(threads),
        ..Options::default()
    }
}

/// An answer bit for bit, with all that is said beside it.
fn shown(answer: &Answer, text: &str) -> String {
    let Value::Matrix(series) = &answer.value else {
        unreachable!("a range gives series");
    };
    let mut out = String::new();
    for series in series {
        out += &format!("{}", series.labels.as_labels());
        for point in &series.points {
            match &point.sample {
                Sample::Float(value) => out += &format!(" {} {:x}", point.time, value.to_bits()),
                Sample::Histogram(histogram) => out += &format!(" {} {histogram}", point.time),
            }
        }
        out.push('\n');
    }
    let (warnings, infos) = (
        answer.annotations.warnings(text),
        answer.annotations.infos(text),
    );
    format!("{out}{warnings:?} {infos:?}")
}

const QUERIES: [&str; 12] = [
    "sum by (g) (rate(c_total[5m]))",
    "avg without (n) (gauge)",
    "stddev by (g) ({__name__=~\".+\"})",
    "max_over_time(gauge[20m])",
    "sum_over_time({__name__=~\".+\"}[7m])",
    "quantile_over_time(0.9, {__name__=~\".+\"}[10m])",
    "topk by (g) (3, increase(c_total[10m]))",
    "bottomk(70, gauge)",
    "rate(gauge[5m]) + rate(gauge[5m])",
    "max_over_time(sum by (g) (rate(c_total[5m]))[10m:1m])",
    "count_values by (g) (\"v\", changes({__name__=~\".+\"}[10m]))",
    "sum({__name__=~\".+\"}) / count({__name__=~\".+\"})",
];

#[test]
fn an_answer_does_not_depend_on_how_many_threads_there_are() {
    let source = source();
    for text in QUERIES {
        let one = shown(&run(text, &source, &on(1)).unwrap(), text);
        assert!(one.len() > 1_000, "{text} has an answer");
        for threads in [2, 7] {
            let many = shown(&run(text, &source, &on(threads)).unwrap(), text);
            assert!(one == many, "{text} on {threads} threads");
        }
    }
}

#[test]
fn aggregations_give_the_same_bits_whether_series_are_taken_as_they_come_or_held() {
    let source = source();
    // What explains itself is evaluated part by part.
    let held = Options {
        explains: true,
        ..on(1)
    };
    for op in [
        "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar",
    ] {
        for of in [
            "c_total",
            "{__name__=~\".+\"}",
            "rate({__name__=~\".+\"}[5m])",
            "last_over_time({__name__=~\".+\"}[7m])",
            "max_over_time({__name__=~\".+\"}[10m:1m])",
            "-gauge",
        ] {
            for by in ["", " by (g)", " by (__name__, g)", " without (n)"] {
                let text = format!("{op}{by} ({of})");
                let expected = shown(&run(&text, &source, &held).unwrap(), &text);
                for threads in [1, 2, 7] {
                    let found = shown(&run(&text, &source, &on(threads)).unwrap(), &text);
                    assert!(found == expected, "{text} on {threads} threads: {found}");
                }
            }
        }
    }
}

#[test]
fn series_that_become_the_same_are_an_error_where_they_are_taken_as_they_come() {
    let mut source = MemorySource::new();
    for name in ["a_total", "b_total"] {
        let labels = LabelSet::from_pairs([("__name__", name), ("n", "1")]).unwrap();
        for minute in 0..9_i64 {
            let sample = Sample::Float(minute as f64);
            source.push(&labels, minute * MINUTE, sample, 0);
        }
    }
    let names = "{__name__=~\".+\"}";
    let error = run(&format!("sum(rate({names}[5m]))"), &source, &on(1)).unwrap_err();
    let message = "vector cannot contain metrics with the same labelset";
    assert_eq!(error.to_string(), message);
    let kept = format!("sum(last_over_time({names}[5m]))");
    assert!(run(&kept, &source, &on(1)).is_ok());
}

/// Counts how often it is asked.
struct Counting(MemorySource, AtomicUsize);

impl Source for Counting {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.select(request)
    }
}

fn selections(text: &str, source: &Counting, options: &Options) -> usize {
    let before = source.1.load(Ordering::Relaxed);
    run(text, source, options).unwrap();
    source.1.load(Ordering::Relaxed) - before
}

#[test]
fn equal_parts_are_evaluated_once() {
    let source = Counting(source(), AtomicUsize::new(0));
    for (text, expected) in [
        ("gauge + gauge", 1),
        ("gauge + gauge + gauge + gauge", 1),
        ("gauge + (  gauge{} )", 1),
        ("count(gauge) / count(gauge) + group(gauge)", 1),
        ("(count(c_total) + 1) * (count(c_total) + 1)", 1),
        ("max_over_time(gauge[5m]) - min_over_time(gauge[5m])", 1),
        (
            "max_over_time(count(gauge)[5m:]) - min_over_time(count(gauge)[5m:])",
            1,
        ),
        ("gauge + gauge offset 1m", 2),
        ("sum_over_time(gauge[5m]) + sum_over_time(gauge[6m])", 2),
        ("gauge + on (n) c_total", 2),
        ("gauge @ 60 + gauge @ 120", 2),
    ] {
        assert_eq!(
            selections(text, &source, &Options::default()),
            expected,
            "{text}"
        );
    }
}

#[test]
fn equal_parts_that_do_not_fit_are_read_again_and_not_refused() {
    let source = Counting(source(), AtomicUsize::new(0));
    let text = "sum(max_over_time(gauge[5m])) - sum(min_over_time(gauge[5m]))";
    let whole = shown(&run(text, &source, &Options::default()).unwrap(), text);
    // Room for a hundred columns of 181 steps, but of the samples for a quarter of that only.
    let mut options = Options::default();
    options.limits.samples_max = 21_000;
    assert_eq!(selections(text, &source, &options), 3);
    assert_eq!(shown(&run(text, &source, &options).unwrap(), text), whole);
}

#[test]
fn what_is_noted_at_several_places_is_told_once_with_the_last() {
    let whole = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
    for (text, place) in [
        ("rate(gauge[5m]) + rate(gauge[5m])", "1:24"),
        ("sum(rate(gauge[5m])) / sum(rate(gauge[9m]))", "1:33"),
        // The samples of a subquery have no place.
        ("increase(gauge[5m:])", "1:1"),
        ("rate(gauge[5m]) + rate(gauge[5m:])", "1:1"),
    ] {
        let answer = run(text, &source(), &Options::default()).unwrap();
        let expected = format!("PromQL info: {whole}: \"gauge\" ({place})");
        assert_eq!(answer.annotations.infos(text), [expected], "{text}");
    }
}

#[test]
fn a_bucket_without_a_bound_is_told_by_name_only_where_names_are_dropped_late() {
    let text = "histogram_quantile(0.9, gauge)";
    let told = "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\"";
    let named = " for metric name \"gauge\"";
    for (names, name) in [(NameRemoval::AtOnce, ""), (NameRemoval::Delayed, named)] {
        let options = Options {
            names,
            ..Options::default()
        };
        let answer = run(text, &source(), &options).unwrap();
        let expected = format!("{told}{name} (1:25)");
        assert_eq!(answer.annotations.warnings(text), [expected]);
    }
}

fn part<'e>(explanation: &'e Explanation, text: &str) -> &'e Explanation {
    fn find<'e>(explanation: &'e Explanation, text: &str) -> Option<&'e Explanation> {
        if explanation.text == text {
            return Some(explanation);
        }
        explanation.parts.iter().find_map(|part| find(part, text))
    }
    find(explanation, text).expect(text)
}

#[test]
fn an_explanation_tells_what_each_part_did() {
    let source = source();
    let options = Options {
        explains: true,
        ..Options::default()
    };
    let text = "sum by (g) (rate(c_total[5m])) / on () group_left () count(gauge)";
    assert!(
        run(text, &source, &Options::default())
            .unwrap()
            .explanation
            .is_none()
    );
    let answer = run(text, &source, &options).unwrap();
    let whole = answer.explanation.unwrap();
    assert_eq!((whole.operator.as_str(), whole.text.as_str()), ("/", text));
    assert_eq!(whole.samples_read, answer.samples_read);
    assert_eq!((whole.bytes_read, answer.bytes_read), (0, 0)); // It is not known of this source.
    let sum = part(&whole, "sum by (g) (rate(c_total[5m]))");
    assert_eq!(
        (sum.operator.as_str(), sum.series, sum.steps),
        ("sum", 7, 181)
    );
    let rate = part(sum, "rate(c_total[5m])");
    assert_eq!((rate.operator.as_str(), rate.series), ("rate", 200));
    let range = part(rate, "c_total[5m]");
    assert_eq!(
        (range.operator.as_str(), range.samples_read),
        ("range", rate.samples_read)
    );
    let gauge = part(&whole, "gauge");
    assert_eq!(gauge.operator, "selector");
    assert_eq!(gauge.samples_read + range.samples_read, answer.samples_read);
    assert!(whole.time >= sum.time && sum.time >= range.time);

    let text = "gauge + gauge";
    let whole = run(text, &source, &options).unwrap().explanation.unwrap();
    let repeated: Vec<bool> = whole.parts.iter().map(|part| part.is_repeated).collect();
    assert_eq!(repeated, [false, true]);
}

/// Raises the flag when its tenth series is read.
struct Tenth<'a>(&'a MemorySource, CancelFlag, AtomicUsize);

struct Counted<'a>(SourceSeries, &'a CancelFlag, &'a AtomicUsize);

impl Unread for Counted<'_> {
    fn read(self: Box<Self>) -> Result<SourceSeries> {
        if self.2.fetch_add(1, Ordering::Relaxed) == 9 {
            self.1.cancel();
        }
        Ok(self.0)
    }
}

impl Source for Tenth<'_> {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        self.0.select(request)
    }

    fn find<'s>(&'s self, request: &Request<'_>) -> Result<Vec<Box<dyn Unread + 's>>> {
        let series = self.select(request)?.into_iter();
        let counted = series
            .map(|series| Box::new(Counted(series, &self.1, &self.2)) as Box<dyn Unread + 's>);
        Ok(counted.collect())
    }
}

#[test]
fn threads_stop_at_the_next_series_when_a_query_is_cancelled() {
    let memory = source();
    for threads in [1, 2, 7] {
        let flag = CancelFlag::new();
        let source = Tenth(&memory, flag.clone(), AtomicUsize::new(0));
        let options = Options {
            limits: Limits {
                cancel: Some(flag),
                ..Limits::default()
            },
            ..on(threads)
        };
        let error = run("sum(rate(c_total[5m]))", &source, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Canceled);
        let read = source.2.load(Ordering::Relaxed);
        assert!(
            read <= 10 + threads,
            "{read} series were read by {threads} threads"
        );
    }
}

#[test]
fn the_limit_on_samples_holds_on_all_threads() {
    for threads in [1, 2, 7] {
        let mut options = on(threads);
        options.limits.samples_max = 10_000;
        let error = run("rate(c_total[5m])", &source(), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }
}

#[test]
fn samples_are_held_only_while_a_series_is_worked_on() {
    let answer = run("sum(count_over_time(gauge[90m]))", &source(), &on(1)).unwrap();
    // A column of 181 steps for each of 32 series and for their sum, and one series of samples.
    assert!(answer.samples_read > 8_000);
    assert!(
        answer.samples_peak <= 32 * 181 + 181 + 91,
        "{}",
        answer.samples_peak
    );
}

#[test]
fn what_is_read_of_blocks_is_told_in_bytes() {
    for (stage, is_stored) in [(Stage::Head, false), (Stage::Block, true)] {
        let mut shelf = EngineShelf::new(stage);
        shelf.clear();
        let labels = LabelSet::from_pairs([("__name__", "up")]).unwrap();
        let samples: Vec<Loaded> = (0..100)
            .map(|place| Loaded {
                time: place * 15_000,
                start: 0,
                sample: Sample::Float(1.0),
            })
            .collect();
        shelf.fill(&labels, &samples).unwrap();
        let options = Options {
            explains: true,
            ..Options::default()
        };
        let query = Query::parse("up + up offset 5m").unwrap();
        let answer = query.instant(&shelf, 1_000_000, &options).unwrap();
        assert_eq!(answer.bytes_read > 0, is_stored, "{stage:?}");
        let whole = answer.explanation.unwrap();
        assert_eq!(whole.bytes_read, answer.bytes_read);
        let parts: u64 = whole.parts.iter().map(|part| part.bytes_read).sum();
        assert_eq!((whole.parts.len(), parts), (2, answer.bytes_read));
    }
}
