//! [`LogQuery`]: the door of LogQL. Parse once; ask for lines, for numbers at a time, or over a
//! range, of any source.

use crate::logql::answer::{LinesAnswer, MetricAnswer};
use crate::logql::eval::{self, TimeGrid};
use crate::logql::limits::{Guard, Options, Steps, as_ns};
use crate::logql::pipeline::{LabelsWanted, Pipeline, Unwrapper};
use crate::logql::source::{Direction, LineSource};
use crate::logql::syntax::ast::MetricExpr;
use crate::logql::syntax::{self, Query};
use crate::logql::{Error, ErrorKind, Result};

/// A parsed and checked query.
///
/// ```
/// use chronolith_engine::labels::LabelSet;
/// use chronolith_query::logql::{Direction, LinesRequest, LogQuery, MemoryLines, Options};
/// use chronolith_query::promql::Value;
///
/// let mut source = MemoryLines::new();
/// let app = LabelSet::from_pairs([("app", "till")])?;
/// for (second, line) in [(1, "price=3"), (2, "price=5"), (3, "closed")] {
///     source.push(&app, second * 1_000_000_000, line, &LabelSet::default());
/// }
///
/// let query = LogQuery::parse(r#"{app="till"} |= "price""#)?;
/// let request = LinesRequest {
///     start: 0,
///     end: 60_000_000_000,
///     limit: 1,
///     direction: Direction::Backward,
///     interval: 0,
/// };
/// let answer = query.lines(&source, &request, &Options::default())?;
/// assert_eq!(answer.streams[0].entries[0].line, "price=5");
///
/// let sum = r#"sum(sum_over_time({app="till"} | logfmt | unwrap price [1m]))"#;
/// let answer = LogQuery::parse(sum)?.instant(&source, 60_000_000_000, &Options::default())?;
/// let Value::Vector(series) = answer.value else { panic!("a sum gives series") };
/// assert_eq!(series[0].points[0].sample.as_float(), Some(8.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// How far lines of the answer must be apart within a full hour, in nanoseconds; 0 for all.
    pub interval: i64,
}

impl LogQuery {
    /// Parses a query and checks it: its stages compile, and its selectors select.
    pub fn parse(text: &str) -> Result<LogQuery> {
        let expr = syntax::parse(text)
            .map_err(|error| Error::new(ErrorKind::BadData, error.to_string()))?;
        for lines in syntax::selectors(&expr) {
            Pipeline::new(&lines.stages, &LabelsWanted::All)?;
        }
        if let Query::Metric(metric) = &expr {
            for range in syntax::range_aggregates(metric) {
                range.unwrap.as_ref().map(Unwrapper::new).transpose()?;
            }
        }
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
        source: &dyn LineSource,
        request: &LinesRequest,
        options: &Options,
    ) -> Result<LinesAnswer> {
        let Query::Lines(query) = &self.expr else {
            return bad("the query gives numbers, not lines");
        };
        let limits = &options.limits;
        if request.limit > limits.entries_max {
            return bad(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({} > \
                 {})",
                request.limit, limits.entries_max
            ));
        }
        if request.limit == 0 {
            return bad("limit must be a positive value");
        }
        if request.interval < 0 {
            return bad("interval must be >= 0");
        }
        check_length(request.start, request.end, options)?;
        let guard = Guard::new(limits);
        eval::lines(query, source, request, &guard, options.workers())
    }

    /// The numbers at one time, in nanoseconds.
    pub fn instant(
        &self,
        source: &dyn LineSource,
        time: i64,
        options: &Options,
    ) -> Result<MetricAnswer> {
        let Query::Metric(expr) = &self.expr else {
            return bad(
                "log queries are not supported as an instant query type, please change your query \
                 to a range query type",
            );
        };
        check_ranges(expr, options)?;
        let guard = Guard::new(&options.limits);
        let (value, warnings) = eval::instant(expr, source, time, &guard, options.workers())?;
        Ok(MetricAnswer {
            value,
            warnings,
            stats: guard.stats(),
        })
    }

    /// The numbers from `start` to `end`, every `step`, all in nanoseconds. The series come in
    /// label order.
    pub fn range(
        &self,
        source: &dyn LineSource,
        (start, end, step): (i64, i64, i64),
        options: &Options,
    ) -> Result<MetricAnswer> {
        let Query::Metric(expr) = &self.expr else {
            return bad("the query gives lines, not numbers");
        };
        let grid = grid(start, end, step, options)?;
        check_ranges(expr, options)?;
        let guard = Guard::new(&options.limits);
        let (value, warnings) = eval::range(expr, source, grid, &guard, options.workers())?;
        Ok(MetricAnswer {
            value,
            warnings,
            stats: guard.stats(),
        })
    }
}

fn bad<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(ErrorKind::BadData, message))
}

/// The times of a range query, if its range and its step may be asked for.
fn grid(start: i64, end: i64, step: i64, options: &Options) -> Result<TimeGrid> {
    if step <= 0 {
        return bad(
            "zero or negative query resolution step widths are not accepted. Try a positive \
             integer",
        );
    }
    check_length(start, end, options)?;
    let steps = |start: i64, end: i64| end.abs_diff(start) / step.unsigned_abs();
    // As they were asked for: moving start and end may add one.
    let steps_max = options.limits.steps_max;
    if steps(start, end) > steps_max as u64 {
        let most = match steps_max {
            11_000 => "11,000".to_owned(),
            other => other.to_string(),
        };
        return bad(format!(
            "exceeded maximum resolution of {most} points per time series. Try increasing the \
             value of the step parameter"
        ));
    }
    let (start, end) = match options.steps {
        Steps::AsAsked => (start, end),
        Steps::Aligned => {
            let beyond = end.rem_euclid(step);
            let rest = if beyond == 0 { 0 } else { step - beyond };
            let before = start.rem_euclid(step);
            (start.saturating_sub(before), end.saturating_add(rest))
        }
    };
    let count = usize::try_from(steps(start, end)).map_or(usize::MAX, |steps| steps + 1);
    Ok(TimeGrid { start, step, count })
}

/// Refuses a query whose end is before its start, or too far from it.
fn check_length(start: i64, end: i64, options: &Options) -> Result<()> {
    if end < start {
        return bad("end timestamp must not be before or equal to start time");
    }
    options.limits.check_length(start, end)
}

/// Refuses windows that are too long.
fn check_ranges(expr: &MetricExpr, options: &Options) -> Result<()> {
    let range_max = options.limits.range_max;
    let ranges = syntax::range_aggregates(expr);
    let mut lengths = ranges.iter().map(|range| range.range);
    match lengths.find(|length| *length > range_max && !range_max.is_zero()) {
        Some(length) => bad(format!(
            "[interval] value exceeds limit: [{}] > [{}]",
            syntax::show_duration(as_ns(length)),
            syntax::show_duration(as_ns(range_max))
        )),
        None => Ok(()),
    }
}
