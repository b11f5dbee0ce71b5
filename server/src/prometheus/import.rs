//! Samples as text, pushed: the format that Prometheus scrapes, and OpenMetrics.

use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::app::Scope;
use crate::http::body::{self, Encoding};
use crate::http::params::Params;
use crate::http::problem::{Cause, Problem};
use crate::ingest;
use crate::meters::add;
use crate::wire::text::{self, Dialect};

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// Stores what can be stored of a text.
pub(crate) async fn import(app: Scope, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    match store(app, &uri, &headers, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn store(app: Scope, uri: &Uri, headers: &HeaderMap, body: Body) -> Result<(), Problem> {
    let encoding = Encoding::of(headers).map_err(|other| {
        let why = format!("{other} is not taken: compress with gzip, zstd or snappy");
        Problem::new(Cause::Unsupported, why)
    })?;
    let mut params = Params::default();
    params.parse(uri.query().unwrap_or("").as_bytes());
    let now = params.millis_if_given("timestamp")?.unwrap_or_else(now);
    let dialect = dialect(headers);
    let received = body::read(body, &app.settings().http, &app.bodies).await?;
    add(&app.meters.received_bytes, received.len() as u64);
    let taker = app.clone();
    let work = app.writes.run(move || {
        let max = taker.settings().http.decoded_bytes_max;
        let decoded = body::decompress(encoding, &received, max)?;
        let lines = std::str::from_utf8(&decoded)
            .map_err(|error| Problem::bad_data(format!("the text is not UTF-8: {error}")))?;
        let mut columns = text::decode(lines, dialect, now)
            .map_err(|error| Problem::bad_data(error.to_string()))?;
        let tenant = taker.tenant_to_fill()?;
        ingest::in_parts(taker.intake(&tenant), &mut columns).1
    });
    work.await
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

fn dialect(headers: &HeaderMap) -> Dialect {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    match kind.is_some_and(|kind| kind.trim_start().starts_with(OPEN_METRICS)) {
        true => Dialect::OpenMetrics,
        false => Dialect::Prometheus,
    }
}
