//! How LogQL queries are evaluated, how much one may use, and how it is stopped.

use std::time::Duration;

use crate::logql::CancelFlag;

/// How queries are evaluated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much a query may use.
    pub limits: Limits,
    /// Which times a range query is evaluated at.
    pub steps: Steps,
}

/// Which times a range query is evaluated at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// At multiples of the step: the start is moved down to one, the end up. What Loki does.
    #[default]
    Aligned,
    /// From the start on.
    AsAsked,
}

/// How much a query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Lines of an answer. Default 5,000.
    pub entries_max: usize,
    /// Series of an answer. Default 500.
    pub series_max: usize,
    /// What becomes of an answer with more series. Default an error.
    pub series_beyond: SeriesBeyond,
    /// From the start to the end of a query. Default 721 hours; zero for any.
    pub length_max: Duration,
    /// The range in brackets. Default any, which is zero.
    pub range_max: Duration,
    /// Steps of a range query. Default 11,000.
    pub steps_max: usize,
    /// Samples and cells of series that it may hold at once. Default 50,000,000.
    pub samples_max: usize,
    /// Lines that it may look at. Default any.
    pub lines_max: u64,
    /// Bytes of lines that it may look at. Default any.
    pub bytes_max: u64,
    /// How long it may take. Default one minute.
    pub timeout: Duration,
    /// Tells it to stop.
    pub cancel: Option<CancelFlag>,
}

/// What becomes of an answer with too many series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeriesBeyond {
    /// There is none.
    #[default]
    Refused,
    /// It is cut, with a warning.
    LeftOut,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            entries_max: 5_000,
            series_max: 500,
            series_beyond: SeriesBeyond::default(),
            length_max: Duration::from_secs(721 * 3600),
            range_max: Duration::ZERO,
            steps_max: 11_000,
            samples_max: 50_000_000,
            lines_max: u64::MAX,
            bytes_max: u64::MAX,
            timeout: Duration::from_secs(60),
            cancel: None,
        }
    }
}
