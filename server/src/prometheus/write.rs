//! The remote-write receiver: which message is taken, and what its sender is told.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::Scope;
use crate::http::body::{self, Encoding};
use crate::http::problem::{Cause, Problem};
use crate::ingest::{self, Written};
use crate::meters::add;
use crate::wire::{write_v1, write_v2};

/// Which message a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Headers that tell a sender of version 2 how much was stored.
const WRITTEN_HEADERS: [&str; 3] = [
    "x-prometheus-remote-write-samples-written",
    "x-prometheus-remote-write-histograms-written",
    "x-prometheus-remote-write-exemplars-written",
];

/// Takes a request of either version.
pub(crate) async fn write(app: Scope, headers: HeaderMap, body: Body) -> Response {
    let version = match negotiate(&headers) {
        Ok(version) => version,
        Err(problem) => return problem.into_text(),
    };
    let received = match body::read(body, &app.settings().http, &app.bodies).await {
        Ok(received) => received,
        Err(problem) => return told(version, Written::default(), Err(problem)),
    };
    add(&app.meters.received_bytes, received.len() as u64);
    let taker = app.clone();
    let taken = app
        .writes
        .run(move || Ok(take(&taker, version, &received)))
        .await;
    let (written, result) = taken.unwrap_or_else(|problem| (Written::default(), Err(problem)));
    told(version, written, result)
}

/// Decodes and stores. Blocks.
fn take(app: &Scope, version: Version, received: &[u8]) -> (Written, Result<(), Problem>) {
    let nothing = |problem| (Written::default(), Err(problem));
    let max = app.settings().http.decoded_bytes_max;
    let message = match body::decompress(Encoding::Snappy, received, max) {
        Ok(message) => message,
        Err(problem) => return nothing(problem),
    };
    let tenant = match app.tenant_to_fill() {
        Ok(tenant) => tenant,
        Err(problem) => return nothing(problem),
    };
    let decoded = match version {
        Version::One => write_v1::decode(&message),
        Version::Two => write_v2::decode(&message),
    };
    let mut columns = match decoded {
        Ok(columns) => columns,
        Err(malformed) => {
            let text = format!("the message cannot be taken: {malformed}");
            return nothing(Problem::bad_data(text));
        }
    };
    match version {
        Version::One => (
            Written::default(),
            ingest::whole(app.intake(&tenant), &columns),
        ),
        Version::Two => ingest::in_parts(app.intake(&tenant), &mut columns),
    }
}

fn told(version: Version, written: Written, result: Result<(), Problem>) -> Response {
    let mut response = match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => problem.into_text(),
    };
    if version == Version::Two {
        let counts = [written.samples, written.histograms, written.exemplars];
        for (name, count) in WRITTEN_HEADERS.iter().zip(counts) {
            response
                .headers_mut()
                .insert(*name, HeaderValue::from(count));
        }
    }
    response
}

/// Which message the headers announce.
fn negotiate(headers: &HeaderMap) -> Result<Version, Problem> {
    let unsupported = |why: String| Problem::new(Cause::Unsupported, why);
    let kind = match headers.get(header::CONTENT_TYPE) {
        Some(kind) => kind
            .to_str()
            .map_err(|_| unsupported("the content type is no text".into())),
        None => Ok(""),
    }?;
    let version = version_of(kind).ok_or_else(|| {
        unsupported(format!(
            "content type {kind:?} is not taken: send application/x-protobuf, with \
             proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request"
        ))
    })?;
    match Encoding::of(headers) {
        // Early senders leave the header out and compress all the same.
        Ok(Encoding::Plain | Encoding::Snappy) => Ok(version),
        Ok(other) => Err(unsupported(format!(
            "{other:?} is not taken: compress with snappy"
        ))),
        Err(other) => Err(unsupported(format!(
            "{other} is not taken: compress with snappy"
        ))),
    }
}

fn version_of(kind: &str) -> Option<Version> {
    let mut parts = kind.split(';').map(str::trim);
    match parts.next() {
        Some("") if kind.trim().is_empty() => return Some(Version::One),
        Some(media) if media.eq_ignore_ascii_case("application/x-protobuf") => {}
        _ => return None,
    }
    let mut version = Version::One;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("proto") {
            continue;
        }
        version = match value.trim().trim_matches('"') {
            "prometheus.WriteRequest" => Version::One,
            "io.prometheus.write.v2.Request" => Version::Two,
            _ => return None,
        };
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_names_the_message() {
        assert_eq!(version_of(""), Some(Version::One));
        assert_eq!(version_of("application/x-protobuf"), Some(Version::One));
        assert_eq!(
            version_of("application/x-protobuf;proto=prometheus.WriteRequest"),
            Some(Version::One)
        );
        assert_eq!(
            version_of("application/x-protobuf; proto=io.prometheus.write.v2.Request"),
            Some(Version::Two)
        );
        for wrong in [
            "text/plain",
            "application/json",
            "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            "application/x-protobuf;proto=",
            "application/x-protobuf;proto",
            ";proto=prometheus.WriteRequest",
        ] {
            assert_eq!(version_of(wrong), None, "{wrong}");
        }
    }
}
