//! Logs of OpenTelemetry over HTTP, on both addresses that take them, and over gRPC.

use std::time::SystemTime;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::Scope;
use crate::doors::grpc;
use crate::http::body::{self, Encoding};
use crate::http::form::Form;
use crate::http::json::Json;
use crate::http::problem::{Cause, Problem};
use crate::meters::{Limit, add};
use crate::wire::logs::otlp;
use crate::wire::message::Message;
use crate::wire::otlp::json;
use crate::wire::protobuf::Malformed;

use super::push;

/// Google's code for a request that is wrong.
const INVALID_ARGUMENT: i64 = 3;
/// Its code for one that may succeed later.
const UNAVAILABLE: i64 = 14;

/// Takes a request at Loki's address: 204 says that it is stored.
pub(super) async fn write(app: Scope, headers: HeaderMap, body: Body) -> Response {
    answered(app, &headers, body, |_| {
        StatusCode::NO_CONTENT.into_response()
    })
    .await
}

/// Takes a request at the address of OTLP: an empty response says that it is stored.
pub(super) async fn export(app: Scope, headers: HeaderMap, body: Body) -> Response {
    answered(app, &headers, body, |form| {
        let empty = match form {
            Form::Json => "{}",
            Form::Protobuf => "",
        };
        let mut response = Response::new(Body::from(empty));
        let kind = HeaderValue::from_static(form.content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    })
    .await
}

async fn answered(
    app: Scope,
    headers: &HeaderMap,
    body: Body,
    stored: impl FnOnce(Form) -> Response,
) -> Response {
    let Some(form) = Form::of(headers) else {
        let why = "send application/x-protobuf or application/json: other forms are not taken";
        return Problem::new(Cause::Unsupported, why).into_text_of_logs();
    };
    match store(app, form, headers, body).await {
        Ok(()) => stored(form),
        Err(problem) => refused(form, problem),
    }
}

/// The answer that says in the sender's own form what is wrong.
fn refused(form: Form, problem: Problem) -> Response {
    // What failed here may be tried again, which senders do for 503 and not for 500.
    let problem = match problem.cause() {
        Cause::Internal => Problem::new(Cause::Unavailable, problem.message()),
        _ => problem,
    };
    let code = match problem.cause() {
        Cause::Unavailable | Cause::Limit => UNAVAILABLE,
        _ => INVALID_ARGUMENT,
    };
    let body = match form {
        Form::Protobuf => Message::new()
            .integer(1, code)
            .bytes(2, problem.message())
            .into_bytes(),
        Form::Json => {
            let mut json = Json::whole();
            json.raw(&format!("{{\"code\":{code},\"message\":"));
            json.text(problem.message());
            json.raw("}");
            json.into_bytes()
        }
    };
    problem.into_form(form.content_type(), body)
}

async fn store(app: Scope, form: Form, headers: &HeaderMap, body: Body) -> Result<(), Problem> {
    let encoding = match Encoding::of(headers) {
        Ok(encoding @ (Encoding::Plain | Encoding::Gzip | Encoding::Zstd)) => encoding,
        _ => {
            let why = "compress with gzip or zstd, or not at all";
            return Err(Problem::new(Cause::Unsupported, why));
        }
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
            message = json::to_protobuf(&message, json::LOGS).map_err(wrong)?;
        }
        take(&taker, &message)
    });
    work.await
}

/// Answers `LogsService/Export`.
pub(super) async fn call(app: Scope, request: Request) -> Response {
    grpc::unary(app, request, |app, message| {
        take(app, message).map(|()| Vec::new())
    })
    .await
}

/// Stores a message in protobuf. Blocks.
fn take(app: &Scope, message: &[u8]) -> Result<(), Problem> {
    let columns = otlp::decode(message, now()).map_err(wrong)?;
    match columns.stream_count() {
        // A request without records is fine to OpenTelemetry.
        0 => Ok(()),
        _ => push::store(app, &columns),
    }
}

fn wrong(error: Malformed) -> Problem {
    Problem::bad_data(format!("the message cannot be taken: {error}"))
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}
