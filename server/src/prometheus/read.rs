//! Remote read: samples of selected series, for a Prometheus that reads from here.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chronolith_engine::metrics::Samples;
use chronolith_engine::{Selector, Snapshot};

use crate::app::Scope;
use crate::http::body::{self, BODY_BYTES_MAX, Encoding};
use crate::http::problem::{Cause, Problem};
use crate::wire::message::Message;
use crate::wire::read::{self, SeriesMessage};

/// Samples of one answer: it is made in memory before it is compressed.
const SAMPLES_MAX: usize = 10_000_000;

/// Answers a request with samples.
pub(crate) async fn read(app: Scope, headers: HeaderMap, body: Body) -> Response {
    match answer(&app, &headers, body).await {
        Ok(message) => response(message),
        Err(problem) => problem.into_text(),
    }
}

async fn answer(app: &Scope, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    if !matches!(
        Encoding::of(headers),
        Ok(Encoding::Plain | Encoding::Snappy)
    ) {
        return Err(Problem::new(Cause::Unsupported, "compress with snappy"));
    }
    let received = body::read(body, BODY_BYTES_MAX).await?;
    let store = app.metrics()?;
    let work = app.queries.run(move || {
        let message = body::decompress(Encoding::Snappy, &received)?;
        let selectors = read::decode(&message)
            .map_err(|error| Problem::bad_data(format!("the message cannot be taken: {error}")))?;
        let (snapshot, mut samples) = (store.snapshot(), 0);
        let mut response = Message::new();
        for selector in &selectors {
            response = response.message(1, result(&snapshot, selector, &mut samples)?);
        }
        let compressed = snap::raw::Encoder::new().compress_vec(&response.into_bytes());
        compressed.map_err(|error| Problem::new(Cause::Internal, error.to_string()))
    });
    work.await
}

/// What one query selects, series in label order.
fn result(
    snapshot: &Snapshot<Samples>,
    selector: &Selector,
    samples: &mut usize,
) -> Result<Message, Problem> {
    let mut found = snapshot.select(selector)?;
    found.sort_by(|left, right| left.labels().cmp(&right.labels()));
    let mut result = Message::new();
    for series in found {
        let mut message = SeriesMessage::new(series.labels());
        for run in series.cursor()? {
            message.push(&run?);
            if *samples + message.len() > SAMPLES_MAX {
                return Err(Problem::new(
                    Cause::Execution,
                    format!("more than {SAMPLES_MAX} samples are selected: read less at once"),
                ));
            }
        }
        *samples += message.len();
        if message.len() > 0 {
            result = result.message(1, message.into_message());
        }
    }
    Ok(result)
}

fn response(message: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(message));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/x-protobuf");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    response
}
