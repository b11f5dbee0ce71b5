//! OpenTelemetry over gRPC, called with a client that is HTTP/2 and nothing more.

mod client;
mod floods;

use std::io::Write;

use chronolith_server::testing::otlp::{self, SECOND};
use chronolith_server::testing::{Message, message_fields, snappy};
use serde_json::json;

use super::bed::{Bed, NOON};
use client::{Called, call, frame};

pub(super) const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub(super) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// gRPC's codes.
const INVALID_ARGUMENT: u16 = 3;
const DEADLINE_EXCEEDED: u16 = 4;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;

fn counter(temporality: i64) -> Vec<u8> {
    let noon = NOON as u64 / 1000 * SECOND;
    let data = Message::new()
        .message(1, otlp::number(noon - SECOND, noon, 5.0))
        .integer(2, temporality)
        .integer(3, 1);
    let metric = Message::new().bytes(1, "http.requests").message(7, data);
    otlp::request(&[("service.name", "shop")], [metric]).into_bytes()
}

fn line(text: &str) -> Vec<u8> {
    let record = Message::new()
        .fixed64(1, NOON * 1_000_000)
        .message(5, Message::new().bytes(1, text));
    let resource = Message::new().message(1, otlp::attribute("service.name", "shop"));
    let scopes = Message::new().message(2, record);
    let logs = Message::new().message(1, resource).message(2, scopes);
    Message::new().message(1, logs).into_bytes()
}

/// Calls a method for a tenant: the code, and whether the caller is told when to try again.
pub(super) fn call_as(
    bed: &Bed,
    tenant: &str,
    method: &str,
    message: &[u8],
) -> (Option<u16>, bool) {
    let called = call(bed, method, &[("x-scope-orgid", tenant)], frame(0, message));
    let is_told = called.headers.contains_key("grpc-status-details-bin");
    (called.code, is_told)
}

/// Calls a method with this header: the code of HTTP, and that of gRPC.
pub(super) fn call_with(
    bed: &Bed,
    header: (&str, &str),
    method: &str,
    message: &[u8],
) -> (u16, Option<u16>) {
    let called = call(bed, method, &[header], frame(0, message));
    (called.http, called.code)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn said(called: &Called, code: u16, why: &str) {
    assert_eq!((called.http, called.code), (200, Some(code)), "{called:?}");
    assert!(called.message.contains(why), "{called:?}");
}

#[test]
fn metrics_are_stored_plain_and_compressed() {
    let bed = Bed::new();
    let plain = call(&bed, METRICS, &[], frame(0, &counter(2)));
    assert_eq!(plain.answer(), Some(&[][..]), "{plain:?}");
    let headers = [("grpc-encoding", "gzip"), ("x-scope-orgid", "somebody")];
    let gzip = call(&bed, METRICS, &headers, frame(1, &gzipped(&counter(2))));
    assert_eq!(gzip.answer(), Some(&[][..]), "{gzip:?}");
    let zstd = zstd::bulk::compress(&counter(2), 1).unwrap();
    let zstd = call(&bed, METRICS, &[("grpc-encoding", "zstd")], frame(1, &zstd));
    assert_eq!(zstd.answer(), Some(&[][..]), "{zstd:?}");
    let asked = bed.get(&format!(
        "/api/v1/query?query=http_requests_total&time={}",
        NOON / 1000
    ));
    assert_eq!(asked.data()["result"][0]["value"][1], "5");
    let text = bed.get("/metrics").text();
    let counted = format!("chronolith_grpc_calls_total{{method=\"{METRICS}\",code=\"0\"}} 3");
    assert!(text.contains(&counted), "{text}");
}

#[test]
fn logs_are_stored() {
    let bed = Bed::new();
    let called = call(&bed, LOGS, &[], frame(0, &line("boom")));
    assert_eq!(called.answer(), Some(&[][..]), "{called:?}");
    // A request without records is fine.
    assert_eq!(call(&bed, LOGS, &[], frame(0, b"")).answer(), Some(&[][..]));
    let query = "query=%7Bservice_name%3D%22shop%22%7D&start=2026-01-15T11:00:00Z\
                 &end=2026-01-15T12:00:00Z";
    let found = bed.ask_loki(
        "GET",
        &format!("/loki/api/v1/query_range?{query}"),
        &[],
        b"",
    );
    assert_eq!(
        found.json()["data"]["result"][0]["values"][0][1],
        json!("boom")
    );
}

#[test]
fn what_is_not_taken_is_said_in_the_answer() {
    let bed = Bed::new();
    assert_eq!(
        call(&bed, METRICS, &[], frame(0, &counter(1))).answer(),
        Some(&[][..])
    );
    let called = call(&bed, METRICS, &[], frame(0, &counter(1)));
    let partial = message_fields(&snappy(called.answer().unwrap()));
    let text = String::from_utf8_lossy(&partial[0]).into_owned();
    assert!(text.contains("not after the one before"), "{text:?}");
    // The same answer as over HTTP.
    let kind = [("Content-Type", "application/x-protobuf")];
    let over_http = bed.ask_otlp("/v1/metrics", &kind, &counter(1));
    assert_eq!(Some(over_http.body.as_slice()), called.answer());
}

#[test]
fn what_the_store_refuses_is_an_invalid_argument() {
    let bed = Bed::new();
    let far = NOON as u64 * 4 * 1_000_000;
    let data = Message::new().message(1, otlp::number(0, far, 1.0));
    let metric = Message::new().bytes(1, "ahead").message(5, data);
    let message = otlp::request(&[], [metric]).into_bytes();
    said(
        &call(&bed, METRICS, &[], frame(0, &message)),
        INVALID_ARGUMENT,
        "ahead",
    );
    for (method, message) in [(METRICS, b"no message"), (LOGS, b"no message")] {
        said(
            &call(&bed, method, &[], frame(0, message)),
            INVALID_ARGUMENT,
            "cannot be taken",
        );
    }
    let text = bed.get("/metrics").text();
    let counted = format!("chronolith_grpc_calls_total{{method=\"{METRICS}\",code=\"3\"}} 2");
    assert!(text.contains(&counted), "{text}");
}

#[test]
fn methods_that_there_are_not_are_unimplemented() {
    let bed = Bed::new();
    for method in [TRACES, "/", "/grpc.health.v1.Health/Check"] {
        said(
            &call(&bed, method, &[], frame(0, b"")),
            UNIMPLEMENTED,
            "there is no method",
        );
    }
}

#[test]
fn what_is_no_call_gets_a_status_of_http() {
    let bed = Bed::new();
    for kind in [
        "application/x-protobuf",
        "application/grpc+json",
        "application/grpc-web",
    ] {
        for method in [METRICS, TRACES] {
            let headers = [("content-type", kind)];
            assert_eq!(
                call(&bed, method, &headers, frame(0, &counter(2))).http,
                415,
                "{kind}"
            );
        }
    }
    let got = call(&bed, METRICS, &[(":method", "GET")], Vec::new());
    assert_eq!((got.http, got.code), (405, None));
}

#[test]
fn frames_that_are_cut_doubled_or_odd_are_errors() {
    let bed = Bed::new();
    let whole = frame(0, &counter(2));
    for cut in [1, 4, 5, whole.len() - 1] {
        said(
            &call(&bed, METRICS, &[], whole[..cut].to_vec()),
            INTERNAL,
            "the frame ends",
        );
    }
    let twice = [whole.as_slice(), &whole].concat();
    said(
        &call(&bed, METRICS, &[], twice),
        UNIMPLEMENTED,
        "one message",
    );
    said(
        &call(&bed, METRICS, &[], Vec::new()),
        UNIMPLEMENTED,
        "one message",
    );
    said(
        &call(&bed, METRICS, &[], frame(7, b"")),
        INTERNAL,
        "neither 0 nor 1",
    );
    said(
        &call(&bed, METRICS, &[], frame(1, b"")),
        INTERNAL,
        "does not say how",
    );
    let snappy = call(&bed, METRICS, &[("grpc-encoding", "snappy")], whole);
    said(&snappy, UNIMPLEMENTED, "snappy");
    assert_eq!(
        snappy.header("grpc-accept-encoding"),
        Some("identity,gzip,zstd")
    );
    let broken = call(
        &bed,
        METRICS,
        &[("grpc-encoding", "gzip")],
        frame(1, b"no gzip"),
    );
    said(&broken, INVALID_ARGUMENT, "not valid gzip");
}

#[test]
fn a_message_is_limited_before_and_after_it_is_decompressed() {
    let bed = Bed::new();
    let bomb = gzipped(&vec![0; (32 << 20) + 1]);
    assert!(bomb.len() < 300_000);
    let called = call(&bed, METRICS, &[("grpc-encoding", "gzip")], frame(1, &bomb));
    said(
        &called,
        RESOURCE_EXHAUSTED,
        "decodes to more than 33554432 bytes",
    );
    // What is too large for ever is not to be tried again.
    assert_eq!(called.header("grpc-status-details-bin"), None);
    let claimed = [&[0, 0xff, 0xff, 0xff, 0xff][..], b"few"].concat();
    said(
        &call(&bed, LOGS, &[], claimed),
        RESOURCE_EXHAUSTED,
        "may have 33554432 bytes",
    );
}

#[test]
fn no_method_unpacks_more_than_it_may_in_any_encoding() {
    let bed = Bed::new();
    let zeros = vec![0; 64 << 20];
    // A frame of zstd that wants a window of 128 MiB, with one byte in it.
    let window = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 9, 0, 0, b'x'];
    let bombs = [
        ("gzip", gzipped(&zeros), RESOURCE_EXHAUSTED),
        (
            "zstd",
            zstd::bulk::compress(&zeros, 1).unwrap(),
            RESOURCE_EXHAUSTED,
        ),
        ("zstd", window, INVALID_ARGUMENT),
        ("snappy", snappy(&zeros), UNIMPLEMENTED),
        ("deflate", vec![0x4b, 0x04, 0], UNIMPLEMENTED),
    ];
    for method in [METRICS, LOGS] {
        for (encoding, bomb, code) in &bombs {
            let headers = [("grpc-encoding", *encoding)];
            let called = call(&bed, method, &headers, frame(1, bomb));
            assert_eq!(called.code, Some(*code), "{method} {encoding}: {called:?}");
        }
    }
    let text = bed.get("/metrics").text();
    assert!(
        text.contains("chronolith_limited_total{limit=\"decoded_bytes\"} 4\n"),
        "{text}"
    );
}

#[test]
fn a_timeout_of_the_caller_ends_the_call() {
    let bed = Bed::new();
    let at_once = call(
        &bed,
        METRICS,
        &[("grpc-timeout", "0n")],
        frame(0, &counter(2)),
    );
    said(&at_once, DEADLINE_EXCEEDED, "longer than the caller waits");
    let wrong = call(
        &bed,
        METRICS,
        &[("grpc-timeout", "soon")],
        frame(0, &counter(2)),
    );
    said(&wrong, INVALID_ARGUMENT, "grpc-timeout");
    let enough = call(
        &bed,
        METRICS,
        &[("grpc-timeout", "1M")],
        frame(0, &counter(2)),
    );
    assert_eq!(enough.answer(), Some(&[][..]), "{enough:?}");
}

#[test]
fn who_calls_a_server_that_stops_is_told_when_to_try_again() {
    let called = client::call_while_stopping(Bed::new(), METRICS, frame(0, &counter(2)));
    said(&called, UNAVAILABLE, "the server is stopping");
    // google.rpc.Status with a RetryInfo of five seconds, in base64.
    let details = called.header("grpc-status-details-bin").unwrap();
    assert!(
        details.starts_with("CA4SFnRoZSBzZXJ2ZXIgaXMgc3RvcHBpbmca"),
        "{details}"
    );
    assert!(details.ends_with("xIECgIIBQ"), "{details}");
}
