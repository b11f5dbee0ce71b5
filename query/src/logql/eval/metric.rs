//! Metric queries: aggregations over windows are made of lines, and what is around them is handed
//! to PromQL's operators.

use std::sync::Mutex;

use chronolith_engine::labels::LabelSet;

use crate::logql::Result;
use crate::logql::eval::range::Reading;
use crate::logql::eval::steps::TimeGrid;
use crate::logql::limits::Guard;
use crate::logql::syntax::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, CompareOp, Grouping, LabelReplace, Matching,
    MetricExpr, MetricKind, RangeAggregate, RangeOp,
};
use crate::logql::{Error, ErrorKind, Limits, LineSource, SeriesBeyond};
use crate::promql::eval::{Column, Dialect, Evaluator, Series, Value};
use crate::promql::plan::{AggregateNode, BinaryNode, CallNode, Frame, Grid, Node, NodeKind};
use crate::promql::signatures::signature;
use crate::promql::source::{Request, Source, SourceSeries};
use crate::promql::syntax as promql;
use crate::promql::{self as prometheus, Point, ResultSeries, Sample};

/// What a metric query gives, with what else is to be said.
type Answer = (prometheus::Value, Vec<String>);

/// Evaluates at one time.
pub(crate) fn instant(
    expr: &MetricExpr,
    source: &dyn LineSource,
    time: i64,
    guard: &Guard,
    workers: usize,
) -> Result<Answer> {
    let grid = TimeGrid::instant(time);
    let at_ms = time.div_euclid(1_000_000);
    let series = match evaluate(expr, source, grid, guard, workers)? {
        Value::Scalar(values) => {
            let value = values.first().copied().unwrap_or(f64::NAN);
            return Ok((prometheus::Value::Scalar(at_ms, value), Vec::new()));
        }
        Value::Vector(series) => series,
        Value::Text(_) => Vec::new(),
    };
    let mut series = present(series);
    let warnings = count_series(series.len(), guard)?;
    series.truncate(guard.limits().series_max);
    if !sorts(expr) {
        series.sort_by(|one, two| one.labels.cmp(&two.labels));
    }
    // Two that have become the same are two elements of the vector.
    let found = series.chunks(1).map(|one| joined(one, grid)).collect();
    Ok((prometheus::Value::Vector(found), warnings))
}

/// Evaluates at all times of a grid; the series come in label order.
pub(crate) fn range(
    expr: &MetricExpr,
    source: &dyn LineSource,
    grid: TimeGrid,
    guard: &Guard,
    workers: usize,
) -> Result<Answer> {
    let series = match evaluate(expr, source, grid, guard, workers)? {
        Value::Scalar(values) => vec![bare(Column::of_floats(values))],
        Value::Vector(series) => series,
        Value::Text(_) => Vec::new(),
    };
    let mut series = present(series);
    series.sort_by(|one, two| one.labels.cmp(&two.labels));
    let same = || series.chunk_by(|one, two| one.labels == two.labels);
    let warnings = count_series(same().count(), guard)?;
    let found = same().take(guard.limits().series_max);
    let found = found.map(|same| joined(same, grid)).collect();
    Ok((prometheus::Value::Matrix(found), warnings))
}

/// A series without labels.
fn bare(column: Column) -> Series {
    Series {
        labels: LabelSet::default(),
        drops_name: false,
        column,
    }
}

/// Whether the query says in which order its series come.
fn sorts(expr: &MetricExpr) -> bool {
    match &expr.kind {
        MetricKind::Number(_) | MetricKind::Vector(_) | MetricKind::Range(_) => false,
        MetricKind::Aggregate(aggregate) => {
            matches!(aggregate.op, AggregateOp::Sort | AggregateOp::SortDesc)
                || sorts(&aggregate.expr)
        }
        MetricKind::Binary(binary) => sorts(&binary.left) || sorts(&binary.right),
        MetricKind::LabelReplace(replace) => sorts(&replace.expr),
    }
}

/// The series that have a sample.
fn present(mut series: Vec<Series>) -> Vec<Series> {
    series.retain(|series| !series.column.is_absent());
    series
}

/// Refuses an answer of so many series, or warns that some of them are left out.
fn count_series(count: usize, guard: &Guard) -> Result<Vec<String>> {
    let Limits {
        series_max,
        series_beyond,
        ..
    } = *guard.limits();
    if count <= series_max {
        return Ok(Vec::new());
    }
    let reached = format!("maximum number of series ({series_max}) reached for a single query");
    match series_beyond {
        SeriesBeyond::Refused => Err(Error::new(
            ErrorKind::Limit,
            format!(
                "{reached}; consider reducing query cardinality by adding more specific stream \
                 selectors, reducing the time range, or aggregating results with functions like \
                 sum(), count() or topk()"
            ),
        )),
        SeriesBeyond::LeftOut => Ok(vec![format!("{reached}; returning partial results")]),
    }
}

/// Series with the same labels as one, their points in the order of time.
fn joined(same: &[Series], grid: TimeGrid) -> ResultSeries {
    let at = |step: usize| {
        let values = same.iter().filter_map(move |one| one.column.float(step));
        values.map(move |value| Point {
            time: grid.time(step).div_euclid(1_000_000),
            sample: Sample::Float(value),
        })
    };
    ResultSeries {
        labels: same
            .first()
            .map(|one| one.labels.clone())
            .unwrap_or_default(),
        points: (0..grid.count).flat_map(at).collect(),
    }
}

/// Reads lines for every aggregation over windows, and lets PromQL's operators do the rest.
fn evaluate(
    expr: &MetricExpr,
    source: &dyn LineSource,
    grid: TimeGrid,
    guard: &Guard,
    workers: usize,
) -> Result<Value> {
    let mut lowering = Lowering {
        reading: Reading {
            source,
            guard,
            workers,
        },
        grid,
        given: Vec::new(),
    };
    let node = lowering.node(expr)?;
    let mut options = prometheus::Options {
        workers: prometheus::Workers::new(1),
        ..prometheus::Options::default()
    };
    options.limits.samples_max = guard.limits().samples_max;
    options.limits.cancel = guard.limits().cancel.clone();
    options.limits.room = guard.limits().room.clone();
    if let Some(left) = guard.time_left() {
        options.limits.timeout = left;
    }
    let evaluator = Evaluator {
        dialect: Dialect::Loki,
        given: Mutex::new(lowering.given),
        source: &NoSeries,
        options: &options,
        frame: Frame {
            start: 0,
            end: 0,
            step: 0,
        },
        notes: Default::default(),
        guard: prometheus::limits::Guard::new(&options.limits),
        shared: Default::default(),
        spare: Default::default(),
        trace: None,
        text: "",
    };
    // No operator of LogQL looks at the time of a step.
    let steps = Grid {
        start: 0,
        step: 1,
        count: grid.count,
    };
    evaluator
        .eval(&node, steps)
        .map_err(|error| match error.kind() {
            ErrorKind::Timeout | ErrorKind::Canceled => guard.check().err().unwrap_or(error),
            // Where PromQL cannot go on, Loki says that the query is wrong.
            ErrorKind::Execution => Error::new(ErrorKind::BadData, error.to_string()),
            _ => error,
        })
}

/// A source without series: what operators work on was made of lines.
struct NoSeries;

impl Source for NoSeries {
    fn select(&self, _: &Request<'_>) -> Result<Vec<SourceSeries>> {
        Ok(Vec::new())
    }
}

/// From LogQL's tree to PromQL's plan.
struct Lowering<'a> {
    reading: Reading<'a>,
    grid: TimeGrid,
    given: Vec<Vec<Series>>,
}

impl Lowering<'_> {
    fn node(&mut self, expr: &MetricExpr) -> Result<Node> {
        let kind = match &expr.kind {
            MetricKind::Number(value) => NodeKind::Number(*value),
            MetricKind::Vector(value) => {
                let column = Column::of_floats(vec![*value; self.grid.count]);
                self.give(vec![bare(column)])
            }
            MetricKind::Range(range) => self.lines(range, range.grouping.as_ref())?,
            MetricKind::Aggregate(aggregate) => self.aggregate(aggregate, expr)?,
            MetricKind::Binary(binary) => self.binary(binary)?,
            MetricKind::LabelReplace(replace) => self.label_replace(replace, expr)?,
        };
        Ok(Node {
            span: expr.span,
            is_invariant: matches!(kind, NodeKind::Number(_)),
            twin: None,
            kind,
        })
    }

    fn give(&mut self, series: Vec<Series>) -> NodeKind {
        self.given.push(series);
        NodeKind::Given(self.given.len() - 1)
    }

    fn lines(&mut self, range: &RangeAggregate, grouping: Option<&Grouping>) -> Result<NodeKind> {
        let series = self.reading.range(range, grouping, self.grid)?;
        Ok(self.give(series))
    }

    fn aggregate(&mut self, aggregate: &Aggregate, expr: &MetricExpr) -> Result<NodeKind> {
        let none = Grouping {
            is_without: false,
            labels: Vec::new(),
        };
        let by = aggregate.grouping.as_ref().unwrap_or(&none);
        if let (AggregateOp::Sum, MetricKind::Range(range)) = (aggregate.op, &aggregate.expr.kind)
            && adds_up(range)
        {
            return self.lines(range, Some(by));
        }
        let op = match aggregate.op {
            AggregateOp::Sort | AggregateOp::SortDesc => {
                let inside = self.node(&aggregate.expr)?;
                return Ok(match self.grid.count {
                    1 => call(aggregate.op.name(), vec![inside])?,
                    // Over time the order is that of labels.
                    _ => inside.kind,
                });
            }
            AggregateOp::Sum => promql::AggregateOp::Sum,
            AggregateOp::Avg => promql::AggregateOp::Avg,
            AggregateOp::Min => promql::AggregateOp::Min,
            AggregateOp::Max => promql::AggregateOp::Max,
            AggregateOp::Count => promql::AggregateOp::Count,
            AggregateOp::Stddev => promql::AggregateOp::Stddev,
            AggregateOp::Stdvar => promql::AggregateOp::Stdvar,
            AggregateOp::Topk | AggregateOp::ApproxTopk => promql::AggregateOp::Topk,
            AggregateOp::Bottomk => promql::AggregateOp::Bottomk,
        };
        #[expect(clippy::cast_precision_loss)] // More than 2^53 series are all of them anyway.
        let param = aggregate.parameter.map(|count| Node {
            span: expr.span,
            is_invariant: true,
            twin: None,
            kind: NodeKind::Number((count as f64).min(1e15)),
        });
        Ok(NodeKind::Aggregate(Box::new(AggregateNode {
            op,
            grouping: labels_of(by.is_without, &by.labels),
            param,
            expr: self.node(&aggregate.expr)?,
        })))
    }

    fn binary(&mut self, binary: &Binary) -> Result<NodeKind> {
        Ok(NodeKind::Binary(Box::new(BinaryNode {
            op: operator(binary.op),
            returns_bool: binary.returns_bool,
            matching: matching(binary.matching.as_ref()),
            left: self.node(&binary.left)?,
            right: self.node(&binary.right)?,
        })))
    }

    fn label_replace(&mut self, replace: &LabelReplace, expr: &MetricExpr) -> Result<NodeKind> {
        let mut args = vec![self.node(&replace.expr)?];
        let texts = [
            &replace.destination,
            &replace.replacement,
            &replace.source,
            &replace.regex,
        ];
        args.extend(texts.map(|text| Node {
            span: expr.span,
            is_invariant: true,
            twin: None,
            kind: NodeKind::Text(promql::Text {
                value: text.clone(),
                bytes: None,
            }),
        }));
        call("label_replace", args)
    }
}

/// Whether a sum of series is the same aggregation over all of their lines together.
fn adds_up(range: &RangeAggregate) -> bool {
    use RangeOp::{BytesOverTime, BytesRate, CountOverTime, Rate, SumOverTime};
    let adds = matches!(
        range.op,
        BytesOverTime | BytesRate | CountOverTime | Rate | SumOverTime
    );
    adds && range.grouping.is_none()
}

fn call(name: &str, args: Vec<Node>) -> Result<NodeKind> {
    let Some(function) = signature(name) else {
        let message = format!("there is no function {name}");
        return Err(Error::new(ErrorKind::Execution, message));
    };
    Ok(NodeKind::Call(CallNode { function, args }))
}

fn labels_of(is_without: bool, labels: &[String]) -> promql::Grouping {
    match is_without {
        true => promql::Grouping::Without(labels.to_vec()),
        false => promql::Grouping::By(labels.to_vec()),
    }
}

fn operator(op: BinaryOp) -> promql::BinaryOp {
    match op {
        BinaryOp::Add => promql::BinaryOp::Add,
        BinaryOp::Sub => promql::BinaryOp::Sub,
        BinaryOp::Mul => promql::BinaryOp::Mul,
        BinaryOp::Div => promql::BinaryOp::Div,
        BinaryOp::Mod => promql::BinaryOp::Mod,
        BinaryOp::Pow => promql::BinaryOp::Pow,
        BinaryOp::And => promql::BinaryOp::And,
        BinaryOp::Or => promql::BinaryOp::Or,
        BinaryOp::Unless => promql::BinaryOp::Unless,
        BinaryOp::Compare(op) => match op {
            CompareOp::Equal => promql::BinaryOp::Equal,
            CompareOp::NotEqual => promql::BinaryOp::NotEqual,
            CompareOp::Greater => promql::BinaryOp::Greater,
            CompareOp::GreaterOrEqual => promql::BinaryOp::GreaterEqual,
            CompareOp::Less => promql::BinaryOp::Less,
            CompareOp::LessOrEqual => promql::BinaryOp::LessEqual,
        },
    }
}

fn matching(matching: Option<&Matching>) -> promql::Matching {
    let group = matching.and_then(|matching| matching.group.as_ref());
    let card = match group {
        Some(group) if group.is_left => promql::Card::ManyToOne,
        Some(_) => promql::Card::OneToMany,
        None => promql::Card::OneToOne,
    };
    promql::Matching {
        card,
        labels: match matching {
            Some(matching) => labels_of(matching.is_ignoring, &matching.labels),
            None => labels_of(true, &[]),
        },
        include: group.map(|group| group.include.clone()).unwrap_or_default(),
        fill: promql::Fill::default(),
    }
}
