//! What tells whether the server lives, and what every answer has in common.

use std::io::Read;

use super::bed::Bed;

#[test]
fn a_server_that_is_ready_says_so() {
    let bed = Bed::new();
    assert_eq!(bed.get("/-/healthy").code, 200);
    assert_eq!(bed.get("/-/ready").code, 200);
    assert_eq!(bed.ask("HEAD", "/-/ready", &[], b"").code, 200);
    assert_eq!(bed.get("/api/v1/status/walreplay").data()["current"], 0);
}

#[test]
fn own_metrics_count_requests_and_what_was_received() {
    let bed = Bed::new();
    bed.fill(&[
        &[("__name__", "up"), ("job", "a")],
        &[("__name__", "up"), ("job", "b")],
    ]);
    let text = bed.get("/metrics").text();
    for line in [
        "chronolith_ready 1",
        "chronolith_http_requests_total{route=\"/api/v1/write\",code=\"204\"} 1",
        "chronolith_http_request_duration_seconds_count{route=\"/api/v1/write\"} 1",
        "chronolith_received_samples_total 2",
        "chronolith_metrics_head_series 2",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
    // No request can make a label: what no route takes is counted as one.
    bed.get("/no/such/path");
    let text = bed.get("/metrics").text();
    assert!(text.contains("{route=\"other\",code=\"404\"} 1"), "{text}");
    assert!(!text.contains("/no/such/path"));
}

#[test]
fn unknown_paths_and_wrong_methods_are_told_apart() {
    let bed = Bed::new();
    assert_eq!(bed.get("/api/v1/nonexistent").code, 404);
    assert_eq!(bed.ask("DELETE", "/api/v1/labels", &[], b"").code, 405);
    assert_eq!(bed.get("/api/v1/write").code, 405);
    assert_eq!(bed.post("/api/v1/label/job/values", "").code, 405);
}

#[test]
fn pages_of_other_sites_may_read() {
    let bed = Bed::new();
    let asked = bed.ask("OPTIONS", "/api/v1/labels", &[("Origin", "http://x")], b"");
    assert_eq!(asked.code, 204);
    for reply in [
        asked,
        bed.get("/api/v1/labels"),
        bed.get("/api/v1/nonexistent"),
    ] {
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            reply.header("access-control-allow-methods"),
            Some("GET, POST, OPTIONS")
        );
    }
}

#[test]
fn answers_are_compressed_as_asked() {
    let bed = Bed::new();
    let plain = bed.get("/metrics");
    assert_eq!(plain.header("content-encoding"), None);
    let gzip = bed.ask("GET", "/metrics", &[("Accept-Encoding", "gzip")], b"");
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("chronolith_ready 1"));
    let zstd = bed.ask("GET", "/metrics", &[("Accept-Encoding", "zstd")], b"");
    assert_eq!(zstd.header("content-encoding"), Some("zstd"));
    let text = zstd::decode_all(&zstd.body[..]).unwrap();
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("chronolith_ready 1")
    );
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let mut bed = Bed::new();
    bed.fill(&[&[("__name__", "up"), ("job", "a")]]);
    bed.restart();
    assert_eq!(bed.count("up"), 1);
    assert_eq!(bed.get("/-/ready").code, 200);
}

#[test]
fn a_second_server_on_the_same_folder_does_not_start() {
    use chronolith_server::{Server, Settings};
    let bed = Bed::new();
    let settings = Settings {
        data: bed.folder.0.clone(),
        listen_prometheus: "127.0.0.1:0".parse().unwrap(),
        listen_loki: "127.0.0.1:0".parse().unwrap(),
        listen_otlp_http: "127.0.0.1:0".parse().unwrap(),
        listen_otlp_grpc: "127.0.0.1:0".parse().unwrap(),
        ..Settings::default()
    };
    let mut second = Server::start(settings).unwrap();
    let error = second.wait_until_ready().unwrap_err().to_string();
    assert!(error.contains("cannot open the data directory"), "{error}");
    second.stop().unwrap();
}

#[test]
fn federation_gives_the_newest_samples_as_text() {
    use chronolith_server::testing::v1;
    let bed = Bed::new();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis() as i64;
    let stale = f64::from_bits(chronolith_engine::metrics::STALE_NAN_BITS);
    let series = [
        v1::series(&[("__name__", "up"), ("job", "a")])
            .message(2, v1::sample(now - 2000, 0.0))
            .message(2, v1::sample(now - 1000, 1.5)),
        v1::series(&[("__name__", "up"), ("job", "ended")])
            .message(2, v1::sample(now - 2000, 1.0))
            .message(2, v1::sample(now - 1000, stale)),
        v1::series(&[("__name__", "up"), ("job", "old")])
            .message(2, v1::sample(now - 400_000, 1.0)),
    ];
    assert_eq!(bed.write(v1::request(series)).code, 204);
    let text = bed.get("/federate?match[]=up").text();
    let time = now - 1000;
    let expected = format!("# TYPE up untyped\nup{{job=\"a\",instance=\"\"}} 1.5 {time}\n");
    assert_eq!(text, expected);
    assert_eq!(bed.get("/federate").text(), "");
    let wrong = bed.get("/federate?match[]=(");
    assert_eq!(wrong.code, 400);
    let said = String::from_utf8(wrong.body.clone()).unwrap();
    assert_eq!(said, "1:1: parse error: unexpected \"(\"\n");
}

#[test]
fn parameters_that_are_no_numbers_are_refused_in_the_words_of_prometheus() {
    let bed = Bed::new();
    for (path, why) in [
        (
            "query?query=up&limit=x",
            "invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            "labels?limit=99999999999999999999",
            "invalid parameter \"limit\": strconv.Atoi: parsing \"99999999999999999999\": value \
             out of range",
        ),
        ("metadata?limit=x", "limit must be a number"),
        (
            "metadata?limit_per_metric=x",
            "limit_per_metric must be a number",
        ),
        ("targets/metadata?limit=x", "limit must be a number"),
        (
            "targets/metadata?match_target=sum(up)",
            "invalid parameter \"match_target\": 1:4: parse error: unexpected \"(\"",
        ),
        ("status/tsdb?limit=0", "limit must be a positive number"),
        (
            "rules?type=both",
            "invalid parameter \"type\": not supported value \"both\"",
        ),
    ] {
        let (kind, error) = bed.get(&format!("/api/v1/{path}")).error();
        assert_eq!((kind.as_str(), error.as_str()), ("bad_data", why), "{path}");
    }
}

#[test]
fn the_server_is_reloaded_over_the_network_and_not_stopped() {
    let bed = Bed::new();
    for method in ["POST", "PUT"] {
        let reply = bed.ask(method, "/-/quit", &[], b"");
        let said = (reply.code, reply.text());
        assert_eq!(said, (403, "Lifecycle API is not enabled.\n".to_owned()));
        assert_eq!(bed.ask(method, "/-/reload", &[], b"").code, 200);
        let from_elsewhere = [("Origin", "http://elsewhere")];
        let reply = bed.ask(method, "/-/reload", &from_elsewhere, b"");
        assert_eq!(reply.code, 403, "{}", reply.text());
    }
    for path in ["/-/quit", "/-/reload"] {
        assert_eq!(bed.get(path).code, 405);
    }
    assert_eq!(
        bed.get("/version").json()["version"],
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(bed.get("/api/v1/notifications/live").code, 204);
}
