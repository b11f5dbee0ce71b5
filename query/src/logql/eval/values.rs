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

/// The numbers of one series.
#[derive(Default)]
pub(super) struct Values {
    times: Vec<i64>,
    values: Vec<f64>,
    /// Of which streams they are, one after the other: the place of the stream, and how many.
    parts: Vec<(usize, usize)>,
}

impl Values {
    /// Takes a number of a line; those of one stream come in order.
    pub(super) fn push(&mut self, stream: usize, time: i64, value: f64) {
        self.times.push(time);
        self.values.push(value);
        match self.parts.last_mut() {
            Some((last, count)) if *last == stream => *count += 1,
            _ => self.parts.push((stream, 1)),
        }
    }

    /// Takes over the numbers of the same series that another one has.
    pub(super) fn absorb(&mut self, other: Values) {
        self.times.extend(other.times);
        self.values.extend(other.values);
        self.parts.extend(other.parts);
    }

    /// Puts the numbers in order of time, and those of one time in the order of their streams,
    /// whichever threads they came from.
    fn sort(&mut self) {
        if self.parts.len() < 2 {
            return;
        }
        let streams = self.parts.iter();
        let streams = streams.flat_map(|(stream, count)| std::iter::repeat_n(*stream, *count));
        let mut order: Vec<(i64, usize, usize)> = (self.times.iter().zip(streams))
            .enumerate()
            .map(|(place, (time, stream))| (*time, stream, place))
            .collect();
        order.sort_unstable();
        self.times = order.iter().map(|(time, ..)| *time).collect();
        self.values = order
            .iter()
            .map(|(.., place)| self.values[*place])
            .collect();
    }

    /// What the windows make of the numbers; nothing where a window has none.
    pub(super) fn column(mut self, op: &Fold, windows: &Windows) -> Result<Column> {
        self.sort();
        let times = &self.times;
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
