//! The Prometheus door: its paths and what answers them.
//!
//! Reads parameters, calls the engine on a lane, writes the answer in Prometheus' shape. Wire
//! formats of pushed data belong to `wire`.

mod admin;
mod answer;
mod debug;
mod federate;
mod import;
mod metadata;
mod names;
mod otlp;
mod query;
mod read;
mod result;
mod status;
mod stores;
mod syntax;
mod watch;
mod write;

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::app::App;
use crate::doors::guard::Side;
use crate::doors::layers::{let_in, same_site, unbound, wrap};

/// Everything that the Prometheus address answers.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let admin = admin_routes().route_layer(middleware::from_fn(same_site));
    let gated = Router::new()
        .route("/federate", get(federate::federate))
        .route("/api/v1/write", post(write::write))
        .route("/api/v1/import/prometheus", post(import::import))
        .route("/api/v1/otlp/v1/metrics", post(otlp::write))
        .route("/api/v1/read", post(read::read))
        .merge(reads())
        .merge(states())
        .merge(looks())
        .merge(admin);
    let reload = Router::new()
        .route("/-/reload", post(admin::reload).put(admin::reload))
        .route_layer(middleware::from_fn(same_site));
    let open = Router::new()
        .merge(reload)
        .route("/-/healthy", get(watch::healthy))
        .route("/-/ready", get(watch::ready))
        .route("/metrics", get(watch::metrics))
        .route("/version", get(watch::version))
        .route(
            "/-/quit",
            post(watch::no_lifecycle).put(watch::no_lifecycle),
        )
        .route("/api/v1/notifications/live", get(watch::no_notifications))
        .route("/api/v1/status/walreplay", get(status::walreplay))
        .route("/api/v1/notifications", get(status::notifications));
    wrap(open.merge(let_in(gated, app)), app, Side::Public)
}

/// What the address for administrators answers.
pub(crate) fn admin_router(app: &Arc<App>) -> Router {
    let admin = admin_routes().route_layer(middleware::from_fn(same_site));
    let gated = Router::new()
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/config", get(status::configuration))
        .merge(looks())
        .merge(admin);
    let reload = Router::new()
        .route("/-/reload", post(admin::reload).put(admin::reload))
        .route_layer(middleware::from_fn(same_site));
    let open = reload.route("/-/healthy", get(watch::healthy));
    wrap(open.merge(let_in(gated, app)), app, Side::Admin)
}

/// What the OTLP address answers over HTTP.
pub(crate) fn otlp_router(app: &Arc<App>) -> Router {
    let routes = Router::new().route("/v1/metrics", post(otlp::write));
    wrap(let_in(routes, app), app, Side::Public)
}

/// What the gRPC address takes about metrics.
pub(crate) fn otlp_calls() -> Router<Arc<App>> {
    const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    Router::new().route(EXPORT, post(otlp::call))
}

/// What is asked of the data.
fn reads() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route(
            "/api/v1/format_query",
            get(syntax::format_query).post(syntax::format_query),
        )
        .route(
            "/api/v1/parse_query",
            get(syntax::parse_query).post(syntax::parse_query),
        )
        .route(
            "/api/v1/query_exemplars",
            get(metadata::exemplars).post(metadata::exemplars),
        )
        .route("/api/v1/series", get(names::series).post(names::series))
        .route("/api/v1/labels", get(names::labels).post(names::labels))
        .route("/api/v1/label/{name}/values", get(names::values))
        .route("/api/v1/metadata", get(metadata::metadata))
}

/// What is asked of the server.
fn states() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/status/buildinfo", get(status::buildinfo))
        .route("/api/v1/status/runtimeinfo", get(status::runtimeinfo))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/config", get(status::configuration))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .route("/api/v1/status/stores", get(stores::stores))
        .route("/api/v1/status/cardinality", get(stores::cardinality))
        .route("/api/v1/targets", get(status::targets))
        .route("/api/v1/targets/metadata", get(metadata::of_targets))
        .route("/api/v1/scrape_pools", get(status::scrape_pools))
        .route("/api/v1/rules", get(status::rules))
        .route("/api/v1/alerts", get(status::alerts))
        .route("/api/v1/alertmanagers", get(status::alertmanagers))
        .route("/api/v1/features", get(status::features))
}

/// What administrators look at.
fn looks() -> Router<Arc<App>> {
    let cancel = post(debug::cancel).route_layer(middleware::from_fn(same_site));
    Router::new()
        .route("/debug", get(debug::page))
        .route("/debug/queries", get(debug::queries))
        .route("/debug/queries/{number}/cancel", cancel)
        .route("/debug/stores", get(debug::states))
        .route_layer(middleware::from_fn(unbound))
}

/// What is done to every tenant.
fn of_all_tenants() -> Router<Arc<App>> {
    let door = |name: &str| format!("/api/v1/admin/tsdb/{name}_all");
    Router::new()
        .route(&door("flush"), post(admin::flush_all).put(admin::flush_all))
        .route(
            &door("compact"),
            post(admin::compact_all).put(admin::compact_all),
        )
        .route_layer(middleware::from_fn(unbound))
}

/// What changes or copies the store.
fn admin_routes() -> Router<Arc<App>> {
    let door = |name: &str| format!("/api/v1/admin/tsdb/{name}");
    Router::new()
        .route(
            &door("delete_series"),
            post(admin::delete_series).put(admin::delete_series),
        )
        .route(
            &door("clean_tombstones"),
            post(admin::clean_tombstones).put(admin::clean_tombstones),
        )
        .route(
            &door("snapshot"),
            post(admin::snapshot)
                .put(admin::snapshot)
                .route_layer(middleware::from_fn(unbound)),
        )
        .route(&door("flush"), post(admin::flush).put(admin::flush))
        .route(&door("compact"), post(admin::compact).put(admin::compact))
        .merge(of_all_tenants())
}
