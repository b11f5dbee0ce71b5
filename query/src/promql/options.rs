//! [`Options`]: how queries are evaluated.

use crate::promql::limits::Limits;
use crate::promql::workers::Workers;

/// How queries are evaluated.
#[derive(Clone, Debug)]
pub struct Options {
    /// How old the newest sample of a series may be, in milliseconds. Default five minutes.
    pub lookback_ms: i64,
    /// The step of subqueries that name none, in milliseconds. Default one minute.
    pub subquery_step_ms: i64,
    /// When names of metrics are removed. Default at once, as a default Prometheus does.
    pub names: NameRemoval,
    /// Whether rates look at when counters began. Default no, as in a default Prometheus.
    pub start_timestamps: bool,
    /// Whether `__type__` tells what is a counter. Default no, as in a default Prometheus.
    pub type_and_unit_labels: bool,
    /// Whether the answer comes with what each part of the query did. Default no.
    pub explains: bool,
    /// How much a query may use.
    pub limits: Limits,
    /// Which threads work on it. Default one for each core, shared by all queries.
    pub workers: Workers,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            lookback_ms: 5 * 60 * 1000,
            subquery_step_ms: 60 * 1000,
            names: NameRemoval::AtOnce,
            start_timestamps: false,
            type_and_unit_labels: false,
            explains: false,
            limits: Limits::default(),
            workers: Workers::default(),
        }
    }
}

/// When names of metrics that have become something else are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameRemoval {
    /// By each function and operator.
    #[default]
    AtOnce,
    /// When all is evaluated.
    Delayed,
}
