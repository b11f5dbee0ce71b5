//! [`Values`]: the numbers that lines gave to one series, and what windows make of them.

use crate::logql::Result;
use crate::logql::eval::counts::Windows;
use crate::logql::eval::rate::rate_counter;
use crate::logql::syntax::ast::RangeOp;
use crate::promql::annotations::Notes;
use crate::promql::eval::Column;
use crate::promql::functions::range::{Part, RangeFunction, Scope, Window, range_function};
use crate::promql::syntax::Edge;
use crate::text::Span;

/// Where a number came from: when, the place of its stream, and its place within that.
type Origin = (i64, usize, usize);

/// The numbers of one series.
#[derive(Default)]
pub(super) struct Values {
    origins: Vec<Origin>,
    values: Vec<f64>,
}

impl Values {
    pub(super) fn push(&mut self, origin: Origin, value: f64) {
        self.origins.push(origin);
        self.values.push(value);
    }

    /// Takes over the numbers of the same series that another one has.
    pub(super) fn absorb(&mut self, other: Values) {
        self.origins.extend(other.origins);
        self.values.extend(other.values);
    }

    /// Puts the numbers in order of time, whichever streams and threads they came from.
    fn sort(&mut self) {
        if self.origins.is_sorted() {
            return;
        }
        let mut order: Vec<usize> = (0..self.origins.len()).collect();
        order.sort_unstable_by_key(|place| self.origins[*place]);
        self.values = order.iter().map(|place| self.values[*place]).collect();
        self.origins = order.iter().map(|place| self.origins[*place]).collect();
    }

    /// What the windows make of the numbers; nothing where a window has none.
    pub(super) fn column(mut self, op: &Fold, windows: &Windows) -> Result<Column> {
        self.sort();
        let times: Vec<i64> = self.origins.iter().map(|(time, ..)| *time).collect();
        let mut column = Column::absent(windows.grid.count);
        let (mut from, mut to) = (0, 0);
        for step in 0..windows.grid.count {
            let end = windows.grid.time(step);
            let start = end.saturating_sub(windows.range);
            to += times[to..].iter().take_while(|time| **time <= end).count();
            from += times[from..to]
                .iter()
                .take_while(|time| **time <= start)
                .count();
            if from == to {
                continue;
            }
            let (times, values) = (&times[from..to], &self.values[from..to]);
            if let Some(value) = op.apply(times, values, (start, end))? {
                column.set_float(step, value);
            }
        }
        Ok(column)
    }
}

/// What is made of the numbers of a window.
pub(super) struct Fold {
    op: RangeOp,
    parameter: Option<f64>,
    range_ns: i64,
    /// PromQL's function for it.
    function: Option<RangeFunction>,
    notes: Notes,
}

impl Fold {
    pub(super) fn new(op: RangeOp, parameter: Option<f64>, range_ns: i64) -> Fold {
        let name = match op {
            RangeOp::Rate => "sum_over_time",
            op => op.name(),
        };
        Fold {
            op,
            parameter,
            range_ns,
            function: range_function(name),
            notes: Notes::default(),
        }
    }

    fn apply(
        &self,
        times: &[i64],
        values: &[f64],
        (start, end): (i64, i64),
    ) -> Result<Option<f64>> {
        if self.op == RangeOp::RateCounter {
            return Ok(Some(rate_counter(times, values, self.range_ns)));
        }
        let Some(function) = self.function else {
            return Ok(None);
        };
        let window = Window {
            time: end,
            start,
            end,
            floats: Part {
                times,
                values,
                starts: None,
            },
            histograms: Part {
                times: &[],
                values: &[],
                starts: None,
            },
            edge: Edge::Plain,
        };
        let scope = Scope {
            params: self.parameter.as_slice(),
            metric: "",
            span: Span::default(),
            notes: &self.notes,
        };
        let value = function(&window, &scope)?.and_then(|sample| sample.as_float());
        Ok(match self.op {
            RangeOp::Rate => value.map(|sum| sum / seconds(self.range_ns)),
            _ => value,
        })
    }
}

/// Nanoseconds as seconds.
#[expect(clippy::cast_precision_loss)] // Ranges are far below 2^53 nanoseconds, or do not mind.
pub(super) fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}
