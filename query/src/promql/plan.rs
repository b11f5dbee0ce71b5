//! From a tree to what is evaluated: times resolved, parentheses gone, and parts marked that give
//! the same at every step.

use chronolith_engine::labels::Matcher;

pub(crate) use crate::grid::Grid;
use crate::promql::error::{Error, ErrorKind, Result};
use crate::promql::signatures::{Signature, signature};
use crate::promql::syntax::{
    AggregateOp, At, BinaryOp, DurationExpr, Edge, Expr, ExprKind, Extent, Grouping, Matching,
    Selector, Text, UnaryOp,
};
use crate::promql::twins::{self, Twin};
use crate::text::Span;

/// What the whole query spans, for `start()`, `end()`, `range()` and `step()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// 0 for an instant query.
    pub(crate) step: i64,
}

/// A part of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: NodeKind,
    /// Whether it gives the same at every step.
    pub(crate) is_invariant: bool,
    /// Which of the parts that occur more than once it is, if it is one.
    pub(crate) twin: Option<Twin>,
}

#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Number(f64),
    Text(Text),
    Selector(Selection),
    Range(Selection, i64),
    Subquery(Box<SubqueryNode>),
    Unary(UnaryOp, Box<Node>),
    Binary(Box<BinaryNode>),
    Aggregate(Box<AggregateNode>),
    Call(CallNode),
    /// Series that were made beforehand, by their place in what the evaluator was given.
    Given(usize),
}

/// Which series, and how times are moved.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: i64,
    pub(crate) at: Option<i64>,
    pub(crate) edge: Edge,
    pub(crate) hints: Hints,
}

/// Where hints about counter resets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hints {
    /// From the source.
    Stored,
    /// Those that the source does not know are found by comparing neighbours. Prometheus does that
    /// below functions that need no buckets, where it reads none.
    Compared,
}

impl Selection {
    /// The time that is looked at when the step is at `time`.
    pub(crate) fn reference(&self, time: i64) -> i64 {
        self.at.unwrap_or(time).saturating_sub(self.shift)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct SubqueryNode {
    pub(crate) expr: Node,
    pub(crate) range: i64,
    pub(crate) step: Option<i64>,
    pub(crate) shift: i64,
    pub(crate) at: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct BinaryNode {
    pub(crate) op: BinaryOp,
    pub(crate) returns_bool: bool,
    pub(crate) matching: Matching,
    pub(crate) left: Node,
    pub(crate) right: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct AggregateNode {
    pub(crate) op: AggregateOp,
    pub(crate) grouping: Grouping,
    pub(crate) param: Option<Node>,
    pub(crate) expr: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct CallNode {
    pub(crate) function: &'static Signature,
    pub(crate) args: Vec<Node>,
}

impl CallNode {
    /// Whether the result is still the metric that its argument is.
    pub(crate) fn keeps_name(&self) -> bool {
        matches!(self.function.name, "last_over_time" | "first_over_time")
    }
}

/// Functions that look at the time of the step.
const TIMED: [&str; 12] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "time",
    "timestamp",
    "start_timestamp",
    "year",
];

/// Plans a query whose types were checked.
pub(crate) fn plan(expr: &Expr, frame: Frame) -> Result<Node> {
    let place = Place {
        frame,
        counts_only: false,
        needs_buckets: false,
    };
    let mut node = place.plan(expr)?;
    twins::mark(&mut node);
    Ok(node)
}

/// Where in the query a part stands.
#[derive(Clone, Copy)]
struct Place {
    frame: Frame,
    /// Below a function that looks at counts and sums alone.
    counts_only: bool,
    /// Below something that must see the buckets.
    needs_buckets: bool,
}

impl Place {
    /// The place of the arguments of a function.
    fn below(self, function: &str) -> Place {
        Place {
            counts_only: self.counts_only
                || matches!(
                    function,
                    "histogram_count" | "histogram_sum" | "histogram_avg"
                ),
            needs_buckets: self.needs_buckets
                || matches!(function, "histogram_quantile" | "histogram_fraction"),
            ..self
        }
    }

    fn plan(self, expr: &Expr) -> Result<Node> {
        let frame = self.frame;
        let kind = match &expr.kind {
            ExprKind::Paren(inside) => return self.plan(inside),
            ExprKind::Number(number) => NodeKind::Number(number.value),
            ExprKind::Text(text) => NodeKind::Text(text.clone()),
            ExprKind::Selector(selector) => NodeKind::Selector(self.selection(selector)?),
            ExprKind::Range(range) => {
                let length = positive(&range.range, frame)?;
                NodeKind::Range(self.selection(&range.selector)?, length)
            }
            ExprKind::Subquery(subquery) => {
                let step = subquery
                    .step
                    .as_ref()
                    .map(|step| positive(step, frame))
                    .transpose()?;
                NodeKind::Subquery(Box::new(SubqueryNode {
                    expr: Place {
                        needs_buckets: true,
                        ..self
                    }
                    .plan(&subquery.expr)?,
                    range: positive(&subquery.range, frame)?,
                    step,
                    shift: shift(subquery.shift.as_ref(), frame)?,
                    at: subquery.at.map(|at| fixed(at, frame)),
                }))
            }
            ExprKind::Unary(op, inside) => NodeKind::Unary(*op, Box::new(self.plan(inside)?)),
            ExprKind::Binary(binary) => NodeKind::Binary(Box::new(BinaryNode {
                op: binary.op,
                returns_bool: binary.returns_bool,
                matching: binary.matching.clone(),
                left: self.plan(&binary.left)?,
                right: self.plan(&binary.right)?,
            })),
            ExprKind::Aggregate(aggregate) => {
                let param = aggregate
                    .param
                    .as_ref()
                    .map(|param| self.plan(param))
                    .transpose()?;
                NodeKind::Aggregate(Box::new(AggregateNode {
                    op: aggregate.op,
                    grouping: aggregate.grouping.clone(),
                    param,
                    expr: self.plan(&aggregate.expr)?,
                }))
            }
            ExprKind::Call(call) => {
                let Some(function) = signature(&call.name) else {
                    let message = format!("unknown function with name {:?}", call.name);
                    return Err(Error::new(ErrorKind::BadData, message));
                };
                let below = self.below(function.name);
                let args: Result<Vec<Node>> = call.args.iter().map(|arg| below.plan(arg)).collect();
                NodeKind::Call(CallNode {
                    function,
                    args: args?,
                })
            }
        };
        Ok(Node {
            span: expr.span,
            is_invariant: is_invariant(&kind),
            twin: None,
            kind,
        })
    }

    fn selection(self, selector: &Selector) -> Result<Selection> {
        Ok(Selection {
            matchers: selector.matchers.clone(),
            shift: shift(selector.shift.as_ref(), self.frame)?,
            at: selector.at.map(|at| fixed(at, self.frame)),
            edge: selector.edge,
            hints: match self.counts_only && !self.needs_buckets {
                true => Hints::Compared,
                false => Hints::Stored,
            },
        })
    }
}

fn is_invariant(kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Number(_) | NodeKind::Text(_) => true,
        NodeKind::Given(_) => false,
        NodeKind::Selector(selection) | NodeKind::Range(selection, _) => selection.at.is_some(),
        NodeKind::Subquery(subquery) => subquery.at.is_some(),
        NodeKind::Unary(_, inside) => inside.is_invariant,
        NodeKind::Binary(binary) => binary.left.is_invariant && binary.right.is_invariant,
        NodeKind::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref();
            aggregate.expr.is_invariant && param.is_none_or(|param| param.is_invariant)
        }
        NodeKind::Call(call) => {
            !TIMED.contains(&call.function.name) && call.args.iter().all(|arg| arg.is_invariant)
        }
    }
}

fn fixed(at: At, frame: Frame) -> i64 {
    match at {
        At::Time(time) => time,
        At::Start => frame.start,
        At::End => frame.end,
    }
}

fn shift(extent: Option<&Extent>, frame: Frame) -> Result<i64> {
    extent.map_or(Ok(0), |extent| length(extent, frame))
}

fn positive(extent: &Extent, frame: Frame) -> Result<i64> {
    match length(extent, frame)? {
        ms if ms > 0 => Ok(ms),
        _ => Err(invalid("duration must be greater than 0")),
    }
}

fn length(extent: &Extent, frame: Frame) -> Result<i64> {
    match extent {
        Extent::Literal(ms) => Ok(*ms),
        Extent::Computed(expr) => {
            let seconds = seconds(expr, frame)?;
            // What nanoseconds of 64 bits hold.
            if seconds.is_nan() || seconds.abs() >= 9_223_372_036.0 {
                return Err(invalid("duration is out of range"));
            }
            #[expect(clippy::cast_possible_truncation)] // Bounded in the line above.
            Ok((seconds * 1000.0) as i64)
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::BadData, message)
}

#[expect(clippy::cast_precision_loss)] // Times are far below 2^53 milliseconds apart.
fn seconds(expr: &DurationExpr, frame: Frame) -> Result<f64> {
    let pair = |left: &DurationExpr, right: &DurationExpr| -> Result<(f64, f64)> {
        Ok((seconds(left, frame)?, seconds(right, frame)?))
    };
    Ok(match expr {
        DurationExpr::Number(number) => number.value,
        DurationExpr::Step => frame.step as f64 / 1000.0,
        DurationExpr::Range => (frame.end - frame.start) as f64 / 1000.0,
        DurationExpr::Negative(expr) => -seconds(expr, frame)?,
        DurationExpr::Paren(expr) => seconds(expr, frame)?,
        DurationExpr::MinOf(left, right) => {
            let (left, right) = pair(left, right)?;
            left.min(right)
        }
        DurationExpr::MaxOf(left, right) => {
            let (left, right) = pair(left, right)?;
            left.max(right)
        }
        DurationExpr::Binary(op, left, right) => {
            let (left, right) = pair(left, right)?;
            match op {
                BinaryOp::Add => left + right,
                BinaryOp::Sub => left - right,
                BinaryOp::Mul => left * right,
                BinaryOp::Div if right == 0.0 => return Err(invalid("division by zero")),
                BinaryOp::Div => left / right,
                BinaryOp::Mod if right == 0.0 => return Err(invalid("modulo by zero")),
                BinaryOp::Mod => left % right,
                _ => left.powf(right),
            }
        }
    })
}
