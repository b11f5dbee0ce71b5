//! What tells whether the server lives, whether it is ready, and how it does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::doors::layers::not_ready;

/// The process lives.
pub(crate) async fn healthy() -> &'static str {
    "Chronolith is Healthy.\n"
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
