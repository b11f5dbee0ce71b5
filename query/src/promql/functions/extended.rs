//! Differences over anchored and smoothed ranges: values stand at the borders, nothing is
//! extrapolated.

use std::ops::Range;
use std::sync::Arc;

use chronolith_engine::metrics::ResetHint;

use crate::promql::functions::interpolate;
use crate::promql::functions::range::{Scope, Window};
use crate::promql::functions::rate::Kind;
use crate::promql::histogram::{Histogram, Incompatible};
use crate::promql::syntax::Edge;
use crate::promql::value::Sample;

/// Where the values at the borders of a range come from.
pub(crate) struct Edges {
    /// The sample at the left border, or the one before it.
    first: usize,
    /// The sample at the right border, or the one behind it.
    last: usize,
    /// Whether the left value lies between `first` and the next one.
    left_between: bool,
    /// Whether the right value lies between the one before and `last`.
    right_between: bool,
    /// The samples strictly inside.
    pub(crate) inside: Range<usize>,
}

impl Edges {
    /// Finds them; nothing where no sample is in the range.
    pub(crate) fn of(window: &Window<'_>, times: &[i64]) -> Option<Edges> {
        let newest = times.len().checked_sub(1)?;
        let smoothed = window.edge == Edge::Smoothed;
        let not_after_start = times[..newest].partition_point(|time| *time <= window.start);
        let first = not_after_start.saturating_sub(1);
        let mut last = newest;
        if smoothed {
            last = times[..newest].partition_point(|time| *time < window.end);
        }
        if times[last] <= window.start || times[first] > window.end {
            return None;
        }
        let begin = first + usize::from(times[first] <= window.start);
        let end = last + usize::from(times[last] < window.end);
        Some(Edges {
            first,
            last,
            left_between: smoothed && times[first] < window.start,
            right_between: smoothed && last > 0 && times[last] > window.end,
            inside: begin..end.max(begin),
        })
    }

    /// The values at the borders; `between` interpolates from a sample to the next one.
    pub(crate) fn values<V: Clone, E>(
        &self,
        window: &Window<'_>,
        values: &[V],
        between: impl Fn(usize, i64) -> Result<V, E>,
    ) -> Result<(V, V), E> {
        let left = match self.left_between {
            true => between(self.first, window.start)?,
            false => values[self.first].clone(),
        };
        let right = match self.right_between {
            true => between(self.last - 1, window.end)?,
            false => values[self.last].clone(),
        };
        Ok((left, right))
    }

    /// The samples from which resets are counted: one that the left value was interpolated to is
    /// behind its reset already.
    fn steps(&self) -> Range<usize> {
        self.first + usize::from(self.left_between)..self.last
    }
}

/// The difference over the range; nothing where no sample is in it.
pub(super) fn difference(window: &Window<'_>, scope: &Scope<'_>, kind: Kind) -> Option<Sample> {
    if window.histograms.is_empty() {
        return floats(window, kind).map(Sample::Float);
    }
    if !window.floats.is_empty() {
        scope.notes.mixed_range(scope.span, scope.metric);
        return None;
    }
    histograms(window, scope, kind).map(|result| Sample::Histogram(result.into()))
}

#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
fn seconds(window: &Window<'_>) -> f64 {
    (window.end - window.start) as f64 / 1000.0
}

/// The value at `time` between a float and the next one; a counter that fell began at zero.
pub(crate) fn float_between(
    window: &Window<'_>,
    before: usize,
    time: i64,
    is_counter: bool,
) -> f64 {
    let (times, values) = (window.floats.times, window.floats.values);
    let after = before + 1;
    let fell = is_counter && values[after] < values[before];
    let from = if fell { 0.0 } else { values[before] };
    interpolate((times[before], from), (times[after], values[after]), time)
}

fn floats(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let values = window.floats.values;
    let edges = Edges::of(window, window.floats.times)?;
    let between = |before: usize, time: i64| {
        let value = float_between(window, before, time, kind.is_counter());
        Ok::<f64, Incompatible>(value)
    };
    let (left, right) = edges.values(window, values, between).ok()?;
    let mut result = right - left;
    if kind.is_counter() {
        for place in edges.steps() {
            if values[place + 1] < values[place] {
                result += values[place];
            }
        }
    }
    if kind == Kind::Rate {
        result /= seconds(window);
    }
    Some(result)
}

fn histograms(window: &Window<'_>, scope: &Scope<'_>, kind: Kind) -> Option<Histogram> {
    let (times, values) = (window.histograms.times, window.histograms.values);
    let edges = Edges::of(window, times)?;
    let is_gauge = |place: usize| values[place].hint == ResetHint::Gauge;
    if kind.is_counter() && (edges.first..=edges.last).any(is_gauge) {
        scope.notes.not_a_counter(scope.span, scope.metric);
    }
    let are_gauges = is_gauge(edges.first) && is_gauge(edges.last);
    if !kind.is_counter() && !are_gauges {
        scope.notes.not_a_gauge(scope.span, scope.metric);
    }
    let between = |before: usize, time: i64| {
        let pair = [&values[before], &values[before + 1]];
        let times = (times[before], times[before + 1]);
        histogram_between(pair, times, time, kind.is_counter()).map(Arc::new)
    };
    let outcome = edges
        .values(window, values, between)
        .and_then(|(left, right)| {
            let mut result = right.as_ref().clone();
            result.subtract(&left)?;
            for place in edges.steps().filter(|_| kind.is_counter()) {
                if values[place + 1].is_reset_from(&values[place]) {
                    result.add(&values[place])?;
                }
            }
            Ok(result)
        });
    let Ok(mut result) = outcome else {
        scope.notes.mixed_schemas(scope.span, scope.metric);
        return None;
    };
    result.hint = ResetHint::Gauge;
    result.compact();
    if kind == Kind::Rate {
        result.divide(seconds(window));
    }
    Some(result)
}

/// The histogram at `time` between two; a counter that was reset began without observations.
#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
pub(crate) fn histogram_between(
    [before, after]: [&Arc<Histogram>; 2],
    times: (i64, i64),
    time: i64,
    is_counter: bool,
) -> Result<Histogram, Incompatible> {
    if before.is_custom() != after.is_custom() {
        return Err(Incompatible);
    }
    let part = (time - times.0) as f64 / (times.1 - times.0) as f64;
    let mut result = after.as_ref().clone();
    if is_counter && after.is_reset_from(before) {
        result.scale(part);
        return Ok(result);
    }
    result.subtract(before)?;
    result.scale(part);
    result.add(before)?;
    result.hint = match is_counter {
        true => ResetHint::NotReset,
        false => ResetHint::Gauge,
    };
    Ok(result)
}
