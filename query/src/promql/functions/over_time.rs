//! `*_over_time`, `changes` and `resets`.

use std::sync::Arc;

use crate::promql::error::Result;
use crate::promql::functions::order::quantile_of;
use crate::promql::functions::range::{Scope, Window};
use crate::promql::functions::rate::{first_anchored, starts_anew};
use crate::promql::functions::total::HistogramTotal;
use crate::promql::histogram::Histogram;
use crate::promql::sum::{Kahan, Mean, kahan};
use crate::promql::value::Sample;

type Answer = Result<Option<Sample>>;

fn float(value: f64) -> Answer {
    Ok(Some(Sample::Float(value)))
}

/// Whether there are floats to work on; histograms beside them are ignored, and that is noted.
fn has_floats(window: &Window<'_>, scope: &Scope<'_>) -> bool {
    if window.floats.is_empty() {
        return false;
    }
    if !window.histograms.is_empty() {
        scope.notes.ignored_in_range(scope.span, scope.metric);
    }
    true
}

/// Whether floats and histograms are mixed, which is noted.
fn is_mixed(window: &Window<'_>, scope: &Scope<'_>) -> bool {
    let mixed = !window.floats.is_empty() && !window.histograms.is_empty();
    if mixed {
        scope.notes.mixed_range(scope.span, scope.metric);
    }
    mixed
}

pub(super) fn sum(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if is_mixed(window, scope) {
        return Ok(None);
    }
    if window.floats.is_empty() {
        return total(HistogramTotal::sum(), window, scope);
    }
    float(Kahan::of(window.floats.values))
}

pub(super) fn avg(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if is_mixed(window, scope) {
        return Ok(None);
    }
    if window.floats.is_empty() {
        return total(HistogramTotal::mean(), window, scope);
    }
    float(Mean::over(window.floats.values))
}

fn total(mut total: HistogramTotal, window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    for histogram in window.histograms.values {
        total.add(histogram, scope.metric, scope.span, scope.notes);
    }
    let total = total.finish(scope.span, scope.notes);
    Ok(total.map(Sample::Histogram))
}

#[expect(clippy::cast_precision_loss)] // There are fewer samples than 2^53.
pub(super) fn count(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    float((window.floats.len() + window.histograms.len()) as f64)
}

pub(super) fn present(_: &Window<'_>, _: &Scope<'_>) -> Answer {
    float(1.0)
}

pub(super) fn first(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    let (floats, histograms) = (&window.floats, &window.histograms);
    Ok(match (floats.times.first(), histograms.times.first()) {
        (Some(float), Some(histogram)) if histogram < float => histogram_at(histograms.values, 0),
        (Some(_), _) => Some(Sample::Float(floats.values[0])),
        (None, _) => histogram_at(histograms.values, 0),
    })
}

pub(super) fn last(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    let (floats, histograms) = (&window.floats, &window.histograms);
    let newest = histograms.len().saturating_sub(1);
    Ok(match (floats.times.last(), histograms.times.last()) {
        (Some(float), Some(histogram)) if histogram > float => {
            histogram_at(histograms.values, newest)
        }
        (Some(_), _) => floats.values.last().map(|value| Sample::Float(*value)),
        (None, _) => histogram_at(histograms.values, newest),
    })
}

fn histogram_at(values: &[Arc<Histogram>], index: usize) -> Option<Sample> {
    values.get(index).cloned().map(Sample::Histogram)
}

#[expect(clippy::cast_precision_loss)] // Times are far below 2^53.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

pub(super) fn time_of_first(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    let times = [window.floats.times.first(), window.histograms.times.first()];
    let first = times.into_iter().flatten().min();
    Ok(first.map(|time| Sample::Float(seconds(*time))))
}

pub(super) fn time_of_last(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    let times = [window.floats.times.last(), window.histograms.times.last()];
    let last = times.into_iter().flatten().max();
    Ok(last.map(|time| Sample::Float(seconds(*time))))
}

/// The place of the extreme value: `beats` tells whether a value replaces the one before.
fn extreme(values: &[f64], beats: impl Fn(f64, f64) -> bool) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if beats(*value, values[best]) || values[best].is_nan() {
            best = index;
        }
    }
    best
}

pub(super) fn max(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    let values = window.floats.values;
    float(values[extreme(values, |value, best| value > best)])
}

pub(super) fn min(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    let values = window.floats.values;
    float(values[extreme(values, |value, best| value < best)])
}

pub(super) fn time_of_max(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    let best = extreme(window.floats.values, |value, best| value >= best);
    float(seconds(window.floats.times[best]))
}

pub(super) fn time_of_min(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    let best = extreme(window.floats.values, |value, best| value <= best);
    float(seconds(window.floats.times[best]))
}

pub(super) fn quantile(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if window.floats.is_empty() {
        return Ok(None);
    }
    let q = scope.params.first().copied().unwrap_or(f64::NAN);
    if !(0.0..=1.0).contains(&q) {
        scope.notes.invalid_quantile(scope.span, q);
    }
    has_floats(window, scope);
    float(quantile_of(q, &mut window.floats.values.to_vec()))
}

/// The median of the distances to the median.
pub(super) fn mad(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    let mut values = window.floats.values.to_vec();
    if values.iter().any(|value| value.is_nan()) {
        return float(f64::NAN);
    }
    let median = quantile_of(0.5, &mut values);
    values
        .iter_mut()
        .for_each(|value| *value = (*value - median).abs());
    float(quantile_of(0.5, &mut values))
}

fn variance(values: &[f64]) -> f64 {
    let (mut count, mut mean, mut lost_mean) = (0.0, 0.0, 0.0);
    let (mut squares, mut lost_squares) = (0.0, 0.0);
    for value in values {
        count += 1.0;
        let delta = value - (mean + lost_mean);
        (mean, lost_mean) = kahan(delta / count, mean, lost_mean);
        let square = delta * (value - (mean + lost_mean));
        (squares, lost_squares) = kahan(square, squares, lost_squares);
    }
    (squares + lost_squares) / count
}

pub(super) fn stdvar(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    float(variance(window.floats.values))
}

pub(super) fn stddev(window: &Window<'_>, scope: &Scope<'_>) -> Answer {
    if !has_floats(window, scope) {
        return Ok(None);
    }
    float(variance(window.floats.values).sqrt())
}

/// A sample of either sort, with what is known of its beginning.
#[derive(Clone, Copy)]
struct Either<'a> {
    float: f64,
    histogram: Option<&'a Histogram>,
    time: i64,
    start: i64,
}

/// Counts the pairs of neighbours in a window for which `differs` holds.
fn count_pairs(
    window: &Window<'_>,
    differs: impl Fn(Either<'_>, Either<'_>) -> bool,
) -> Option<f64> {
    let (floats, histograms) = (&window.floats, &window.histograms);
    let (mut float, mut histogram) = first_anchored(window)?;
    let (mut before, mut count) = (None, 0.0);
    loop {
        let times = (floats.times.get(float), histograms.times.get(histogram));
        let now = match times {
            (Some(time), other) if other.is_none_or(|other| time < other) => {
                float += 1;
                Either {
                    float: floats.values[float - 1],
                    histogram: None,
                    time: *time,
                    start: floats.start(float - 1),
                }
            }
            (_, Some(time)) => {
                histogram += 1;
                Either {
                    float: 0.0,
                    histogram: Some(&histograms.values[histogram - 1]),
                    time: *time,
                    start: histograms.start(histogram - 1),
                }
            }
            _ => return Some(count),
        };
        if before.is_some_and(|before| differs(before, now)) {
            count += 1.0;
        }
        before = Some(now);
    }
}

pub(super) fn changes(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    #[expect(clippy::float_cmp)] // Any other value is a change.
    let changed = |before: Either<'_>, now: Either<'_>| match (before.histogram, now.histogram) {
        (None, None) => before.float != now.float && !(before.float.is_nan() && now.float.is_nan()),
        (Some(before), Some(now)) => !now.equals(before),
        _ => true,
    };
    Ok(count_pairs(window, changed).map(Sample::Float))
}

pub(super) fn resets(window: &Window<'_>, _: &Scope<'_>) -> Answer {
    let was_reset = |before: Either<'_>, now: Either<'_>| {
        let anew = starts_anew((before.time, before.start), (now.time, now.start));
        anew || match (before.histogram, now.histogram) {
            (None, None) => now.float < before.float,
            (Some(before), Some(now)) => now.is_reset_from(before),
            _ => true,
        }
    };
    Ok(count_pairs(window, was_reset).map(Sample::Float))
}
