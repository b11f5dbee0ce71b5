//! Series one after the other, each gone before many others are made: how aggregations take what
//! they add up.
//!
//! Selectors and functions over ranges are read while they are taken. Everything else is evaluated
//! whole and then gone through. Series come in the same order either way.

use std::collections::HashSet;
use std::hash::BuildHasher;

use chronolith_engine::labels::{LabelSet, Labels};
use foldhash::quality::RandomState;

use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::Column;
use crate::promql::eval::labels::put_without_metadata;
use crate::promql::plan::{CallNode, Grid, Node, NodeKind};
use crate::promql::signatures::ValueType;

/// A series as it is taken.
pub(super) struct Taken<'a> {
    pub(super) labels: Labels<'a>,
    /// Whether its name goes at the end, where names are removed that late.
    pub(super) drops_name: bool,
    pub(super) column: Column,
}

impl Taken<'_> {
    fn of(labels: &LabelSet, drops_name: bool, column: Column) -> Taken<'_> {
        Taken {
            labels: labels.as_labels(),
            drops_name,
            column,
        }
    }
}

/// Whoever takes series.
pub(super) type Take<'t> = dyn FnMut(Taken<'_>) -> Result<()> + Send + 't;

impl Evaluator<'_> {
    /// Gives the series of a part that is a vector by its type, in their order.
    pub(super) fn stream(&self, node: &Node, grid: Grid, take: &mut Take<'_>) -> Result<()> {
        match &node.kind {
            NodeKind::Selector(selection) if self.is_streamed(node, grid) => {
                self.instant(selection, node.span, grid, |series| {
                    let held = series.column.len();
                    take(Taken::of(&series.labels, series.drops_name, series.column))?;
                    self.guard.release(held);
                    Ok(())
                })
            }
            NodeKind::Call(call) if self.is_streamed(node, grid) => match range_of(call) {
                Some(index) => self.stream_call(call, index, grid, take),
                None => self.stream_whole(node, grid, take),
            },
            _ => self.stream_whole(node, grid, take),
        }
    }

    /// Whether a part may come while it is read: nobody else needs it, it is not the same at every
    /// step, and nobody asks how long it takes by itself.
    fn is_streamed(&self, node: &Node, grid: Grid) -> bool {
        let is_once = node.is_invariant && grid.count > 1;
        node.twin.is_none() && !is_once && self.trace.is_none()
    }

    fn stream_whole(&self, node: &Node, grid: Grid, take: &mut Take<'_>) -> Result<()> {
        for series in self.vector(node, grid)? {
            self.guard.check()?;
            take(Taken::of(&series.labels, series.drops_name, series.column))?;
        }
        Ok(())
    }

    /// The series of a function over ranges, without labels of their own: names are taken off here,
    /// for as long as a series is looked at.
    fn stream_call(
        &self,
        call: &CallNode,
        index: usize,
        grid: Grid,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let keeps_name = call.keeps_name();
        let (mut distinct, mut bytes) = (Distinct::default(), Vec::new());
        self.range_series(call, index, grid, |series| {
            let mut labels = series.labels.as_labels();
            if !keeps_name && !self.delays_names() {
                bytes.clear();
                put_without_metadata(labels, &mut bytes);
                // A subset of a valid set is valid.
                labels = Labels::from_bytes(&bytes)?;
            }
            if !self.delays_names() && !distinct.is_new(labels) {
                return Err(Error::same_labels());
            }
            let held = series.column.len();
            take(Taken {
                labels,
                drops_name: !keeps_name,
                column: series.column,
            })?;
            self.guard.release(held);
            Ok(())
        })
    }
}

/// Where the range is among the arguments of a function, if it is called with one and gives a
/// series for each.
fn range_of(call: &CallNode) -> Option<usize> {
    let is_range = |arg: &Node| matches!(arg.kind, NodeKind::Range(..) | NodeKind::Subquery(_));
    let index = call.args.iter().position(is_range)?;
    let is_whole = matches!(call.function.name, "absent_over_time");
    (!is_whole && call.function.args[index] == ValueType::Matrix).then_some(index)
}

/// Tells whether label sets come twice, by 128 bits of hash: as many as tell series apart
/// elsewhere.
#[derive(Default)]
struct Distinct {
    hashers: [RandomState; 2],
    seen: HashSet<[u64; 2], RandomState>,
}

impl Distinct {
    fn is_new(&mut self, labels: Labels<'_>) -> bool {
        let hash = |hasher: &RandomState| hasher.hash_one(labels.as_bytes());
        self.seen.insert(self.hashers.each_ref().map(hash))
    }
}
