//! `rate`, `increase`, `delta`, `irate` and `idelta`.
//!
//! The difference of the last and the first sample, with counter resets added back, is extrapolated
//! to the borders of the range, as far as samples are near enough to them.

use std::sync::Arc;

use chronolith_engine::metrics::ResetHint;

use crate::promql::annotations::Operation;
use crate::promql::error::Result;
use crate::promql::functions::extended;
use crate::promql::functions::range::{Part, Scope, Window};
use crate::promql::functions::stretch::{factor, zero_part};
use crate::promql::histogram::{Buckets, Histogram};
use crate::promql::syntax::Edge;
use crate::promql::value::Sample;

/// What is made of the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The difference of a gauge.
    Delta,
    /// The increase of a counter.
    Increase,
    /// The increase of a counter for each second.
    Rate,
}

impl Kind {
    pub(super) fn is_counter(self) -> bool {
        self != Kind::Delta
    }
}

pub(super) fn rate(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    Ok(difference(window, scope, Kind::Rate))
}

pub(super) fn increase(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    Ok(difference(window, scope, Kind::Increase))
}

pub(super) fn delta(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    Ok(difference(window, scope, Kind::Delta))
}

/// Whether a counter began anew between two samples, each its time and when it began. A beginning
/// that is not before its sample says nothing; one at the time of the sample before is that of a
/// delta, if that one's beginning is known too, and else only means "not known".
pub(super) fn starts_anew(before: (i64, i64), now: (i64, i64)) -> bool {
    let is_known = |(time, start): (i64, i64)| start != 0 && start < time;
    if !is_known(now) || now.1 < before.0 {
        return false;
    }
    now.1 > before.0 || is_known(before)
}

/// The places of the first float and histogram that count: of an anchored range those not older
/// than the last sample at or before its beginning. Nothing where an anchored range has no sample
/// in it.
pub(super) fn first_anchored(window: &Window<'_>) -> Option<(usize, usize)> {
    if window.edge != Edge::Anchored {
        return Some((0, 0));
    }
    let sides = [window.floats.times, window.histograms.times];
    let is_inside = |times: &&[i64]| times.last().is_some_and(|last| *last > window.start);
    if !sides.iter().any(is_inside) {
        return None;
    }
    let before = |times: &[i64]| times.partition_point(|time| *time <= window.start);
    let anchors = sides.map(|times| before(times).checked_sub(1).map(|place| times[place]));
    let anchor = anchors.into_iter().flatten().max().unwrap_or(i64::MIN);
    let [float, histogram] = sides.map(|times| times.partition_point(|time| *time < anchor));
    Some((float, histogram))
}

/// When the first sample's counter began, if that is inside of the range.
fn start_inside<V>(window: &Window<'_>, part: &Part<'_, V>) -> Option<i64> {
    let (first, start) = (*part.times.first()?, part.start(0));
    (start != 0 && start > window.start && start < first).then_some(start)
}

/// Says so where samples claim to have begun before the sample in front of them was taken.
fn note_overlaps<V>(part: &Part<'_, V>, scope: &Scope<'_>) {
    let Some(starts) = part.starts else { return };
    let pairs = starts.windows(2).zip(part.times);
    for (starts, time_before) in pairs {
        if starts[1] != 0 && starts[1] < *time_before && starts[1] != starts[0] {
            scope.notes.overlapping_start(scope.span, scope.metric);
            return;
        }
    }
}

fn difference(window: &Window<'_>, scope: &Scope<'_>, kind: Kind) -> Option<Sample> {
    if window.edge != Edge::Plain {
        return extended::difference(window, scope, kind);
    }
    let (floats, histograms) = (&window.floats, &window.histograms);
    if !floats.is_empty() && !histograms.is_empty() {
        scope.notes.mixed_range(scope.span, scope.metric);
        return None;
    }
    if histograms.is_empty() {
        let start = start_inside(window, floats).filter(|_| kind.is_counter());
        if floats.len() < 2 && start.is_none() {
            return None;
        }
        if kind.is_counter() {
            note_overlaps(floats, scope);
        }
        let mut result = float_difference(floats, kind);
        if start.is_some() {
            result += floats.values[0];
        }
        let zero = zero_part(result, floats.values[0]);
        let borders = (window.start, window.end);
        let factor = factor(borders, floats.times, start, zero, kind);
        return Some(Sample::Float(result * factor));
    }
    let start = start_inside(window, histograms).filter(|_| kind.is_counter());
    if histograms.len() < 2 && start.is_none() {
        return None;
    }
    if kind.is_counter() {
        note_overlaps(histograms, scope);
    }
    let mut result = histogram_difference(histograms, scope, kind)?;
    let first = &histograms.values[0];
    if start.is_some() && result.add(first).is_err() {
        scope.notes.mixed_schemas(scope.span, scope.metric);
        return None;
    }
    let zero = (result.count > 0.0 && first.count >= 0.0).then(|| first.count / result.count);
    result.hint = ResetHint::Gauge;
    result.compact();
    let borders = (window.start, window.end);
    result.scale(factor(borders, histograms.times, start, zero, kind));
    Some(Sample::Histogram(result.into()))
}

fn float_difference(floats: &Part<'_, f64>, kind: Kind) -> f64 {
    let values = floats.values;
    let mut result = values[values.len() - 1] - values[0];
    if !kind.is_counter() {
        return result;
    }
    for (index, pair) in values.windows(2).enumerate() {
        let anew = floats.starts.is_some_and(|starts| {
            let sample = |index: usize| (floats.times[index], starts[index]);
            starts_anew(sample(index), sample(index + 1))
        });
        if pair[1] < pair[0] || anew {
            result += pair[0];
        }
    }
    result
}

fn histogram_difference(
    part: &Part<'_, Arc<Histogram>>,
    scope: &Scope<'_>,
    kind: Kind,
) -> Option<Histogram> {
    let values = part.values;
    let (first, last) = (&values[0], &values[values.len() - 1]);
    let (notes, span, metric) = (scope.notes, scope.span, scope.metric);
    let is_gauge = |histogram: &Histogram| histogram.hint == ResetHint::Gauge;
    if kind.is_counter() && values.iter().any(|histogram| is_gauge(histogram)) {
        notes.not_a_counter(span, metric);
    }
    let are_gauges = is_gauge(first) && is_gauge(last);
    if !kind.is_counter() && !are_gauges {
        notes.not_a_gauge(span, metric);
    }
    let was_reset = |index: usize, before: &Histogram| {
        let sample = |index: usize| (part.times[index], part.start(index));
        starts_anew(sample(index - 1), sample(index)) || values[index].is_reset_from(before)
    };
    // Behind a reset the first sample does not count, so its layout does not matter.
    let mut before = Arc::clone(first);
    if kind.is_counter() && values.len() > 1 && was_reset(1, first) {
        before = Arc::new(empty_like(&values[1]));
    }
    let mut schema = before.schema.min(last.schema);
    let is_custom = before.is_custom();
    let looked_at = if kind.is_counter() {
        values
    } else {
        std::slice::from_ref(last)
    };
    for histogram in &looked_at[usize::from(looked_at.len() > 1)..] {
        if histogram.is_custom() != is_custom {
            notes.mixed_schemas(span, metric);
            return None;
        }
        schema = schema.min(histogram.schema);
    }
    let mut result = last.at_schema(schema);
    let reconcile = |result: &mut Histogram, other: &Histogram, operation| {
        let combined = match operation {
            Operation::Subtraction => result.subtract(other),
            _ => result.add(other),
        };
        match combined {
            Err(_) => notes.mixed_schemas(span, metric),
            Ok(combined) if combined.bounds_reconciled => notes.bounds_reconciled(span, operation),
            Ok(_) => {}
        }
        combined.ok()
    };
    reconcile(&mut result, &before, Operation::Subtraction)?;
    if kind.is_counter() {
        for (index, now) in values.iter().enumerate().skip(1) {
            if was_reset(index, &before) {
                reconcile(&mut result, &before, Operation::Addition)?;
            }
            before = Arc::clone(now);
        }
    }
    result.hint = ResetHint::Gauge;
    result.compact();
    Some(result)
}

/// A histogram without observations that can be taken away from `other`.
fn empty_like(other: &Histogram) -> Histogram {
    Histogram {
        schema: other.schema,
        custom: Arc::clone(&other.custom),
        positive: Buckets::default(),
        ..Histogram::default()
    }
}

pub(super) fn irate(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    Ok(last_difference(window, scope, Kind::Rate))
}

pub(super) fn idelta(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    Ok(last_difference(window, scope, Kind::Delta))
}

/// One of the last two samples.
struct Late<'a> {
    time: i64,
    start: i64,
    value: LateValue<'a>,
}

enum LateValue<'a> {
    Float(f64),
    Histogram(&'a Histogram),
}

/// The difference of the last two samples.
fn last_difference(window: &Window<'_>, scope: &Scope<'_>, kind: Kind) -> Option<Sample> {
    let (floats, histograms) = (&window.floats, &window.histograms);
    let mut late: Vec<Late<'_>> = Vec::with_capacity(4);
    for index in floats.len().saturating_sub(2)..floats.len() {
        late.push(Late {
            time: floats.times[index],
            start: floats.start(index),
            value: LateValue::Float(floats.values[index]),
        });
    }
    for index in histograms.len().saturating_sub(2)..histograms.len() {
        late.push(Late {
            time: histograms.times[index],
            start: histograms.start(index),
            value: LateValue::Histogram(&histograms.values[index]),
        });
    }
    late.sort_by_key(|late| late.time);
    let [.., before, now] = late.as_slice() else {
        return None;
    };
    let interval = now.time - before.time;
    if interval == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
    let seconds = interval as f64 / 1000.0;
    let anew = starts_anew((before.time, before.start), (now.time, now.start));
    match (&before.value, &now.value) {
        (LateValue::Float(first), LateValue::Float(last)) => {
            let result = match anew && kind.is_counter() {
                true => for_each_second(*last, interval, kind),
                false => between((*first, *last), interval, kind),
            };
            Some(Sample::Float(result))
        }
        (LateValue::Histogram(first), LateValue::Histogram(last)) => {
            let mut result = histogram_pair(first, last, anew, scope, kind)?;
            if kind == Kind::Rate {
                result.divide(seconds);
            }
            Some(Sample::Histogram(result.into()))
        }
        _ => {
            scope.notes.mixed_range(scope.span, scope.metric);
            None
        }
    }
}

/// The difference of two neighbours so many milliseconds apart; a counter that fell began at zero.
pub(super) fn between((first, last): (f64, f64), interval: i64, kind: Kind) -> f64 {
    let fell = kind.is_counter() && last < first;
    let result = if fell { last } else { last - first };
    for_each_second(result, interval, kind)
}

#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
fn for_each_second(result: f64, interval: i64, kind: Kind) -> f64 {
    match kind {
        Kind::Rate => result / (interval as f64 / 1000.0),
        _ => result,
    }
}

fn histogram_pair(
    first: &Histogram,
    last: &Histogram,
    anew: bool,
    scope: &Scope<'_>,
    kind: Kind,
) -> Option<Histogram> {
    let gauges = [first.hint, last.hint].map(|hint| hint == ResetHint::Gauge);
    if kind.is_counter() && gauges.contains(&true) {
        scope.notes.not_a_counter(scope.span, scope.metric);
    }
    if !kind.is_counter() && gauges.contains(&false) {
        scope.notes.not_a_gauge(scope.span, scope.metric);
    }
    let mut result = last.clone();
    let reset = kind.is_counter() && (anew || last.is_reset_from(first));
    if !reset {
        match result.subtract(first) {
            Err(_) => {
                scope.notes.mixed_schemas(scope.span, scope.metric);
                return None;
            }
            Ok(combined) if combined.bounds_reconciled => {
                scope
                    .notes
                    .bounds_reconciled(scope.span, Operation::Subtraction);
            }
            Ok(_) => {}
        }
    }
    result.hint = ResetHint::Gauge;
    result.compact();
    Some(result)
}
