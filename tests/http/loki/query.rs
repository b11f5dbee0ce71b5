//! Queries and lists as Grafana's datasource asks for them.

use super::*;

fn at(seconds: i64) -> String {
    (NOON + seconds * SECOND).to_string()
}

#[test]
fn the_datasource_finds_the_server_healthy() {
    let bed = Bed::new();
    let params = [
        ("direction", "backward"),
        ("query", "vector(1)+vector(1)"),
        ("time", "4000000000"),
    ];
    let data = get(&bed, "query", &params).data();
    assert_eq!(data["resultType"], "vector");
    assert_eq!(
        data["result"],
        json!([{ "metric": {}, "value": [4_000_000_000_i64, "2"] }])
    );
}

#[test]
fn lines_come_in_the_shape_that_grafana_reads_while_it_comes() {
    let bed = filled();
    let (start, end) = (at(-300), at(300));
    let path = asking(
        "query_range",
        &[
            ("query", "{app=\"shop\"} |= `took` | logfmt"),
            ("direction", "backward"),
            ("limit", "1000"),
            ("start", &start),
            ("end", &end),
            ("step", "15000ms"),
        ],
    );
    let headers = [
        ("X-Loki-Response-Encoding-Flags", "categorize-labels"),
        ("X-Query-Tags", "Source=datasample"),
        ("X-Scope-OrgID", "tenant"),
    ];
    let reply = bed.ask_loki("GET", &path, &headers, b"");
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=UTF-8")
    );
    let text = reply.text();
    let place = |key: &str| text.find(&format!("\"{key}\"")).unwrap();
    assert!(place("resultType") < place("encodingFlags"));
    assert!(place("encodingFlags") < place("result"));
    assert!(place("result") < place("stats"));
    assert!(
        text.contains("no \\u003cstock\\u003e \\u0026 more"),
        "{text}"
    );
    let data = reply.data();
    let stream = &data["result"][0];
    assert_eq!(
        stream["stream"],
        json!({ "app": "shop", "env": "prod", "service_name": "shop" })
    );
    assert_eq!(stream["values"][0][0], at(1));
    assert_eq!(
        stream["values"][0][2],
        json!({
            "structuredMetadata": { "detected_level": "error", "trace_id": "t1" },
            "parsed": { "level": "error", "msg": "no <stock> & more", "took": "3s" },
        })
    );
    for key in [
        "bytesProcessedPerSecond",
        "linesProcessedPerSecond",
        "totalBytesProcessed",
        "totalLinesProcessed",
        "execTime",
    ] {
        assert!(data["stats"]["summary"][key].is_number(), "{key}");
    }
    assert_eq!(data["stats"]["summary"]["totalEntriesReturned"], 2);
}

#[test]
fn without_the_flag_streams_have_all_labels_and_lines_two_parts() {
    let bed = filled();
    let (start, end) = (at(-300), at(300));
    let params = [
        ("query", "{app=\"shop\", env=\"prod\"}"),
        ("start", &start),
        ("end", &end),
    ];
    let data = get(&bed, "query_range", &params).data();
    assert_eq!(data.get("encodingFlags"), None);
    let result = data["result"].as_array().unwrap();
    assert_eq!(result.len(), 2);
    for stream in result {
        assert!(stream["stream"]["detected_level"].is_string());
        assert_eq!(stream["values"][0].as_array().unwrap().len(), 2);
    }
}

#[test]
fn numbers_come_with_times_as_numbers_and_values_as_texts() {
    let bed = filled();
    let query =
        "sum by (level, detected_level) (count_over_time({app=\"shop\"} | drop __error__[5m]))";
    let data = query_range(&bed, query, &[("step", "300000ms")]);
    assert_eq!(data["resultType"], "matrix");
    let series = data["result"].as_array().unwrap();
    assert_eq!(series.len(), 3, "{data}");
    for one in series {
        let first = &one["values"][0];
        assert!(first[0].is_number() && first[1].is_string(), "{one}");
    }
    let time = at(10);
    let params = [
        ("query", "sum(count_over_time({app=\"shop\"}[5m]))"),
        ("time", &time),
    ];
    let data = get(&bed, "query", &params).data();
    assert_eq!(data["result"][0]["value"][1], "3");
    assert_eq!(data["result"][0]["metric"], json!({}));
}

#[test]
fn what_is_wrong_with_a_request_is_told_as_text() {
    let bed = filled();
    let told = |path: &str, params: &[(&str, &str)]| {
        let reply = get(&bed, path, params);
        let kind = reply.header("content-type").unwrap().to_owned();
        assert!(kind.starts_with("text/plain"), "{kind}");
        (reply.code, reply.text().trim_end().to_owned())
    };
    let lines = "{app=\"shop\"}";
    for (path, params, text) in [
        (
            "query",
            vec![("query", lines)],
            "log queries are not supported as an instant query type, please change your query to a \
             range query type",
        ),
        (
            "query_range",
            vec![("query", lines), ("limit", "0")],
            "limit must be a positive value",
        ),
        (
            "query_range",
            vec![("query", lines), ("limit", "5001")],
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > \
             5000)",
        ),
        (
            "query_range",
            vec![("query", lines), ("direction", "up")],
            "invalid direction 'up'",
        ),
        (
            "query_range",
            vec![("query", lines), ("start", "20"), ("end", "10")],
            "end timestamp must not be before or equal to start time",
        ),
        (
            "query_range",
            vec![("query", "{app=")],
            "parse error at line 1, col 6: syntax error: unexpected $end, expecting STRING",
        ),
        (
            "index/volume",
            vec![("query", "rate({app=\"shop\"}[1m])")],
            "only label matchers are supported",
        ),
    ] {
        assert_eq!(told(path, &params), (400, text.to_owned()), "{params:?}");
    }
}

#[test]
fn a_limit_of_the_operator_holds() {
    let bed = Bed::with(|settings| {
        settings.logs.entries_max = 2;
        settings.logs.series_max = 1;
    });
    push_line(&bed, "{a=\"1\"}", NOON, "x");
    push_line(&bed, "{a=\"2\"}", NOON, "x");
    let reply = get(
        &bed,
        "query_range",
        &[("query", "{a=\"1\"}"), ("limit", "3")],
    );
    assert!(reply.text().contains("(3 > 2)"), "{}", reply.text());
    let time = at(10);
    let query = "count_over_time({a=~\".+\"}[5m])";
    let params = [("query", query), ("time", time.as_str())];
    let reply = get(&bed, "query", &params);
    assert_eq!(reply.code, 400);
    assert!(
        reply
            .text()
            .starts_with("maximum number of series (1) reached")
    );
    // Logs Drilldown would rather have some of it.
    let tags = [("X-Query-Tags", "Source=grafana-lokiexplore-app")];
    let reply = bed.ask_loki("GET", &asking("query", &params), &tags, b"");
    let json = reply.json();
    assert_eq!(json["data"]["result"].as_array().unwrap().len(), 1);
    assert!(
        json["warnings"][0]
            .as_str()
            .unwrap()
            .contains("partial results")
    );
}

#[test]
fn labels_values_and_series_are_listed() {
    let bed = filled();
    let (start, end) = (at(-300), at(300));
    let range = [("start", start.as_str()), ("end", end.as_str())];
    let with = |more: &[(&'static str, &'static str)]| {
        let mut params = range.to_vec();
        params.extend(more);
        params
    };
    let labels = get(&bed, "labels", &range).data();
    assert_eq!(labels, json!(["app", "env", "job", "service_name"]));
    let labels = get(&bed, "label", &with(&[("query", "{job=\"cron\"}")])).data();
    assert_eq!(labels, json!(["job", "service_name"]));
    let values = get(&bed, "label/service_name/values", &range).data();
    assert_eq!(values, json!(["cron", "shop"]));
    // Grafana asks for shards; an empty list is left out.
    let shards = get(
        &bed,
        "label/__stream_shard__/values",
        &with(&[("query", "{app=\"shop\"}")]),
    );
    assert_eq!(shards.json(), json!({ "status": "success" }));
    let series = get(&bed, "series", &with(&[("match[]", "{env=\"dev\"}")])).data();
    assert_eq!(
        series,
        json!([{ "app": "shop", "env": "dev", "service_name": "shop" }])
    );
    let none = get(&bed, "series", &with(&[("match[]", "{env=\"no\"}")])).data();
    assert_eq!(none, json!([]));
    let old = bed.ask_loki(
        "GET",
        &format!("/api/prom/label/env/values?start={start}&end={end}"),
        &[],
        b"",
    );
    assert_eq!(old.json(), json!({ "values": ["dev", "prod"] }));
    // Times as Logs Drilldown writes them.
    let params = [
        ("start", "2026-01-15T11:00:00.000Z"),
        ("end", "2026-01-15T12:00:00.000Z"),
    ];
    assert_eq!(
        get(&bed, "label/env/values", &params).data(),
        json!(["dev", "prod"])
    );
    // And as a form.
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("start={start}&end={end}");
    let reply = bed.ask_loki(
        "POST",
        "/loki/api/v1/label/env/values",
        &form,
        body.as_bytes(),
    );
    assert_eq!(reply.data(), json!(["dev", "prod"]));
}

#[test]
fn how_much_a_query_would_read_is_told_before_it_is_run() {
    let bed = filled();
    let (start, end) = (at(-300), at(300));
    let params = [
        ("query", "{app=\"shop\"}"),
        ("start", &start),
        ("end", &end),
    ];
    let stats = get(&bed, "index/stats", &params).json();
    assert_eq!(
        (&stats["streams"], &stats["entries"]),
        (&json!(2), &json!(3))
    );
    assert!(stats["bytes"].as_u64().unwrap() > 100, "{stats}");
    assert!(stats["chunks"].is_number());
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    let bed = filled();
    let (start, end) = (at(-300), at(300));
    let params = [
        ("query", "{app=\"shop\"}"),
        ("start", &start),
        ("end", &end),
    ];
    let headers = [("Accept-Encoding", "gzip")];
    let reply = bed.ask_loki("GET", &asking("query_range", &params), &headers, b"");
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    let mut gzip = flate2::read::GzDecoder::new(reply.body.as_slice());
    std::io::Read::read_to_string(&mut gzip, &mut text).unwrap();
    assert!(text.contains("\"resultType\":\"streams\""));
}

#[test]
fn queries_are_written_well_or_told_to_be_wrong() {
    let bed = Bed::new();
    let reply = get(&bed, "format_query", &[("query", "{a = \"b\"}|=\"c\"")]);
    assert_eq!(reply.data(), "{a=\"b\"} |= \"c\"");
    let reply = get(&bed, "format_query", &[("query", "{a")]);
    assert_eq!(reply.code, 400);
    assert_eq!(reply.json()["status"], "invalid-query");
    assert!(
        reply.json()["error"]
            .as_str()
            .unwrap()
            .starts_with("parse error")
    );
}

#[test]
fn the_old_query_answers_streams_with_labels_as_text() {
    let bed = filled();
    let range = [
        ("start", "2026-01-15T11:00:00Z"),
        ("end", "2026-01-15T12:00:00Z"),
    ];
    let ask = |params: &[(&str, &str)]| {
        let pairs = params.iter().chain(&range);
        let pairs = pairs.map(|(name, value)| format!("{name}={}", encoded(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        bed.ask_loki("GET", &format!("/api/prom/query?{query}"), &[], b"")
    };
    let reply = ask(&[
        ("query", "{app=\"shop\"}"),
        ("regexp", "no <st.ck>"),
        ("limit", "5"),
    ]);
    let json = reply.json();
    assert_eq!(json["streams"].as_array().unwrap().len(), 1);
    let stream = &json["streams"][0];
    assert_eq!(
        stream["labels"],
        "{app=\"shop\", detected_level=\"error\", env=\"prod\", \
         service_name=\"shop\", trace_id=\"t1\"}"
    );
    assert_eq!(
        stream["entries"],
        json!([{ "ts": "2026-01-15T11:30:01.000000000Z",
                 "line": "level=error msg=\"no <stock> & more\" took=3s" }])
    );
    assert!(json["stats"]["summary"].is_object());
    let numbers = ask(&[("query", "count_over_time({app=\"shop\"}[1m])")]);
    assert_eq!(
        (numbers.code, numbers.text().as_str()),
        (400, "legacy endpoints only support streams result type\n")
    );
    assert_eq!(
        ask(&[("query", "{app=\"shop\"}"), ("limit", "5001")]).code,
        400
    );
}

#[test]
fn a_stream_is_listed_where_a_chunk_of_it_lies_around_the_range() {
    let bed = Bed::new();
    for (labels, seconds) in [
        ("{a=\"around\"}", &[-600, 600][..]),
        ("{a=\"before\"}", &[-600, -500]),
        ("{a=\"behind\"}", &[600]),
        ("{a=\"inside\"}", &[10]),
        ("{a=\"far\"}", &[-3 * 3600, 3 * 3600]),
    ] {
        for second in seconds {
            push_line(&bed, labels, NOON + second * SECOND, "x");
        }
    }
    let listed = |start: i64, end: i64| {
        let (start, end) = (at(start), at(end));
        let params = [("match[]", "{a=~\".+\"}"), ("start", &start), ("end", &end)];
        let data = get(&bed, "series", &params).data();
        let streams = data.as_array().unwrap().iter();
        let streams = streams.map(|stream| stream["a"].as_str().unwrap().to_owned());
        streams.collect::<Vec<_>>()
    };
    assert_eq!(listed(0, 60), ["around", "inside"]);
    assert_eq!(listed(100, 200), ["around"]);
    // Chunks are of two hours, which end at noon of the clock, half an hour later.
    assert_eq!(listed(100, 1800), ["around", "behind"]);
    assert_eq!(listed(700, 1900), Vec::<String>::new());
    for state in ["/flush", "/compact"] {
        assert_eq!(bed.ask_loki("POST", state, &[], b"").code, 204);
        assert_eq!(listed(0, 60), ["around", "inside"], "{state}");
    }
}

#[test]
fn no_list_is_of_a_longer_time_than_a_query() {
    let bed = filled();
    let selector = ("query", "{app=\"shop\"}");
    let (start, end) = ("1768471200", "1772000000");
    for path in [
        "query_range",
        "labels",
        "label",
        "label/env/values",
        "series",
        "index/stats",
        "index/shards",
        "index/volume",
        "index/volume_range",
        "detected_labels",
        "detected_fields",
    ] {
        let matches = ("match[]", selector.1);
        let short = [selector, matches, ("start", start), ("end", "1771066800")];
        let mut params = short.to_vec();
        // The limit itself is allowed.
        assert_eq!(get(&bed, path, &params).code, 200, "{path}");
        params[3] = ("end", end);
        let reply = get(&bed, path, &params);
        let text = "the query time range exceeds the limit (query length: 980h13m20s, limit: \
                    30d1h)";
        assert_eq!((reply.code, reply.text().trim_end()), (400, text), "{path}");
    }
    let metrics = bed.ask_loki("GET", "/metrics", &[], b"").text();
    let counted = "chronolith_limited_total{limit=\"log_query\"} 11";
    assert!(metrics.contains(counted), "{metrics}");
}
