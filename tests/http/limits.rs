//! Limits that tenants have of their own: each bites its tenant, through every door, and no other.

use std::io::{Read, Write};

use chronolith_server::Settings;
use chronolith_server::testing::{Message, logs, otlp, snappy, v1, v2};

use super::bed::{Bed, NOON, Reply, raw, request};
use super::grpc;

const HEADER: &str = "X-Scope-OrgID";
const PROTOBUF: &str = "application/x-protobuf";

/// A server with several tenants, where `slow` has settings of its own.
fn bed(own: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Bed {
    Bed::with(|settings| {
        settings.multi_tenant = true;
        for (path, text) in own {
            settings.own.set("slow", path, text).unwrap();
        }
        change(settings);
    })
}

fn import(bed: &Bed, tenant: &str, text: &str) -> Reply {
    let headers = [(HEADER, tenant), ("Content-Type", "text/plain")];
    bed.ask(
        "POST",
        "/api/v1/import/prometheus",
        &headers,
        text.as_bytes(),
    )
}

fn push(bed: &Bed, tenant: &str, labels: &str, line: &str) -> Reply {
    let stream = logs::stream(labels).message(2, logs::entry(NOON * 1_000_000, line));
    let body = snappy(&logs::request([stream]).into_bytes());
    let headers = [(HEADER, tenant), ("Content-Type", PROTOBUF)];
    bed.ask_loki("POST", "/loki/api/v1/push", &headers, &body)
}

/// A gauge of OpenTelemetry.
fn gauge() -> Vec<u8> {
    let point = otlp::number(0, NOON as u64 * 1_000_000, 1.0);
    let metric = Message::new()
        .bytes(1, "level")
        .message(5, Message::new().message(1, point));
    otlp::request(&[("service.name", "shop")], [metric]).into_bytes()
}

/// A record of OpenTelemetry.
fn record() -> Vec<u8> {
    let record = Message::new()
        .fixed64(1, NOON * 1_000_000)
        .message(5, Message::new().bytes(1, "hello"));
    let resource = Message::new().message(1, otlp::attribute("service.name", "shop"));
    let scope = Message::new().message(2, record);
    let logs = Message::new().message(1, resource).message(2, scope);
    Message::new().message(1, logs).into_bytes()
}

/// Pushes something through every receiver of HTTP. What each answered.
fn push_everywhere(bed: &Bed, tenant: &str) -> Vec<(&'static str, Reply)> {
    const SECOND: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let first = v1::request([v1::series(&[("__name__", "up")]).message(2, v1::sample(NOON, 1.0))]);
    let mut symbols = v2::Symbols::default();
    let series = symbols
        .series(&[("__name__", "up2")])
        .message(2, v2::sample(NOON, 0, 1.0));
    let second = snappy(&symbols.request([series]).into_bytes());
    let lines = logs::stream("{a=\"b\"}").message(2, logs::entry(NOON * 1_000_000, "x"));
    let lines = snappy(&logs::request([lines]).into_bytes());
    let (prometheus, loki, otlp) = (bed.address(), bed.loki_address(), bed.otlp_address());
    let pushes = [
        (
            prometheus,
            "/api/v1/write",
            PROTOBUF,
            snappy(&first.into_bytes()),
        ),
        (prometheus, "/api/v1/write", SECOND, second),
        (
            prometheus,
            "/api/v1/import/prometheus",
            "text/plain",
            format!("x 1 {NOON}\n").into_bytes(),
        ),
        (prometheus, "/api/v1/otlp/v1/metrics", PROTOBUF, gauge()),
        (otlp, "/v1/metrics", PROTOBUF, gauge()),
        (loki, "/loki/api/v1/push", PROTOBUF, lines.clone()),
        (loki, "/api/prom/push", PROTOBUF, lines),
        (loki, "/otlp/v1/logs", PROTOBUF, record()),
        (otlp, "/v1/logs", PROTOBUF, record()),
    ];
    let pushed = pushes.into_iter().map(|(address, path, kind, body)| {
        let headers = [(HEADER, tenant), ("Content-Type", kind)];
        (path, request(address, "POST", path, &headers, &body))
    });
    pushed.collect()
}

#[test]
fn who_pushes_too_fast_is_told_when_to_come_again_by_every_receiver() {
    let nothing = [
        ("ingest.samples_per_second", "0"),
        ("ingest.lines_per_second", "0"),
    ];
    let bed = bed(&nothing, |_| {});
    for (path, reply) in push_everywhere(&bed, "slow") {
        assert_eq!(reply.code, 429, "{path}: {}", reply.text());
        assert_eq!(reply.header("retry-after"), Some("60"), "{path}");
    }
    for (path, reply) in push_everywhere(&bed, "quick") {
        assert_eq!(reply.code / 100, 2, "{path}: {}", reply.text());
    }
    for (method, message) in [(grpc::METRICS, gauge()), (grpc::LOGS, record())] {
        let ask = |tenant: &str| grpc::call_as(&bed, tenant, method, &message);
        // RESOURCE_EXHAUSTED, and when to try again.
        assert_eq!(ask("slow"), (Some(8), true), "{method}");
        assert_eq!(ask("quick"), (Some(0), false), "{method}");
    }
    let metrics = bed.get("/metrics").text();
    for line in [
        "chronolith_rate_limited_pushes_total{limit=\"samples\"} 6",
        "chronolith_rate_limited_pushes_total{limit=\"lines\"} 5",
        "chronolith_rate_limited_pushes_total{limit=\"line_bytes\"} 0",
        "chronolith_tenant_rate_limited_pushes_total{tenant=\"slow\",limit=\"samples\"} 6",
        "chronolith_tenant_rate_limited_pushes_total{tenant=\"quick\",limit=\"samples\"} 0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    let limits = bed.ask_loki("GET", "/config/tenant/v1/limits", &[(HEADER, "slow")], b"");
    assert!(
        limits.text().contains("retention_period: 0s"),
        "{}",
        limits.text()
    );
}

#[test]
fn a_large_push_is_taken_once_and_the_next_one_is_told_what_it_waits_for() {
    let rates = [
        ("ingest.samples_per_second", "10"),
        ("ingest.line_bytes_per_second", "1KiB"),
        ("ingest.burst", "1s"),
    ];
    let bed = bed(&rates, |_| {});
    let many: String = (0..1000).map(|at| format!("x{at} 1 {NOON}\n")).collect();
    assert_eq!(import(&bed, "slow", &many).code, 204);
    let reply = import(&bed, "slow", "x 1\n");
    assert_eq!((reply.code, reply.header("retry-after")), (429, Some("60")));
    let expected = "nothing was stored: tenant \"slow\" may push 10 samples a second";
    assert!(reply.error().1.contains(expected), "{}", reply.text());
    assert_eq!(import(&bed, "quick", &many).code, 204);
    assert_eq!(import(&bed, "quick", "x 1\n").code, 204);

    let long = "x".repeat(100_000);
    assert_eq!(push(&bed, "slow", "{a=\"b\"}", &long).code, 204);
    let reply = push(&bed, "slow", "{a=\"b\"}", "short");
    let expected = "ingestion rate limit exceeded for user slow (limit: 1024 bytes/sec) while \
                    attempting to ingest '1' lines totaling '5' bytes, reduce log volume or raise \
                    the limit\n";
    assert_eq!((reply.code, reply.text().as_str()), (429, expected));
    assert_eq!(push(&bed, "quick", "{a=\"b\"}", &long).code, 204);
    assert_eq!(push(&bed, "quick", "{a=\"b\"}", "short").code, 204);
}

#[test]
fn a_tenants_own_limits_bite_it_alone() {
    let own = [
        ("ingest.series_max", "2"),
        ("ingest.streams_max", "1"),
        ("log.line_bytes_max", "10"),
        ("query.samples_max", "1"),
        ("log.entries_max", "7"),
        ("retention", "1d"),
        ("log.retention", "3650d"),
    ];
    let bed = bed(&own, |settings| settings.store.series_max = 100);
    let now = format!("{}", now_ms());
    for (tenant, third, old) in [("slow", 429, 400), ("quick", 204, 204)] {
        let write = |text: &str| import(&bed, tenant, &text.replace("NOW", &now)).code;
        assert_eq!(write("up{a=\"1\"} 1 NOW\nup{a=\"2\"} 1 NOW\n"), 204);
        assert_eq!(write("up{a=\"3\"} 1 NOW\n"), third, "{tenant}");
        assert_eq!(write(&format!("up{{a=\"1\"}} 1 {NOON}\n")), old, "{tenant}");
    }
    for (tenant, second, long) in [("slow", 429, 400), ("quick", 204, 204)] {
        assert_eq!(push(&bed, tenant, "{a=\"1\"}", "x").code, 204, "{tenant}");
        let code = push(&bed, tenant, "{a=\"2\"}", "x").code;
        assert_eq!(code, second, "{tenant}");
        let code = push(&bed, tenant, "{a=\"1\"}", "longer than ten").code;
        assert_eq!(code, long, "{tenant}");
    }
    for (tenant, samples, lines) in [("slow", 422, 400), ("quick", 200, 200)] {
        let headers = [(HEADER, tenant)];
        let code = bed.ask("GET", "/api/v1/query?query=up", &headers, b"").code;
        assert_eq!(code, samples, "{tenant}");
        let path = "/loki/api/v1/query_range?query=%7Ba%3D%221%22%7D&limit=8";
        let code = bed.ask_loki("GET", path, &headers, b"").code;
        assert_eq!(code, lines, "{tenant}");
    }
}

fn now_ms() -> u128 {
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis()
}

/// How often a limit was met.
fn met(bed: &Bed, limit: &str) -> u64 {
    let metrics = bed.get("/metrics").text();
    let begin = format!("chronolith_limited_total{{limit=\"{limit}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    count.unwrap().parse().unwrap()
}

const TEXT: &str = "/api/v1/import/prometheus";

#[test]
fn bodies_have_the_sizes_that_are_set_and_refusals_are_counted() {
    let bed = Bed::with(|settings| {
        settings.http.body_bytes_max = 1000;
        settings.http.decoded_bytes_max = 2000;
        settings.http.json_bytes_max = 10;
        settings.http.form_bytes_max = 20;
    });
    let long = "up 1\n".repeat(210);
    let gzip = |text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let packed = [("Content-Encoding", "gzip")];
    assert_eq!(bed.ask("POST", TEXT, &[], long.as_bytes()).code, 413);
    assert_eq!(bed.ask("POST", TEXT, &packed, &gzip(&long)).code, 204);
    let reply = bed.ask("POST", TEXT, &packed, &gzip(&long.repeat(2)));
    assert_eq!(reply.code, 413);
    assert!(
        reply.text().contains("more than 2000 bytes"),
        "{}",
        reply.text()
    );
    let json = [("Content-Type", "application/json")];
    assert_eq!(
        bed.ask_otlp("/v1/metrics", &json, b"{\"a\": 12345678}")
            .code,
        413
    );
    assert_eq!(
        bed.ask_otlp("/v1/logs", &json, b"{\"a\": 12345678}").code,
        413
    );
    assert_eq!(bed.post("/api/v1/query", "query=vector(1)").code, 200);
    assert_eq!(
        bed.post("/api/v1/query", "query=vector(123456789)").code,
        413
    );
    let (code, of_call) = grpc::call_with(&bed, ("x", "y"), grpc::LOGS, &[0; 1001]);
    assert_eq!((code, of_call), (200, Some(8)));
    assert_eq!(met(&bed, "body_bytes"), 2);
    assert_eq!(met(&bed, "decoded_bytes"), 1);
    assert_eq!(met(&bed, "json_bytes"), 2);
    assert_eq!(met(&bed, "form_bytes"), 1);
}

#[test]
fn heads_have_the_sizes_that_are_set() {
    let bed = Bed::with(|settings| {
        settings.http.headers_max = 9;
        settings.http.head_bytes_max = 8192;
        settings.grpc.header_bytes_max = 1000;
    });
    let long = "x".repeat(9000);
    assert_eq!(
        bed.ask("GET", "/-/ready", &[("X", &long[..5000])], b"")
            .code,
        200
    );
    assert_eq!(bed.ask("GET", "/-/ready", &[("X", &long)], b"").code, 431);
    assert_eq!(bed.ask("GET", "/-/ready", &[("X", "y"); 20], b"").code, 431);
    assert_eq!(met(&bed, "head_bytes"), 2);
    let call = |length: usize| grpc::call_with(&bed, ("x", &long[..length]), grpc::LOGS, b"").0;
    assert_eq!((call(100), call(2000)), (200, 431));
}

#[test]
fn who_takes_too_long_is_not_waited_for() {
    let soon = std::time::Duration::from_millis(20);
    let bed = Bed::with(|settings| {
        settings.http.body_timeout = soon;
        settings.http.head_timeout = soon;
    });
    let head = format!("POST {TEXT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    let answer = raw(bed.address(), head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.contains("the body took longer than 20ms"),
        "{answer}"
    );
    // What is no whole head is answered with the end of the connection.
    raw(bed.address(), b"GET /-/ready HTTP/1.1\r\nHost");
    assert_eq!(met(&bed, "body_timeout"), 1);
    assert!(met(&bed, "head_timeout") >= 1);
}

#[test]
fn who_finds_too_many_waiting_is_turned_away_and_counted() {
    let bed = Bed::with(|settings| {
        settings.writes_waiting_max = 0;
        settings.query.waiting_max = 0;
        settings.http.held_bytes_max = 10;
    });
    assert_eq!(bed.ask("POST", TEXT, &[], b"up 1\n").code, 503);
    assert_eq!(bed.get("/api/v1/query?query=vector(1)").code, 503);
    let (_, code) = grpc::call_with(&bed, ("x", "y"), grpc::LOGS, &[0; 11]);
    assert_eq!(code, Some(14));
    for limit in ["waiting_writes", "waiting_queries", "held_bytes"] {
        assert_eq!(met(&bed, limit), 1, "{limit}");
    }
}

#[test]
fn queries_find_no_room_where_others_hold_all_of_it() {
    // Room for less than one query needs: as if others held the rest.
    let bed = Bed::with(|settings| settings.query.all_samples_max = 3);
    bed.fill(&[
        &[("__name__", "up"), ("a", "1")],
        &[("__name__", "up"), ("a", "2")],
    ]);
    let time = NOON / 1000;
    let few = bed.get(&format!("/api/v1/query?query=up&time={time}"));
    assert_eq!(few.code, 200, "{}", few.text());
    let (start, end) = (time, time + 60);
    let path = format!("/api/v1/query_range?query=up&start={start}&end={end}&step=1");
    let many = bed.get(&path);
    assert_eq!(many.code, 503, "{}", many.text());
    assert!(many.text().contains("try again later"), "{}", many.text());
    assert!(many.header("retry-after").is_some());
    // A line takes room for itself and what is told of it.
    assert_eq!(push(&bed, "default", "{a=\"1\"}", "hello").code, 204);
    let range = format!("start={start}000000000&end={end}000000000");
    let path = format!("/loki/api/v1/query_range?query=%7Ba%3D%221%22%7D&{range}");
    let lines = bed.ask_loki("GET", &path, &[], b"");
    assert_eq!(lines.code, 503, "{}", lines.text());
    assert_eq!(met(&bed, "all_samples"), 2);
    // What was held is given back.
    assert!(
        bed.get("/metrics")
            .text()
            .contains("\nchronolith_query_samples 0\n")
    );
}

#[test]
fn bodies_that_find_no_room_are_refused_by_every_receiver_and_may_come_again() {
    let bed = Bed::with(|settings| settings.http.held_bytes_max = 1);
    let refused = push_everywhere(&bed, "any");
    for (path, reply) in &refused {
        assert_eq!(reply.code, 503, "{path}: {}", reply.text());
        assert_eq!(reply.header("retry-after"), Some("5"), "{path}");
    }
    assert_eq!(bed.post("/api/v1/query", "query=vector(1)").code, 503);
    assert_eq!(met(&bed, "held_bytes"), refused.len() as u64 + 1);
}

#[test]
fn a_body_has_its_room_while_it_comes_and_until_it_is_stored() {
    let bed = Bed::with(|settings| settings.http.held_bytes_max = 100);
    let held = || {
        let metrics = bed.get("/metrics").text();
        let name = "chronolith_held_body_bytes ";
        let found = metrics.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap().parse::<u64>().unwrap()
    };
    let text = format!("{:<80}\n", "up 1");
    let mut slow = std::net::TcpStream::connect(bed.address()).unwrap();
    let head = format!("POST {TEXT} HTTP/1.1\r\nHost: x\r\nContent-Length: 81\r\n");
    slow.write_all(format!("{head}Connection: close\r\n\r\n{}", &text[..80]).as_bytes())
        .unwrap();
    while held() < 80 {}
    assert_eq!(bed.ask("POST", TEXT, &[], text.as_bytes()).code, 503);
    assert_eq!(bed.ask("POST", TEXT, &[], b"other 2\n").code, 204);
    slow.write_all(&text.as_bytes()[80..]).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(held(), 0);
    assert_eq!(bed.ask("POST", TEXT, &[], text.as_bytes()).code, 204);
}

#[test]
fn limits_of_queries_are_counted() {
    let bed = Bed::with(|settings| {
        settings.query.samples_max = 1;
        settings.logs.entries_max = 5;
    });
    bed.fill(&[
        &[("__name__", "up"), ("a", "1")],
        &[("__name__", "up"), ("a", "2")],
    ]);
    let time = NOON / 1000;
    assert_eq!(
        bed.get(&format!("/api/v1/query?query=up&time={time}")).code,
        422
    );
    assert_eq!(
        bed.get("/api/v1/query_range?query=up&start=0&end=11002&step=1")
            .code,
        400
    );
    assert_eq!(
        bed.get("/api/v1/query?query=vector(1)&timeout=0s").code,
        503
    );
    let path = "/loki/api/v1/query_range?query=%7Ba%3D%221%22%7D&limit=6";
    assert_eq!(bed.ask_loki("GET", path, &[], b"").code, 400);
    for limit in [
        "query_samples",
        "query_steps",
        "query_timeout",
        "log_entries",
    ] {
        assert_eq!(met(&bed, limit), 1, "{limit}");
    }
}
