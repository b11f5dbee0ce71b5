//! Aggregations that choose series of a group: `topk`, `bottomk`, `limitk` and `limit_ratio`.

use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::{Cell, Column, Series};
use crate::promql::eval::groups::members;
use crate::promql::functions::hash::ratio_of;
use crate::promql::functions::order;
use crate::promql::plan::{AggregateNode, Grid, Node};
use crate::promql::syntax::AggregateOp;
use crate::text::{Span, number};

impl Evaluator<'_> {
    pub(super) fn rank(
        &self,
        node: &AggregateNode,
        param: &Node,
        span: Span,
        grid: Grid,
    ) -> Result<Vec<Series>> {
        let params = self.scalar(param, grid)?;
        let series = self.vector(&node.expr, grid)?;
        self.check_params(node.op, &params, param.span)?;
        let groups = members(&series, &node.grouping)?;
        let mut chosen: Vec<Option<Column>> = Vec::new();
        chosen.resize_with(series.len(), || None);
        let mut order: Vec<usize> = Vec::new();
        let wanted = Wanted {
            op: node.op,
            params: &params,
            span,
        };
        for (_, members) in &groups {
            self.guard.check()?;
            for (step, places) in self.choose(wanted, &series, members)?.iter().enumerate() {
                for &place in places {
                    if let Some(cell) = series[place].column.cell(step) {
                        chosen[place]
                            .get_or_insert_with(|| Column::absent(grid.count))
                            .set(step, cell.to_sample());
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
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        if op == AggregateOp::LimitRatio {
            if has_nan {
                return Err(Error::execution("Ratio value is NaN"));
            }
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
        // Where nothing is asked for at any step, nothing is wrong with asking.
        if most < 1.0 {
            return Ok(());
        }
        // 2^63 as a float, and the float below it.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        const LAST: f64 = 9_223_372_036_854_774_784.0;
        let wrong = match (least <= -LIMIT, most >= LAST) {
            (true, _) => (least, "underflows"),
            (_, true) => (most, "overflows"),
            _ => return Ok(()),
        };
        let shown = number::general(wrong.0);
        Err(Error::execution(format!(
            "Scalar value {shown} {} int64",
            wrong.1
        )))
    }

    /// The places of the series that are chosen at each step, the best first.
    fn choose(
        &self,
        wanted: Wanted<'_>,
        series: &[Series],
        members: &[usize],
    ) -> Result<Vec<Vec<usize>>> {
        match wanted.op {
            AggregateOp::LimitRatio => Ok(wanted.in_ratio(series, members)),
            AggregateOp::Limitk => Ok(wanted.first(series, members)),
            _ => self.best(wanted, series, members),
        }
    }

    /// The best at each step. Series come one after the other, each at all steps, since a column is
    /// read fastest from its beginning to its end.
    fn best(
        &self,
        wanted: Wanted<'_>,
        series: &[Series],
        members: &[usize],
    ) -> Result<Vec<Vec<usize>>> {
        let op = wanted.op;
        let counts: Vec<usize> = wanted.counts().collect();
        let mut heaps: Vec<Vec<(usize, f64)>> = vec![Vec::new(); counts.len()];
        for &place in members {
            self.guard.check()?;
            let column = &series[place].column;
            for (step, (heap, count)) in heaps.iter_mut().zip(&counts).enumerate() {
                match column.cell(step) {
                    Some(_) if *count == 0 => {}
                    None => {}
                    Some(Cell::Float(value)) => keep(heap, (place, value), *count, op),
                    Some(Cell::Histogram(_)) => {
                        self.notes.ignored_in_aggregation(wanted.span, op.name());
                    }
                }
            }
        }
        let sorted = heaps.into_iter().map(|mut heap| {
            put_best_first(&mut heap, op);
            heap.into_iter().map(|(place, _)| place).collect()
        });
        Ok(sorted.collect())
    }
}

/// What is chosen at each step.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    op: AggregateOp,
    params: &'a [f64],
    span: Span,
}

impl Wanted<'_> {
    /// How many at each step.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates.
    fn counts(&self) -> impl Iterator<Item = usize> {
        self.params.iter().map(|param| param.max(0.0) as usize)
    }

    /// The first of those that are there.
    fn first(&self, series: &[Series], members: &[usize]) -> Vec<Vec<usize>> {
        let at_step = |(step, count): (usize, usize)| {
            let present = members.iter().copied();
            let present = present.filter(|place| series[*place].column.has(step));
            present.take(count).collect()
        };
        self.counts().enumerate().map(at_step).collect()
    }

    /// Those of which the hash of the labels is in the ratio.
    fn in_ratio(&self, series: &[Series], members: &[usize]) -> Vec<Vec<usize>> {
        let at_step = |(step, ratio): (usize, &f64)| {
            let is_chosen = |place: &usize| {
                series[*place].column.has(step)
                    && is_in_ratio(&series[*place], ratio.clamp(-1.0, 1.0))
            };
            members.iter().copied().filter(is_chosen).collect()
        };
        self.params.iter().enumerate().map(at_step).collect()
    }
}

/// Whether a value goes before another when there are too many. NaN always does.
fn is_worse(op: AggregateOp, one: f64, two: f64) -> bool {
    one.is_nan()
        || match op {
            AggregateOp::Topk => one < two,
            _ => one > two,
        }
}

/// Keeps a value if it is one of the best so far, in a heap with the worst on top. Which of equals
/// goes is told by where it happens to lie, so the heap is the one of Go's library.
fn keep(heap: &mut Vec<(usize, f64)>, new: (usize, f64), count: usize, op: AggregateOp) {
    let is_worse = |one: (usize, f64), two: (usize, f64)| is_worse(op, one.1, two.1);
    if heap.len() < count {
        heap.push(new);
        let mut child = heap.len() - 1;
        while child > 0 && is_worse(heap[child], heap[(child - 1) / 2]) {
            heap.swap(child, (child - 1) / 2);
            child = (child - 1) / 2;
        }
        return;
    }
    let (worst, value) = (heap[0].1, new.1);
    let is_better = match op {
        AggregateOp::Topk => worst < value,
        _ => worst > value,
    };
    let is_number_at_last = worst.is_nan() && !value.is_nan();
    if !is_better && !is_number_at_last {
        return;
    }
    heap[0] = new;
    let mut parent = 0;
    loop {
        let (left, right) = (2 * parent + 1, 2 * parent + 2);
        let child = match right < heap.len() && is_worse(heap[right], heap[left]) {
            true => right,
            false => left,
        };
        if child >= heap.len() || !is_worse(heap[child], heap[parent]) {
            return;
        }
        heap.swap(child, parent);
        parent = child;
    }
}

/// Up to so many are sorted by insertion, as in Go's library, where equals then stay as they lay.
const INSERTED_MAX: usize = 12;

/// Sorts a heap so that the best comes first.
fn put_best_first(heap: &mut [(usize, f64)], op: AggregateOp) {
    if heap.len() > INSERTED_MAX {
        return heap
            .sort_by(|(_, one), (_, two)| order::by_value(*one, *two, op == AggregateOp::Topk));
    }
    for end in 1..heap.len() {
        let mut place = end;
        while place > 0 && is_worse(op, heap[place - 1].1, heap[place].1) {
            heap.swap(place - 1, place);
            place -= 1;
        }
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
