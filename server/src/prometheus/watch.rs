//! What tells whether the server lives, whether it is ready, and how it does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::doors::layers::not_ready;

/// The process lives.
pub(crate) async fn healthy() -> &'static str {
    "Chronolith is Healthy.\n"
}

/// Which version this is, without an envelope.
pub(crate) async fn version() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let text = format!("{{\"version\":\"{version}\",\"revision\":\"\",\"branch\":\"\"}}\n");
    (kind, text).into_response()
}

/// Neither reloading nor stopping is for the network: the process is told by signals.
pub(crate) async fn no_lifecycle() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.\n").into_response()
}

/// There will be no notifications to wait for.
pub(crate) async fn no_notifications() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Everything is recovered.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.is_ready() {
        true => "Chronolith is Ready.\n".into_response(),
        false => not_ready(&app),
    }
}

/// The server's own metrics.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    // The counts of the engine are plain numbers in memory: nothing here blocks.
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, app.own_metrics()).into_response()
}
