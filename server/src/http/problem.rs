//! The one error map: what went wrong, as a status code and in the shape that clients read.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chronolith_engine::{Error, ErrorKind};

use super::json::Json;
use crate::meters::Limit;

/// After how many seconds a client that was turned away may try again.
const RETRY_SECONDS: u32 = 5;

/// Nginx' code for a client that closed the connection before it was answered.
const CLIENT_CLOSED: u16 = 499;

/// What sort of failure a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The request is wrong and will be wrong again.
    BadData,
    /// The request is understood and cannot be carried out.
    Execution,
    /// The client went away.
    Canceled,
    /// The request took longer than it may.
    Timeout,
    /// The server failed.
    Internal,
    /// The body is larger than it may be.
    TooLarge,
    /// The body is in a format that is not taken here.
    Unsupported,
    /// The request is well-formed and holds nothing.
    Empty,
    /// There is no such thing.
    Missing,
    /// A limit is reached; later it may not be.
    Limit,
    /// The server cannot answer now: it starts, stops, is full or has too much to do.
    Unavailable,
    /// The request came from a page of another site.
    Forbidden,
}

impl Cause {
    fn status(self) -> StatusCode {
        match self {
            Cause::BadData => StatusCode::BAD_REQUEST,
            Cause::Execution | Cause::Empty => StatusCode::UNPROCESSABLE_ENTITY,
            Cause::Missing => StatusCode::NOT_FOUND,
            Cause::Canceled => {
                StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Cause::Timeout | Cause::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Cause::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Cause::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Cause::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Cause::Limit => StatusCode::TOO_MANY_REQUESTS,
            Cause::Forbidden => StatusCode::FORBIDDEN,
        }
    }

    /// What Prometheus calls it.
    fn error_type(self) -> &'static str {
        match self {
            Cause::BadData | Cause::TooLarge | Cause::Unsupported | Cause::Forbidden => "bad_data",
            Cause::Empty => "bad_data",
            Cause::Missing => "not_found",
            Cause::Execution => "execution",
            Cause::Canceled => "canceled",
            Cause::Timeout => "timeout",
            Cause::Internal => "internal",
            Cause::Limit => "too_many_requests",
            Cause::Unavailable => "unavailable",
        }
    }

    /// As Loki has it: what a query cannot do is the query's fault, and what takes too long has a
    /// code of its own.
    fn status_of_logs(self) -> StatusCode {
        match self {
            Cause::Execution => StatusCode::BAD_REQUEST,
            Cause::Timeout => StatusCode::GATEWAY_TIMEOUT,
            other => other.status(),
        }
    }

    fn may_retry(self) -> bool {
        matches!(self, Cause::Limit | Cause::Unavailable)
    }
}

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    cause: Cause,
    message: String,
    /// After how many seconds the same request may be sent again, where that is known.
    again_in: Option<u32>,
    /// The limit that was met, if it was one.
    limit: Option<Limit>,
}

/// Put into an answer for the layer that counts: it was refused because of this limit.
#[derive(Clone, Copy)]
pub(crate) struct Limited(pub(crate) Limit);

impl Problem {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Problem {
            cause,
            message: message.into(),
            again_in: None,
            limit: None,
        }
    }

    /// The same, counted as a refusal by this limit.
    pub(crate) fn limited(self, limit: Limit) -> Self {
        Problem {
            limit: Some(limit),
            ..self
        }
    }

    /// The limit that was met, if it was one.
    pub(crate) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// The same, for a sender that is told to wait so many seconds.
    pub(crate) fn again_in(self, seconds: u32) -> Self {
        Problem {
            again_in: Some(seconds),
            ..self
        }
    }

    /// Whether a sender tries the same request again.
    pub(crate) fn is_retried(&self) -> bool {
        self.cause.may_retry() || self.cause.status().is_server_error()
    }

    /// After how many seconds the same request may be sent again, if it may.
    pub(crate) fn retry_seconds(&self) -> Option<u32> {
        let seconds = self.again_in.unwrap_or(RETRY_SECONDS);
        self.cause.may_retry().then_some(seconds)
    }

    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Problem::new(Cause::BadData, message)
    }

    /// A parameter that cannot be read, worded as Prometheus words it.
    pub(crate) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Problem::bad_data(format!("invalid parameter {name:?}: {why}"))
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The answer as plain text, as receivers of pushed data give it.
    pub(crate) fn into_text(self) -> Response {
        let text = format!("{}\n", self.message);
        let status = self.cause.status();
        self.response(status, "text/plain; charset=utf-8", text.into_bytes())
    }

    /// The answer as plain text with the codes of Loki.
    pub(crate) fn into_text_of_logs(self) -> Response {
        let text = format!("{}\n", self.message);
        let status = self.cause.status_of_logs();
        self.response(status, "text/plain; charset=utf-8", text.into_bytes())
    }

    /// The answer in a form of the caller's, with the codes of Loki.
    pub(crate) fn into_form(self, content_type: &'static str, body: Vec<u8>) -> Response {
        let status = self.cause.status_of_logs();
        self.response(status, content_type, body)
    }

    fn response(&self, status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        if let Some(limit) = self.limit {
            response.extensions_mut().insert(Limited(limit));
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(seconds) = self.retry_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// The answer in the envelope of the Prometheus API.
    fn into_response(self) -> Response {
        let mut json = Json::whole();
        json.raw("{\"status\":\"error\",\"errorType\":");
        json.text(self.cause.error_type());
        json.raw(",\"error\":");
        json.text(&self.message);
        json.raw("}");
        let status = self.cause.status();
        self.response(status, "application/json", json.into_bytes())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let cause = match error.kind() {
            ErrorKind::Invalid => Cause::BadData,
            ErrorKind::Limit => Cause::Limit,
            ErrorKind::Full | ErrorKind::ReadOnly | ErrorKind::Closed => Cause::Unavailable,
            _ => Cause::Internal,
        };
        Problem::new(cause, error.to_string())
    }
}
