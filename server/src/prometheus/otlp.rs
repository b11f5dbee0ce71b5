//! Metrics of OpenTelemetry over HTTP and gRPC.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::json;

use crate::app::Scope;
use crate::doors::grpc;
use crate::http::body::{self, Encoding};
use crate::http::form::Form;
use crate::http::problem::{Cause, Problem};
use crate::ingest;
use crate::meters::{Limit, add};
use crate::wire::columns::Faults;
use crate::wire::message::Message;
use crate::wire::otlp;
use crate::wire::otlp::deltas::Turn;
use crate::wire::protobuf::Malformed;

/// Stores what can be stored of a request.
pub(crate) async fn write(app: Scope, headers: HeaderMap, body: Body) -> Response {
    let Some(form) = Form::of(&headers) else {
        let why = "send application/x-protobuf or application/json: other forms are not taken";
        return Problem::new(Cause::Unsupported, why).into_text();
    };
    match store(app, form, &headers, body).await {
        Ok(message) => {
            let mut response = Response::new(Body::from(message));
            let kind = HeaderValue::from_static(form.content_type());
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(problem) => problem.into_text(),
    }
}

async fn store(
    app: Scope,
    form: Form,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, Problem> {
    let unsupported = |why: &str| Problem::new(Cause::Unsupported, why);
    let encoding = match Encoding::of(headers) {
        Ok(encoding @ (Encoding::Plain | Encoding::Gzip)) => encoding,
        _ => return Err(unsupported("compress with gzip, or not at all")),
    };
    let received = body::read(body, &app.settings().http, &app.bodies).await?;
    add(&app.meters.received_bytes, received.len() as u64);
    let taker = app.clone();
    let work = app.writes.run(move || {
        let limits = &taker.settings().http;
        let mut message = body::decompress(encoding, &received, limits.decoded_bytes_max)?;
        if form == Form::Json {
            let max = limits.json_bytes_max;
            if message.len() > max {
                let why = format!("a message in JSON may have {max} bytes");
                return Err(Problem::new(Cause::TooLarge, why).limited(Limit::JsonBytes));
            }
            message = otlp::json::to_protobuf(&message, otlp::json::METRICS).map_err(wrong)?;
        }
        Ok(answer(form, &take(&taker, &message)?))
    });
    work.await
}

/// Answers `MetricsService/Export`.
pub(crate) async fn call(app: Scope, request: Request) -> Response {
    let take = |app: &Scope, message: &[u8]| Ok(answer(Form::Protobuf, &take(app, message)?));
    grpc::unary(app, request, take).await
}

/// Stores what can be stored of a message in protobuf. Blocks.
fn take(app: &Scope, message: &[u8]) -> Result<Faults, Problem> {
    let tenant = app.tenant_to_fill()?;
    let deltas = app.deltas();
    let mut turn = Turn::new(&deltas);
    let translation = app.settings().otlp_translation;
    let (mut columns, faults) = otlp::decode(message, translation, &mut turn).map_err(wrong)?;
    let stored = ingest::in_parts(app.intake(&tenant), &mut columns).1;
    match &stored {
        // It will be sent again, so what it added is taken back.
        Err(problem) if problem.is_retried() => drop(turn),
        _ => turn.commit(),
    }
    stored?;
    add(&app.meters.refused, faults.count());
    Ok(faults)
}

fn wrong(error: Malformed) -> Problem {
    Problem::bad_data(format!("the message cannot be taken: {error}"))
}

/// The answer: empty, or how many points were not taken and why.
fn answer(form: Form, faults: &Faults) -> Vec<u8> {
    let count = i64::try_from(faults.count()).unwrap_or(i64::MAX);
    match form {
        Form::Protobuf if count == 0 => Vec::new(),
        Form::Protobuf => {
            let partial = Message::new().integer(1, count).bytes(2, faults.text());
            Message::new().message(1, partial).into_bytes()
        }
        Form::Json if count == 0 => b"{}".to_vec(),
        Form::Json => json!({"partialSuccess": {
            "rejectedDataPoints": count.to_string(),
            "errorMessage": faults.text(),
        }})
        .to_string()
        .into_bytes(),
    }
}
