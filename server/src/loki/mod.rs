//! The Loki door: its paths and what answers them.
//!
//! Reads parameters, calls engine and query crate on a lane, writes the answer in Loki's shape.

mod admin;
mod answer;
mod detected;
mod fields;
mod frames;
mod miner;
mod names;
mod old;
mod otlp;
mod params;
mod patterns;
mod push;
mod query;
mod result;
mod stats;
mod status;
mod tail;
mod volume;

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};

use crate::app::App;
use crate::doors::guard::Side;
use crate::doors::layers::{let_in, same_site, wrap};

/// Everything that the Loki address answers.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let admin = admin_routes().route_layer(middleware::from_fn(same_site));
    let gated = Router::new()
        .merge(receivers())
        .merge(reads())
        .merge(states())
        .merge(of_old())
        .merge(admin);
    let open = Router::new()
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics));
    wrap(
        open.merge(let_in(gated, app)).fallback(no_such_path),
        app,
        Side::Public,
    )
}

/// What the address for administrators answers about logs.
pub(crate) fn admin_router(app: &Arc<App>) -> Router {
    let admin = admin_routes().route_layer(middleware::from_fn(same_site));
    let gated = Router::new()
        .route("/config", get(status::configuration))
        .merge(admin);
    wrap(let_in(gated, app), app, Side::Admin)
}

/// What the OTLP address answers over HTTP about logs.
pub(crate) fn otlp_router(app: &Arc<App>) -> Router {
    let routes = Router::new().route("/v1/logs", post(otlp::export));
    wrap(let_in(routes, app), app, Side::Public)
}

/// What the gRPC address takes about logs.
pub(crate) fn otlp_calls() -> Router<Arc<App>> {
    const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    Router::new().route(EXPORT, post(otlp::call))
}

/// What is pushed.
fn receivers() -> Router<Arc<App>> {
    Router::new()
        .route("/loki/api/v1/push", post(push::push))
        .route("/api/prom/push", post(push::push))
        .route("/otlp/v1/logs", post(otlp::write))
}

/// What may be asked for with GET, and with POST for long queries.
fn asked<H: Handler<T, Arc<App>> + Clone, T: 'static>(answer: H) -> MethodRouter<Arc<App>> {
    get(answer.clone()).post(answer)
}

/// What is asked of the lines.
fn reads() -> Router<Arc<App>> {
    let door = |name: &str| format!("/loki/api/v1/{name}");
    Router::new()
        .route(&door("query"), asked(query::instant))
        .route(&door("query_range"), asked(query::range))
        .route(&door("labels"), asked(names::labels))
        .route(&door("label"), asked(names::labels))
        .route(&door("label/{name}/values"), asked(names::values))
        .route(&door("series"), asked(names::series))
        .route(&door("detected_labels"), asked(detected::labels))
        .route(&door("detected_fields"), asked(fields::fields))
        .route(&door("detected_field/{name}/values"), asked(fields::values))
        .route(&door("patterns"), asked(patterns::patterns))
        .route(&door("index/stats"), asked(volume::stats))
        .route(&door("index/shards"), asked(volume::shards))
        .route(&door("index/volume"), asked(volume::volume))
        .route(&door("index/volume_range"), asked(volume::volume_range))
        .route(&door("format_query"), asked(status::format_query))
        .route(&door("tail"), get(tail::tail))
        .route("/api/prom/tail", get(tail::tail))
}

/// What is asked of the server.
fn states() -> Router<Arc<App>> {
    Router::new()
        .route("/config", get(status::configuration))
        .route("/config/tenant/v1/limits", get(status::tenant_limits))
        .route("/services", get(status::services))
        .route("/loki/api/v1/status/buildinfo", get(status::buildinfo))
        .route(
            "/loki/api/v1/drilldown-limits",
            get(status::drilldown_limits),
        )
        .route("/loki/api/v1/rules", get(status::rule_groups))
        .route("/api/prom/rules", get(status::rule_groups))
        .route("/prometheus/api/v1/rules", get(status::rules))
        .route("/prometheus/api/v1/alerts", get(status::alerts))
}

/// Paths from before `/loki/api/v1`.
fn of_old() -> Router<Arc<App>> {
    Router::new()
        .route("/api/prom/query", asked(old::query))
        .route("/api/prom/label", asked(names::labels_of_old))
        .route("/api/prom/label/{name}/values", asked(names::values_of_old))
        .route("/api/prom/series", asked(names::series))
}

/// What changes the store.
fn admin_routes() -> Router<Arc<App>> {
    let deletions = post(admin::delete)
        .put(admin::delete)
        .get(admin::deletions)
        .delete(admin::cancel_delete);
    Router::new()
        .route("/loki/api/v1/delete", deletions)
        .route("/flush", post(admin::flush).put(admin::flush))
        .route("/compact", post(admin::compact).put(admin::compact))
}

/// As Go's own server says it.
async fn no_such_path() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
