//! From trees back to text: on one line, or broken where a line would be too long.

use std::fmt::Write as _;

use chronolith_engine::labels::{MatchOp, Matcher};

use crate::promql::syntax::ast::{
    Aggregate, At, Binary, BinaryOp, Card, DurationExpr, Edge, Expr, ExprKind, Extent, Grouping,
    Number, RangeSelector, Selector, Shift, Subquery, Text, UnaryOp,
};
use crate::promql::syntax::selector::NAME;
use crate::text::{duration, number, quote};

/// Where [`pretty`] breaks lines.
const LINE_BYTES_MAX: usize = 100;

/// The query on one line. Parsing it again gives the same tree.
pub fn print(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Number(number) => number_text(*number),
        ExprKind::Text(text) => text_literal(text),
        ExprKind::Selector(selector) => {
            let mut out = base(selector);
            push_at(&mut out, selector.at);
            push_edge(&mut out, selector.edge);
            push_shift(&mut out, selector.shift.as_ref());
            out
        }
        ExprKind::Range(range) => range_text(range),
        ExprKind::Subquery(subquery) => print(&subquery.expr) + &suffix(subquery),
        ExprKind::Paren(expr) => format!("({})", print(expr)),
        ExprKind::Unary(op, expr) => format!("{}{}", sign(*op), print(expr)),
        ExprKind::Binary(binary) => {
            let left = base_of_power(binary).unwrap_or_else(|| print(&binary.left));
            format!("{left} {} {}", operator(binary), print(&binary.right))
        }
        ExprKind::Aggregate(aggregate) => {
            let mut out = aggregate_head(aggregate) + "(";
            if let Some(param) = &aggregate.param {
                out += &print(param);
                out += ", ";
            }
            out + &print(&aggregate.expr) + ")"
        }
        ExprKind::Call(call) => {
            let args: Vec<String> = call.args.iter().map(print).collect();
            format!("{}({})", call.name, args.join(", "))
        }
    }
}

/// An infinite base, without the sign that would be read as one of the whole power.
fn base_of_power(binary: &Binary) -> Option<String> {
    let is_infinite = |number: &Number| number.value == f64::INFINITY;
    let unsigned = binary.op == BinaryOp::Pow
        && matches!(&binary.left.kind, ExprKind::Number(number) if is_infinite(number));
    unsigned.then(|| "Inf".to_owned())
}

/// The query with lines broken and indented where they would be longer than 100 bytes.
pub fn pretty(expr: &Expr) -> String {
    pretty_at(expr, 0)
}

fn pretty_at(expr: &Expr, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = print(expr);
    let fits = line.len() <= LINE_BYTES_MAX;
    match &expr.kind {
        ExprKind::Unary(op, inside) => {
            let inside = pretty_at(inside, level);
            format!("{indent}{}{}", sign(*op), inside.trim())
        }
        ExprKind::Subquery(_) if fits => line,
        ExprKind::Subquery(subquery) => pretty_at(&subquery.expr, level) + &suffix(subquery),
        _ if fits => indent + &line,
        ExprKind::Paren(inside) => {
            format!("{indent}(\n{}\n{indent})", pretty_at(inside, level + 1))
        }
        ExprKind::Binary(binary) => format!(
            "{}\n{indent}{}\n{}",
            base_of_power(binary).map_or_else(
                || pretty_at(&binary.left, level + 1),
                |base| "  ".repeat(level + 1) + &base
            ),
            operator(binary),
            pretty_at(&binary.right, level + 1)
        ),
        ExprKind::Aggregate(aggregate) => {
            let mut out = format!("{indent}{}(\n", aggregate_head(aggregate));
            if let Some(param) = &aggregate.param {
                out += &pretty_at(param, level + 1);
                out += ",\n";
            }
            out + &pretty_at(&aggregate.expr, level + 1) + "\n" + &indent + ")"
        }
        ExprKind::Call(call) => {
            let args: Vec<String> = call
                .args
                .iter()
                .map(|arg| pretty_at(arg, level + 1))
                .collect();
            format!("{indent}{}(\n{}\n{indent})", call.name, args.join(",\n"))
        }
        _ => indent + &line,
    }
}

fn sign(op: UnaryOp) -> char {
    match op {
        UnaryOp::Plus => '+',
        UnaryOp::Minus => '-',
    }
}

fn number_text(number: Number) -> String {
    if number.is_duration {
        let text = duration::format(milliseconds(number.value.abs()));
        return if number.value < 0.0 {
            format!("-{text}")
        } else {
            text
        };
    }
    number::plain(number.value)
}

#[expect(clippy::cast_possible_truncation)] // The parser let no longer duration through.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

fn text_literal(text: &Text) -> String {
    match &text.bytes {
        Some(bytes) => quote::quote_bytes(bytes),
        None => quote::quote(&text.value),
    }
}

/// A selector's name and braces.
fn base(selector: &Selector) -> String {
    let name = selector.name.as_deref().unwrap_or("");
    let own_name = |matcher: &&Matcher| {
        let is_name = matcher.name() == NAME && matcher.op() == MatchOp::Equal;
        is_name && !name.is_empty() && matcher.value() == name
    };
    let mut texts: Vec<String> = selector
        .matchers
        .iter()
        .filter(|matcher| !own_name(matcher))
        .map(matcher_text)
        .collect();
    texts.sort();
    match (texts.is_empty(), name.is_empty()) {
        (true, false) => name.to_owned(),
        _ => format!("{name}{{{}}}", texts.join(",")),
    }
}

fn matcher_text(matcher: &Matcher) -> String {
    let op = match matcher.op() {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    let name = label_text(matcher.name());
    format!("{name}{op}{}", quote::quote(matcher.value()))
}

/// A label's name, quoted where it would not be read as one.
fn label_text(name: &str) -> String {
    let mut letters = name.bytes();
    let first = letters.next();
    let is_plain = first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain {
        name.to_owned()
    } else {
        quote::quote(name)
    }
}

fn labels_text(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| label_text(name)).collect();
    names.join(", ")
}

fn range_text(range: &RangeSelector) -> String {
    let selector = &range.selector;
    let mut out = format!("{}[{}]", base(selector), extent_text(&range.range));
    push_edge(&mut out, selector.edge);
    push_at(&mut out, selector.at);
    push_shift(&mut out, selector.shift.as_ref());
    out
}

/// What stands behind the expression of a subquery.
fn suffix(subquery: &Subquery) -> String {
    let range = extent_text(&subquery.range);
    let step = subquery.step.as_ref().map(extent_text);
    let mut out = format!("[{range}:{}]", step.unwrap_or_default());
    push_at(&mut out, subquery.at);
    push_shift(&mut out, subquery.shift.as_ref());
    out
}

fn push_at(out: &mut String, at: Option<At>) {
    match at {
        #[expect(clippy::cast_precision_loss)] // As it was read.
        Some(At::Time(ms)) => {
            let _ = write!(out, " @ {:.3}", ms as f64 / 1000.0);
        }
        Some(At::Start) => out.push_str(" @ start()"),
        Some(At::End) => out.push_str(" @ end()"),
        None => {}
    }
}

fn push_edge(out: &mut String, edge: Edge) {
    match edge {
        Edge::Plain => {}
        Edge::Anchored => out.push_str(" anchored"),
        Edge::Smoothed => out.push_str(" smoothed"),
    }
}

fn push_shift(out: &mut String, shift: Option<&Shift>) {
    let Some(shift) = shift else { return };
    out.push_str(" offset ");
    out.push_str(&extent_text(shift));
}

fn extent_text(extent: &Extent) -> String {
    match extent {
        Extent::Literal(ms) if *ms < 0 => format!("-{}", duration::format(ms.saturating_neg())),
        Extent::Literal(ms) => duration::format(*ms),
        Extent::Computed(expr) => duration_text(expr),
    }
}

fn duration_text(expr: &DurationExpr) -> String {
    match expr {
        DurationExpr::Number(number) => number_text(*number),
        DurationExpr::Step => "step()".to_owned(),
        DurationExpr::Range => "range()".to_owned(),
        DurationExpr::Negative(expr) => format!("-{}", duration_text(expr)),
        DurationExpr::Paren(expr) => format!("({})", duration_text(expr)),
        DurationExpr::Binary(op, left, right) => {
            let (left, right) = (duration_text(left), duration_text(right));
            format!("{left} {} {right}", op.symbol())
        }
        DurationExpr::MinOf(left, right) => {
            format!("min_of({}, {})", duration_text(left), duration_text(right))
        }
        DurationExpr::MaxOf(left, right) => {
            format!("max_of({}, {})", duration_text(left), duration_text(right))
        }
    }
}

/// The operator with all that follows it in front of the right side.
fn operator(binary: &Binary) -> String {
    let mut out = binary.op.symbol().to_owned();
    if binary.returns_bool {
        out += " bool";
    }
    let matching = &binary.matching;
    let names = matching.labels.names();
    let is_by = matches!(matching.labels, Grouping::By(_));
    if !names.is_empty() || is_by || matching.card != Card::OneToOne {
        let word = if is_by { "on" } else { "ignoring" };
        let _ = write!(out, " {word} ({})", labels_text(names));
    }
    if matching.card != Card::OneToOne {
        let side = match matching.card {
            Card::ManyToOne => "left",
            _ => "right",
        };
        let _ = write!(out, " group_{side} ({})", labels_text(&matching.include));
    }
    match (matching.fill.left, matching.fill.right) {
        (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
            let _ = write!(out, " fill ({})", number::general(left));
        }
        (left, right) => {
            for (word, value) in [("fill_left", left), ("fill_right", right)] {
                if let Some(value) = value {
                    let _ = write!(out, " {word} ({})", number::general(value));
                }
            }
        }
    }
    out
}

fn aggregate_head(aggregate: &Aggregate) -> String {
    let name = aggregate.op.name();
    match &aggregate.grouping {
        Grouping::Without(names) => format!("{name} without ({}) ", labels_text(names)),
        Grouping::By(names) if names.is_empty() => name.to_owned(),
        Grouping::By(names) => format!("{name} by ({}) ", labels_text(names)),
    }
}
