//! Receivers of lines: what each takes, and what it says of what it does not take.

use std::io::Write;

use super::*;

/// The levels of lines, each with its text.
fn levels(bed: &Bed, query: &str) -> Vec<(String, String)> {
    let data = query_range(bed, query, &[("direction", "forward")]);
    let mut found = Vec::new();
    for stream in data["result"].as_array().unwrap() {
        for value in stream["values"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            found.push((
                text(&value[1]),
                text(&value[2]["structuredMetadata"]["detected_level"]),
            ));
        }
    }
    found
}

#[test]
fn protobuf_as_promtail_sends_it_is_stored_with_its_metadata() {
    let bed = Bed::new();
    let entry = logs::entry(NOON, "hello").message(3, logs::pair("trace.id", "t"));
    let stream = logs::stream("{b=\"2\", a=\"1\", empty=\"\"}").message(2, entry);
    let reply = push_message(&bed, logs::request([stream]));
    assert_eq!((reply.code, reply.body.len()), (204, 0));
    let data = query_range(&bed, "{a=\"1\"}", &[]);
    assert_eq!(
        data["result"],
        json!([{
            "stream": { "a": "1", "b": "2", "service_name": "unknown_service" },
            "values": [[NOON.to_string(), "hello", { "structuredMetadata": {
                "detected_level": "unknown", "trace_id": "t" } }]],
        }])
    );
    assert_eq!(data["encodingFlags"], json!(["categorize-labels"]));
}

#[test]
fn json_is_taken_plain_and_in_every_compression() {
    let bed = Bed::new();
    let body = |name: &str| {
        let values = json!([[NOON.to_string(), name]]);
        json!({ "streams": [{ "stream": { "a": name }, "values": values }] }).to_string()
    };
    let gzip = |text: String| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    let deflate = |text: String| {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    let zstd = |text: String| zstd::bulk::compress(text.as_bytes(), 1).unwrap();
    for (encoding, body) in [
        ("", body("plain").into_bytes()),
        ("gzip", gzip(body("gzip"))),
        ("deflate", deflate(body("deflate"))),
        ("zstd", zstd(body("zstd"))),
    ] {
        let headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Encoding", encoding),
        ];
        let reply = bed.ask_loki("POST", "/loki/api/v1/push", &headers, &body);
        assert_eq!(reply.code, 204, "{encoding}: {}", reply.text());
    }
    assert_eq!(lines(&query_range(&bed, "{a=~\".+\"}", &[])).len(), 4);
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "br"),
    ];
    let reply = bed.ask_loki("POST", "/loki/api/v1/push", &headers, b"{}");
    assert_eq!(reply.text(), "Content-Encoding \"br\" not supported\n");
}

#[test]
fn the_form_and_the_path_of_old_are_taken() {
    let bed = Bed::new();
    let body = json!({ "streams": [{ "labels": "{a=\"b\"}", "entries": [
        { "ts": "2026-01-15T11:30:00.000000001Z", "line": "x" } ] }] });
    let headers = [("Content-Type", "application/json")];
    let reply = bed.ask_loki(
        "POST",
        "/api/prom/push",
        &headers,
        body.to_string().as_bytes(),
    );
    assert_eq!(reply.code, 204, "{}", reply.text());
    let data = query_range(&bed, "{a=\"b\"}", &[]);
    assert_eq!(data["result"][0]["values"][0][0], (NOON + 1).to_string());
}

#[test]
fn what_stands_behind_the_json_of_a_push_is_not_looked_at() {
    let bed = Bed::new();
    let values = json!([[NOON.to_string(), "x"]]);
    let body = json!({ "streams": [{ "stream": { "a": "b" }, "values": values }] });
    let headers = [("Content-Type", "application/json")];
    let body = format!("{body}\n{{\"streams\": nothing");
    let reply = bed.ask_loki("POST", "/loki/api/v1/push", &headers, body.as_bytes());
    assert_eq!(reply.code, 204, "{}", reply.text());
    assert_eq!(lines(&query_range(&bed, "{a=\"b\"}", &[])), ["x"]);
}

#[test]
fn a_request_that_cannot_be_read_stores_nothing_and_is_not_sent_again() {
    let bed = Bed::new();
    let json = [("Content-Type", "application/json")];
    let protobuf = [("Content-Type", "application/x-protobuf")];
    let ask = |headers: &[(&str, &str)], body: &[u8]| {
        bed.ask_loki("POST", "/loki/api/v1/push", headers, body)
    };
    for (headers, body, code) in [
        (&json[..], &b"{\"streams\":[]}"[..], 422),
        (&json, b"{}", 422),
        (&json, b"{\"streams\":[", 400),
        (&json, b"[]", 400),
        (&json, b"\xff", 400),
        (&protobuf, b"no snappy", 400),
        (&protobuf, &snappy(b"\x0a\xff"), 400),
        (&protobuf, &snappy(b""), 422),
        (&[], b"{}", 400),
    ] {
        let reply = ask(headers, body);
        assert_eq!(
            reply.code,
            code,
            "{:?}: {}",
            String::from_utf8_lossy(body),
            reply.text()
        );
    }
    assert_eq!(ask(&[], b"").text(), "mime: no media type\n");
}

#[test]
fn bombs_cost_nothing() {
    let bed = Bed::new();
    let zeros = vec![b' '; 40 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    assert_eq!(
        bed.ask_loki("POST", "/loki/api/v1/push", &headers, &gzip)
            .code,
        413
    );
    let headers = [("Content-Type", "application/x-protobuf")];
    // Four gibibytes, says the block.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(
        bed.ask_loki("POST", "/loki/api/v1/push", &headers, &claim)
            .code,
        413
    );
    // Two million empty streams in four megabytes.
    let streams = snappy(&[0x0a, 0x00].repeat(2_000_000));
    let reply = bed.ask_loki("POST", "/loki/api/v1/push", &headers, &streams);
    assert_eq!(reply.code, 400, "{}", reply.text());
    let deep = "[".repeat(1 << 20);
    let headers = [("Content-Type", "application/json")];
    for body in [format!("{{\"x\":{deep}"), deep] {
        let reply = bed.ask_loki("POST", "/loki/api/v1/push", &headers, body.as_bytes());
        assert_eq!(reply.code, 400);
        let reply = bed.ask_loki("POST", "/otlp/v1/logs", &headers, body.as_bytes());
        assert_eq!(reply.code, 400);
    }
}

#[test]
fn good_lines_are_stored_beside_bad_ones_which_are_told() {
    let bed = Bed::with(|settings| settings.logs.line_bytes_max = 10);
    let stream = |labels: &str, lines: &[(i64, &str)]| {
        lines
            .iter()
            .fold(logs::stream(labels), |stream, (time, line)| {
                stream.message(2, logs::entry(*time, line))
            })
    };
    let reply = push_message(
        &bed,
        logs::request([
            stream(
                "{a=\"b\"}",
                &[(NOON, "good"), (NOON + 1, "longer than ten bytes")],
            ),
            stream("{1bad=\"x\"}", &[(NOON, "x")]),
            stream("{a=\"c\"}", &[(now() + 3600 * SECOND, "x"), (NOON, "fine")]),
        ]),
    );
    let text = reply.text();
    assert_eq!(reply.code, 400);
    for expected in [
        "max entry size '10' bytes exceeded for stream '{a=\"b\", \
         service_name=\"unknown_service\"}' while adding an entry with length '21' bytes",
        "couldn't parse labels: 1:2: parse error: unexpected character inside braces: '1'",
        "entry for stream '{a=\"c\", service_name=\"unknown_service\"}' has timestamp too new: ",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(
        lines(&query_range(&bed, "{a=~\".+\"}", &[])),
        ["good", "fine"]
    );
    let metrics = bed.ask_loki("GET", "/metrics", &[], b"").text();
    assert!(
        metrics.contains("chronolith_refused_lines_total 3"),
        "{metrics}"
    );
    assert!(
        metrics.contains("chronolith_received_lines_total 2"),
        "{metrics}"
    );
}

#[test]
fn limits_of_labels_and_metadata_are_told_in_lokis_words() {
    let bed = Bed::new();
    let many: Vec<String> = (0..16)
        .map(|number| format!("l{number:02}=\"x\""))
        .collect();
    let stream = logs::stream(&format!("{{{}}}", many.join(", ")));
    let reply = push_message(
        &bed,
        logs::request([stream.message(2, logs::entry(NOON, "x"))]),
    );
    assert!(
        reply.text().ends_with("has 16 label names; limit 15\n"),
        "{}",
        reply.text()
    );
    let entry = (0..129).fold(logs::entry(NOON, "x"), |entry, number| {
        entry.message(3, logs::pair(&format!("m{number}"), "v"))
    });
    let reply = push_message(&bed, logs::request([logs::stream("{}").message(2, entry)]));
    assert!(
        reply
            .text()
            .contains("has too many structured metadata labels: '129', limit: '128'. Please see")
    );
    let large = logs::entry(NOON, "x").message(3, logs::pair("m", &"v".repeat(65 << 10)));
    let reply = push_message(&bed, logs::request([logs::stream("{}").message(2, large)]));
    assert!(reply.text().contains("has structured metadata too large: "));
}

#[test]
fn faults_of_one_kind_are_counted() {
    let bed = Bed::new();
    let bad = |labels: &str| logs::stream(labels).message(2, logs::entry(NOON, "x"));
    let wrong = "couldn't parse labels: 1:2: parse error: unexpected character inside braces: ";
    let reply = push_message(&bed, logs::request([bad("{1=\"x\"}"), bad("{1=\"y\"}")]));
    assert_eq!(reply.text(), format!("2 errors like: {wrong}'1'\n"));
    let reply = push_message(&bed, logs::request([bad("{1=\"x\"}"), bad("{2=\"y\"}")]));
    let told = format!("1 errors like: {wrong}'1'; 1 errors like: {wrong}'2'\n");
    assert_eq!(reply.text(), told);
}

#[test]
fn lines_come_in_any_order_and_once() {
    let bed = Bed::new();
    for (time, line) in [(9, "c"), (1, "a"), (5, "b"), (1, "a")] {
        push_line(&bed, "{a=\"b\"}", NOON + time, line);
    }
    let forward = [("direction", "forward")];
    assert_eq!(
        lines(&query_range(&bed, "{a=\"b\"}", &forward)),
        ["a", "b", "c"]
    );
    let counted = query_range(
        &bed,
        "sum(count_over_time({a=\"b\"}[10m]))",
        &[("step", "600")],
    );
    let values = counted["result"][0]["values"].as_array().unwrap();
    assert_eq!(values[0][1], "3", "{counted}");
}

#[test]
fn every_line_gets_a_level() {
    let bed = Bed::new();
    let at = |place: i64| (NOON + place).to_string();
    let body = json!({ "streams": [
        { "stream": { "a": "x" }, "values": [
            [at(0), "level=warn x"],
            [at(1), "{\"severity\":\"ERR\"}"],
            [at(2), "a FATAL end"],
            [at(3), "nothing"],
            [at(4), "level=warn x", { "lvl": "dbg" }],
            [at(5), "level=warn x", { "detected_level": "Information" }],
            [at(6), "level=warn x", { "severity_number": "17" }],
            [at(7), "level=warn x", { "severity_number": "3", "severity_text": "debug" }],
            [at(8), "level=warn x", { "severity_number": "25" }],
            [at(9), "x", { "severity_number": "none" }],
        ]},
        { "stream": { "a": "y", "level": "critical" }, "values": [
            [at(10), "level=info", { "severity_number": "1" }],
        ]},
    ]});
    assert_eq!(push_json(&bed, &body).code, 204);
    let found = levels(&bed, "{a=~\".+\"}");
    let found: Vec<&str> = found.iter().map(|(_, level)| level.as_str()).collect();
    let expected = [
        "warn", "error", "fatal", "unknown", "debug", "info", "error", "debug", "warn", "unknown",
        "critical",
    ];
    assert_eq!(found, expected);
}

#[test]
fn logs_of_opentelemetry_are_taken_at_both_addresses_and_in_both_forms() {
    let bed = Bed::new();
    let value = |text: &str| json!({ "stringValue": text });
    let body = json!({ "resourceLogs": [{
        "resource": { "attributes": [
            { "key": "service.name", "value": value("shop") },
            { "key": "host.name", "value": value("h") } ] },
        "scopeLogs": [{ "scope": { "name": "lib" }, "logRecords": [
            { "timeUnixNano": NOON.to_string(), "severityNumber": 17, "body": value("boom"),
              "attributes": [{ "key": "http.route", "value": value("/x") }] } ] }] }] });
    let json_type = [("Content-Type", "application/json")];
    let reply = bed.ask_loki(
        "POST",
        "/otlp/v1/logs",
        &json_type,
        body.to_string().as_bytes(),
    );
    assert_eq!((reply.code, reply.body.len()), (204, 0));
    let record = Message::new()
        .fixed64(1, NOON + 1)
        .message(5, Message::new().bytes(1, "again"));
    let attribute = Message::new()
        .bytes(1, "service.name")
        .message(2, Message::new().bytes(1, "shop"));
    let resource = Message::new().message(1, attribute);
    let scopes = Message::new().message(2, record);
    let request = Message::new().message(1, Message::new().message(1, resource).message(2, scopes));
    let protobuf = [("Content-Type", "application/x-protobuf")];
    let reply = bed.ask_otlp("/v1/logs", &protobuf, &request.into_bytes());
    assert_eq!((reply.code, reply.body.len()), (200, 0), "{}", reply.text());
    let data = query_range(&bed, "{service_name=\"shop\"}", &[("direction", "forward")]);
    assert_eq!(
        data["result"][0]["stream"],
        json!({ "service_name": "shop" })
    );
    assert_eq!(
        data["result"][0]["values"][0][2]["structuredMetadata"],
        json!({ "detected_level": "error", "host_name": "h", "http_route": "/x",
                "scope_name": "lib", "severity_number": "17" })
    );
    assert_eq!(lines(&data), ["boom", "again"]);
    for (headers, body, code) in [
        (&json_type[..], "{", 400),
        (&protobuf, "{", 400),
        (&[("Content-Type", "text/plain")], "", 415),
    ] {
        let reply = bed.ask_otlp("/v1/logs", headers, body.as_bytes());
        assert_eq!(reply.code, code, "{}", reply.text());
    }
    let reply = bed.ask_otlp("/v1/logs", &json_type, b"{");
    assert_eq!(reply.json()["code"], 3);
}
