//! [`LogQuery`]: the door of LogQL. Parse once; ask for lines, for numbers at a time, or over a
//! range, of any source.

use crate::logql::answer::{LinesAnswer, MetricAnswer};
use crate::logql::limits::Options;
use crate::logql::source::{Direction, LineSource};
use crate::logql::syntax::{self, Query};
use crate::logql::{Error, ErrorKind, Result};

/// A parsed and checked query.
#[derive(Clone, Debug)]
pub struct LogQuery {
    text: String,
    expr: Query,
}

/// Which lines are asked for.
#[derive(Clone, Copy, Debug)]
pub struct LinesRequest {
    /// The first time, in nanoseconds.
    pub start: i64,
    /// The time behind the last one.
    pub end: i64,
    /// How many lines at most.
    pub limit: usize,
    /// Which come first.
    pub direction: Direction,
    /// How far lines of the answer must be apart, in nanoseconds; 0 for all.
    pub interval: i64,
}

impl LogQuery {
    /// Parses a query and checks it: its stages compile, and its selectors select.
    pub fn parse(text: &str) -> Result<LogQuery> {
        let expr = syntax::parse(text)
            .map_err(|error| Error::new(ErrorKind::BadData, error.to_string()))?;
        Ok(LogQuery {
            text: text.to_owned(),
            expr,
        })
    }

    /// The text that it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its tree.
    pub fn expr(&self) -> &Query {
        &self.expr
    }

    /// Whether it answers lines.
    pub fn is_lines(&self) -> bool {
        matches!(self.expr, Query::Lines(_))
    }

    /// Whether it answers numbers.
    pub fn is_metric(&self) -> bool {
        !self.is_lines()
    }

    /// The lines of a range of time.
    pub fn lines(
        &self,
        _source: &dyn LineSource,
        _request: &LinesRequest,
        _options: &Options,
    ) -> Result<LinesAnswer> {
        Err(Error::new(ErrorKind::Execution, "lines are not read yet"))
    }

    /// The numbers at one time, in nanoseconds.
    pub fn instant(
        &self,
        _source: &dyn LineSource,
        _time: i64,
        _options: &Options,
    ) -> Result<MetricAnswer> {
        Err(Error::new(ErrorKind::Execution, "numbers are not made yet"))
    }

    /// The numbers from `start` to `end`, every `step`, all in nanoseconds. The series come in
    /// label order.
    pub fn range(
        &self,
        _source: &dyn LineSource,
        (_start, _end, _step): (i64, i64, i64),
        _options: &Options,
    ) -> Result<MetricAnswer> {
        Err(Error::new(ErrorKind::Execution, "numbers are not made yet"))
    }
}
