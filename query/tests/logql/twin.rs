//! A slow, obvious evaluation: every line goes through the whole pipeline by itself, every window
//! is gone through anew, nothing is left out and nothing is shared.

use std::collections::BTreeMap;

use chronolith_engine::labels::LabelSet;
use chronolith_query::logql::pipeline::{LabelsWanted, Pipeline, Unwrapped, Unwrapper};
use chronolith_query::logql::syntax::ast::{
    AggregateOp, Grouping, LogQuery, MetricExpr, MetricKind, RangeAggregate, RangeOp,
};
use chronolith_query::logql::{Direction, LinesRequest};

use crate::shop::Line;

type Pairs = Vec<(String, String)>;

/// A line of an answer: when, all of its labels, and the text.
pub type Found = (i64, Pairs, String);

/// Series by their labels, each with a value for some steps.
pub type Numbers = BTreeMap<Pairs, BTreeMap<usize, f64>>;

fn selects(query: &LogQuery, labels: &LabelSet) -> bool {
    let labels = labels.as_labels();
    let value = |name: &str| labels.value(name).unwrap_or("");
    query
        .matchers
        .iter()
        .all(|matcher| matcher.matches(value(matcher.name())))
}

/// The lines that a query gives, in order.
pub fn lines(query: &LogQuery, lines: &[Line], request: &LinesRequest) -> Vec<Found> {
    let pipeline = Pipeline::new(&query.stages, &LabelsWanted::All).unwrap();
    let mut found: Vec<Found> = Vec::new();
    for line in lines {
        let is_inside = (request.start..request.end).contains(&line.time);
        if !is_inside || !selects(query, &line.labels) {
            continue;
        }
        let mut bound = pipeline.stream(line.labels.as_labels());
        let metadata = line.metadata.as_labels();
        let Some(outcome) = bound.process(line.time, line.text.as_bytes(), metadata) else {
            continue;
        };
        let labels = outcome.labels.all().into_iter();
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = String::from_utf8(outcome.line.to_vec()).unwrap();
        let entry = (line.time, labels.collect(), text);
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    found.sort_by_key(|(time, ..)| *time);
    if request.direction == Direction::Backward {
        found.reverse();
    }
    let mut kept: Vec<Found> = Vec::new();
    for entry in found {
        let last = kept.last();
        let hour = |time: i64| time.div_euclid(3_600_000_000_000);
        let is_far = |last: &Found| {
            (entry.0 - last.0).abs() >= request.interval || hour(entry.0) != hour(last.0)
        };
        if kept.len() < request.limit && last.is_none_or(is_far) {
            kept.push(entry);
        }
    }
    kept
}

/// The numbers that a query gives at some times.
pub fn numbers(expr: &MetricExpr, lines: &[Line], times: &[i64]) -> Numbers {
    match &expr.kind {
        MetricKind::Range(range) => range_numbers(range, lines, times),
        MetricKind::Aggregate(aggregate) => {
            let inside = numbers(&aggregate.expr, lines, times);
            let mut groups: BTreeMap<Pairs, BTreeMap<usize, Vec<f64>>> = BTreeMap::new();
            for (labels, values) in inside {
                let group = group(&labels, aggregate.grouping.as_ref(), true);
                for (step, value) in values {
                    let steps = groups.entry(group.clone()).or_default();
                    steps.entry(step).or_default().push(value);
                }
            }
            let values = |values: Vec<f64>| {
                let count = values.len() as f64;
                let sum: f64 = values.iter().sum();
                match aggregate.op {
                    AggregateOp::Sum => sum,
                    AggregateOp::Avg => sum / count,
                    AggregateOp::Count => count,
                    AggregateOp::Min => values.into_iter().fold(f64::INFINITY, f64::min),
                    AggregateOp::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
                    op => panic!("{op:?} is not asked for"),
                }
            };
            let steps = |steps: BTreeMap<usize, Vec<f64>>| {
                let steps = steps.into_iter();
                steps.map(|(step, all)| (step, values(all))).collect()
            };
            let groups = groups.into_iter();
            groups.map(|(labels, all)| (labels, steps(all))).collect()
        }
        other => panic!("{other:?} is not asked for"),
    }
}

fn group(labels: &Pairs, grouping: Option<&Grouping>, groups_all: bool) -> Pairs {
    let keeps = |name: &str| match grouping {
        None => !groups_all,
        Some(grouping) => grouping.labels.iter().any(|label| label == name) != grouping.is_without,
    };
    let labels = labels.iter().filter(|(name, _)| keeps(name));
    labels.cloned().collect()
}

fn range_numbers(range: &RangeAggregate, lines: &[Line], times: &[i64]) -> Numbers {
    let pipeline = Pipeline::new(&range.lines.stages, &LabelsWanted::All).unwrap();
    let unwrapper = range
        .unwrap
        .as_ref()
        .map(|unwrap| Unwrapper::new(unwrap).unwrap());
    let length = i64::try_from(range.range.as_nanos()).unwrap();
    let mut found = Numbers::new();
    for (step, time) in times.iter().enumerate() {
        let end = time - range.offset;
        let mut samples: BTreeMap<Pairs, Vec<f64>> = BTreeMap::new();
        for line in lines {
            let is_inside = line.time > end - length && line.time <= end;
            if !is_inside || !selects(&range.lines, &line.labels) {
                continue;
            }
            let mut bound = pipeline.stream(line.labels.as_labels());
            let metadata = line.metadata.as_labels();
            let outcome = bound.process(line.time, line.text.as_bytes(), metadata);
            let Some(mut outcome) = outcome else {
                continue;
            };
            let value = match &unwrapper {
                None if matches!(range.op, RangeOp::BytesOverTime | RangeOp::BytesRate) => {
                    outcome.line.len() as f64
                }
                None => 1.0,
                Some(unwrapper) => match unwrapper.sample(&mut outcome.labels) {
                    Unwrapped::Value(value) => value,
                    Unwrapped::Skip => continue,
                    Unwrapped::Error => panic!("errors are filtered in these queries"),
                },
            };
            assert_eq!(outcome.labels.error(), None);
            let by = range.grouping.as_ref().is_some_and(|by| !by.is_without);
            let unwrapped = unwrapper.as_ref().map(Unwrapper::label).filter(|_| !by);
            let labels = outcome.labels.all().into_iter();
            let labels =
                labels.filter(|(name, value)| !value.is_empty() && Some(*name) != unwrapped);
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let series = group(&labels.collect(), range.grouping.as_ref(), false);
            samples.entry(series).or_default().push(value);
        }
        for (labels, values) in samples {
            let value = fold(range, length as f64 / 1e9, &values);
            found.entry(labels).or_default().insert(step, value);
        }
    }
    found
}

fn fold(range: &RangeAggregate, seconds: f64, values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    match range.op {
        RangeOp::CountOverTime | RangeOp::BytesOverTime | RangeOp::SumOverTime => sum,
        RangeOp::Rate | RangeOp::BytesRate => sum / seconds,
        RangeOp::AvgOverTime => sum / count,
        RangeOp::MinOverTime => values.iter().copied().fold(f64::INFINITY, f64::min),
        RangeOp::MaxOverTime => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        op => panic!("{op:?} is not asked for"),
    }
}
