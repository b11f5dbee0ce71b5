//! Queries broken into lines where one line would be too long, as `format_query` gives them.

use crate::logql::syntax::ast::{
    Aggregate, Binary, BinaryOp, LabelReplace, LogQuery, MetricExpr, MetricKind, Query,
    RangeAggregate, Stage,
};
use crate::logql::syntax::parser::precedence;
use crate::logql::syntax::printer::{
    aggregate_head, operator, print_lines, print_metric, print_selector, print_stage, print_unwrap,
    range_ends, window,
};
use crate::logql::syntax::units::show_duration;
use crate::text::{number, quote};

/// What is longer stands on lines of its own.
const LINE_BYTES_MAX: usize = 100;

/// How much further in the parts of a broken expression stand.
const INDENT: &str = "  ";

/// The query with lines broken and indented where they would be longer than 100 bytes. Parsing it
/// again gives the same tree.
pub fn pretty(query: &Query) -> String {
    match query {
        Query::Lines(lines) => pretty_lines(lines, 0),
        Query::Metric(expr) => pretty_metric(expr, 0),
    }
}

fn indent(level: usize) -> String {
    INDENT.repeat(level)
}

/// A selector with a line for each stage, line filters together.
fn pretty_lines(lines: &LogQuery, level: usize) -> String {
    let short = print_lines(lines);
    if short.len() <= LINE_BYTES_MAX {
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
    out
}

fn pretty_metric(expr: &MetricExpr, level: usize) -> String {
    let short = print_metric(expr);
    if short.len() <= LINE_BYTES_MAX {
        return indent(level) + &short;
    }
    match &expr.kind {
        MetricKind::Number(_) | MetricKind::Vector(_) => indent(level) + &short,
        MetricKind::Range(range) => pretty_range(range, level),
        MetricKind::Aggregate(aggregate) => pretty_aggregate(aggregate, level),
        MetricKind::Binary(binary) => pretty_binary(binary, level),
        MetricKind::LabelReplace(replace) => pretty_label_replace(replace, level),
    }
}

/// A call with an argument on each line; `head` ends with the parenthesis.
fn call(head: &str, args: &[String], tail: &str, level: usize) -> String {
    let margin = indent(level);
    format!("{margin}{head}\n{}\n{margin}{tail}", args.join(",\n"))
}

fn pretty_range(range: &RangeAggregate, level: usize) -> String {
    let (head, tail) = range_ends(range);
    let mut args: Vec<String> = Vec::new();
    let mut name = head.as_str();
    if let Some(parameter) = range.parameter {
        args.push(indent(level + 1) + &number::plain(parameter));
        name = head.split_inclusive('(').next().unwrap_or(name);
    }
    let mut lines = pretty_lines(&range.lines, level + 1);
    for part in range.unwrap.iter().flat_map(print_unwrap) {
        lines += &format!("\n{}{part}", indent(level + 2));
    }
    args.push(format!("{lines} {}", window(range, show_duration)));
    call(name, &args, &tail, level)
}

fn pretty_aggregate(aggregate: &Aggregate, level: usize) -> String {
    let mut args: Vec<String> = Vec::new();
    if let Some(count) = aggregate.parameter {
        args.push(format!("{}{count}", indent(level + 1)));
    }
    args.push(pretty_metric(&aggregate.expr, level + 1));
    call(&aggregate_head(aggregate), &args, ")", level)
}

fn pretty_label_replace(replace: &LabelReplace, level: usize) -> String {
    let mut args = vec![pretty_metric(&replace.expr, level + 1)];
    let texts = [
        &replace.destination,
        &replace.replacement,
        &replace.source,
        &replace.regex,
    ];
    args.extend(texts.map(|text| indent(level + 1) + &quote::quote(text)));
    call("label_replace(", &args, ")", level)
}

fn pretty_binary(binary: &Binary, level: usize) -> String {
    let least = precedence(binary.op);
    // What stands on the side on which operators do not go on must bind tighter.
    let (left, right) = match binary.op {
        BinaryOp::Pow => (least + 1, least),
        _ => (least, least + 1),
    };
    format!(
        "{}\n{}{}\n{}",
        pretty_side(&binary.left, left, level + 1),
        indent(level),
        operator(binary),
        pretty_side(&binary.right, right, level + 1)
    )
}

/// A side of an operator. Another operator inside of it has parentheses on one line, and where it
/// is broken if it does not bind as tightly as `least`.
fn pretty_side(expr: &MetricExpr, least: u8, level: usize) -> String {
    let is_broken = print_metric(expr).len() > LINE_BYTES_MAX;
    match &expr.kind {
        MetricKind::Binary(binary) if is_broken && precedence(binary.op) < least => {
            let inside = pretty_metric(expr, level + 1);
            call("(", &[inside], ")", level)
        }
        _ => pretty_metric(expr, level),
    }
}
