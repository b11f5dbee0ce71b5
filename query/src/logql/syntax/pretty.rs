//! Queries broken into lines where one line would be too long, as `format_query` gives them.

use crate::logql::syntax::ast::{LogQuery, MetricExpr, MetricKind, Query, RangeAggregate, Stage};
use crate::logql::syntax::printer::{
    aggregate_head, label_replace_texts, operator, print_lines, print_metric, print_selector,
    print_stage, print_unwrap, range_ends, window,
};

/// Where lines are broken.
const LINE_BYTES_MAX: usize = 100;

/// How much further in the parts of a broken expression stand.
const INDENT: &str = "  ";

/// The query with lines broken and indented where they would be longer than 100 bytes.
pub fn pretty(query: &Query) -> String {
    match query {
        Query::Lines(lines) => pretty_lines(lines, 0, ""),
        Query::Metric(expr) => pretty_metric(expr, 0),
    }
}

fn indent(level: usize) -> String {
    INDENT.repeat(level)
}

fn fits(text: &str, level: usize) -> bool {
    level * INDENT.len() + text.len() <= LINE_BYTES_MAX
}

/// A selector with a line for each stage, line filters together; `tail` follows the last one.
fn pretty_lines(lines: &LogQuery, level: usize, tail: &str) -> String {
    let short = print_lines(lines) + tail;
    if fits(&short, level) {
        return indent(level) + &short;
    }
    let mut out = indent(level) + &print_selector(&lines.matchers);
    let mut follows_filter = false;
    for stage in &lines.stages {
        let is_filter = matches!(stage, Stage::Line(_));
        match is_filter && follows_filter {
            true => out.push(' '),
            false => out += &format!("\n{}", indent(level + 1)),
        }
        out += &print_stage(stage);
        follows_filter = is_filter;
    }
    out + tail
}

fn pretty_metric(expr: &MetricExpr, level: usize) -> String {
    let short = print_metric(expr);
    if fits(&short, level) {
        return indent(level) + &short;
    }
    let margin = indent(level);
    match &expr.kind {
        MetricKind::Number(_) | MetricKind::Vector(_) => margin + &short,
        MetricKind::Range(range) => pretty_range(range, level),
        MetricKind::Aggregate(aggregate) => {
            let inside = pretty_metric(&aggregate.expr, level + 1);
            let head = aggregate_head(aggregate);
            format!("{margin}{head}\n{inside}\n{margin})")
        }
        MetricKind::Binary(binary) => {
            let left = pretty_side(&binary.left, level + 1);
            let right = pretty_side(&binary.right, level + 1);
            format!("{left}\n{margin}{}\n{right}", operator(binary))
        }
        MetricKind::LabelReplace(replace) => {
            let inside = pretty_metric(&replace.expr, level + 1);
            let texts = label_replace_texts(replace);
            let deeper = indent(level + 1);
            format!("{margin}label_replace(\n{inside},\n{deeper}{texts}\n{margin})")
        }
    }
}

/// A side of an operator; an operator inside of it keeps its parentheses.
fn pretty_side(expr: &MetricExpr, level: usize) -> String {
    let is_broken = !fits(&print_metric(expr), level);
    match &expr.kind {
        MetricKind::Binary(_) if is_broken => {
            let inside = pretty_metric(expr, level + 1);
            let margin = indent(level);
            format!("{margin}(\n{inside}\n{margin})")
        }
        _ => pretty_metric(expr, level),
    }
}

fn pretty_range(range: &RangeAggregate, level: usize) -> String {
    let (head, tail) = range_ends(range);
    let unwrap = range.unwrap.as_ref().map(print_unwrap);
    let behind = match unwrap {
        Some(unwrap) => format!("\n{}{unwrap} {}", indent(level + 2), window(range)),
        None => format!(" {}", window(range)),
    };
    let inside = pretty_lines(&range.lines, level + 1, &behind);
    let margin = indent(level);
    format!("{margin}{head}\n{inside}\n{margin}{tail}")
}
