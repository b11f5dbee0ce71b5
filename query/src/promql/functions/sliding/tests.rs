//! Sliding functions against functions over one window, bit for bit.

use super::*;
use crate::promql::annotations::Notes;
use crate::promql::functions::range::{Part, Window, range_function};
use crate::promql::slots::Mark;
use crate::promql::syntax::Edge;
use crate::promql::value::Sample;
use crate::text::Span;

const NAMES: [&str; 20] = [
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "first_over_time",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "quantile_over_time",
    "rate",
    "resets",
    "sum_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // splitmix64, as in the tests of the engine.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A value of some sort of series: counters that are reset, whole numbers, fractions, numbers
    /// at the border of what is exact, and everything that is odd.
    fn value(&mut self, sort: u64, before: f64) -> f64 {
        let odd = [
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            0.0,
            f64::MAX,
            -f64::MAX,
            5e-324,
            1e16,
        ];
        match sort {
            0 if self.below(7) == 0 => 0.0,
            0 => before + self.below(100) as f64,
            1 => self.below(9) as f64 - 4.0,
            2 => self.below(1000) as f64 / 7.0 - 50.0,
            3 => (self.below(4) as f64 - 2.0) * 4_503_599_627_370_495.0,
            4 if self.below(3) == 0 => odd[self.below(10) as usize],
            4 => self.below(5) as f64 * 0.5,
            5 => -0.0,
            _ => f64::NAN,
        }
    }
}

#[test]
fn what_slides_is_what_each_window_gives() {
    let mut random = Random(20_261_126);
    let mut compared = 0;
    for round in 0..3_000 {
        let (mut times, mut values) = (Vec::new(), Vec::new());
        let (mut time, mut value) = (0, 1.0_f64);
        let (sort, unevenness) = (random.below(7), [9, 100, 1_000][random.below(3) as usize]);
        for _ in 0..random.below(60) {
            time += match random.below(unevenness) {
                0 => 1 + random.below(400) as i64,
                1 => 1,
                _ => 10,
            };
            value = random.value(sort, if value.is_finite() { value } else { 0.0 });
            times.push(time);
            values.push(value);
        }
        // Multiples of ten, so that borders meet samples.
        let windows = Windows {
            end: random.below(40) as i64 * 10 - 100,
            range: (1 + random.below(40) as i64) * 10,
            step: random.below(8) as i64 * 5,
            count: 1 + random.below(80) as usize,
            stopped: &|| false,
        };
        let q = [-0.5, 0.0, 0.3, 0.5, 0.99, 1.0, 2.0, f64::NAN];
        let params: Vec<f64> = (0..windows.count)
            .map(|_| q[random.below(8) as usize])
            .collect();
        for name in NAMES {
            let floats = Floats {
                times: &times,
                values: &values,
            };
            let expected = by_window(name, floats, &windows, &params);
            let notes = Notes::default();
            let mut marks = vec![Mark::Absent; windows.count];
            let mut values_found = vec![0.0; windows.count];
            let mut slots = Slots::of(&mut marks, &mut values_found);
            let slide = sliding(name).expect("it slides");
            slide(floats, &windows, &params, &scope(&[], &notes), &mut slots);
            let cells = marks.iter().zip(&values_found);
            let bits =
                |(mark, value): (&Mark, &f64)| (*mark == Mark::Float).then(|| value.to_bits());
            let found: Vec<_> = cells.map(bits).collect();
            let shown = format!("round {round}: {name} of {values:?} at {times:?}, {:?}", {
                (windows.end, windows.range, windows.step, windows.count)
            });
            assert_eq!(found, expected.0, "{shown}");
            let noted = notes.into_annotations().warnings("");
            assert_eq!(noted, expected.1, "{shown}");
            compared += found.iter().flatten().count();
        }
    }
    assert!(compared > 500_000, "{compared} windows had a result");
}

fn scope<'a>(params: &'a [f64], notes: &'a Notes) -> Scope<'a> {
    Scope {
        params,
        metric: "m",
        span: Span { start: 0, end: 0 },
        notes,
    }
}

/// The results of each window by itself, and the warnings.
fn by_window(
    name: &str,
    floats: Floats<'_>,
    windows: &Windows<'_>,
    params: &[f64],
) -> (Vec<Option<u64>>, Vec<String>) {
    let notes = Notes::default();
    let function = range_function(name).expect("it is a function over ranges");
    let mut results = Vec::new();
    for step in 0..windows.count {
        let end = windows.end + windows.step * i64::try_from(step).expect("few steps");
        let start = end - windows.range;
        let is_inside = |time: &i64| *time > start && *time <= end;
        let low = floats.times.iter().position(is_inside);
        let high = floats.times.iter().rposition(is_inside);
        let Some((low, high)) = low.zip(high) else {
            results.push(None);
            continue;
        };
        let window = Window {
            time: end,
            start,
            end,
            floats: Part {
                times: &floats.times[low..=high],
                values: &floats.values[low..=high],
                starts: None,
            },
            histograms: Part {
                times: &[],
                values: &[],
                starts: None,
            },
            edge: Edge::Plain,
        };
        let sample = function(&window, &scope(&params[step..=step], &notes));
        results.push(match sample.expect("functions over floats do not fail") {
            Some(Sample::Float(value)) => Some(value.to_bits()),
            _ => None,
        });
    }
    (results, notes.into_annotations().warnings(""))
}

#[test]
fn a_kernel_that_is_told_to_stop_stops() {
    let times: Vec<i64> = (0..4_000).collect();
    let values = vec![0.1; 4_000];
    let asked = std::cell::Cell::new(0);
    let stopped = || {
        asked.set(asked.get() + 1);
        true
    };
    let windows = Windows {
        end: 4_000,
        range: 4_000,
        step: 0,
        count: 10_000,
        stopped: &stopped,
    };
    let notes = Notes::default();
    let (mut marks, mut found) = (vec![Mark::Absent; 10_000], vec![0.0; 10_000]);
    let floats = Floats {
        times: &times,
        values: &values,
    };
    let slide = sliding("sum_over_time").expect("it slides");
    let mut slots = Slots::of(&mut marks, &mut found);
    slide(floats, &windows, &[], &scope(&[], &notes), &mut slots);
    let results = marks.iter().filter(|mark| **mark == Mark::Float).count();
    assert_eq!(asked.get(), 1);
    assert!(results < 1_000, "{results} windows were looked at");
}
