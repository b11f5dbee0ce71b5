//! What is in a tree: the selectors and the aggregations over windows of a query.

use crate::logql::syntax::ast::{LogQuery, MetricExpr, MetricKind, Query, RangeAggregate};

/// The selectors of a query with their pipelines, from left to right.
pub fn selectors(query: &Query) -> Vec<&LogQuery> {
    match query {
        Query::Lines(lines) => vec![lines],
        Query::Metric(expr) => {
            let ranges = range_aggregates(expr);
            ranges.into_iter().map(|range| &range.lines).collect()
        }
    }
}

/// The aggregations over windows of an expression, from left to right.
pub fn range_aggregates(expr: &MetricExpr) -> Vec<&RangeAggregate> {
    let mut found = Vec::new();
    collect(expr, &mut found);
    found
}

fn collect<'e>(expr: &'e MetricExpr, found: &mut Vec<&'e RangeAggregate>) {
    match &expr.kind {
        MetricKind::Number(_) | MetricKind::Vector(_) => {}
        MetricKind::Range(range) => found.push(range),
        MetricKind::Aggregate(aggregate) => collect(&aggregate.expr, found),
        MetricKind::LabelReplace(replace) => collect(&replace.expr, found),
        MetricKind::Binary(binary) => {
            collect(&binary.left, found);
            collect(&binary.right, found);
        }
    }
}
