//! The receiver of pushed lines: protobuf in snappy, or JSON, in the forms of today and of old.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;

use crate::app::Scope;
use crate::http::body::{self, Encoding};
use crate::http::problem::{Cause, Problem};
use crate::http::times;
use crate::ingest::logs::{self, LogIntake};
use crate::meters::{Limit, add};
use crate::wire::logs::{LogColumns, json, protobuf};

use super::answer::Answer;

/// How lines are written in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Protobuf,
}

/// Stores what can be stored of a request.
pub(super) async fn push(app: Scope, headers: HeaderMap, body: Body) -> Answer {
    let (form, encoding) = (form(&headers)?, encoding(&headers)?);
    let received = body::read(body, &app.settings().http, &app.bodies).await?;
    add(&app.meters.received_bytes, received.len() as u64);
    let taker = app.clone();
    let work = app
        .writes
        .run(move || take(&taker, form, encoding, &received));
    work.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Decodes and stores. Blocks.
fn take(app: &Scope, form: Form, encoding: Encoding, received: &[u8]) -> Result<(), Problem> {
    let max = app.settings().http.decoded_bytes_max;
    let unpacked;
    let unpacked = match encoding {
        Encoding::Plain => received,
        other => {
            unpacked = body::decompress(other, received, max)?;
            &unpacked
        }
    };
    match form {
        Form::Protobuf => {
            if snap::raw::decompress_len(unpacked).is_ok_and(|it| it > max) {
                let why = format!("the body decodes to more than {max} bytes");
                return Err(Problem::new(Cause::TooLarge, why).limited(Limit::DecodedBytes));
            }
            let message = body::decompress(Encoding::Snappy, unpacked, max)?;
            let columns = protobuf::decode(&message).map_err(|error| {
                Problem::bad_data(format!("the message cannot be taken: {error}"))
            })?;
            store(app, &columns)
        }
        Form::Json => {
            let text = std::str::from_utf8(unpacked)
                .map_err(|_| Problem::bad_data("the body is not UTF-8"))?;
            let columns = json::decode(text, times::rfc3339_nanos)
                .map_err(|error| Problem::bad_data(format!("the body cannot be read: {error}")))?;
            store(app, &columns)
        }
    }
}

/// Stores what was decoded.
pub(super) fn store(app: &Scope, columns: &LogColumns<'_>) -> Result<(), Problem> {
    if columns.stream_count() == 0 {
        let why = "error at least one valid stream is required for ingestion";
        return Err(Problem::new(Cause::Empty, why));
    }
    let store = app.tenant_to_fill()?.logs()?;
    let settings = app.settings();
    let intake = LogIntake {
        store: &store,
        limits: &settings.logs,
        retention: settings.logs.retention.or(settings.retention),
        meters: &app.meters,
        tails: &app.tails,
        tenant: app.tenant_name(),
    };
    logs::admit(intake, (&app.paces, &settings.ingest), columns)?;
    logs::store(intake, columns)
}

/// JSON where the content type says so, protobuf otherwise.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let media = kind.split(';').next().unwrap_or("").trim();
    if media.is_empty() {
        return Err(Problem::bad_data("mime: no media type"));
    }
    Ok(match media.eq_ignore_ascii_case("application/json") {
        true => Form::Json,
        false => Form::Protobuf,
    })
}

/// What is around the message. Snappy says nothing: the message is in snappy in any case.
fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    match Encoding::of(headers) {
        Ok(Encoding::Snappy) => Ok(Encoding::Plain),
        Ok(encoding) => Ok(encoding),
        Err(other) => Err(Problem::bad_data(format!(
            "Content-Encoding {other:?} not supported"
        ))),
    }
}
