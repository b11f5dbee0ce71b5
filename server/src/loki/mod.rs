//! The Loki door: its paths and what answers them.
//!
//! Reads parameters, calls engine and query crate on a lane, writes the answer in Loki's shape.
//! There is one tenant: `X-Scope-OrgID` is taken and not looked at.

mod answer;
mod otlp;
mod push;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Router, middleware};

use crate::app::App;
use crate::doors::layers::{gate, wrap};

/// Everything that the Loki address answers.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let gated = Router::new()
        .merge(receivers())
        // Each body is read up to a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), gate));
    wrap(gated.fallback(no_such_path), app)
}

/// What the OTLP address answers over HTTP about logs.
pub(crate) fn otlp_router(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .route("/v1/logs", post(otlp::export))
        .layer(DefaultBodyLimit::disable())
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), gate));
    wrap(routes, app)
}

/// What is pushed.
fn receivers() -> Router<Arc<App>> {
    Router::new()
        .route("/loki/api/v1/push", post(push::push))
        .route("/api/prom/push", post(push::push))
        .route("/otlp/v1/logs", post(otlp::write))
}

/// As Go's own server says it.
async fn no_such_path() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
