//! What stands around the methods of the gRPC door: a call is read, stored by a job on the lane of
//! writes, answered and counted.
//!
//! Knows no service: methods say what becomes of a message.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::layers;
use crate::app::{App, Scope};
use crate::duration;
use crate::http::grpc::{self, Code, FRAME_HEAD_BYTES, Status};
use crate::http::problem::Problem;
use crate::meters::{Limit, add};
use crate::settings::HttpLimits;

/// What a call is counted as that no method takes.
const NO_METHOD: &str = "other";

/// The methods, and an answer for those that there are not.
pub(crate) fn router(methods: Router<Arc<App>>, app: &Arc<App>) -> Router {
    layers::wrap_calls(methods.fallback(no_such_method), app)
}

async fn no_such_method(State(app): State<Arc<App>>, request: Request) -> Response {
    if !grpc::is_call(request.headers()) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let status = Status::new(
        Code::Unimplemented,
        format!("there is no method {}", request.uri().path()),
    );
    app.meters.note_call(NO_METHOD, status.code() as u16);
    grpc::refusal(&status)
}

/// Answers a call of one message with one: what `take` makes of it, which may block.
pub(crate) async fn unary(
    app: Scope,
    request: Request,
    take: impl FnOnce(&Scope, &[u8]) -> Result<Vec<u8>, Problem> + Send + 'static,
) -> Response {
    if !grpc::is_call(request.headers()) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let method = request.extensions().get::<MatchedPath>();
    let method = method.map_or(NO_METHOD.to_owned(), |path| path.as_str().to_owned());
    let ended = match grpc::timeout(request.headers()) {
        Ok(Some(limit)) => match tokio::time::timeout(limit, call(&app, request, take)).await {
            Ok(ended) => ended,
            Err(_) => Err(Status::new(
                Code::DeadlineExceeded,
                "it took longer than the caller waits",
            )),
        },
        Ok(None) => call(&app, request, take).await,
        Err(status) => Err(status),
    };
    let code = ended.as_ref().map_or_else(Status::code, |_| Code::Ok);
    app.meters.note_call(&method, code as u16);
    match ended {
        Ok(message) => grpc::answer(&message),
        Err(status) => grpc::refusal(&status),
    }
}

async fn call(
    app: &Scope,
    request: Request,
    take: impl FnOnce(&Scope, &[u8]) -> Result<Vec<u8>, Problem> + Send + 'static,
) -> Result<Vec<u8>, Status> {
    // Nothing is read of a call that comes too early or too late.
    drop(app.engine()?);
    let (head, body) = request.into_parts();
    let limits = app.settings().http;
    let reading = grpc::read(body, &app.bodies, limits.body_bytes_max);
    let read = tokio::time::timeout(limits.body_timeout, reading);
    let held = match read.await {
        Ok(held) => held?,
        Err(_) => {
            let patience = duration::format(limits.body_timeout);
            let why = format!("the message took longer than {patience} to come");
            return Err(Status::new(Code::DeadlineExceeded, why).limited(Limit::BodyTimeout));
        }
    };
    let received = held.len().saturating_sub(FRAME_HEAD_BYTES);
    add(&app.meters.received_bytes, received as u64);
    let (taker, headers) = (app.clone(), head.headers);
    // What is wrong with the frame has codes of its own, so it is a result of the job.
    let work = app
        .writes
        .run(move || Ok(stored(&taker, &headers, &held, &limits, take)));
    work.await?
}

/// What becomes of a frame. Blocks.
fn stored(
    app: &Scope,
    headers: &HeaderMap,
    frame: &[u8],
    limits: &HttpLimits,
    take: impl FnOnce(&Scope, &[u8]) -> Result<Vec<u8>, Problem>,
) -> Result<Vec<u8>, Status> {
    let message = grpc::unpack(frame, headers, limits)?;
    Ok(take(app, &message)?)
}
