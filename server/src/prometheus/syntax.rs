//! Queries as text and as trees, without carrying them out.

use axum::response::Response;
use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_query::promql::check::{Language, check, type_of};
use chronolith_query::promql::signatures::{Arity, Signature, ValueType, signature};
use chronolith_query::promql::syntax::{
    Aggregate, At, Binary, BinaryOp, Call, Card, DurationExpr, Edge, Expr, ExprKind, Extent,
    Grouping, Selector, Subquery, UnaryOp, parse, pretty,
};
use serde_json::{Map, Value, json};

use crate::http::json::put_float;
use crate::http::params::Params;
use crate::http::problem::Problem;

use super::answer::success;

/// Parses the parameter `query` and checks its types.
pub(crate) fn parsed(params: &Params) -> Result<Expr, Problem> {
    let query = params.value("query");
    let wrong = |error: chronolith_query::promql::syntax::SyntaxError| {
        Problem::parameter("query", error.describe(query))
    };
    let expr = parse(query).map_err(wrong)?;
    check(&expr, query, Language::default()).map_err(wrong)?;
    Ok(expr)
}

/// The query, written well.
pub(crate) async fn format_query(params: Params) -> Result<Response, Problem> {
    Ok(success(&Value::String(pretty(&parsed(&params)?))))
}

/// The query's tree.
pub(crate) async fn parse_query(params: Params) -> Result<Response, Problem> {
    Ok(success(&tree(&parsed(&params)?)))
}

fn tree(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({ "type": "numberLiteral", "val": text(number.value) }),
        ExprKind::Text(text) => json!({ "type": "stringLiteral", "val": text.value }),
        ExprKind::Paren(inside) => json!({ "type": "parenExpr", "expr": tree(inside) }),
        ExprKind::Unary(op, inside) => json!({
            "type": "unaryExpr",
            "op": match op { UnaryOp::Plus => "+", UnaryOp::Minus => "-" },
            "expr": tree(inside),
        }),
        ExprKind::Selector(selector) => Value::Object(selector_tree("vectorSelector", selector)),
        ExprKind::Range(range) => {
            let mut found = selector_tree("matrixSelector", &range.selector);
            found.insert("range".into(), extent_ms(Some(&range.range)));
            found.insert("rangeExpr".into(), extent_expr(Some(&range.range)));
            Value::Object(found)
        }
        ExprKind::Subquery(subquery) => subquery_tree(subquery),
        ExprKind::Binary(binary) => binary_tree(binary),
        ExprKind::Aggregate(aggregate) => aggregate_tree(aggregate),
        ExprKind::Call(call) => call_tree(call),
    }
}

fn text(value: f64) -> String {
    let mut digits = Vec::new();
    put_float(&mut digits, value);
    String::from_utf8_lossy(&digits).into_owned()
}

fn selector_tree(kind: &str, selector: &Selector) -> Map<String, Value> {
    let mut found = Map::new();
    found.insert("type".into(), kind.into());
    found.insert(
        "name".into(),
        selector.name.clone().unwrap_or_default().into(),
    );
    found.insert(
        "matchers".into(),
        selector.matchers.iter().map(matcher_tree).collect(),
    );
    found.insert("offset".into(), extent_ms(selector.shift.as_ref()));
    found.insert("offsetExpr".into(), extent_expr(selector.shift.as_ref()));
    found.insert("anchored".into(), (selector.edge == Edge::Anchored).into());
    found.insert("smoothed".into(), (selector.edge == Edge::Smoothed).into());
    put_at(&mut found, selector.at);
    found
}

fn matcher_tree(matcher: &Matcher) -> Value {
    let op = match matcher.op() {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    json!({ "name": matcher.name(), "type": op, "value": matcher.value() })
}

fn put_at(found: &mut Map<String, Value>, at: Option<At>) {
    let (timestamp, edge) = match at {
        None => (Value::Null, Value::Null),
        Some(At::Time(ms)) => (ms.into(), Value::Null),
        Some(At::Start) => (Value::Null, "start".into()),
        Some(At::End) => (Value::Null, "end".into()),
    };
    found.insert("timestamp".into(), timestamp);
    found.insert("startOrEnd".into(), edge);
}

/// Milliseconds where they are known without the query's steps.
fn extent_ms(extent: Option<&Extent>) -> Value {
    match extent {
        Some(Extent::Literal(ms)) => (*ms).into(),
        Some(Extent::Computed(_)) | None => 0.into(),
    }
}

/// What has to be worked out when the query's steps are known.
fn extent_expr(extent: Option<&Extent>) -> Value {
    match extent {
        Some(Extent::Computed(expr)) => duration_tree(expr, Wrapped::No),
        Some(Extent::Literal(_)) | None => Value::Null,
    }
}

/// Whether a duration stands in parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapped {
    No,
    Yes,
}

fn duration_tree(expr: &DurationExpr, wrapped: Wrapped) -> Value {
    let side = |side: &DurationExpr| duration_tree(side, Wrapped::No);
    let (op, left, right) = match expr {
        DurationExpr::Number(number) => {
            return json!({
                "type": "numberLiteral",
                "val": text(number.value),
                "duration": number.is_duration,
            });
        }
        DurationExpr::Paren(inside) => return duration_tree(inside, Wrapped::Yes),
        DurationExpr::Step => ("step", None, None),
        DurationExpr::Range => ("range", None, None),
        DurationExpr::Negative(inside) => ("-", None, Some(side(inside))),
        DurationExpr::Binary(op, left, right) => (op.symbol(), Some(side(left)), Some(side(right))),
        DurationExpr::MinOf(left, right) => ("min_of", Some(side(left)), Some(side(right))),
        DurationExpr::MaxOf(left, right) => ("max_of", Some(side(left)), Some(side(right))),
    };
    json!({
        "type": "durationExpr",
        "op": op,
        "lhs": left,
        "rhs": right,
        "wrapped": wrapped == Wrapped::Yes,
    })
}

fn subquery_tree(subquery: &Subquery) -> Value {
    let mut found = Map::new();
    found.insert("type".into(), "subquery".into());
    found.insert("expr".into(), tree(&subquery.expr));
    for (name, extent) in [
        ("range", Some(&subquery.range)),
        ("step", subquery.step.as_ref()),
        ("offset", subquery.shift.as_ref()),
    ] {
        found.insert(name.into(), extent_ms(extent));
        found.insert(format!("{name}Expr"), extent_expr(extent));
    }
    put_at(&mut found, subquery.at);
    Value::Object(found)
}

fn binary_tree(binary: &Binary) -> Value {
    let both_vectors = [&binary.left, &binary.right]
        .iter()
        .all(|side| type_of(side) == ValueType::Vector);
    let matching = &binary.matching;
    let (on, names) = match &matching.labels {
        Grouping::By(names) => (true, names),
        Grouping::Without(names) => (false, names),
    };
    let card = match matching.card {
        _ if binary.op.is_set() => "many-to-many",
        Card::OneToOne => "one-to-one",
        Card::ManyToOne => "many-to-one",
        Card::OneToMany => "one-to-many",
    };
    let matching = both_vectors.then(|| {
        json!({
            "card": card,
            "on": on,
            "labels": names,
            "include": matching.include,
            "fillValues": { "lhs": matching.fill.left, "rhs": matching.fill.right },
        })
    });
    json!({
        "type": "binaryExpr",
        "op": BinaryOp::symbol(binary.op),
        "bool": binary.returns_bool,
        "lhs": tree(&binary.left),
        "rhs": tree(&binary.right),
        "matching": matching,
    })
}

fn aggregate_tree(aggregate: &Aggregate) -> Value {
    json!({
        "type": "aggregation",
        "op": aggregate.op.name(),
        "expr": tree(&aggregate.expr),
        "param": aggregate.param.as_ref().map(tree),
        "grouping": aggregate.grouping.names(),
        "without": matches!(aggregate.grouping, Grouping::Without(_)),
    })
}

/// As Prometheus numbers it: how many more arguments may come, or fewer than nothing for any.
fn variadic(signature: &Signature) -> i64 {
    match signature.arity {
        Arity::Fixed => 0,
        Arity::UpTo(more) => i64::try_from(more).unwrap_or(i64::MAX),
        Arity::Any => -1,
    }
}

fn call_tree(call: &Call) -> Value {
    let function = signature(&call.name).map(|signature| {
        json!({
            "name": signature.name,
            "argTypes": signature.args.iter().map(|arg| arg.short_name()).collect::<Vec<_>>(),
            "variadic": variadic(signature),
            "returnType": signature.returns.short_name(),
        })
    });
    json!({
        "type": "call",
        "func": function,
        "args": call.args.iter().map(tree).collect::<Vec<_>>(),
    })
}
