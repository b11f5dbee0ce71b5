//! Metrics of OpenTelemetry over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::app::App;
use crate::http::body::{self, BODY_BYTES_MAX, Encoding};
use crate::http::problem::{Cause, Problem};
use crate::ingest;
use crate::meters::add;
use crate::wire::message::Message;
use crate::wire::otlp;

/// The one form of messages that is taken.
const PROTOBUF: &str = "application/x-protobuf";

/// Stores what can be stored of a request.
pub(crate) async fn write(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    match store(app, &headers, body).await {
        Ok(message) => {
            let mut response = Response::new(Body::from(message));
            let kind = HeaderValue::from_static(PROTOBUF);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(problem) => problem.into_text(),
    }
}

/// The answer: empty, or how many points were not taken and why.
async fn store(app: Arc<App>, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let unsupported = |why: &str| Problem::new(Cause::Unsupported, why);
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim_start().starts_with(PROTOBUF)) {
        return Err(unsupported(
            "send application/x-protobuf: other forms are not taken",
        ));
    }
    let encoding = match Encoding::of(headers) {
        Ok(encoding @ (Encoding::Plain | Encoding::Gzip)) => encoding,
        _ => return Err(unsupported("compress with gzip, or not at all")),
    };
    let received = body::read(body, BODY_BYTES_MAX).await?;
    add(&app.meters.received_bytes, received.len() as u64);
    let taker = Arc::clone(&app);
    let work = app.writes.run(move || {
        let message = body::decompress(encoding, &received)?;
        let (mut columns, faults) = otlp::decode(&message)
            .map_err(|error| Problem::bad_data(format!("the message cannot be taken: {error}")))?;
        let engine = taker.engine()?;
        ingest::in_parts(taker.intake(&engine), &mut columns).1?;
        add(&taker.meters.refused, faults.count());
        Ok(match faults.count() {
            0 => Vec::new(),
            count => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                let partial = Message::new().integer(1, count).bytes(2, faults.text());
                Message::new().message(1, partial).into_bytes()
            }
        })
    });
    work.await
}
