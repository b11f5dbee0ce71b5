//! `and`, `or` and `unless`.

use std::collections::HashMap;

use chronolith_engine::labels::LabelSet;

use crate::promql::eval::Evaluator;
use crate::promql::eval::binary::signature;
use crate::promql::eval::column::Series;
use crate::promql::plan::{BinaryNode, Grid};
use crate::promql::syntax::{BinaryOp, Grouping};

impl Evaluator<'_> {
    pub(super) fn set_operation(
        &self,
        node: &BinaryNode,
        mut left: Vec<Series>,
        mut right: Vec<Series>,
        grid: Grid,
    ) -> Vec<Series> {
        let labels = &node.matching.labels;
        if node.op == BinaryOp::Or {
            let present = presence_by_signature(&left, labels, grid);
            for series in &mut right {
                if let Some(present) = present.get(&signature(series, labels)) {
                    clear_where(series, |step| present[step]);
                }
            }
            left.append(&mut right);
            return left;
        }
        let present = presence_by_signature(&right, labels, grid);
        for series in &mut left {
            let present = present.get(&signature(series, labels));
            let has = |step: usize| present.is_some_and(|present| present[step]);
            match node.op {
                BinaryOp::And => clear_where(series, |step| !has(step)),
                _ => clear_where(series, has),
            }
        }
        left
    }
}

/// At which steps there is a series of each signature.
fn presence_by_signature(
    series: &[Series],
    labels: &Grouping,
    grid: Grid,
) -> HashMap<LabelSet, Vec<bool>> {
    let mut present: HashMap<LabelSet, Vec<bool>> = HashMap::new();
    for series in series {
        let steps = present
            .entry(signature(series, labels))
            .or_insert_with(|| vec![false; grid.count]);
        for (step, present) in steps.iter_mut().enumerate() {
            *present |= series.column.has(step);
        }
    }
    present
}

fn clear_where(series: &mut Series, goes: impl Fn(usize) -> bool) {
    for step in 0..series.column.len() {
        if goes(step) {
            series.column.clear(step);
        }
    }
}
