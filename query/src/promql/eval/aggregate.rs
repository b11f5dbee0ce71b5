//! Aggregations that make one series of a group: sums, means, counts, extremes, quantiles.
//!
//! Series stream through: each is added to the accumulators of its group at all steps, in the order
//! in which series come, so sums round as in Prometheus.

use std::collections::HashMap;

use chronolith_engine::labels::LabelSet;

use crate::promql::annotations::Notes;
use crate::promql::error::{Error, Result};
use crate::promql::eval::accumulator::Accumulator;
use crate::promql::eval::column::{Cell, Column, Series};
use crate::promql::eval::groups::{Groups, members};
use crate::promql::eval::labels::{grouped, with};
use crate::promql::eval::{Evaluator, keep_in};
use crate::promql::functions::order::quantile_of;
use crate::promql::plan::{AggregateNode, Grid, Node};
use crate::promql::syntax::{AggregateOp, Grouping};
use crate::text::{Span, number, quote};

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &self,
        node: &AggregateNode,
        span: Span,
        grid: Grid,
    ) -> Result<Vec<Series>> {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        match (node.op, &node.param) {
            (CountValues, Some(param)) => self.count_values(node, param, grid),
            (Topk | Bottomk | Limitk | LimitRatio, Some(param)) => {
                self.rank(node, param, span, grid)
            }
            (Quantile, Some(param)) => {
                let q = self.scalar(param, grid)?;
                self.note_quantiles(&q, param.span);
                let series = self.vector(&node.expr, grid)?;
                self.quantiles(node, series, |members, notes| {
                    quantiles(members, &q, node.expr.span, notes)
                })
            }
            _ => self.accumulate(node, grid),
        }
    }

    /// Adds up the series of each group while they come.
    fn accumulate(&self, node: &AggregateNode, grid: Grid) -> Result<Vec<Series>> {
        let mut groups: Groups<Accumulator> = Groups::of(&node.grouping);
        let span = node.expr.span;
        // Said behind what the parts below say, whenever that comes.
        let notes = Notes::default();
        self.stream(&node.expr, grid, &mut |series| {
            let group = groups.group(series.labels, || {
                self.guard.hold(grid.count)?;
                Ok(Accumulator::of(node.op, grid.count))
            })?;
            group.drops_name |= series.drops_name;
            group.add(&series, span, &notes);
            self.spare.give(series.column);
            Ok(())
        })?;
        let finished = groups.into_iter().map(|(labels, group)| Series {
            labels,
            drops_name: group.drops_name,
            column: group.into_column(span, &notes),
        });
        let found = finished.filter(|series| !series.column.is_absent());
        let found = found.collect();
        self.notes.absorb(notes);
        Ok(found)
    }

    fn quantiles(
        &self,
        node: &AggregateNode,
        series: Vec<Series>,
        column: impl Fn(&[&Series], &Notes) -> Column + Sync,
    ) -> Result<Vec<Series>> {
        let groups = members(&series, &node.grouping)?;
        let mut found = Vec::with_capacity(groups.len());
        let work = |(labels, places): (LabelSet, Vec<usize>), notes: &Notes| {
            let members: Vec<&Series> = places.iter().map(|place| &series[*place]).collect();
            let column = column(&members, notes);
            Ok((!column.is_absent()).then(|| Series {
                labels,
                drops_name: members.iter().any(|series| series.drops_name),
                column,
            }))
        };
        self.share(groups, work, keep_in(&mut found))?;
        Ok(found)
    }

    fn note_quantiles(&self, values: &[f64], span: Span) {
        if values.iter().any(|q| q.is_nan()) {
            // Which of the others is the greatest cannot be told beside it.
            return self.notes.invalid_quantile(span, f64::NAN);
        }
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        if most > 1.0 {
            self.notes.invalid_quantile(span, most);
        }
        if least < 0.0 {
            self.notes.invalid_quantile(span, least);
        }
    }

    fn count_values(&self, node: &AggregateNode, param: &Node, grid: Grid) -> Result<Vec<Series>> {
        let label = self.text(param)?;
        if label.value.is_empty() || label.bytes.is_some() {
            let shown = match &label.bytes {
                Some(bytes) => quote::quote_bytes(bytes),
                None => quote::quote(&label.value),
            };
            return Err(Error::execution(format!("invalid label name {shown}")));
        }
        let series = self.vector(&node.expr, grid)?;
        let grouping = match &node.grouping {
            Grouping::By(names) => {
                let mut names = names.clone();
                names.push(label.value.clone());
                Grouping::By(names)
            }
            without => without.clone(),
        };
        let mut places: HashMap<LabelSet, usize> = HashMap::new();
        let mut found: Vec<Series> = Vec::new();
        for series in &series {
            self.guard.check()?;
            for step in 0..grid.count {
                let text = match series.column.cell(step) {
                    None => continue,
                    Some(Cell::Float(value)) => number::plain(value),
                    Some(Cell::Histogram(histogram)) => histogram.to_string(),
                };
                let labels = with(series.labels.as_labels(), &label.value, &text)?;
                let labels = grouped(labels.as_labels(), &grouping);
                let next = found.len();
                let place = *places.entry(labels.clone()).or_insert(next);
                if place == next {
                    found.push(Series {
                        labels,
                        drops_name: false,
                        column: Column::absent(grid.count),
                    });
                }
                let column = &mut found[place].column;
                let count = column.float(step).unwrap_or(0.0);
                column.set_float(step, count + 1.0);
            }
        }
        Ok(found)
    }
}

fn quantiles(members: &[&Series], q: &[f64], span: Span, notes: &Notes) -> Column {
    let mut column = Column::absent(q.len());
    let mut values = Vec::with_capacity(members.len());
    for (step, q) in q.iter().enumerate() {
        values.clear();
        for series in members {
            match series.column.cell(step) {
                None => {}
                Some(Cell::Float(value)) => values.push(value),
                Some(Cell::Histogram(_)) => notes.ignored_in_aggregation(span, "quantile"),
            }
        }
        if !values.is_empty() {
            column.set_float(step, quantile_of(*q, &mut values));
        }
    }
    column
}
