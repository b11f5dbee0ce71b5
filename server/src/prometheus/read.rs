//! Remote read: samples of selected series, for a Prometheus that reads from here.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chronolith_engine::metrics::Samples;
use chronolith_engine::{Selector, Snapshot};

use crate::app::Scope;
use crate::http::body::{self, Encoding};
use crate::http::flow::Flow;
use crate::http::problem::{Cause, Problem};
use crate::http::stream;
use crate::meters::add;
use crate::wire::chunks::ChunkedSeries;
use crate::wire::message::Message;
use crate::wire::read::{self, Form, Request, SeriesMessage};

/// Samples of one answer that is made in memory before it is compressed.
const SAMPLES_MAX: usize = 10_000_000;

/// The type of an answer in chunks.
const CHUNKS: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// Answers a request in the form that it accepts first.
pub(crate) async fn read(app: Scope, headers: HeaderMap, body: Body) -> Response {
    match answer(&app, &headers, body).await {
        Ok(response) => response,
        Err(problem) => problem.into_text(),
    }
}

async fn answer(app: &Scope, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    if !matches!(
        Encoding::of(headers),
        Ok(Encoding::Plain | Encoding::Snappy)
    ) {
        return Err(Problem::new(Cause::Unsupported, "compress with snappy"));
    }
    let received = body::read(body, &app.settings().http, &app.bodies).await?;
    let store = app.metrics()?;
    let max = app.settings().http.decoded_bytes_max;
    let asked = app.queries.run(move || {
        let message = body::decompress(Encoding::Snappy, &received, max)?;
        let wrong = |error| Problem::bad_data(format!("the message cannot be taken: {error}"));
        read::decode(&message).map_err(wrong)
    });
    let Request { selectors, form } = asked.await?;
    match form {
        Form::Chunks => {
            add(&app.meters.chunk_reads, 1);
            let write = move |flow: &mut Flow| chunks(&store.snapshot(), &selectors, flow);
            stream::bytes(&app.queries, CHUNKS, write).await
        }
        Form::Samples => {
            add(&app.meters.sample_reads, 1);
            let work = app
                .queries
                .run(move || samples(&store.snapshot(), &selectors));
            Ok(response(work.await?))
        }
    }
}

/// Everything in one message, compressed.
fn samples(snapshot: &Snapshot<Samples>, selectors: &[Selector]) -> Result<Vec<u8>, Problem> {
    let (mut response, mut count) = (Message::new(), 0);
    for selector in selectors {
        response = response.message(1, result(snapshot, selector, &mut count)?);
    }
    let compressed = snap::raw::Encoder::new().compress_vec(&response.into_bytes());
    compressed.map_err(|error| Problem::new(Cause::Internal, error.to_string()))
}

/// Frames of chunks, of which no more than one is held.
fn chunks(
    snapshot: &Snapshot<Samples>,
    selectors: &[Selector],
    flow: &mut Flow,
) -> Result<(), Problem> {
    for (place, selector) in selectors.iter().enumerate() {
        let mut found = snapshot.select(selector)?;
        found.sort_by(|left, right| left.labels().cmp(&right.labels()));
        for series in found {
            let mut chunked = ChunkedSeries::new(place, series.labels());
            let mut send = |frame: Vec<u8>| -> Result<(), Problem> {
                flow.put(&frame);
                Ok(flow.pass()?)
            };
            for run in series.cursor()? {
                chunked.push(&run?, &mut send)?;
            }
            if let Some(frame) = chunked.finish() {
                send(frame)?;
            }
        }
    }
    Ok(())
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
