//! The same query with all selectors fixed to one time, which must answer the same at any time.

use crate::promql::syntax::{At, Expr, ExprKind, Selector, parse, print};

/// Functions whose value depends on when they are evaluated.
const TIMED: [&str; 16] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "start_timestamp",
    "step",
    "time",
    "timestamp",
    "year",
];

/// The query with `@ time` on all selectors that have none; nothing if it depends on when it is
/// evaluated all the same.
pub(super) fn fixed(query: &str, time: i64) -> Option<String> {
    let mut expr = parse(query).ok()?;
    fix(&mut expr, time).then(|| print(&expr))
}

/// Fixes an expression; whether that can be done.
fn fix(expr: &mut Expr, time: i64) -> bool {
    let fix_selector = |selector: &mut Selector| {
        selector.at.get_or_insert(At::Time(time));
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => true,
        ExprKind::Selector(selector) => {
            fix_selector(selector);
            true
        }
        ExprKind::Range(range) => {
            fix_selector(&mut range.selector);
            true
        }
        // What is inside of a fixed subquery is evaluated at fixed times.
        ExprKind::Subquery(subquery) => {
            subquery.at.get_or_insert(At::Time(time));
            true
        }
        ExprKind::Paren(inside) | ExprKind::Unary(_, inside) => fix(inside, time),
        ExprKind::Binary(binary) => fix(&mut binary.left, time) & fix(&mut binary.right, time),
        ExprKind::Aggregate(aggregate) => {
            let param = aggregate
                .param
                .as_mut()
                .is_none_or(|param| fix(param, time));
            param & fix(&mut aggregate.expr, time)
        }
        ExprKind::Call(call) => {
            let args = call
                .args
                .iter_mut()
                .fold(true, |all, arg| all & fix(arg, time));
            args && !TIMED.contains(&call.name.as_str())
        }
    }
}

/// The times at which a fixed query is evaluated again.
pub(super) fn other_times(time: i64) -> Vec<i64> {
    if time == 0 {
        return vec![-1000, 0, 1000];
    }
    vec![-10 * time, 0, time / 5, time, 10 * time]
}

/// Whether the query asks for the bounds of the whole query, which differ between an instant and a
/// range.
pub(super) fn asks_for_bounds(query: &str) -> bool {
    ["start()", "end()", "range()", "step()"]
        .iter()
        .any(|call| query.contains(call))
}
