//! Aggregations that choose series of a group: `topk`, `bottomk`, `limitk` and `limit_ratio`.

use std::cmp::Ordering;

use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::aggregate::Groups;
use crate::promql::eval::column::{Cell, Column, Series};
use crate::promql::functions::hash::ratio_of;
use crate::promql::plan::{AggregateNode, Grid, Node};
use crate::promql::syntax::AggregateOp;
use crate::text::Span;

impl Evaluator<'_> {
    pub(super) fn rank(
        &self,
        node: &AggregateNode,
        param: &Node,
        span: Span,
        grid: Grid,
    ) -> Result<Vec<Series>> {
        let params = self.scalar(param, grid)?;
        self.check_params(node.op, &params, param.span)?;
        let series = self.vector(&node.expr, grid)?;
        let groups = Groups::of(&series, &node.grouping);
        let mut chosen: Vec<Column> = Vec::with_capacity(series.len());
        chosen.resize_with(series.len(), || Column::absent(grid.count));
        let mut order: Vec<usize> = Vec::new();
        for members in &groups.members {
            self.guard.check()?;
            for (step, param) in params.iter().enumerate() {
                let places = self.choose(node.op, *param, &series, members, step, span);
                for &place in &places {
                    if let Some(cell) = series[place].column.cell(step) {
                        chosen[place].set(step, cell.to_sample());
                    }
                }
                if grid.count == 1 {
                    order.extend(places);
                }
            }
        }
        if grid.count > 1 {
            order = (0..series.len()).collect();
        }
        let found = order.into_iter().map(|place| Series {
            column: chosen[place].clone(),
            labels: series[place].labels.clone(),
            drops_name: series[place].drops_name,
        });
        Ok(found.filter(|series| !series.column.is_absent()).collect())
    }

    /// Refuses parameters that say nothing, and notes those that say too much.
    fn check_params(&self, op: AggregateOp, params: &[f64], span: Span) -> Result<()> {
        let has_nan = params.iter().any(|param| param.is_nan());
        if op == AggregateOp::LimitRatio {
            if has_nan {
                return Err(Error::execution("Ratio value is NaN"));
            }
            let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let least = params.iter().copied().fold(f64::INFINITY, f64::min);
            if most > 1.0 {
                self.notes.invalid_ratio(span, most, 1.0);
            }
            if least < -1.0 {
                self.notes.invalid_ratio(span, least, -1.0);
            }
            return Ok(());
        }
        if has_nan {
            return Err(Error::execution("Parameter value is NaN"));
        }
        // 2^63 as a float.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        for param in params {
            if *param >= LIMIT {
                let message = format!("Scalar value {param} overflows int64");
                return Err(Error::execution(message));
            }
            if *param < -LIMIT {
                let message = format!("Scalar value {param} underflows int64");
                return Err(Error::execution(message));
            }
        }
        Ok(())
    }

    /// The places of the series that are chosen at a step, the best first.
    fn choose(
        &self,
        op: AggregateOp,
        param: f64,
        series: &[Series],
        members: &[usize],
        step: usize,
        span: Span,
    ) -> Vec<usize> {
        let present = members
            .iter()
            .copied()
            .filter(|place| series[*place].column.has(step));
        if op == AggregateOp::LimitRatio {
            let ratio = param.clamp(-1.0, 1.0);
            let in_ratio = |place: &usize| is_in_ratio(&series[*place], ratio);
            return present.filter(in_ratio).collect();
        }
        if param < 1.0 {
            return Vec::new();
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // At least 1; saturates.
        let count = param as usize;
        if op == AggregateOp::Limitk {
            return present.take(count).collect();
        }
        let mut ranked: Vec<(usize, f64)> = Vec::new();
        for place in present {
            match series[place].column.cell(step) {
                Some(Cell::Float(value)) => ranked.push((place, value)),
                _ => self.notes.ignored_in_aggregation(span, op.name()),
            }
        }
        // Stable, so that of equals those stay that came first. NaN comes last either way.
        ranked.sort_by(|(_, one), (_, two)| match (one.is_nan(), two.is_nan()) {
            (false, false) => {
                let order = one.partial_cmp(two).unwrap_or(Ordering::Equal);
                if op == AggregateOp::Topk {
                    order.reverse()
                } else {
                    order
                }
            }
            (one, two) => one.cmp(&two),
        });
        ranked.truncate(count);
        ranked.into_iter().map(|(place, _)| place).collect()
    }
}

/// Whether the hash of a series lies in the part that the ratio takes: the lower part, or for a
/// negative ratio the upper one, so that `r` and `r - 1` share nothing and leave nothing out.
fn is_in_ratio(series: &Series, ratio: f64) -> bool {
    let place = ratio_of(series.labels.as_labels());
    if ratio >= 0.0 {
        place < ratio
    } else {
        place >= 1.0 + ratio
    }
}
