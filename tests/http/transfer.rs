//! Samples as text and from OpenTelemetry coming in, and remote read going out.

use std::io::Write;

use chronolith_server::testing::otlp::{self, SECOND};
use chronolith_server::testing::{Message, integer_histogram, message_fields, snappy, v1};
use serde_json::json;

use super::bed::{Bed, NOON, Reply};

const IMPORT: &str = "/api/v1/import/prometheus";

fn import(bed: &Bed, headers: &[(&str, &str)], text: &str) -> Reply {
    bed.ask("POST", IMPORT, headers, text.as_bytes())
}

#[test]
fn text_is_stored_with_its_metadata() {
    let bed = Bed::new();
    let text = format!(
        "# HELP up Whether it is up.\n# TYPE up gauge\n\
         up{{job=\"a\"}} 1 {NOON}\nup{{job=\"b\"}} 0\n"
    );
    assert_eq!(import(&bed, &[], &text).code, 204);
    assert_eq!(bed.count("up"), 2);
    let range = "start=2026-01-15T11:30:00Z&end=2026-01-15T11:30:00Z";
    let then = bed
        .get(&format!("/api/v1/series?match[]=up&{range}"))
        .data();
    assert_eq!(then, json!([{ "__name__": "up", "job": "a" }]));
    assert_eq!(bed.get("/api/v1/metadata").data()["up"][0]["type"], "gauge");
}

#[test]
fn open_metrics_is_told_by_its_content_type_and_may_be_compressed() {
    let bed = Bed::new();
    let text = "a_total{x=\"y\"} 5 1768476600 # {trace_id=\"abc\"} 0.5\n# EOF\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let headers = [
        (
            "Content-Type",
            "application/openmetrics-text; version=1.0.0",
        ),
        ("Content-Encoding", "gzip"),
    ];
    let reply = bed.ask("POST", IMPORT, &headers, &gzip.finish().unwrap());
    assert_eq!(reply.code, 204, "{}", reply.text());
    let path = "/api/v1/query_exemplars?query=a_total&start=1768476600&end=1768476600";
    assert_eq!(bed.get(path).data()[0]["exemplars"][0]["value"], "0.5");
}

#[test]
fn a_text_that_cannot_be_read_stores_nothing_and_names_the_line() {
    let bed = Bed::new();
    let (kind, why) = import(&bed, &[], "up 1\nup x\n").error();
    assert_eq!(
        (kind.as_str(), why.as_str()),
        ("bad_data", "line 2: \"x\" is no number")
    );
    assert_eq!(bed.count("up"), 0);
    assert_eq!(
        import(&bed, &[("Content-Encoding", "br")], "up 1").code,
        415
    );
}

fn query(start: i64, end: i64, op: i64, name: &str, value: &str) -> Message {
    let matcher = Message::new().integer(1, op).bytes(2, name).bytes(3, value);
    Message::new()
        .integer(1, start)
        .integer(2, end)
        .message(3, matcher)
}

fn read(bed: &Bed, request: Message) -> Reply {
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
    ];
    bed.ask(
        "POST",
        "/api/v1/read",
        &headers,
        &snappy(&request.into_bytes()),
    )
}

#[test]
fn remote_read_gives_back_what_remote_write_brought() {
    let bed = Bed::new();
    let labels = [("__name__", "up"), ("job", "a")];
    let series = v1::series(&labels)
        .message(2, v1::sample(NOON, 1.5))
        .message(2, v1::sample(NOON + 1000, f64::INFINITY));
    let other = v1::series(&[("__name__", "latency")]).message(4, integer_histogram(NOON));
    assert_eq!(bed.write(v1::request([series.clone(), other])).code, 204);
    // Samples are asked for first; streamed chunks would be an answer too.
    let request = Message::new()
        .message(1, query(NOON, NOON + 1000, 0, "__name__", "up"))
        .message(1, query(NOON, NOON, 2, "__name__", "lat.*"))
        .message(1, query(0, 1, 0, "__name__", "up"))
        .packed(2, &[0, 1]);
    let reply = read(&bed, request);
    assert_eq!(
        (reply.code, reply.header("content-encoding")),
        (200, Some("snappy"))
    );
    let results = message_fields(&reply.body);
    assert_eq!(results.len(), 3);
    assert_eq!(results[0], Message::new().message(1, series).into_bytes());
    assert!(results[1].windows(7).any(|part| part == b"latency"));
    assert!(results[2].is_empty());
}

#[test]
fn a_request_that_cannot_be_read_is_refused() {
    let bed = Bed::new();
    assert_eq!(
        read(&bed, Message::new().message(1, query(0, 1, 2, "a", "("))).code,
        400
    );
    assert_eq!(
        bed.ask("POST", "/api/v1/read", &[], b"not snappy").code,
        400
    );
    let gzip = [("Content-Encoding", "gzip")];
    assert_eq!(bed.ask("POST", "/api/v1/read", &gzip, b"").code, 415);
}

const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

fn otlp_request(temporality: i64) -> Vec<u8> {
    let noon = NOON as u64 / 1000 * SECOND;
    let data = Message::new()
        .message(1, otlp::number(noon - SECOND, noon, 5.0))
        .integer(2, temporality)
        .integer(3, 1);
    let metric = Message::new().bytes(1, "http.requests").message(7, data);
    otlp::request(&[("service.name", "shop"), ("host.name", "h")], [metric]).into_bytes()
}

#[test]
fn metrics_of_opentelemetry_are_taken_on_both_addresses() {
    let bed = Bed::new();
    let body = otlp_request(2);
    let reply = bed.ask("POST", "/api/v1/otlp/v1/metrics", &[PROTOBUF], &body);
    assert_eq!((reply.code, reply.body.len()), (200, 0), "{}", reply.text());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&body).unwrap();
    let headers = [PROTOBUF, ("Content-Encoding", "gzip")];
    let reply = bed.ask_otlp("/v1/metrics", &headers, &gzip.finish().unwrap());
    assert_eq!(reply.code, 200, "{}", reply.text());
    let query = "http_requests_total+*+on(job)+group_left(host_name)+target_info";
    let data = bed
        .get(&format!("/api/v1/query?query={query}&time=1768476600"))
        .data();
    let expected = json!([{
        "metric": { "host_name": "h", "job": "shop" },
        "value": [1_768_476_600, "5"],
    }]);
    assert_eq!(data["result"], expected);
    assert_eq!(
        bed.get("/api/v1/metadata").data()["http_requests_total"][0]["type"],
        "counter"
    );
}

#[test]
fn metrics_of_opentelemetry_are_taken_as_json() {
    let bed = Bed::new();
    let json_type = [("Content-Type", "application/json; charset=utf-8")];
    let point = |temporality: i64| {
        json!({"resourceMetrics": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeMetrics": [{"metrics": [{"name": "orders", "sum": {
                "dataPoints": [{"timeUnixNano": (NOON * 1_000_000).to_string(), "asInt": "7"}],
                "aggregationTemporality": temporality,
                "isMonotonic": true,
            }}]}],
        }]})
        .to_string()
    };
    let reply = bed.ask_otlp("/v1/metrics", &json_type, point(2).as_bytes());
    assert_eq!((reply.code, reply.text()), (200, "{}".to_owned()));
    let asked = bed.get(&format!(
        "/api/v1/query?query=orders_total&time={}",
        NOON / 1000
    ));
    assert_eq!(asked.data()["result"][0]["value"][1], "7");
    let reply = bed.ask_otlp("/v1/metrics", &json_type, b"{\"resourceMetrics\":7}");
    assert_eq!(reply.code, 400);
    assert!(reply.text().contains("resourceMetrics"), "{}", reply.text());
}

#[test]
fn what_of_opentelemetry_is_not_taken_is_said() {
    let bed = Bed::new();
    let taken = bed.ask_otlp("/v1/metrics", &[PROTOBUF], &otlp_request(1));
    assert_eq!((taken.code, taken.body.len()), (200, 0), "{}", taken.text());
    let partial = bed.ask_otlp("/v1/metrics", &[PROTOBUF], &otlp_request(1));
    assert_eq!(partial.code, 200);
    let why = "not after the one before";
    assert!(partial.text().contains(why), "{}", partial.text());
    let text = [("Content-Type", "text/plain")];
    assert_eq!(bed.ask_otlp("/v1/metrics", &text, b"{}").code, 415);
    let snappy = [PROTOBUF, ("Content-Encoding", "snappy")];
    assert_eq!(bed.ask_otlp("/v1/metrics", &snappy, b"").code, 415);
    assert_eq!(
        bed.ask_otlp("/v1/metrics", &[PROTOBUF], b"no message").code,
        400
    );
    assert_eq!(bed.ask_otlp("/v1/traces", &[PROTOBUF], b"").code, 404);
}
