//! Random queries over random series, against the slow twin.
//!
//! A seed makes the series and the queries. `CHRONOLITH_PROMQL_SEEDS` says how many seeds run, or
//! which: `FIRST..LAST`. A failure names its seed and its query.

mod queries;
mod series;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chronolith_query::promql::{
    Answer, NameRemoval, Options, Query, ResultSeries, Sample, Value, Workers,
};

use crate::twin::{self, Labels, Stored, Twin};
use queries::Writer;
use series::{Dice, MINUTE, OPENS, Shop};

/// Seeds that run where nobody asks for others, and queries of each.
const SEEDS: u64 = 60;
const QUERIES: u64 = 40;

/// How far apart sums may be: the order of the series is not told, and rounding depends on it.
const APART: f64 = 1e-9;

/// What one series shows, by time.
type Shown = BTreeMap<Labels, BTreeMap<i64, twin::Sample>>;

/// When a query is asked.
#[derive(Clone, Copy, Debug)]
struct When {
    start: i64,
    end: i64,
    /// 0 for an instant query.
    step: i64,
}

fn when(dice: &mut Dice) -> When {
    let start = OPENS + i64::try_from(dice.below(70)).unwrap() * (MINUTE / 2);
    let start = start + [0, 0, 0, 1, -1, 7_000][dice.index(6)];
    if dice.below(2) == 0 {
        return When {
            start,
            end: start,
            step: 0,
        };
    }
    let step = [5_000, 15_000, 30_000, 60_000, 90_000, 300_000, 420_000][dice.index(7)];
    let steps = i64::try_from(1 + dice.below(12)).unwrap();
    When {
        start,
        end: start + step * steps,
        step,
    }
}

/// The answer of the product, or its error.
fn ask(text: &str, shop: &Shop, when: When, options: &Options) -> Result<Answer, String> {
    let query = Query::parse(text).map_err(|error| error.to_string())?;
    let answer = match when.step {
        0 => query.instant(&shop.source, when.start, options),
        step => query.range(&shop.source, (when.start, when.end, step), options),
    };
    answer.map_err(|error| error.to_string())
}

fn labels(series: &ResultSeries) -> Labels {
    let labels = series.labels.as_labels().iter();
    labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn of_answer(answer: &Answer, when: When) -> Shown {
    match &answer.value {
        Value::Scalar(_, value) => {
            let point = BTreeMap::from([(when.start, twin::Sample::Float(*value))]);
            Shown::from([(Labels::new(), point)])
        }
        Value::Text(_) => panic!("no random query is a text"),
        Value::Vector(all) | Value::Matrix(all) => {
            let mut shown = Shown::new();
            for series in all {
                let points = shown.entry(labels(series)).or_default();
                for point in &series.points {
                    let sample = match &point.sample {
                        Sample::Float(value) => twin::Sample::Float(*value),
                        Sample::Histogram(histogram) => series::bars(histogram),
                    };
                    let before = points.insert(point.time, sample);
                    assert!(before.is_none(), "two points at one time");
                }
            }
            shown
        }
    }
}

fn of_twin(value: twin::Value, times: &[i64]) -> Shown {
    let mut shown = Shown::new();
    match value {
        twin::Value::Scalar(values) => {
            let points = times
                .iter()
                .copied()
                .zip(values.into_iter().map(twin::Sample::Float));
            shown.insert(Labels::new(), points.collect());
        }
        twin::Value::Text(_) => panic!("no random query is a text"),
        twin::Value::Vector(steps) => {
            for (time, elements) in times.iter().zip(steps) {
                for element in elements {
                    shown
                        .entry(element.labels)
                        .or_default()
                        .insert(*time, element.sample);
                }
            }
        }
    }
    shown
}

fn is_near(one: f64, two: f64) -> bool {
    let apart = (one - two).abs();
    one == two
        || (one.is_nan() && two.is_nan())
        || apart <= APART * one.abs().max(two.abs())
        // What two large numbers leave of each other is as coarse as they are.
        || apart <= 1e-7 && one.abs().max(two.abs()) < 1e-6
}

fn is_same(one: &twin::Sample, two: &twin::Sample) -> bool {
    match (one, two) {
        (twin::Sample::Float(one), twin::Sample::Float(two)) => is_near(*one, *two),
        (twin::Sample::Bars(one), twin::Sample::Bars(two)) => {
            let places = one.buckets.keys().chain(two.buckets.keys());
            // An empty bucket may have been left out before it was multiplied by no number.
            let is_same_bucket =
                |place: &i32| match (one.buckets.get(place), two.buckets.get(place)) {
                    (Some(one), Some(two)) => is_near(*one, *two),
                    (one, two) => one
                        .or(two)
                        .is_none_or(|count| *count == 0.0 || count.is_nan()),
                };
            let places: BTreeSet<i32> = places.copied().collect();
            is_near(one.count, two.count)
                && is_near(one.sum, two.sum)
                && is_near(one.zeros, two.zeros)
                && places.iter().all(is_same_bucket)
        }
        _ => false,
    }
}

fn differs(got: &Shown, wanted: &Shown) -> Option<String> {
    let names = |shown: &Shown| shown.keys().cloned().collect::<Vec<_>>();
    if names(got) != names(wanted) {
        return Some(format!(
            "series\n{:?}\nwanted\n{:?}",
            names(got),
            names(wanted)
        ));
    }
    for (labels, points) in wanted {
        let times =
            |points: &BTreeMap<i64, twin::Sample>| points.keys().copied().collect::<Vec<_>>();
        if times(&got[labels]) != times(points) {
            let (got, wanted) = (times(&got[labels]), times(points));
            return Some(format!("{labels:?} at {got:?}\nwanted at {wanted:?}"));
        }
        for (time, sample) in points {
            let other = &got[labels][time];
            if !is_same(other, sample) {
                return Some(format!(
                    "{labels:?} at {time}: {other:?}\nwanted {sample:?}"
                ));
            }
        }
    }
    None
}

/// An error without what depends on the order of series.
fn gist(error: &str) -> String {
    let rest = error.split("duplicate series for the match group").nth(1);
    let side = |rest: &str| {
        if rest.contains("on the left") {
            "left"
        } else {
            "right"
        }
    };
    match rest {
        Some(rest) => format!("found duplicate series on the {}", side(rest)),
        None => error.to_owned(),
    }
}

/// The annotations without their places.
fn notes(answer: &Answer, text: &str) -> BTreeSet<String> {
    let (warnings, infos) = (
        answer.annotations.warnings(text),
        answer.annotations.infos(text),
    );
    let all = warnings.into_iter().chain(infos);
    let placeless = all.filter_map(|note| {
        let (note, _) = note.rsplit_once(" (").unwrap();
        // The twin repairs buckets in silence, and knows no hints about resets.
        let is_known = !["fixed for monotonicity", "conflicting counter resets"]
            .iter()
            .any(|other| note.contains(other));
        is_known.then(|| note.to_owned())
    });
    placeless.collect()
}

fn check(text: &str, shop: &Shop, when: When, delays_names: bool) -> Result<bool, String> {
    let options = Options {
        names: if delays_names {
            NameRemoval::Delayed
        } else {
            NameRemoval::AtOnce
        },
        workers: Workers::new(1),
        ..Options::default()
    };
    let twin = Twin {
        series: &shop.series,
        start: when.start,
        end: when.end,
        step: when.step,
        lookback: options.lookback_ms,
        subquery_step: options.subquery_step_ms,
        delays_names,
        notes: RefCell::default(),
    };
    let query = Query::parse(text).map_err(|error| format!("{text}: {error}"))?;
    let wanted = twin.answer(query.expr());
    let got = ask(text, shop, when, &options);
    let told = match (&got, wanted) {
        (Ok(answer), Ok(value)) => {
            let shown = of_twin(value, &twin.times());
            let wanted: BTreeSet<String> = twin.notes.take();
            let found = notes(answer, text);
            differs(&of_answer(answer, when), &shown).or_else(|| {
                (found != wanted).then(|| format!("notes {found:#?}\nwanted {wanted:#?}"))
            })
        }
        (Err(one), Err(two)) => {
            (gist(one) != gist(&two)).then(|| format!("error {one}\nwanted {two}"))
        }
        (Ok(_), Err(error)) => Some(format!("an answer\nwanted the error {error}")),
        (Err(error), Ok(_)) => Some(format!("the error {error}\nwanted an answer")),
    };
    match told {
        None => Ok(got.is_ok_and(|answer| !of_answer(&answer, when).is_empty())),
        Some(told) => Err(format!(
            "{text}\n{when:?} delayed names: {delays_names}\n{told}"
        )),
    }
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(asked) = std::env::var("CHRONOLITH_PROMQL_SEEDS") else {
        return 1..SEEDS + 1;
    };
    let number = |text: &str| text.parse().expect("CHRONOLITH_PROMQL_SEEDS holds numbers");
    match asked.split_once("..") {
        Some((first, last)) => number(first)..number(last) + 1,
        None => 1..number(&asked) + 1,
    }
}

#[test]
fn random_queries_give_the_answers_of_a_slow_twin() {
    let (mut failures, mut filled, mut all) = (Vec::new(), 0_u64, 0_u64);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let shop = Shop::new(&mut dice, seed % 3 == 0);
        for place in 0..QUERIES {
            let text = Writer::new(&mut dice, seed % 3 == 0).query();
            let (when, delays_names) = (when(&mut dice), dice.below(3) == 0);
            all += 1;
            match check(&text, &shop, when, delays_names) {
                Ok(is_filled) => filled += u64::from(is_filled),
                Err(told) => failures.push(format!("seed {seed}, query {place}: {told}")),
            }
        }
    }
    let shown = failures
        .iter()
        .take(12)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        failures.is_empty(),
        "{} of {all} differ:\n\n{shown}",
        failures.len()
    );
    // Empty answers agree easily.
    assert!(
        filled * 2 > all,
        "only {filled} of {all} answers hold anything"
    );
}

/// Where the two sides once differed, and scripts, which remove names at the end, cannot tell.
#[test]
fn bounds_the_wrong_way_round_collide_with_nothing() {
    let shop = Shop::new(&mut Dice::new(1), false);
    let start = OPENS + 10 * MINUTE;
    for step in [0, MINUTE] {
        let when = When {
            start,
            end: start + 5 * step,
            step,
        };
        let text = r#"clamp({__name__=~"a_total|b"}, time() - 70320 * 10, 0)"#;
        check(text, &shop, when, false).unwrap();
        check(
            r#"clamp({__name__=~"a_total|b"}, 2, 1)"#,
            &shop,
            when,
            false,
        )
        .unwrap();
    }
}

/// How many samples some series have.
fn stored(series: &[Stored]) -> usize {
    series.iter().map(|series| series.samples.len()).sum()
}

#[test]
fn random_series_are_the_same_for_both() {
    let shop = Shop::new(&mut Dice::new(1), true);
    let Ok(answer) = Query::parse(r#"{__name__=~".+"}[2h]"#).unwrap().instant(
        &shop.source,
        OPENS + 90 * MINUTE,
        &Options::default(),
    ) else {
        panic!("all series can be read");
    };
    let Value::Matrix(all) = answer.value else {
        panic!("a range is a matrix");
    };
    let read: usize = all.iter().map(|series| series.points.len()).sum();
    assert_eq!(read + shop.stale, stored(&shop.series));
}
