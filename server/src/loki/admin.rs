//! What changes the store: deletions that can be taken back, flush and compact.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use chronolith_engine::logs::{LineFilter, LineOp};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Deletion, DeletionStatus};
use chronolith_query::logql::syntax::ast::{self, LineText, Query, Stage};
use chronolith_query::logql::syntax::parse;
use serde_json::{Value, json};

use crate::app::Scope;
use crate::http::params::Params;
use crate::http::problem::{Cause, Problem};
use crate::http::stream;
use crate::http::times::{self, SECOND};

use super::answer::{Answer, Fault, bad};
use super::params::{self, misread};

/// The header that names a deletion which was asked for.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-delete-request-id");

/// Digits of a time in seconds.
const SECOND_DIGITS: usize = 10;

/// Deletes lines.
pub(super) async fn delete(app: Scope, asked: Params) -> Answer {
    let deletion = deletion(&asked)?;
    let store = app.known_tenant()?.logs()?;
    let id = app.chores.run(move || Ok(store.delete(&deletion)?)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(id) = HeaderValue::from_str(&id_text(id)) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

fn id_text(id: u64) -> String {
    format!("{id:08x}")
}

fn deletion(asked: &Params) -> Result<Deletion, Fault> {
    let text = asked.value("query");
    if text.is_empty() {
        return Err(bad("query not set"));
    }
    let Query::Lines(query) = parse(text).map_err(misread)? else {
        return Err(bad("a query of numbers cannot be deleted: select lines"));
    };
    if asked.value("start").is_empty() {
        return Err(bad("start time not set"));
    }
    let start = border(asked, "start")?.unwrap_or(0);
    let now = params::now();
    let end = border(asked, "end")?.unwrap_or(now);
    if start > now || end > now {
        return Err(bad("deletes in the future are not allowed"));
    }
    if start >= end {
        return Err(bad("start time can't be greater than or equal to end time"));
    }
    let mut deletion = Deletion::new(query.matchers).between(Nanos(start), Nanos(end));
    for stage in &query.stages {
        for filter in filters(stage)? {
            deletion = deletion.lines(filter);
        }
    }
    Ok(deletion)
}

/// A point in time: seconds of ten digits, or RFC 3339.
fn border(asked: &Params, name: &str) -> Result<Option<i64>, Fault> {
    let text = asked.value(name);
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = match text.len() {
        SECOND_DIGITS => text.parse::<i64>().ok(),
        _ => None,
    };
    let found = seconds.map(|seconds| seconds.saturating_mul(SECOND));
    let found = found.or_else(|| times::rfc3339_nanos(text));
    found.map(Some).ok_or_else(|| {
        bad(format!(
            "invalid {name} time: require unix seconds or RFC3339 format"
        ))
    })
}

/// What a regular expression takes for more than itself.
const SPECIAL: &str = "\\.+*?()|[]{}^$";

/// The filters that a stage is, if it is one that the store can apply.
fn filters(stage: &Stage) -> Result<Vec<LineFilter>, Fault> {
    let only = || {
        let why =
            "only line filters with |=, !=, |~ and !~ can be deleted by: leave other stages out";
        bad(why)
    };
    let Stage::Line(filter) = stage else {
        return Err(only());
    };
    let op = match filter.op {
        ast::LineOp::Contains => LineOp::Contains,
        ast::LineOp::NotContains => LineOp::NotContains,
        ast::LineOp::Regex => LineOp::Matches,
        ast::LineOp::NotRegex => LineOp::NotMatches,
        ast::LineOp::Pattern | ast::LineOp::NotPattern => return Err(only()),
    };
    let texts = filter.texts.iter().map(|text| match text {
        LineText::Text(text) => Ok(text.as_str()),
        LineText::Ip(_) => Err(only()),
    });
    let texts: Vec<&str> = texts.collect::<Result<_, _>>()?;
    // None of several has to be there: each is a filter. One of them has to be: all are one.
    if texts.len() > 1 && !op.is_negative() {
        let any = any_of(op, &texts);
        return Ok(vec![LineFilter::new(LineOp::Matches, &any)?]);
    }
    let each = texts.iter().map(|text| Ok(LineFilter::new(op, text)?));
    each.collect()
}

/// A regular expression for one of these texts, or of these expressions.
fn any_of(op: LineOp, texts: &[&str]) -> String {
    let each = texts.iter().map(|text| match op {
        LineOp::Contains => format!("(?:{})", escaped(text)),
        _ => format!("(?:{text})"),
    });
    each.collect::<Vec<_>>().join("|")
}

/// A regular expression for this text alone.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if SPECIAL.contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The deletions that are not carried out in full.
pub(super) async fn deletions(app: Scope) -> Answer {
    let store = app.logs()?;
    let found = app.chores.run(move || Ok(store.deletions())).await?;
    let listed: Vec<Value> = found.iter().map(told).collect();
    Ok(stream::response(
        format!("{}\n", Value::from(listed)).into(),
    ))
}

fn told(status: &DeletionStatus) -> Value {
    let seconds = |nanos: i64| nanos as f64 / SECOND as f64;
    let range = status.deletion.range();
    json!({
        "request_id": id_text(status.id),
        "start_time": seconds(range.start.0),
        "end_time": seconds(range.end.0),
        "query": status.deletion.to_string(),
        "status": match status.is_begun {
            true => "0% Complete",
            false => "received",
        },
        "created_at": seconds(status.created.0),
        "user_id": "",
    })
}

/// Takes a deletion back, if no line has left the disk for it.
pub(super) async fn cancel_delete(app: Scope, asked: Params) -> Answer {
    let text = asked.value("request_id");
    if text.is_empty() {
        return Err(bad("request_id not set"));
    }
    let missing = || {
        let why = "could not find delete request with given id";
        Fault(Problem::new(Cause::Missing, why))
    };
    let id = u64::from_str_radix(text, 16).map_err(|_| missing())?;
    let store = app.known_tenant()?.logs()?;
    let (was_known, was_cancelled) = app
        .chores
        .run(move || {
            let is_known = store.deletions().iter().any(|status| status.id == id);
            Ok((is_known, store.cancel_delete(id)?))
        })
        .await?;
    match (was_known, was_cancelled) {
        (_, true) => Ok(StatusCode::NO_CONTENT.into_response()),
        (true, false) => Err(bad(
            "deletion of request which is in process or already processed is not allowed",
        )),
        (false, false) => Err(missing()),
    }
}

/// Moves what is in memory to blocks. Done when it is answered.
pub(super) async fn flush(app: Scope) -> Answer {
    let store = app.known_tenant()?.logs()?;
    app.chores
        .run(move || Ok(store.freeze().map(drop)?))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Merges blocks as far as they can be. Done when it is answered.
pub(super) async fn compact(app: Scope) -> Answer {
    let store = app.known_tenant()?.logs()?;
    app.chores
        .run(move || Ok(store.compact().map(drop)?))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
