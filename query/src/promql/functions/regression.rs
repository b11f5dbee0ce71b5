//! Trends: regression lines and exponential smoothing.

use crate::promql::error::{Error, Result};
use crate::promql::functions::range::{Part, Scope, Window};
use crate::promql::sum::Kahan;
use crate::promql::value::Sample;

/// Slope and intercept, at `time`, of the line with the least squares.
#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
fn line(floats: &Part<'_, f64>, time: i64) -> (f64, f64) {
    let first = floats.values[0];
    #[expect(clippy::float_cmp)] // A flat line is exact.
    if floats.values.iter().all(|value| *value == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [Kahan::default(); 4];
    for (taken, y) in floats.times.iter().zip(floats.values) {
        let x = (taken - time) as f64 / 1000.0;
        sum_x.add(x);
        sum_y.add(*y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let count = floats.len() as f64;
    let (x, y) = (sum_x.value(), sum_y.value());
    let covariance = sum_xy.value() - x * y / count;
    let variance = sum_xx.value() - x * x / count;
    let slope = covariance / variance;
    (slope, y / count - slope * x / count)
}

/// Whether there are two floats or more; that histograms beside floats are ignored is noted.
fn has_line(window: &Window<'_>, scope: &Scope<'_>) -> bool {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        scope.notes.ignored_in_range(scope.span, scope.metric);
    }
    window.floats.len() >= 2
}

pub(super) fn deriv(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    if !has_line(window, scope) {
        return Ok(None);
    }
    // A time near the samples keeps the numbers small.
    let (slope, _) = line(&window.floats, window.floats.times[0]);
    Ok(Some(Sample::Float(slope)))
}

pub(super) fn predict_linear(window: &Window<'_>, scope: &Scope<'_>) -> Result<Option<Sample>> {
    if !has_line(window, scope) {
        return Ok(None);
    }
    let ahead = scope.params.first().copied().unwrap_or(f64::NAN);
    let (slope, intercept) = line(&window.floats, window.time);
    Ok(Some(Sample::Float(slope * ahead + intercept)))
}

pub(super) fn double_exponential_smoothing(
    window: &Window<'_>,
    scope: &Scope<'_>,
) -> Result<Option<Sample>> {
    let param = |index: usize| scope.params.get(index).copied().unwrap_or(f64::NAN);
    let (smoothing, trend_factor) = (param(0), param(1));
    for (what, short, factor) in [
        ("smoothing", "sf", smoothing),
        ("trend", "tf", trend_factor),
    ] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(Error::execution(format!(
                "invalid {what} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
            )));
        }
    }
    if !has_line(window, scope) {
        return Ok(None);
    }
    let values = window.floats.values;
    let (mut before, mut smoothed) = (0.0, values[0]);
    let mut trend = values[1] - values[0];
    for (index, value) in values.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + trend);
        (before, smoothed) = (smoothed, next);
    }
    Ok(Some(Sample::Float(smoothed)))
}
