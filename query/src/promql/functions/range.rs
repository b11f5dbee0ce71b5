//! What functions over ranges see, and which there are.

use std::sync::Arc;

use crate::promql::annotations::Notes;
use crate::promql::error::Result;
use crate::promql::functions::{over_time, rate, regression};
use crate::promql::histogram::Histogram;
use crate::promql::syntax::Edge;
use crate::promql::value::Sample;
use crate::text::Span;

/// The samples of one series in one range.
pub(crate) struct Window<'a> {
    /// When the function is evaluated.
    pub(crate) time: i64,
    /// The beginning of the range, which is not part of it.
    pub(crate) start: i64,
    /// The end of the range, which is part of it.
    pub(crate) end: i64,
    pub(crate) floats: Part<'a, f64>,
    pub(crate) histograms: Part<'a, Arc<Histogram>>,
    /// Unless it is plain, there may be samples beyond the range.
    pub(crate) edge: Edge,
}

/// Samples of one sort.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a, V> {
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [V],
    pub(crate) starts: Option<&'a [i64]>,
}

impl<V> Part<'_, V> {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// When the counter of a sample began, 0 where that is not known.
    pub(crate) fn start(&self, index: usize) -> i64 {
        self.starts.map_or(0, |starts| starts[index])
    }
}

/// What else a function is told.
pub(crate) struct Scope<'a> {
    /// Its other arguments at this step.
    pub(crate) params: &'a [f64],
    /// The name of the metric.
    pub(crate) metric: &'a str,
    /// Where its argument stands.
    pub(crate) span: Span,
    pub(crate) notes: &'a Notes,
}

/// A function over a range; nothing where it has no result.
pub(crate) type RangeFunction = fn(&Window<'_>, &Scope<'_>) -> Result<Option<Sample>>;

/// The function of this name.
pub(crate) fn range_function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "avg_over_time" => over_time::avg,
        "changes" => over_time::changes,
        "count_over_time" => over_time::count,
        "delta" => rate::delta,
        "deriv" => regression::deriv,
        "double_exponential_smoothing" => regression::double_exponential_smoothing,
        "first_over_time" => over_time::first,
        "idelta" => rate::idelta,
        "increase" => rate::increase,
        "irate" => rate::irate,
        "last_over_time" => over_time::last,
        "mad_over_time" => over_time::mad,
        "max_over_time" => over_time::max,
        "min_over_time" => over_time::min,
        "predict_linear" => regression::predict_linear,
        "present_over_time" => over_time::present,
        "quantile_over_time" => over_time::quantile,
        "rate" => rate::rate,
        "resets" => over_time::resets,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "sum_over_time" => over_time::sum,
        "ts_of_first_over_time" => over_time::time_of_first,
        "ts_of_last_over_time" => over_time::time_of_last,
        "ts_of_max_over_time" => over_time::time_of_max,
        "ts_of_min_over_time" => over_time::time_of_min,
        _ => return None,
    })
}
