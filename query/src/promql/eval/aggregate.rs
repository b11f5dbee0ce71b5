//! Aggregations that make one series of a group: sums, means, counts, extremes, quantiles.
//!
//! Series stream through: each is added to the accumulators of its group at all steps, in the order
//! in which series come, so sums round as in Prometheus.

use std::collections::HashMap;

use chronolith_engine::labels::{LabelSet, Labels};

use crate::promql::annotations::Notes;
use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::{Cell, Column, Sample, Series};
use crate::promql::eval::labels::{grouped, metric_name, put_grouped, with};
use crate::promql::eval::totals::Totals;
use crate::promql::functions::order::quantile_of;
use crate::promql::functions::total::HistogramTotal;
use crate::promql::plan::{AggregateNode, Grid, Node};
use crate::promql::syntax::{AggregateOp, Grouping};
use crate::text::{Span, number, quote};

/// The series of each group by their places, in order of first appearance.
pub(super) struct Groups {
    pub(super) labels: Vec<LabelSet>,
    pub(super) members: Vec<Vec<usize>>,
}

impl Groups {
    pub(super) fn of(series: &[Series], grouping: &Grouping) -> Groups {
        let random = foldhash::fast::RandomState::default();
        let mut places: HashMap<Vec<u8>, usize, _> = HashMap::with_hasher(random);
        let mut groups = Groups {
            labels: Vec::new(),
            members: Vec::new(),
        };
        // Canonical bytes tell a group; labels are made of those of a new one only.
        let mut key = Vec::new();
        for (index, series) in series.iter().enumerate() {
            key.clear();
            put_grouped(series.labels.as_labels(), grouping, &mut key);
            let place = match places.get(&key) {
                Some(place) => *place,
                None => {
                    let labels = Labels::from_bytes(&key);
                    groups
                        .labels
                        .push(labels.map_or_else(|_| LabelSet::default(), Labels::to_set));
                    groups.members.push(Vec::new());
                    places.insert(key.clone(), groups.labels.len() - 1);
                    groups.labels.len() - 1
                }
            };
            groups.members[place].push(index);
        }
        groups
    }
}

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
                self.by_group(node, series, |members, notes| {
                    quantiles(members, &q, node.expr.span, notes)
                })
            }
            _ => {
                let series = self.vector(&node.expr, grid)?;
                let span = node.expr.span;
                self.by_group(node, series, |members, notes| {
                    accumulate(node.op, members, grid.count, span, notes)
                })
            }
        }
    }

    fn by_group(
        &self,
        node: &AggregateNode,
        series: Vec<Series>,
        column: impl Fn(&[&Series], &Notes) -> Column + Sync,
    ) -> Result<Vec<Series>> {
        let groups = Groups::of(&series, &node.grouping);
        let groups: Vec<_> = groups.labels.into_iter().zip(groups.members).collect();
        self.share(groups, |(labels, places), notes| {
            let members: Vec<&Series> = places.iter().map(|place| &series[*place]).collect();
            let column = column(&members, notes);
            Ok((!column.is_absent()).then(|| Series {
                labels,
                drops_name: members.iter().any(|series| series.drops_name),
                column,
            }))
        })
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

fn accumulate(
    op: AggregateOp,
    members: &[&Series],
    steps: usize,
    span: Span,
    notes: &Notes,
) -> Column {
    let mut totals = Totals::of(op, steps);
    let mut histograms: HashMap<usize, HistogramTotal> = HashMap::new();
    let counts_all = matches!(op, AggregateOp::Count | AggregateOp::Group);
    let adds_histograms = matches!(op, AggregateOp::Sum | AggregateOp::Avg);
    for series in members {
        if let Some((present, values)) = series.column.only_floats() {
            totals.add_all(present, values);
            continue;
        }
        let metric = metric_name(series.labels.as_labels());
        for step in 0..steps {
            match series.column.cell(step) {
                None => {}
                Some(Cell::Float(value)) => totals.add(step, value),
                Some(Cell::Histogram(_)) if counts_all => totals.add(step, 0.0),
                Some(Cell::Histogram(histogram)) if adds_histograms => {
                    let place = histograms.entry(step);
                    let total = place.or_insert_with(|| match op {
                        AggregateOp::Avg => HistogramTotal::mean(),
                        _ => HistogramTotal::sum(),
                    });
                    total.add(histogram, metric, span, notes);
                }
                Some(Cell::Histogram(_)) => notes.ignored_in_aggregation(span, op.name()),
            }
        }
    }
    let mut column = totals.into_column();
    for step in 0..steps {
        let Some(total) = histograms.remove(&step) else {
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
