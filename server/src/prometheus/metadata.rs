//! What metrics mean, as their senders say, and exemplars of their samples.

use axum::response::Response;
use chronolith_engine::Selector;
use chronolith_engine::labels::{LabelSet, Matcher};
use chronolith_engine::metrics::Exemplar;
use chronolith_query::promql::syntax::{Expr, ExprKind, parse, parse_selector};
use serde_json::json;

use crate::app::Scope;
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;

use super::answer::{self, Notes};
use super::names;

/// Type, help and unit of metric families.
pub(crate) async fn metadata(app: Scope, params: Params) -> Result<Response, Problem> {
    let limit = most(&params, "limit")?;
    // One family has one metadata here, so this limit is only checked.
    most(&params, "limit_per_metric")?;
    let metric = params.value("metric").to_owned();
    let tenant = app.tenant()?;
    stream::answer(&app.queries, move |json| {
        let mut families = tenant.metadata()?;
        families.retain(|family, _| metric.is_empty() || *family == metric);
        answer::write(json, |json| {
            json.raw("{");
            for (place, (family, metadata)) in families.iter().take(limit).enumerate() {
                if place > 0 {
                    json.raw(",");
                }
                json.text(family);
                json.raw(":[");
                json.object([
                    ("type", metadata.kind.as_str()),
                    ("help", metadata.help.as_str()),
                    ("unit", metadata.unit.as_str()),
                ]);
                json.raw("]");
                json.pass()?;
            }
            json.raw("}");
            Ok(Notes::default())
        })
    })
    .await
}

/// Nothing is scraped, so no target tells what its metrics mean. What is asked is checked.
pub(crate) async fn of_targets(params: Params) -> Result<Response, Problem> {
    most(&params, "limit")?;
    let text = params.value("match_target");
    if !text.is_empty() {
        parse_selector(text)
            .map_err(|error| Problem::parameter("match_target", error.describe(text)))?;
    }
    Ok(answer::success(&json!([])))
}

/// How many are wanted; below 0 all, and of 0 none, unlike elsewhere.
fn most(params: &Params, name: &str) -> Result<usize, Problem> {
    let text = params.value(name);
    if text.is_empty() {
        return Ok(usize::MAX);
    }
    let count: i64 = text
        .parse()
        .map_err(|_| Problem::bad_data(format!("{name} must be a number")))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Exemplars of the series that a query reads.
pub(crate) async fn exemplars(app: Scope, params: Params) -> Result<Response, Problem> {
    let (start, end) = names::range(&params)?;
    if end < start {
        return Err(Problem::bad_data(
            "end timestamp must not be before start timestamp",
        ));
    }
    let query = params.value("query");
    let expr = parse(query).map_err(|error| Problem::bad_data(error.describe(query)))?;
    let mut sets = Vec::new();
    selectors(&expr, &mut sets);
    if sets.is_empty() {
        return Ok(answer::nothing());
    }
    let tenant = app.tenant()?;
    stream::answer(&app.queries, move |json| {
        let mut found: Vec<(LabelSet, Vec<Exemplar>)> = Vec::new();
        for matchers in sets {
            found.extend(tenant.exemplars(&Selector::new(matchers).between(start, end))?);
        }
        found.sort_by(|left, right| left.0.cmp(&right.0));
        found.dedup_by(|left, right| left.0 == right.0);
        answer::write(json, |json| {
            json.array(&found, |json, (series, exemplars)| {
                json.raw("{\"seriesLabels\":");
                json.object(series.as_labels().iter());
                json.raw(",\"exemplars\":");
                json.array(exemplars, write_exemplar);
                json.raw("}");
            });
            Ok(Notes::default())
        })
    })
    .await
}

fn write_exemplar(json: &mut Json, exemplar: &Exemplar) {
    json.raw("{\"labels\":");
    json.object(exemplar.labels.as_labels().iter());
    json.raw(",\"value\":");
    json.quoted_float(exemplar.value);
    json.raw(",\"timestamp\":");
    json.seconds(exemplar.time.0);
    json.raw("}");
}

/// The matchers of every selector in an expression.
fn selectors(expr: &Expr, found: &mut Vec<Vec<Matcher>>) {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => {}
        ExprKind::Selector(selector) => found.push(selector.matchers.clone()),
        ExprKind::Range(range) => found.push(range.selector.matchers.clone()),
        ExprKind::Subquery(subquery) => selectors(&subquery.expr, found),
        ExprKind::Paren(inside) | ExprKind::Unary(_, inside) => selectors(inside, found),
        ExprKind::Binary(binary) => {
            selectors(&binary.left, found);
            selectors(&binary.right, found);
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate
                .param
                .iter()
                .for_each(|param| selectors(param, found));
            selectors(&aggregate.expr, found);
        }
        ExprKind::Call(call) => call.args.iter().for_each(|arg| selectors(arg, found)),
    }
}
