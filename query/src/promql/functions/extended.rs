//! Differences over anchored and smoothed ranges: values stand at the borders, nothing is
//! extrapolated.

use crate::promql::functions::interpolate;
use crate::promql::functions::range::Window;
use crate::promql::functions::rate::Kind;
use crate::promql::syntax::Edge;

/// The difference over the range; nothing where no sample is in it.
#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
pub(super) fn difference(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let edges = edges(window, kind.is_counter())?;
    let mut result = edges.right - edges.left;
    if kind.is_counter() {
        let mut before = edges.left;
        let inside = &window.floats.values[edges.inside.clone()];
        for value in inside.iter().chain([&edges.right]) {
            if *value < before {
                result += before;
            }
            before = *value;
        }
    }
    if kind == Kind::Rate {
        result /= (window.end - window.start) as f64 / 1000.0;
    }
    Some(result)
}

/// The samples of an anchored or smoothed range: one at each border, and those between.
pub(crate) struct Edges {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) inside: std::ops::Range<usize>,
}

/// The values at the borders of the range; nothing where no sample is in it.
pub(crate) fn edges(window: &Window<'_>, is_counter: bool) -> Option<Edges> {
    let (times, values) = (window.floats.times, window.floats.values);
    let newest = times.len().checked_sub(1)?;
    let smoothed = window.edge == Edge::Smoothed;
    let not_after_start = times[..newest].partition_point(|time| *time <= window.start);
    let mut first = not_after_start.saturating_sub(1);
    let mut last = newest;
    if smoothed {
        last = times[..newest].partition_point(|time| *time < window.end);
    }
    if times[last] <= window.start {
        return None;
    }
    let between = |before: usize, time: i64| {
        let after = before + 1;
        let fell = is_counter && values[after] < values[before];
        let from = if fell { 0.0 } else { values[before] };
        interpolate((times[before], from), (times[after], values[after]), time)
    };
    let left = match times[first] < window.start && smoothed {
        true => between(first, window.start),
        false => values[first],
    };
    let right = match smoothed && last > 0 && times[last] > window.end {
        true => between(last - 1, window.end),
        false => values[last],
    };
    if times[first] <= window.start {
        first += 1;
    }
    let mut end = last + 1;
    if times[last] >= window.end {
        end -= 1;
    }
    Some(Edges {
        left,
        right,
        inside: first..end.max(first),
    })
}
