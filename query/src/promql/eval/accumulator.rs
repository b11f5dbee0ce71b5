//! [`Accumulator`]: what becomes of the series of one group, floats and histograms alike.

use std::collections::HashMap;

use crate::promql::annotations::Notes;
use crate::promql::eval::column::{Cell, Column, Sample};
use crate::promql::eval::labels::metric_name;
use crate::promql::eval::stream::Taken;
use crate::promql::eval::totals::Totals;
use crate::promql::functions::total::HistogramTotal;
use crate::promql::syntax::AggregateOp;
use crate::text::Span;

/// The series of a group, added up at all steps in the order in which they come.
pub(super) struct Accumulator {
    op: AggregateOp,
    steps: usize,
    /// Whether the name of any of them goes at the end.
    pub(super) drops_name: bool,
    totals: Totals,
    histograms: HashMap<usize, HistogramTotal>,
}

impl Accumulator {
    pub(super) fn of(op: AggregateOp, steps: usize) -> Self {
        Accumulator {
            op,
            steps,
            drops_name: false,
            totals: Totals::of(op, steps),
            histograms: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, series: &Taken<'_>, span: Span, notes: &Notes) {
        if let Some((present, values)) = series.column.only_floats() {
            return self.totals.add_all(present, values);
        }
        let (op, metric) = (self.op, metric_name(series.labels));
        let counts_all = matches!(op, AggregateOp::Count | AggregateOp::Group);
        let adds_histograms = matches!(op, AggregateOp::Sum | AggregateOp::Avg);
        for step in 0..self.steps {
            match series.column.cell(step) {
                None => {}
                Some(Cell::Float(value)) => self.totals.add(step, value),
                Some(Cell::Histogram(_)) if counts_all => self.totals.add(step, 0.0),
                Some(Cell::Histogram(histogram)) if adds_histograms => {
                    let total = self.histograms.entry(step).or_insert_with(|| match op {
                        AggregateOp::Avg => HistogramTotal::mean(),
                        _ => HistogramTotal::sum(),
                    });
                    total.add(histogram, metric, span, notes);
                }
                Some(Cell::Histogram(_)) => notes.ignored_in_aggregation(span, op.name()),
            }
        }
    }

    /// What has come of it; steps that have both floats and histograms have nothing.
    pub(super) fn into_column(mut self, span: Span, notes: &Notes) -> Column {
        let mut column = self.totals.into_column();
        for step in 0..self.steps {
            let Some(total) = self.histograms.remove(&step) else {
                continue;
            };
            if column.has(step) {
                notes.mixed_aggregation(span);
                column.clear(step);
            } else if let Some(histogram) = total.finish(span, notes) {
                column.set(step, Sample::Histogram(histogram));
            }
        }
        column
    }
}
