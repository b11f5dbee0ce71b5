//! [`Form`]: messages that come as protobuf or as JSON, and answers in the same form.

use axum::http::{HeaderMap, header};

/// How a message is written, and with it the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Protobuf,
}

impl Form {
    /// What the content type says; none if it says anything else.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Form> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match kind.split(';').next().unwrap_or("").trim() {
            "application/json" => Some(Form::Json),
            "application/x-protobuf" => Some(Form::Protobuf),
            _ => None,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Protobuf => "application/x-protobuf",
        }
    }
}
