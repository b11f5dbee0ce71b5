//! Aggregations over windows and over series, from text to tree, and what each of them allows.

use std::time::Duration;

use crate::logql::syntax::ast::{
    Aggregate, AggregateOp, Grouping, LogQuery, MetricKind, RangeAggregate, RangeOp, Unwrap,
};
use crate::logql::syntax::cursor::Parser;
use crate::logql::syntax::error::{Result, SyntaxError};
use crate::logql::syntax::stages::Unwraps;
use crate::logql::syntax::token::Kind;
use crate::logql::syntax::units;
use crate::text::duration;

const RANGE_OPS: [(&str, RangeOp); 15] = [
    ("rate", RangeOp::Rate),
    ("rate_counter", RangeOp::RateCounter),
    ("count_over_time", RangeOp::CountOverTime),
    ("bytes_rate", RangeOp::BytesRate),
    ("bytes_over_time", RangeOp::BytesOverTime),
    ("absent_over_time", RangeOp::AbsentOverTime),
    ("sum_over_time", RangeOp::SumOverTime),
    ("avg_over_time", RangeOp::AvgOverTime),
    ("min_over_time", RangeOp::MinOverTime),
    ("max_over_time", RangeOp::MaxOverTime),
    ("stdvar_over_time", RangeOp::StdvarOverTime),
    ("stddev_over_time", RangeOp::StddevOverTime),
    ("quantile_over_time", RangeOp::QuantileOverTime),
    ("first_over_time", RangeOp::FirstOverTime),
    ("last_over_time", RangeOp::LastOverTime),
];

const AGGREGATE_OPS: [(&str, AggregateOp); 12] = [
    ("sum", AggregateOp::Sum),
    ("avg", AggregateOp::Avg),
    ("min", AggregateOp::Min),
    ("max", AggregateOp::Max),
    ("count", AggregateOp::Count),
    ("stddev", AggregateOp::Stddev),
    ("stdvar", AggregateOp::Stdvar),
    ("topk", AggregateOp::Topk),
    ("bottomk", AggregateOp::Bottomk),
    ("approx_topk", AggregateOp::ApproxTopk),
    ("sort", AggregateOp::Sort),
    ("sort_desc", AggregateOp::SortDesc),
];

/// The name that a table gives an operation.
fn name_in<T: PartialEq>(table: &[(&'static str, T)], op: &T) -> &'static str {
    let found = table.iter().find(|(_, known)| known == op);
    found.map_or("", |(name, _)| name)
}

impl RangeOp {
    /// How it is written.
    pub fn name(self) -> &'static str {
        name_in(&RANGE_OPS, &self)
    }

    /// Whether it counts lines or their bytes, and needs no number of a line.
    pub fn counts_lines(self) -> bool {
        use RangeOp::{AbsentOverTime, BytesOverTime, BytesRate, CountOverTime, Rate};
        matches!(
            self,
            AbsentOverTime | BytesOverTime | BytesRate | CountOverTime | Rate
        )
    }

    fn takes_unwrapped(self) -> bool {
        use RangeOp::{BytesOverTime, BytesRate, CountOverTime};
        !matches!(self, BytesOverTime | BytesRate | CountOverTime)
    }

    fn groups(self) -> bool {
        use RangeOp::{
            AvgOverTime, FirstOverTime, LastOverTime, MaxOverTime, MinOverTime, QuantileOverTime,
            StddevOverTime, StdvarOverTime,
        };
        matches!(
            self,
            AvgOverTime
                | FirstOverTime
                | LastOverTime
                | MaxOverTime
                | MinOverTime
                | QuantileOverTime
                | StddevOverTime
                | StdvarOverTime
        )
    }
}

impl AggregateOp {
    /// How it is written.
    pub fn name(self) -> &'static str {
        name_in(&AGGREGATE_OPS, &self)
    }

    fn takes_parameter(self) -> bool {
        use AggregateOp::{ApproxTopk, Bottomk, Topk};
        matches!(self, ApproxTopk | Bottomk | Topk)
    }
}

/// What stands in the parentheses of an aggregation over windows, as far as it was read.
struct Lines {
    query: LogQuery,
    unwrap: Option<Unwrap>,
    range: Option<Range>,
}

#[derive(Clone, Copy)]
struct Range {
    length: Duration,
    offset: i64,
}

impl Parser<'_> {
    /// An aggregation; the next token is a keyword or symbol.
    pub(super) fn aggregation(&mut self, word: &'static str) -> Result<MetricKind> {
        if let Some((_, op)) = RANGE_OPS.iter().find(|(name, _)| *name == word) {
            self.advance();
            let range = self.range_aggregate(*op)?;
            return Ok(MetricKind::Range(Box::new(range)));
        }
        if let Some((_, op)) = AGGREGATE_OPS.iter().find(|(name, _)| *name == word) {
            self.advance();
            let aggregate = self.aggregate(*op)?;
            return Ok(MetricKind::Aggregate(Box::new(aggregate)));
        }
        Err(self.unexpected(&[]))
    }

    fn range_aggregate(&mut self, op: RangeOp) -> Result<RangeAggregate> {
        self.expect("(")?;
        let mut parameter = None;
        if self.kind() == Kind::Number {
            let text = self.token().text;
            parameter = Some((self.literal()?, text));
            self.expect(",")?;
        }
        let expected: &[&str] = match parameter {
            Some(_) => &["{", "("],
            None => &["NUMBER", "{", "("],
        };
        if !self.is("{") && !self.is("(") {
            return Err(self.unexpected(expected));
        }
        let lines = self.nested(Self::lines_of_range)?;
        let Some(range) = lines.range else {
            return Err(self.unexpected(&[]));
        };
        self.expect(")")?;
        let grouping = self.grouping()?;
        let aggregate = RangeAggregate {
            op,
            parameter: parameter.map(|(value, _)| value),
            lines: lines.query,
            unwrap: lines.unwrap,
            range: range.length,
            offset: range.offset,
            grouping,
        };
        check_range(&aggregate, parameter.map(|(_, text)| text))?;
        Ok(aggregate)
    }

    /// A selector with its pipeline and its range, in whichever order they stand.
    fn lines_of_range(&mut self) -> Result<Lines> {
        let start = self.token().start;
        let mut lines = if self.take("(") {
            let mut lines = self.nested(Self::lines_of_range)?;
            if !self.take(")") {
                return Err(self.unexpected(if lines.range.is_some() { &[")"] } else { &[] }));
            }
            if lines.range.is_some() {
                return Ok(lines);
            }
            lines.range = self.range()?;
            lines
        } else {
            let matchers = self.selector()?;
            let pipeline = self.pipeline(Unwraps::Allowed)?;
            let query = LogQuery {
                matchers,
                stages: pipeline.stages,
                span: self.span_from(start),
            };
            Lines {
                query,
                unwrap: pipeline.unwrap,
                range: self.range()?,
            }
        };
        if lines.range.is_some() && lines.query.stages.is_empty() && lines.unwrap.is_none() {
            let pipeline = self.pipeline(Unwraps::Allowed)?;
            lines.query.stages = pipeline.stages;
            lines.unwrap = pipeline.unwrap;
        }
        Ok(lines)
    }

    /// `[5m] offset 1h`, if it comes next.
    fn range(&mut self) -> Result<Option<Range>> {
        if self.kind() != Kind::Range {
            return Ok(None);
        }
        let text = self.advance().text;
        let inside = text.trim_start_matches('[').trim_end_matches(']').trim();
        let ms = duration::parse(inside).map_err(SyntaxError::new)?;
        let length = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let mut offset = 0;
        if self.take("offset") {
            if self.kind() != Kind::Duration {
                return Err(self.unexpected(&["DURATION"]));
            }
            let text = self.advance().text;
            offset = units::duration_ns(text).unwrap_or(0);
        }
        Ok(Some(Range { length, offset }))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>> {
        let is_without = self.is("without");
        if !is_without && !self.is("by") {
            return Ok(None);
        }
        self.advance();
        let labels = self.names()?;
        Ok(Some(Grouping { is_without, labels }))
    }

    fn aggregate(&mut self, op: AggregateOp) -> Result<Aggregate> {
        let before = self.grouping()?;
        self.expect("(")?;
        let mut parameter = None;
        if self.kind() == Kind::Number && self.kind_behind() == Kind::Fixed(",") {
            parameter = Some(self.advance().text);
            self.advance();
        }
        let expr = self.metric_expr()?;
        if !self.take(")") {
            return Err(self.unexpected(&[]));
        }
        let grouping = match before {
            Some(_) => before,
            None => self.grouping()?,
        };
        let parameter = check_aggregate(op, parameter, grouping.as_ref())?;
        Ok(Aggregate {
            op,
            parameter,
            expr,
            grouping,
        })
    }
}

/// Refuses what an aggregation over windows does not allow; `parameter` as it was written.
fn check_range(range: &RangeAggregate, parameter: Option<&str>) -> Result<()> {
    let (op, name) = (range.op, range.op.name());
    let wrong = |message: String| Err(SyntaxError::new(message));
    match (parameter, op == RangeOp::QuantileOverTime) {
        (Some(text), false) => {
            return wrong(format!(
                "parameter {text} not supported for operation {name}"
            ));
        }
        (None, true) => return wrong(format!("parameter required for operation {name}")),
        _ => {}
    }
    if range.grouping.is_some() && !op.groups() {
        return wrong(format!("grouping not allowed for {name} aggregation"));
    }
    match range.unwrap {
        Some(_) if !op.takes_unwrapped() => {
            wrong(format!("invalid aggregation {name} with unwrap"))
        }
        None if !op.counts_lines() => wrong(format!("invalid aggregation {name} without unwrap")),
        _ => Ok(()),
    }
}

/// Refuses what an aggregation over series does not allow; its parameter as a number.
fn check_aggregate(
    op: AggregateOp,
    parameter: Option<&str>,
    grouping: Option<&Grouping>,
) -> Result<Option<u64>> {
    let name = op.name();
    let wrong = |message: String| Err(SyntaxError::new(message));
    let parameter = match (parameter, op.takes_parameter()) {
        (None, false) => None,
        (None, true) => return wrong(format!("parameter required for operation {name}")),
        (Some(text), false) => {
            return wrong(format!(
                "unsupported parameter for operation {name}({text},"
            ));
        }
        (Some(text), true) => match text.parse::<u64>() {
            Err(_) => return wrong(format!("invalid parameter {name}({text},")),
            Ok(0) => {
                return wrong(format!(
                    "invalid parameter (must be greater than 0) {name}({text}"
                ));
            }
            count => count.ok(),
        },
    };
    match (op, grouping) {
        (AggregateOp::Sort | AggregateOp::SortDesc, Some(_)) => {
            wrong("sort and sort_desc doesn't allow grouping by ".to_owned())
        }
        (AggregateOp::ApproxTopk, Some(_)) => {
            wrong(format!("grouping not allowed for {name} aggregation"))
        }
        _ => Ok(parameter),
    }
}
