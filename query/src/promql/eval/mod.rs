//! Evaluation: each part of the plan over all steps at once.
//!
//! A value is a list of series, and a series is its labels and one column with a cell for each
//! step. So labels are worked out once for a series, never once for a step, and windows slide.

mod accumulator;
mod aggregate;
mod binary;
mod call;
mod classic;
mod column;
mod elements;
mod groups;
mod info_join;
mod label_calls;
mod labels;
mod ranges;
mod rank;
mod select;
mod sets;
mod stream;
mod totals;
mod windows;

use std::sync::{Arc, Mutex, PoisonError};

use chronolith_engine::metrics::ResetHint;

use crate::promql::annotations::Notes;
use crate::promql::error::{Error, Result};
use crate::promql::histogram::Histogram;
use crate::promql::limits::Guard;
use crate::promql::options::Options;
use crate::promql::plan::{Frame, Grid, Hints, Node, NodeKind, Selection};
use crate::promql::source::{Request, Source, SourceSeries, Unread};
use crate::promql::syntax::{Text, UnaryOp};
use crate::promql::trace::{Ended, Trace};
use crate::promql::twins::Shelf;

use column::Sample;
pub(crate) use column::{Column, Series, Spare};
pub(crate) use windows::said_labels;

/// What a part of the plan gives.
#[derive(Clone)]
pub(crate) enum Value {
    /// A number at each step.
    Scalar(Vec<f64>),
    /// Series with a column each.
    Vector(Vec<Series>),
    /// A text.
    Text(Text),
}

impl Value {
    /// How many samples it holds.
    fn size(&self) -> usize {
        match self {
            Value::Scalar(values) => values.len(),
            Value::Vector(series) => series.iter().map(|series| series.column.len()).sum(),
            Value::Text(_) => 1,
        }
    }

    /// How many series there are; a scalar is one.
    fn series(&self) -> usize {
        match self {
            Value::Vector(series) => series.len(),
            Value::Scalar(_) | Value::Text(_) => 1,
        }
    }

    /// The same at each of `count` steps, from what it is at one.
    fn repeated(self, count: usize) -> Value {
        match self {
            Value::Scalar(values) => {
                Value::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); count])
            }
            Value::Vector(mut series) => {
                for series in &mut series {
                    series.column = series.column.repeated(count);
                }
                Value::Vector(series)
            }
            text @ Value::Text(_) => text,
        }
    }
}

/// Whose rules hold where two languages differ over the same operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// PromQL.
    Prometheus,
    /// LogQL: what is divided by zero is no number, series that have become the same stay apart,
    /// and errors are worded otherwise.
    Loki,
}

/// A running query.
pub(crate) struct Evaluator<'a> {
    pub(crate) dialect: Dialect,
    /// Series that were made beforehand; each is taken once.
    pub(crate) given: Mutex<Vec<Vec<Series>>>,
    pub(crate) source: &'a dyn Source,
    pub(crate) options: &'a Options,
    pub(crate) frame: Frame,
    pub(crate) notes: Notes,
    pub(crate) guard: Guard,
    pub(crate) shared: Shared,
    pub(crate) spare: Spare,
    /// Takes down what is done, if that was asked for.
    pub(crate) trace: Option<Trace>,
    /// The text of the query, for that.
    pub(crate) text: &'a str,
}

/// What parts that occur more than once have in common.
#[derive(Default)]
pub(crate) struct Shared {
    values: Shelf<Grid, Value>,
    /// Nothing where the samples of all series are more than are kept.
    pub(crate) ranges: Shelf<(i64, i64), Option<Arc<Vec<SourceSeries>>>>,
}

impl Evaluator<'_> {
    /// Evaluates a part at all steps of `grid`.
    pub(crate) fn eval(&self, node: &Node, grid: Grid) -> Result<Value> {
        self.traced(node, grid, || {
            let Some(twin) = node.twin else {
                return Ok((self.eval_new(node, grid)?, false));
            };
            if let Some((value, is_last)) = self.shared.values.take(twin, grid) {
                if is_last {
                    self.guard.drop_kept(value.size());
                }
                self.guard.hold(value.size())?;
                return Ok((value, true));
            }
            let noted = self.notes.times();
            let value = self.eval_new(node, grid)?;
            // What is noted is noted for each place.
            if self.notes.times() == noted && self.guard.keep(value.size()) {
                self.shared.values.keep(twin, grid, value.clone());
            }
            Ok((value, false))
        })
    }

    /// Takes down what the evaluation of a part does, which also tells whether its value was there
    /// already.
    fn traced(
        &self,
        node: &Node,
        grid: Grid,
        eval: impl FnOnce() -> Result<(Value, bool)>,
    ) -> Result<Value> {
        let Some(trace) = &self.trace else {
            return eval().map(|(value, _)| value);
        };
        let begun = trace.begin(self.guard.read());
        let (value, is_repeated) = eval()?;
        let ended = Ended {
            steps: grid.count,
            series: value.series(),
            read: self.guard.read(),
            is_repeated,
        };
        trace.end(node, begun, ended, self.text);
        Ok(value)
    }

    fn eval_new(&self, node: &Node, grid: Grid) -> Result<Value> {
        self.guard.check()?;
        let held = self.guard.held();
        let is_leaf = matches!(node.kind, NodeKind::Number(_) | NodeKind::Text(_));
        let value = if node.is_invariant && grid.count > 1 && !is_leaf {
            let once = Grid { count: 1, ..grid };
            self.eval_kind(node, once)?.repeated(grid.count)
        } else {
            self.eval_kind(node, grid)?
        };
        self.guard.release_to(held);
        self.guard.hold(value.size())?;
        Ok(value)
    }

    fn eval_kind(&self, node: &Node, grid: Grid) -> Result<Value> {
        match &node.kind {
            NodeKind::Number(value) => Ok(Value::Scalar(vec![*value; grid.count])),
            NodeKind::Text(text) => Ok(Value::Text(text.clone())),
            NodeKind::Selector(selection) => {
                let mut found = Vec::new();
                self.instant(selection, node.span, grid, keep_in(&mut found))?;
                Ok(Value::Vector(found))
            }
            NodeKind::Range(..) | NodeKind::Subquery(_) => Err(Error::execution(
                "a range of samples is no value: a function must make one of it",
            )),
            NodeKind::Unary(UnaryOp::Plus, inside) => self.eval(inside, grid),
            NodeKind::Unary(UnaryOp::Minus, inside) => self.negative(inside, grid),
            NodeKind::Binary(binary) => self.binary(binary, node.span, grid),
            NodeKind::Aggregate(aggregate) => {
                Ok(Value::Vector(self.aggregate(aggregate, node.span, grid)?))
            }
            NodeKind::Call(call) => self.call(call, node.span, grid),
            NodeKind::Given(place) => {
                let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
                let series = given.get_mut(*place).map(std::mem::take);
                Ok(Value::Vector(series.unwrap_or_default()))
            }
        }
    }

    /// Evaluates a part that is a vector by its type.
    pub(super) fn vector(&self, node: &Node, grid: Grid) -> Result<Vec<Series>> {
        match self.eval(node, grid)? {
            Value::Vector(series) => Ok(series),
            _ => Err(Error::execution("expected an instant vector")),
        }
    }

    /// Evaluates a part that is a scalar by its type.
    pub(super) fn scalar(&self, node: &Node, grid: Grid) -> Result<Vec<f64>> {
        match self.eval(node, grid)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(Error::execution("expected a scalar")),
        }
    }

    /// The text that a part is by its type.
    pub(super) fn text<'n>(&self, node: &'n Node) -> Result<&'n Text> {
        match &node.kind {
            NodeKind::Text(text) => Ok(text),
            _ => Err(Error::execution("expected a string")),
        }
    }

    fn negative(&self, inside: &Node, grid: Grid) -> Result<Value> {
        let mut series = match self.eval(inside, grid)? {
            Value::Vector(series) => series,
            Value::Scalar(values) => {
                return Ok(Value::Scalar(
                    values.into_iter().map(|value| -value).collect(),
                ));
            }
            text @ Value::Text(_) => return Ok(text),
        };
        for series in &mut series {
            series.column.map(
                |value| Some(-value),
                |histogram| {
                    let mut negative = histogram.clone();
                    negative.scale(-1.0);
                    Some(Sample::Histogram(negative.into()))
                },
            );
            self.drop_name(series);
        }
        Ok(Value::Vector(self.settle(series)?))
    }

    /// Works on each series of a selection that has samples from `start` to `end`. A series is held
    /// only while it is worked on. What comes of it is taken in the order of the series.
    pub(super) fn each<R: Send>(
        &self,
        selection: &Selection,
        (start, end): (i64, i64),
        work: impl Fn(SourceSeries, &Notes) -> Result<Option<R>> + Sync,
        take: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<()> {
        let request = Request {
            matchers: &selection.matchers,
            start,
            end,
        };
        let unread = self.source.find(&request)?;
        let read_and_work = |unread: Box<dyn Unread + '_>, notes: &Notes| {
            let mut series = unread.read()?;
            let samples = series.len();
            if samples == 0 {
                return Ok(None);
            }
            self.guard.hold_read(samples, series.bytes_read)?;
            if selection.hints == Hints::Compared {
                compare_hints(&mut series.histograms.values);
            }
            let result = work(series, notes)?;
            self.guard.release(samples);
            Ok(result)
        };
        self.share(unread, read_and_work, take)
    }

    /// Works on each item, on as many threads as there are. Results are taken, and notes come, in
    /// the order of the items.
    pub(super) fn share<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T, &Notes) -> Result<Option<R>> + Sync,
        mut take: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<()> {
        let work_on_part = |part: Vec<T>| {
            let (notes, mut found) = (Notes::default(), Vec::with_capacity(part.len()));
            for item in part {
                self.guard.check()?;
                found.extend(work(item, &notes)?);
            }
            Ok((found, notes))
        };
        let take_part = |(found, notes): (Vec<R>, Notes)| {
            self.notes.absorb(notes);
            found.into_iter().try_for_each(&mut take)
        };
        self.options.workers.each(items, work_on_part, take_part)
    }
}

/// Keeps everything that is taken.
pub(super) fn keep_in<R>(found: &mut Vec<R>) -> impl FnMut(R) -> Result<()> {
    |result| {
        found.push(result);
        Ok(())
    }
}

/// Finds the hints that the source does not know by comparing each histogram with the one before.
fn compare_hints(histograms: &mut [Arc<Histogram>]) {
    for place in 1..histograms.len() {
        let (before, now) = (&histograms[place - 1], &histograms[place]);
        if now.hint == ResetHint::Unknown && !now.is_stale() {
            let hint = match now.is_reset_from(before) {
                true => ResetHint::Reset,
                false => ResetHint::NotReset,
            };
            histograms[place] = now.as_ref().clone().with_hint(hint).into();
        }
    }
}
