//! The envelope of Prometheus' answers.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::http::json::Json;
use crate::http::problem::Problem;
use crate::http::stream;

/// What Prometheus says where a limit cut an answer off.
pub(crate) const TRUNCATED: &str = "results truncated due to limit";

/// Annotations of one sort that are told.
const TOLD_MAX: usize = 10;

/// An answer that is small and known.
pub(crate) fn success(data: &Value) -> Response {
    let mut json = Json::whole();
    json.raw("{\"status\":\"success\",\"data\":");
    json.raw(&data.to_string());
    json.raw("}");
    stream::response(Body::from(json.into_bytes()))
}

/// The answer where there is nothing to say, not even an empty list.
pub(crate) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Writes the envelope around `data`, which says at its end what there is to warn of.
pub(crate) fn write(
    json: &mut Json,
    data: impl FnOnce(&mut Json) -> Result<Notes, Problem>,
) -> Result<(), Problem> {
    json.raw("{\"status\":\"success\",\"data\":");
    let notes = data(json)?;
    for (key, texts, more) in [
        (",\"warnings\":", notes.warnings, "warning"),
        (",\"infos\":", notes.infos, "info"),
    ] {
        if texts.is_empty() {
            continue;
        }
        json.raw(key);
        let left_out = texts.len().saturating_sub(TOLD_MAX);
        let told = texts.into_iter().take(TOLD_MAX);
        let rest = (left_out > 0).then(|| format!("{left_out} more {more} annotations omitted"));
        json.texts(told.chain(rest));
    }
    json.raw("}");
    Ok(())
}

/// What is told beside an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<String>,
    pub(crate) infos: Vec<String>,
}

impl Notes {
    /// A warning that the answer was cut off, if it was.
    pub(crate) fn truncated(was_cut: bool) -> Self {
        Notes {
            warnings: was_cut.then(|| TRUNCATED.to_owned()).into_iter().collect(),
            infos: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_warnings_are_told_and_the_rest_counted() {
        let mut json = Json::whole();
        let warnings = (0..13).map(|n| format!("w{n}")).collect();
        write(&mut json, |json| {
            json.raw("[]");
            Ok(Notes {
                warnings,
                infos: vec!["i".into()],
            })
        })
        .unwrap();
        let read: Value = serde_json::from_slice(&json.into_bytes()).unwrap();
        assert_eq!(read["warnings"].as_array().unwrap().len(), 11);
        assert_eq!(read["warnings"][10], "3 more warning annotations omitted");
        assert_eq!(read["infos"], serde_json::json!(["i"]));
    }
}
