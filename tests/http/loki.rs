//! The Loki door over real connections: senders, readers, Grafana's requests, live tail.

mod drilldown;
mod erase;
mod push;
mod query;
mod tail;

use std::time::{SystemTime, UNIX_EPOCH};

use chronolith_server::testing::{Message, logs, snappy};
use serde_json::{Value, json};

use super::bed::{Bed, Reply};

/// 2026-01-15T11:30:00Z in nanoseconds.
const NOON: i64 = 1_768_476_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A text as it stands in a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let each = text.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    each.collect()
}

/// A path with these parameters.
fn asking(path: &str, params: &[(&str, &str)]) -> String {
    let pairs = params
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    format!(
        "/loki/api/v1/{path}?{}",
        pairs.collect::<Vec<_>>().join("&")
    )
}

/// Asks with GET.
fn get(bed: &Bed, path: &str, params: &[(&str, &str)]) -> Reply {
    bed.ask_loki("GET", &asking(path, params), &[], b"")
}

/// Asks for lines or numbers from five minutes before noon to five minutes behind it, with labels
/// told apart.
fn query_range(bed: &Bed, query: &str, more: &[(&str, &str)]) -> Value {
    let (start, end) = (NOON - 300 * SECOND, NOON + 300 * SECOND);
    let (start, end) = (start.to_string(), end.to_string());
    let mut params = vec![("query", query), ("start", &start), ("end", &end)];
    params.extend(more);
    let flags = [("X-Loki-Response-Encoding-Flags", "categorize-labels")];
    let reply = bed.ask_loki("GET", &asking("query_range", &params), &flags, b"");
    assert_eq!(reply.code, 200, "{}", reply.text());
    reply.json()["data"].clone()
}

/// The lines of an answer, stream by stream.
fn lines(data: &Value) -> Vec<String> {
    let streams = data["result"].as_array().unwrap().iter();
    let values = streams.flat_map(|stream| stream["values"].as_array().unwrap());
    values
        .map(|value| value[1].as_str().unwrap().to_owned())
        .collect()
}

/// Sends JSON to the receiver.
fn push_json(bed: &Bed, body: &Value) -> Reply {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Scope-OrgID", "someone"),
    ];
    bed.ask_loki(
        "POST",
        "/loki/api/v1/push",
        &headers,
        body.to_string().as_bytes(),
    )
}

/// Sends a message to the receiver as promtail does.
fn push_message(bed: &Bed, message: Message) -> Reply {
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("User-Agent", "promtail/2.9"),
    ];
    let body = snappy(&message.into_bytes());
    bed.ask_loki("POST", "/loki/api/v1/push", &headers, &body)
}

/// Stores one line.
fn push_line(bed: &Bed, labels: &str, time: i64, line: &str) {
    let stream = logs::stream(labels).message(2, logs::entry(time, line));
    let reply = push_message(bed, logs::request([stream]));
    assert_eq!(reply.code, 204, "{}", reply.text());
}

/// Now, in nanoseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}

/// A server with a few lines of two services.
fn filled() -> Bed {
    let bed = Bed::new();
    let at = |seconds: i64| (NOON + seconds * SECOND).to_string();
    let body = json!({ "streams": [
        { "stream": { "app": "shop", "env": "prod" }, "values": [
            [at(0), "level=info msg=\"order placed\" took=12ms"],
            [at(1), "level=error msg=\"no <stock> & more\" took=3s", { "trace_id": "t1" }],
        ]},
        { "stream": { "app": "shop", "env": "dev" }, "values": [
            [at(2), "{\"level\":\"warn\",\"code\":500,\"user\":{\"name\":\"x\"}}"],
        ]},
        { "stream": { "job": "cron" }, "values": [[at(3), "done"]] },
    ]});
    assert_eq!(push_json(&bed, &body).code, 204);
    bed
}

#[test]
fn paths_that_are_not_there_are_answered_as_by_go() {
    let bed = Bed::new();
    for path in [
        "/loki/api/v1/nothing",
        "/loki/api/v2alpha/tail",
        "/loki/api/v1/patterns",
    ] {
        assert_eq!(bed.ask_loki("GET", path, &[], b"").code, 404, "{path}");
    }
    let reply = bed.ask_loki("GET", "/api/prom/rules/test/test", &[], b"");
    assert_eq!(
        (reply.code, reply.text().as_str()),
        (404, "404 page not found\n")
    );
    let reply = bed.ask_loki("DELETE", "/loki/api/v1/push", &[], b"");
    assert_eq!((reply.code, reply.text().as_str()), (405, ""));
}

#[test]
fn pages_for_operators_are_there() {
    let bed = filled();
    let ask = |path: &str| bed.ask_loki("GET", path, &[], b"");
    assert_eq!(ask("/services").text(), "server => Running\n");
    let limits = ask("/config/tenant/v1/limits").text();
    for line in [
        "max_query_series: 500",
        "max_line_size: 262144B",
        "retention_period: 0s",
    ] {
        assert!(
            limits.lines().any(|found| found == line),
            "{line} in {limits}"
        );
    }
    let range = "start=2026-01-15T11:00:00Z&end=2026-01-15T12:00:00Z";
    let selection = format!("query=%7Bapp%3D%22shop%22%7D&{range}");
    let stats = ask(&format!("/loki/api/v1/index/stats?{selection}")).json();
    let shards = ask(&format!(
        "/loki/api/v1/index/shards?{selection}&targetBytesPerShard=1"
    ))
    .json();
    assert_eq!(
        shards["shards"],
        json!([{ "bounds": { "min": 0, "max": u64::MAX }, "stats": stats }])
    );
}

#[test]
fn what_is_asked_of_the_server_has_its_shape() {
    let bed = Bed::new();
    let ask = |path: &str| bed.ask_loki("GET", path, &[], b"");
    assert_eq!(ask("/ready").text(), "ready\n");
    assert!(
        ask("/metrics")
            .text()
            .contains("chronolith_received_lines_total 0")
    );
    assert!(ask("/config").text().contains("  labels_max: \"15\""));
    let build = ask("/loki/api/v1/status/buildinfo").json();
    for key in [
        "version",
        "revision",
        "branch",
        "buildUser",
        "buildDate",
        "goVersion",
    ] {
        assert!(build[key].is_string(), "{key}");
    }
    for (path, key) in [("rules", "groups"), ("alerts", "alerts")] {
        let answer = ask(&format!("/prometheus/api/v1/{path}"));
        assert_eq!(answer.data()[key], json!([]));
    }
    for path in ["/loki/api/v1/rules", "/api/prom/rules"] {
        let answer = ask(path);
        assert!(answer.header("content-type").unwrap().contains("yaml"));
        assert_eq!(answer.text(), "{}\n");
    }
}

#[test]
fn lines_outlive_the_server() {
    let mut bed = filled();
    let before = query_range(&bed, "{app=~\".+\"}", &[]);
    bed.restart();
    assert_eq!(
        query_range(&bed, "{app=~\".+\"}", &[])["result"],
        before["result"]
    );
}
