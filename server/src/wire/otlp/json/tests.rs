//! Requests in JSON against the same in protobuf, and what is said of wrong ones.

use super::*;

fn metrics(text: &str) -> Result<Vec<u8>, String> {
    to_protobuf(text.as_bytes(), METRICS).map_err(|error| error.to_string())
}

/// A request with one metric, whose other members stand in `data`.
fn one_metric(data: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name",
        "value":{{"stringValue":"shop"}}}}]}},
        "scopeMetrics":[{{"metrics":[{{"name":"orders",{data}}}]}}]}}]}}"#
    )
}

/// The same in protobuf.
fn message_of(data: (u32, Message)) -> Vec<u8> {
    let value = Message::new().bytes(1, "shop");
    let attribute = Message::new().bytes(1, "service.name").message(2, value);
    let metric = Message::new().bytes(1, "orders").message(data.0, data.1);
    let resource = Message::new().message(1, attribute);
    let scope = Message::new().message(2, metric);
    let all = Message::new().message(1, resource).message(2, scope);
    Message::new().message(1, all).into_bytes()
}

#[test]
fn a_sum_is_the_same_message_in_either_form() {
    let point = Message::new()
        .fixed64(3, 1_700_000_000_000_000_000)
        .fixed64(6, 7);
    let sum = Message::new().message(1, point).integer(2, 2).integer(3, 1);
    let expected = message_of((7, sum));
    for temporality in ["2", "\"AGGREGATION_TEMPORALITY_CUMULATIVE\"", "\"2\""] {
        let data = format!(
            r#""sum":{{"dataPoints":[{{"timeUnixNano":"1700000000000000000","asInt":"7"}}],
            "aggregationTemporality":{temporality},"isMonotonic":true}}"#
        );
        assert_eq!(metrics(&one_metric(&data)).unwrap(), expected);
    }
    let snake = r#""sum":{"data_points":[{"time_unix_nano":1700000000000000000,"as_int":7}],
        "aggregation_temporality":2,"is_monotonic":true,"unknown":{"x":[1]}}"#;
    assert_eq!(metrics(&one_metric(snake)).unwrap(), expected);
}

#[test]
fn histograms_of_both_sorts_keep_their_buckets() {
    let plain = r#""histogram":{"dataPoints":[{"count":"3","sum":1.5,"bucketCounts":["1","2"],
        "explicitBounds":[0.5]}]}"#;
    let counts: Vec<u8> = [1u64, 2]
        .iter()
        .flat_map(|count| count.to_le_bytes())
        .collect();
    let point = Message::new()
        .fixed64(4, 3)
        .double(5, 1.5)
        .bytes(6, counts)
        .packed_doubles(7, &[0.5]);
    let expected = message_of((9, Message::new().message(1, point)));
    assert_eq!(metrics(&one_metric(plain)).unwrap(), expected);
    let wide = r#""exponentialHistogram":{"dataPoints":[{"scale":-1,"zeroCount":"2",
        "positive":{"offset":-3,"bucketCounts":["4","0","1"]},"zeroThreshold":"NaN"}]}"#;
    let buckets = Message::new().zigzag(1, -3).packed(2, &[4, 0, 1]);
    let point = Message::new()
        .zigzag(6, -1)
        .fixed64(7, 2)
        .message(8, buckets)
        .double(14, f64::NAN);
    let expected = message_of((10, Message::new().message(1, point)));
    assert_eq!(metrics(&one_metric(wide)).unwrap(), expected);
}

#[test]
fn what_is_wrong_is_told_with_its_name() {
    let cases = [
        ("[]", "no JSON object"),
        ("{", "no JSON"),
        (
            r#"{"resourceMetrics":{}}"#,
            "resourceMetrics: {} is no list",
        ),
        (
            r#"{"resourceMetrics":[7]}"#,
            "resourceMetrics: 7 is no object",
        ),
        (
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":7}]}]}]}"#,
            "name: 7 is no string",
        ),
        (
            &one_metric(r#""gauge":{"dataPoints":[{"timeUnixNano":"soon"}]}"#),
            "timeUnixNano: \"soon\" is no integer of 64 bits",
        ),
        (
            &one_metric(r#""gauge":{"dataPoints":[{"exemplars":[{"traceId":"xy"}]}]}"#),
            "traceId: \"xy\" is no id of hexadecimal digits",
        ),
    ];
    for (text, expected) in cases {
        let error = metrics(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn values_nested_too_deeply_are_refused() {
    let mut value = r#"{"stringValue":"x"}"#.to_owned();
    for _ in 0..30 {
        value = format!(r#"{{"arrayValue":{{"values":[{value}]}}}}"#);
    }
    let text =
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{value}}}]}}]}}]}}"#);
    let error = to_protobuf(text.as_bytes(), LOGS).unwrap_err().to_string();
    assert!(error.contains("nested deeper than 48"), "{error}");
}

#[test]
fn bytes_come_in_base64_of_either_alphabet() {
    let cases: [(&str, &[u8]); 6] = [
        ("", b""),
        ("Zg==", b"f"),
        ("Zm8", b"fo"),
        ("Zm9v", b"foo"),
        ("-_8=", &[0xfb, 0xff]),
        ("+/8=", &[0xfb, 0xff]),
    ];
    for (text, expected) in cases {
        assert_eq!(base64(&text.into()).unwrap(), expected, "{text}");
    }
    assert!(base64(&"Z".into()).is_err());
    assert!(base64(&"Zm9v!".into()).is_err());
}
