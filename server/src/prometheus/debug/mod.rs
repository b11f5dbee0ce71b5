//! What an administrator looks at when something is slow or large: the queries at hand, and the
//! state of every store, as JSON and as one page.

mod page;

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chronolith_engine::Engine;
use serde_json::{Value, json};

use crate::app::{App, Query};
use crate::http::problem::{Cause, Problem};
use crate::http::times::rfc3339_text;

use super::answer::success;
use super::stores;

/// Nothing but its own style is let into the page, and nothing of it into another.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// The queries at hand, the oldest first.
pub(super) async fn queries(State(app): State<Arc<App>>) -> Response {
    let queries = app.active.list();
    let listed: Vec<Value> = queries.iter().map(query).collect();
    success(&json!({ "queries": listed, "lanes": lanes(&app) }))
}

/// The state of every store.
pub(super) async fn states(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let engine = app.engine()?;
    Ok(success(&state(&engine)))
}

/// Both as a page.
pub(super) async fn page(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let queries: Vec<Value> = app.active.list().iter().map(query).collect();
    let engine = app.engine()?;
    let text = page::written(&queries, &lanes(&app), &state(&engine));
    let mut response = Response::new(Body::from(text));
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-frame-options"), "deny"),
    ];
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Tells a query to stop.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
) -> Result<StatusCode, Problem> {
    match app.active.cancel(number) {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            let why = format!("there is no query {number} at hand");
            Err(Problem::new(Cause::Missing, why))
        }
    }
}

fn query(query: &Query) -> Value {
    let since = query.since.duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "id": query.number,
        "tenant": &*query.tenant,
        "client": query.client,
        "language": query.sort.language,
        "kind": query.sort.kind,
        "query": query.text,
        "since": since.map(rfc3339_text).unwrap_or_default(),
        "seconds": query.age().as_secs_f64(),
        "read": query.read(),
        "endsInSeconds": query.time_left().map(|left| left.as_secs_f64()),
    })
}

/// How full the lanes are.
fn lanes(app: &App) -> Value {
    let each = app.lanes().into_iter().map(|(name, lane)| {
        let (running, waiting) = lane.load();
        json!({ "name": name, "running": running, "waiting": waiting })
    });
    each.collect()
}

fn state(engine: &Engine) -> Value {
    let mut of_tenants = Vec::new();
    for name in engine.tenants() {
        let Ok(tenant) = engine.tenant_to_read(&name) else {
            continue;
        };
        let metrics = tenant.metrics();
        let metrics = metrics.map(|it| stores::figures(&it.stats(), it.damage().len()));
        let logs = tenant.logs();
        let logs = logs.map(|it| stores::figures(&it.stats(), it.damage().len()));
        of_tenants.push(json!({
            "tenant": &*name,
            "metrics": metrics.unwrap_or_default(),
            "logs": logs.unwrap_or_default(),
        }));
    }
    json!({
        "engine": stores::engine_figures(engine),
        "tenants": of_tenants,
    })
}
