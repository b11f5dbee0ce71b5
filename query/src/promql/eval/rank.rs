//! Aggregations that choose series of a group: `topk`, `bottomk`, `limitk` and `limit_ratio`.

use std::cmp::Ordering;

use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::aggregate::Groups;
use crate::promql::eval::column::{Cell, Column, Series};
use crate::promql::functions::hash::ratio_of;
use crate::promql::functions::order;
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
        let mut chosen: Vec<Option<Column>> = Vec::new();
        chosen.resize_with(series.len(), || None);
        let mut order: Vec<usize> = Vec::new();
        let (mut places, mut ranked) = (Vec::new(), Vec::new());
        for members in &groups.members {
            for (step, param) in params.iter().enumerate() {
                self.guard.check()?;
                places.clear();
                let wanted = Wanted {
                    op: node.op,
                    param: *param,
                    span,
                };
                self.choose(wanted, &series, members, step, &mut ranked, &mut places);
                for &place in &places {
                    if let Some(cell) = series[place].column.cell(step) {
                        chosen[place]
                            .get_or_insert_with(|| Column::absent(grid.count))
                            .set(step, cell.to_sample());
                    }
                }
                if grid.count == 1 {
                    order.extend(&places);
                }
            }
        }
        if grid.count > 1 {
            order = (0..series.len()).collect();
        }
        let found = order.into_iter().filter_map(|place| {
            Some(Series {
                column: chosen[place].take()?,
                labels: series[place].labels.clone(),
                drops_name: series[place].drops_name,
            })
        });
        Ok(found.collect())
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

    /// Appends the places of the series that are chosen at a step, the best first.
    fn choose(
        &self,
        wanted: Wanted,
        series: &[Series],
        members: &[usize],
        step: usize,
        ranked: &mut Vec<(usize, f64)>,
        chosen: &mut Vec<usize>,
    ) {
        let present = members
            .iter()
            .copied()
            .filter(|place| series[*place].column.has(step));
        if wanted.op == AggregateOp::LimitRatio {
            let ratio = wanted.param.clamp(-1.0, 1.0);
            let in_ratio = |place: &usize| is_in_ratio(&series[*place], ratio);
            return chosen.extend(present.filter(in_ratio));
        }
        if wanted.param < 1.0 {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // At least 1; saturates.
        let count = wanted.param as usize;
        if wanted.op == AggregateOp::Limitk {
            return chosen.extend(present.take(count));
        }
        ranked.clear();
        for place in present {
            match series[place].column.cell(step) {
                Some(Cell::Float(value)) => insert(ranked, (place, value), count, wanted.op),
                _ => self
                    .notes
                    .ignored_in_aggregation(wanted.span, wanted.op.name()),
            }
        }
        if count > INSERTED_MAX {
            ranked.sort_by(|(_, one), (_, two)| rank_order(wanted.op, *one, *two));
            ranked.truncate(count);
        }
        chosen.extend(ranked.iter().map(|(place, _)| *place));
    }
}

/// What is chosen at a step.
#[derive(Clone, Copy)]
struct Wanted {
    op: AggregateOp,
    param: f64,
    span: Span,
}

/// With no more than so many wanted, the best are kept in order while the others go by.
const INSERTED_MAX: usize = 64;

/// Keeps a value if it is one of the best so far. Of equals those stay that came first. If more are
/// wanted than are worth keeping in order, they are only gathered.
fn insert(ranked: &mut Vec<(usize, f64)>, new: (usize, f64), count: usize, op: AggregateOp) {
    if count > INSERTED_MAX {
        return ranked.push(new);
    }
    let stays = |(_, value): &(usize, f64)| rank_order(op, *value, new.1) != Ordering::Greater;
    if ranked.len() == count {
        if ranked.last().is_some_and(stays) {
            return;
        }
        ranked.pop();
    }
    let place = ranked.partition_point(stays);
    ranked.insert(place, new);
}

/// The best first; NaN comes last either way.
fn rank_order(op: AggregateOp, one: f64, two: f64) -> Ordering {
    order::by_value(one, two, op == AggregateOp::Topk)
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
