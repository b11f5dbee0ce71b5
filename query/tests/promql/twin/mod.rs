//! A slow, obvious evaluator of PromQL: each step by itself, each window by a loop over all
//! samples, each rule as a textbook would put it.
//!
//! It shares the tree and the labels' matchers with the product, and nothing that calculates: what
//! it says was read from Prometheus. Annotations are kept as texts without their places.

mod calls;
mod groups;
mod matching;
mod windows;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chronolith_engine::metrics::STALE_NAN_BITS;
use chronolith_query::promql::syntax::{
    At, Expr, ExprKind, Extent, Selector, Shift, Subquery, UnaryOp,
};

pub type Labels = BTreeMap<String, String>;

/// A native histogram whose buckets all have the same resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    pub count: f64,
    pub sum: f64,
    pub zeros: f64,
    pub buckets: BTreeMap<i32, f64>,
}

#[derive(Clone, Debug)]
pub enum Sample {
    Float(f64),
    Bars(Rc<Bars>),
}

impl Sample {
    pub fn float(&self) -> Option<f64> {
        match self {
            Sample::Float(value) => Some(*value),
            Sample::Bars(_) => None,
        }
    }

    fn is_stale(&self) -> bool {
        match self {
            Sample::Float(value) => value.to_bits() == STALE_NAN_BITS,
            Sample::Bars(bars) => bars.sum.to_bits() == STALE_NAN_BITS,
        }
    }
}

/// A series as it is stored, stale markers and all.
#[derive(Clone, Debug)]
pub struct Stored {
    pub labels: Labels,
    pub samples: Vec<(i64, Sample)>,
}

/// A sample of a vector at one step.
#[derive(Clone, Debug)]
pub struct Element {
    pub labels: Labels,
    pub sample: Sample,
    /// Whether the name goes at the end, where names go that late.
    pub drops_name: bool,
}

/// What an expression is at all steps.
#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Vec<f64>),
    Vector(Vec<Vec<Element>>),
    Text(String),
}

pub type Outcome<T> = Result<T, String>;

pub const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// An evaluator over some series.
pub struct Twin<'a> {
    pub series: &'a [Stored],
    pub start: i64,
    pub end: i64,
    /// 0 for an instant query.
    pub step: i64,
    pub lookback: i64,
    pub subquery_step: i64,
    pub delays_names: bool,
    pub notes: RefCell<BTreeSet<String>>,
}

impl Twin<'_> {
    pub fn times(&self) -> Vec<i64> {
        let mut times = Vec::new();
        let mut time = self.start;
        while time <= self.end {
            times.push(time);
            time += self.step.max(1);
        }
        times
    }

    /// The whole query: what the answer shows at each step.
    pub fn answer(&self, expr: &Expr) -> Outcome<Value> {
        let value = self.eval(expr, &self.times())?;
        let Value::Vector(mut steps) = value else {
            return Ok(value);
        };
        for elements in &mut steps {
            for element in elements.iter_mut().filter(|element| element.drops_name) {
                element.labels = nameless(&element.labels);
            }
            no_twins(elements)?;
        }
        Ok(Value::Vector(steps))
    }

    fn note(&self, text: String) {
        self.notes.borrow_mut().insert(text);
    }

    pub fn eval(&self, expr: &Expr, times: &[i64]) -> Outcome<Value> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Value::Scalar(vec![number.value; times.len()])),
            ExprKind::Text(text) => Ok(Value::Text(text.value.clone())),
            ExprKind::Paren(inside) => self.eval(inside, times),
            ExprKind::Selector(selector) => {
                let at = |time: &i64| self.newest(selector, *time);
                Ok(Value::Vector(times.iter().map(at).collect()))
            }
            ExprKind::Unary(UnaryOp::Plus, inside) => self.eval(inside, times),
            ExprKind::Unary(UnaryOp::Minus, inside) => self.negative(inside, times),
            ExprKind::Binary(binary) => self.binary(binary, times),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, times),
            ExprKind::Call(call) => self.call(call, times),
            ExprKind::Range(_) | ExprKind::Subquery(_) => Err("a range is no value".to_owned()),
        }
    }

    pub fn vector(&self, expr: &Expr, times: &[i64]) -> Outcome<Vec<Vec<Element>>> {
        match self.eval(expr, times)? {
            Value::Vector(steps) => Ok(steps),
            other => panic!("{other:?} is no vector"),
        }
    }

    pub fn scalar(&self, expr: &Expr, times: &[i64]) -> Outcome<Vec<f64>> {
        match self.eval(expr, times)? {
            Value::Scalar(values) => Ok(values),
            other => panic!("{other:?} is no scalar"),
        }
    }

    fn negative(&self, inside: &Expr, times: &[i64]) -> Outcome<Value> {
        match self.eval(inside, times)? {
            Value::Scalar(values) => Ok(Value::Scalar(values.iter().map(|value| -value).collect())),
            Value::Vector(steps) => self.mapped(steps, |element| {
                Some(match &element.sample {
                    Sample::Float(value) => Sample::Float(-value),
                    Sample::Bars(bars) => Sample::Bars(Rc::new(bars.times(-1.0))),
                })
            }),
            text @ Value::Text(_) => Ok(text),
        }
    }

    /// Replaces samples or takes them out, and takes the names off.
    fn mapped(
        &self,
        steps: Vec<Vec<Element>>,
        map: impl Fn(&Element) -> Option<Sample>,
    ) -> Outcome<Value> {
        let mut out = Vec::new();
        for elements in steps {
            let mut kept = Vec::new();
            for element in &elements {
                if let Some(sample) = map(element) {
                    kept.push(self.unnamed(element, sample));
                }
            }
            no_twins(&kept)?;
            out.push(kept);
        }
        Ok(Value::Vector(out))
    }

    /// An element with another sample, and no name any more, or none at the end.
    fn unnamed(&self, element: &Element, sample: Sample) -> Element {
        let labels = match self.delays_names {
            true => element.labels.clone(),
            false => nameless(&element.labels),
        };
        Element {
            labels,
            sample,
            drops_name: true,
        }
    }

    /// The series that a selector chooses.
    fn chosen(&self, selector: &Selector) -> Vec<&Stored> {
        let fits = |series: &&Stored| {
            selector.matchers.iter().all(|matcher| {
                let value = series.labels.get(matcher.name());
                matcher.matches(value.map_or("", String::as_str))
            })
        };
        self.series.iter().filter(fits).collect()
    }

    /// The time that is looked at when it is `time`.
    fn reference(&self, at: Option<At>, shift: Option<&Shift>, time: i64) -> i64 {
        let time = match at {
            Some(At::Time(at)) => at,
            Some(At::Start) => self.start,
            Some(At::End) => self.end,
            None => time,
        };
        time - shift.map_or(0, length)
    }

    fn newest(&self, selector: &Selector, time: i64) -> Vec<Element> {
        let found = self.newest_times(selector, time).into_iter();
        found.map(|(_, element)| element).collect()
    }

    /// The newest sample of each series that is not older than the lookback, with its time.
    fn newest_times(&self, selector: &Selector, time: i64) -> Vec<(i64, Element)> {
        let time = self.reference(selector.at, selector.shift.as_ref(), time);
        let mut found = Vec::new();
        for series in self.chosen(selector) {
            let mut newest = None;
            for (taken, sample) in &series.samples {
                if *taken <= time && *taken > time - self.lookback {
                    newest = Some((*taken, sample));
                }
            }
            if let Some((taken, sample)) = newest.filter(|(_, sample)| !sample.is_stale()) {
                let element = Element {
                    labels: series.labels.clone(),
                    sample: sample.clone(),
                    drops_name: false,
                };
                found.push((taken, element));
            }
        }
        found
    }

    /// The times at which a subquery is evaluated for all of `times`, and its series over them.
    fn subquery(&self, subquery: &Subquery, times: &[i64]) -> Outcome<Vec<Stored>> {
        let step = subquery.step.as_ref().map_or(self.subquery_step, length);
        let reference = |time: i64| self.reference(subquery.at, subquery.shift.as_ref(), time);
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return Ok(Vec::new());
        };
        let (begin, end) = (
            reference(*first) - length(&subquery.range),
            reference(*last),
        );
        let first = (begin.div_euclid(step) + 1) * step;
        let steps = (0..).map(|place| first + place * step);
        let inside: Vec<i64> = steps.take_while(|time| *time <= end).collect();
        if inside.is_empty() {
            return Ok(Vec::new());
        }
        let mut series: BTreeMap<Labels, Vec<(i64, Sample)>> = BTreeMap::new();
        let steps = self.vector(&subquery.expr, &inside)?;
        for (time, elements) in inside.iter().zip(steps) {
            for element in elements {
                let samples = series.entry(element.labels).or_default();
                samples.push((*time, element.sample));
            }
        }
        let series = series.into_iter();
        Ok(series
            .map(|(labels, samples)| Stored { labels, samples })
            .collect())
    }
}

impl Bars {
    pub fn times(&self, factor: f64) -> Bars {
        let buckets = self
            .buckets
            .iter()
            .map(|(place, count)| (*place, count * factor));
        Bars {
            count: self.count * factor,
            sum: self.sum * factor,
            zeros: self.zeros * factor,
            buckets: buckets.collect(),
        }
    }

    /// Divided; by nothing, which leaves no buckets.
    pub fn over(&self, divisor: f64) -> Bars {
        let mut bars = self.times(1.0 / divisor);
        if divisor == 0.0 {
            bars.buckets.clear();
        }
        bars
    }

    pub fn plus(&self, other: &Bars) -> Bars {
        let mut buckets = self.buckets.clone();
        for (place, count) in &other.buckets {
            *buckets.entry(*place).or_insert(0.0) += count;
        }
        Bars {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            zeros: self.zeros + other.zeros,
            buckets,
        }
    }

    /// Whether both say the same.
    pub fn is_like(&self, other: &Bars) -> bool {
        let filled = |bars: &Bars| {
            let buckets = bars.buckets.iter().filter(|(_, count)| **count != 0.0);
            buckets
                .map(|(place, count)| (*place, count.to_bits()))
                .collect::<Vec<_>>()
        };
        let numbers = |bars: &Bars| [bars.count, bars.sum, bars.zeros].map(f64::to_bits);
        filled(self) == filled(other) && numbers(self) == numbers(other)
    }

    /// Whether something was counted before that is not counted now.
    pub fn is_less_than(&self, before: &Bars) -> bool {
        let shrinks =
            |(place, count): (&i32, &f64)| self.buckets.get(place).copied().unwrap_or(0.0) < *count;
        self.count < before.count || self.zeros < before.zeros || before.buckets.iter().any(shrinks)
    }
}

/// A length that was written out.
pub fn length(extent: &Extent) -> i64 {
    match extent {
        Extent::Literal(ms) => *ms,
        Extent::Computed(_) => panic!("lengths of random queries are written out"),
    }
}

/// The labels without the metric's.
pub fn nameless(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    for name in ["__name__", "__type__", "__unit__"] {
        labels.remove(name);
    }
    labels
}

pub fn metric(labels: &Labels) -> &str {
    labels.get("__name__").map_or("", String::as_str)
}

/// An error if two elements have the same labels.
pub fn no_twins(elements: &[Element]) -> Outcome<()> {
    let mut seen = BTreeSet::new();
    match elements.iter().all(|element| seen.insert(&element.labels)) {
        true => Ok(()),
        false => Err(SAME_LABELS.to_owned()),
    }
}

/// A sum that keeps what rounding loses, step by step as Kahan and Neumaier do.
#[derive(Clone, Copy, Default)]
pub struct Careful {
    pub sum: f64,
    pub lost: f64,
}

impl Careful {
    pub fn add(&mut self, more: f64) {
        let total = self.sum + more;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= more.abs() {
            self.lost += (self.sum - total) + more;
        } else {
            self.lost += (more - total) + self.sum;
        }
        self.sum = total;
    }

    pub fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// The mean of numbers: of their sum while that is finite, else of ever more of them.
pub fn mean(values: &[f64]) -> f64 {
    let mut sum = Careful {
        sum: values[0],
        lost: 0.0,
    };
    let mut count = 1.0;
    let mut goes_on = values[1..].iter();
    for value in goes_on.by_ref() {
        let before = sum;
        sum.add(*value);
        count += 1.0;
        if sum.sum.is_infinite() {
            let mut mean = Careful {
                sum: before.sum / (count - 1.0),
                lost: before.lost / (count - 1.0),
            };
            let mut step = |value: f64, count: f64| {
                let share = (count - 1.0) / count;
                mean = Careful {
                    sum: share * mean.sum,
                    lost: share * mean.lost,
                };
                mean.add(value / count);
            };
            step(*value, count);
            for value in goes_on {
                count += 1.0;
                step(*value, count);
            }
            return mean.total();
        }
    }
    sum.sum / count + sum.lost / count
}

/// The quantile of numbers.
pub fn quantile(q: f64, values: &[f64]) -> f64 {
    if q.is_nan() || values.is_empty() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_nan())
        .collect();
    let mut numbers: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    numbers.sort_by(|one, two| one.partial_cmp(two).unwrap());
    sorted.extend(numbers);
    let rank = q * (sorted.len() as f64 - 1.0);
    let weight = rank - rank.floor();
    let below = sorted[rank.floor() as usize];
    let above = sorted[(rank.floor() as usize + 1).min(sorted.len() - 1)];
    below * (1.0 - weight) + above * weight
}

/// A number as labels show it.
pub fn shown(value: f64) -> String {
    match value {
        _ if value == f64::INFINITY => "+Inf".to_owned(),
        _ if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}

/// A number as errors and annotations show it: with an exponent where it is great or small.
pub fn short(value: f64) -> String {
    if !value.is_finite() || value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        return shown(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
