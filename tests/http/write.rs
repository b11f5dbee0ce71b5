//! The rules of the remote-write receiver, as senders rely on them.

use std::time::Duration;

use chronolith_server::testing::{Message, custom_histogram, integer_histogram, snappy, v1, v2};

use super::bed::{Bed, NOON, Reply};

const UP: [(&str, &str); 2] = [("__name__", "up"), ("job", "node")];

fn strict() -> Bed {
    Bed::with(|settings| settings.out_of_order_window = Some(Duration::ZERO))
}

fn up(time: i64, value: f64) -> Message {
    v1::series(&UP).message(2, v1::sample(time, value))
}

fn one(series: Message) -> Message {
    v1::request([series])
}

/// How many samples, histograms and exemplars the headers say were written.
fn written(reply: &Reply) -> [u64; 3] {
    ["Samples", "Histograms", "Exemplars"].map(|what| {
        let name = format!("X-Prometheus-Remote-Write-{what}-Written");
        let value = reply.header(&name).ok_or(name).unwrap();
        value.parse().unwrap()
    })
}

#[test]
fn a_sample_again_is_fine_and_another_value_is_not() {
    let bed = strict();
    assert_eq!(bed.write(one(up(NOON, 1.0))).code, 204);
    assert_eq!(bed.write(one(up(NOON, 1.0))).code, 204);
    let refused = bed.write(one(up(NOON, 2.0)));
    assert_eq!(refused.code, 400);
    assert!(
        refused.text().contains("another value"),
        "{}",
        refused.text()
    );
}

#[test]
fn a_refused_sample_is_told_in_the_words_that_senders_look_for() {
    let hour = 3_600_000;
    let bounded = |window: Duration| {
        Bed::with(|settings| {
            settings.out_of_order_window = Some(window);
            // Nothing of the test's is too old for the clock.
            settings.retention = None;
        })
    };
    let (strict, window) = (bounded(Duration::ZERO), bounded(Duration::from_secs(60)));
    for bed in [&strict, &window] {
        assert_eq!(bed.write(one(up(NOON, 1.0))).code, 204);
    }
    let other = |time| v1::series(&[("__name__", "new")]).message(2, v1::sample(time, 1.0));
    for (bed, series, words) in [
        (&strict, up(NOON, 2.0), "duplicate sample for timestamp"),
        (&strict, up(NOON - 1, 1.0), "out of order sample"),
        (&strict, up(NOON - hour - 1, 1.0), "out of bounds"),
        (&strict, other(NOON - hour - 1), "out of bounds"),
        (&strict, up(i64::MAX, 1.0), "out of bounds"),
        (&window, up(NOON - 60_001, 1.0), "too old sample"),
    ] {
        let reply = bed.write(one(series));
        let text = reply.text();
        assert_eq!(reply.code, 400, "{words}: {text}");
        assert!(text.contains(words), "{words}: {text}");
        assert!(text.contains("series {__name__="), "{text}");
    }
    assert_eq!(strict.write(one(other(NOON - hour))).code, 204);
    assert_eq!(window.write(one(other(NOON - 9 * hour))).code, 204);
}

#[test]
fn without_a_window_a_late_sample_is_refused_and_with_one_it_is_taken() {
    let late = [up(NOON, 1.0), up(NOON - 60_000, 2.0)];
    for (bed, code) in [(strict(), 400), (Bed::new(), 204)] {
        assert_eq!(bed.write(one(late[0].clone())).code, 204);
        assert_eq!(bed.write(one(late[1].clone())).code, code);
    }
}

#[test]
fn a_sample_from_the_future_is_refused() {
    let bed = Bed::new();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis() as i64;
    assert_eq!(bed.write(one(up(now + 3_600_000, 1.0))).code, 400);
    assert_eq!(bed.write(one(up(now, 1.0))).code, 204);
}

#[test]
fn version_1_stores_all_of_a_request_or_nothing() {
    let bed = strict();
    assert_eq!(bed.write(one(up(NOON, 1.0))).code, 204);
    let other = v1::series(&[("__name__", "other")]).message(2, v1::sample(NOON, 1.0));
    let mixed = v1::request([other.clone(), up(NOON - 1, 1.0)]);
    assert_eq!(bed.write(mixed).code, 400);
    assert_eq!(bed.count("other"), 0);
    assert_eq!(bed.write(one(other)).code, 204);
    assert_eq!(bed.count("other"), 1);
}

#[test]
fn version_1_leaves_out_series_with_labels_that_are_not_valid() {
    let bed = Bed::new();
    let not_utf8 = Message::new()
        .message(1, v1::label("__name__", "odd"))
        .message(1, Message::new().bytes(1, "job").bytes(2, [0xff]))
        .message(2, v1::sample(NOON, 1.0));
    let nameless = v1::series(&[("job", "node")]).message(2, v1::sample(NOON, 1.0));
    let twice = v1::series(&[("__name__", "odd"), ("a", "1"), ("a", "2")])
        .message(2, v1::sample(NOON, 1.0));
    let request = v1::request([not_utf8, nameless, up(NOON, 1.0), twice]);
    assert_eq!(bed.write(request).code, 204);
    assert_eq!((bed.count("up"), bed.count("odd")), (1, 0));
    let metrics = bed.get("/metrics").text();
    assert!(
        metrics.contains("chronolith_skipped_series_total 3"),
        "{metrics}"
    );
}

#[test]
fn labels_out_of_order_are_the_same_series() {
    let bed = Bed::new();
    let turned = v1::series(&[("job", "node"), ("__name__", "up"), ("empty", "")]);
    assert_eq!(bed.write(one(up(NOON, 1.0))).code, 204);
    assert_eq!(
        bed.write(one(turned.message(2, v1::sample(NOON + 1, 1.0))))
            .code,
        204
    );
    assert_eq!(bed.count("up"), 1);
}

#[test]
fn an_empty_request_is_fine() {
    let bed = Bed::new();
    assert_eq!(bed.write(Message::new()).code, 204);
    assert_eq!(bed.write_v2(Message::new()).code, 204);
}

#[test]
fn what_is_not_the_message_announced_is_refused() {
    let bed = Bed::new();
    let body = snappy(&one(up(NOON, 1.0)).into_bytes());
    let ask = |headers: &[(&str, &str)], body: &[u8]| {
        bed.ask("POST", "/api/v1/write", headers, body).code
    };
    let protobuf = ("Content-Type", "application/x-protobuf");
    let encoding = ("Content-Encoding", "snappy");
    assert_eq!(ask(&[protobuf, encoding], &body), 204);
    assert_eq!(ask(&[encoding], &body), 204);
    assert_eq!(ask(&[protobuf], &body), 204);
    for kind in [
        "text/plain",
        "application/json",
        "application/x-protobuf;proto=io.prometheus.write.v3.Request",
    ] {
        assert_eq!(
            ask(&[("Content-Type", kind), encoding], &body),
            415,
            "{kind}"
        );
    }
    for encoding in ["gzip", "deflate", "zstd", "br"] {
        assert_eq!(
            ask(&[protobuf, ("Content-Encoding", encoding)], &body),
            415,
            "{encoding}"
        );
    }
    assert_eq!(ask(&[protobuf, encoding], b"this is not snappy"), 400);
    assert_eq!(
        ask(&[protobuf, encoding], &snappy(b"\x0a\xffno message")),
        400
    );
    assert_eq!(bed.count("up"), 1);
}

#[test]
fn bombs_and_bodies_without_end_are_refused() {
    let bed = Bed::new();
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
    ];
    // 47 bytes that say they are 31 MiB.
    let mut bomb = vec![0x80, 0x80, 0xc0, 0x0f];
    bomb.resize(47, 0xfe);
    assert_eq!(bed.ask("POST", "/api/v1/write", &headers, &bomb).code, 400);
    // Zeros are as dense as snappy gets, and 33 MiB are over the limit.
    let zeros = snappy(&vec![0; 33 << 20]);
    assert_eq!(bed.ask("POST", "/api/v1/write", &headers, &zeros).code, 400);
    let large = vec![0xff; (32 << 20) + 1];
    assert_eq!(bed.ask("POST", "/api/v1/write", &headers, &large).code, 413);
}

#[test]
fn a_request_cut_anywhere_does_no_harm() {
    let bed = Bed::new();
    let whole = one(up(NOON, 1.0).message(4, integer_histogram(NOON + 1))).into_bytes();
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
    ];
    for cut in 1..whole.len() {
        let reply = bed.ask("POST", "/api/v1/write", &headers, &snappy(&whole[..cut]));
        assert_eq!(reply.code, 400, "cut at {cut}: {}", reply.text());
    }
    assert_eq!(bed.get("/-/healthy").code, 200);
    assert_eq!(bed.count("up"), 0);
}

#[test]
fn version_2_keeps_what_is_good_and_says_how_much() {
    let bed = strict();
    let mut symbols = v2::Symbols::default();
    let late = symbols
        .series(&UP)
        .message(2, v2::sample(NOON, 0, 1.0))
        .message(2, v2::sample(NOON - 1, 0, 1.0));
    let good = symbols
        .series(&[("__name__", "good")])
        .message(2, v2::sample(NOON, 0, 1.0));
    let nameless = symbols
        .series(&[("job", "node")])
        .message(2, v2::sample(NOON, 0, 1.0));
    let lost = Message::new()
        .packed(1, &[1, 99])
        .message(2, v2::sample(NOON, 0, 1.0));
    let empty = symbols.series(&[("__name__", "empty")]);
    let reply = bed.write_v2(symbols.request([late, nameless, lost, empty, good]));
    assert_eq!(reply.code, 400, "{}", reply.text());
    assert_eq!(written(&reply), [2, 0, 0]);
    let text = reply.text();
    for part in [
        "4 entries or series",
        "__name__",
        "symbol 99",
        "must have a sample",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(
        (bed.count("up"), bed.count("good"), bed.count("empty")),
        (1, 1, 0)
    );
}

#[test]
fn version_2_counts_each_sort_of_entry() {
    let bed = Bed::new();
    let mut symbols = v2::Symbols::default();
    let floats = symbols
        .series(&UP)
        .message(2, v2::sample(NOON, NOON - 5000, 1.0))
        .message(2, v2::sample(NOON + 1, 0, 2.0));
    let exemplar = symbols.exemplar(NOON, 1.0, &[("trace_id", "abc")]);
    let histograms = symbols
        .series(&[("__name__", "latency_seconds")])
        .message(3, integer_histogram(NOON))
        .message(3, custom_histogram(NOON + 1, NOON - 5000))
        .message(4, exemplar);
    let reply = bed.write_v2(symbols.request([floats, histograms]));
    assert_eq!(reply.code, 204, "{}", reply.text());
    assert_eq!(written(&reply), [2, 2, 1]);
    // What was there already counts as written.
    let mut symbols = v2::Symbols::default();
    let again = symbols.series(&UP).message(2, v2::sample(NOON + 1, 0, 2.0));
    assert_eq!(written(&bed.write_v2(symbols.request([again]))), [1, 0, 0]);
}

#[test]
fn a_histogram_that_does_not_add_up_is_refused() {
    let bed = Bed::new();
    let wrong = integer_histogram(NOON).integer(1, 11);
    let reply = bed.write(one(v1::series(&UP).message(4, wrong.clone())));
    assert_eq!(reply.code, 400);
    assert!(
        reply.text().contains("must equal the count"),
        "{}",
        reply.text()
    );
    let mut symbols = v2::Symbols::default();
    let series = symbols
        .series(&UP)
        .message(3, wrong)
        .message(3, integer_histogram(NOON + 1));
    let reply = bed.write_v2(symbols.request([series]));
    assert_eq!((reply.code, written(&reply)), (400, [0, 1, 0]));
}

#[test]
fn exemplars_are_found_again() {
    let bed = Bed::new();
    let series = up(NOON, 1.0).message(
        3,
        v1::exemplar(NOON - 500, 0.25, &[("trace_id", "abc"), ("span_id", "7")]),
    );
    let long = "x".repeat(200);
    let other = v1::series(&[("__name__", "other")])
        .message(2, v1::sample(NOON, 1.0))
        .message(3, v1::exemplar(NOON, 1.0, &[("trace_id", &long)]));
    assert_eq!(bed.write(v1::request([series, other])).code, 204);
    let path =
        "/api/v1/query_exemplars?query=rate(up[5m])+%2B+other&start=1768476000&end=1768477000";
    let expected = serde_json::json!([{
        "seriesLabels": { "__name__": "up", "job": "node" },
        "exemplars": [{
            "labels": { "trace_id": "abc", "span_id": "7" },
            "value": "0.25",
            "timestamp": 1_768_476_599.5,
        }],
    }]);
    assert_eq!(bed.get(path).data(), expected);
    assert_eq!(bed.get("/api/v1/query_exemplars?query=1").code, 204);
    let (kind, text) = bed.get("/api/v1/query_exemplars?query=up%7B").error();
    assert_eq!(kind, "bad_data");
    assert_eq!(
        text,
        "1:4: parse error: unexpected end of input inside braces"
    );
}

#[test]
fn metadata_of_both_versions_is_found_again() {
    let bed = Bed::new();
    let request = one(up(NOON, 1.0)).message(3, v1::metadata(2, "up", "Whether it is up.", ""));
    assert_eq!(bed.write(request).code, 204);
    let mut symbols = v2::Symbols::default();
    let metadata = symbols.metadata(3, "How long.", "seconds");
    let series = symbols
        .series(&[("__name__", "latency_seconds_bucket"), ("le", "1")])
        .message(2, v2::sample(NOON, 0, 1.0))
        .message(5, metadata);
    assert_eq!(bed.write_v2(symbols.request([series])).code, 204);
    let expected = serde_json::json!({
        "latency_seconds": [{ "type": "histogram", "help": "How long.", "unit": "seconds" }],
        "up": [{ "type": "gauge", "help": "Whether it is up.", "unit": "" }],
    });
    assert_eq!(bed.get("/api/v1/metadata").data(), expected);
    let one = bed.get("/api/v1/metadata?metric=up").data();
    assert_eq!(one, serde_json::json!({ "up": expected["up"] }));
    let limited = bed.get("/api/v1/metadata?limit=1").data();
    assert_eq!(limited.as_object().unwrap().len(), 1);
    // Sent again, and changed.
    let changed = one_with_help("It changed.");
    assert_eq!(bed.write(changed).code, 204);
    assert_eq!(
        bed.get("/api/v1/metadata?metric=up").data()["up"][0]["help"],
        "It changed."
    );
}

fn one_with_help(help: &str) -> Message {
    one(up(NOON, 1.0)).message(3, v1::metadata(2, "up", help, ""))
}
