//! gRPC over HTTP/2 as far as a call needs it that is one message and its answer: frames, how a
//! call ended, and how long it may take.
//!
//! Knows no service and no store.

mod frame;
mod status;

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};

use super::problem::Limited;

pub(crate) use frame::{FRAME_HEAD_BYTES, read, unpack};
pub(crate) use status::{Code, Status};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// What answers and requests may be compressed with.
pub(crate) const ENCODINGS: &str = "identity,gzip,zstd";

/// Digits of the number in a time-out.
const TIMEOUT_DIGITS_MAX: usize = 8;

/// Whether this is a call whose messages are protobuf.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let media = kind.split(';').next().unwrap_or("").trim();
    media == "application/grpc" || media == "application/grpc+proto"
}

/// How long the caller waits, if it says so.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    let read = value.to_str().ok().and_then(duration);
    read.map(Some).ok_or_else(|| {
        let why = "grpc-timeout is not up to eight digits and one of H, M, S, m, u, n";
        Status::new(Code::InvalidArgument, why)
    })
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || digits.len() > TIMEOUT_DIGITS_MAX {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(count * 3600),
        'M' => Duration::from_secs(count * 60),
        'S' => Duration::from_secs(count),
        'm' => Duration::from_millis(count),
        'u' => Duration::from_micros(count),
        'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The answer to a call that went well.
pub(crate) fn answer(message: &[u8]) -> Response {
    let body = Full::new(Bytes::from(frame::pack(message)));
    let trailers = Status::new(Code::Ok, "").headers();
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

/// The answer to a call that went wrong: it has no message, and its trailers are its headers.
pub(crate) fn refusal(status: &Status) -> Response {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = status.headers();
    if let Some(limit) = status.limit() {
        response.extensions_mut().insert(Limited(limit));
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    let encodings = HeaderValue::from_static(ENCODINGS);
    headers.insert("grpc-accept-encoding", encodings);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_static(text));
            timeout(&headers).ok().flatten()
        };
        assert_eq!(of("10S"), Some(Duration::from_secs(10)));
        assert_eq!(of("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(of("3M"), Some(Duration::from_secs(180)));
        assert_eq!(of("99999999m"), Some(Duration::from_millis(99_999_999)));
        assert_eq!(of("5u"), Some(Duration::from_micros(5)));
        assert_eq!(of("7n"), Some(Duration::from_nanos(7)));
        for wrong in ["", "S", "10", "10s", "999999999S", "-1S", "1.5S", "+1S"] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert!(timeout(&HeaderMap::new()).is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn only_grpc_with_protobuf_is_a_call() {
        let is = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(text));
            is_call(&headers)
        };
        assert!(is("application/grpc") && is("application/grpc+proto"));
        assert!(is("application/grpc; charset=utf-8"));
        for other in [
            "application/grpc-web",
            "application/grpc+json",
            "application/x-protobuf",
        ] {
            assert!(!is(other), "{other}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }
}
