//! Every format of pushed lines, whole, cut and wrong.

use super::*;
use crate::http::times::rfc3339_nanos;
use crate::testing::logs;
use crate::wire::message::Message;
use crate::wire::otlp::json::{LOGS, to_protobuf};

/// What a request holds, in words.
fn told(columns: &LogColumns<'_>) -> Vec<String> {
    let mut told = Vec::new();
    for (stream, places) in columns.streams() {
        told.push(match &stream.labels {
            StreamLabels::Text(text) => text.to_string(),
            StreamLabels::Pairs(pairs) => format!("{pairs:?}"),
        });
        for place in places {
            let entry = &columns.entries()[place];
            let metadata = columns.metadata_of(place);
            told.push(format!("{} {:?} {metadata:?}", entry.time, entry.line));
        }
    }
    told
}

#[test]
fn protobuf_is_read_with_its_metadata() {
    let entry = logs::entry(1_500_000_007, "one").message(3, logs::pair("k", "v"));
    let request = logs::request([
        logs::stream("{a=\"b\"}").message(2, entry),
        logs::stream("{}").message(2, logs::entry(-1, "two").integer(9, 1)),
    ]);
    let bytes = request.into_bytes();
    let columns = protobuf::decode(&bytes).unwrap();
    assert_eq!(
        told(&columns),
        [
            "{a=\"b\"}",
            "1500000007 \"one\" [(\"k\", \"v\")]",
            "{}",
            "-1 \"two\" []"
        ]
    );
    for cut in 0..bytes.len() {
        // A cut between two streams is a shorter request.
        let _ = protobuf::decode(&bytes[..cut]);
    }
}

#[test]
fn a_time_beyond_the_clock_and_bytes_that_are_no_text_are_told_apart() {
    let time = Message::new().integer(1, i64::MAX).integer(2, 1);
    let entry = Message::new().message(1, time).bytes(2, "x");
    let request = logs::request([logs::stream("{}").message(2, entry)]);
    assert!(protobuf::decode(&request.into_bytes()).is_err());
    let entry = logs::entry(1, "").bytes(2, [b'a', 0xff, b'b']);
    let request = logs::request([logs::stream("{}").message(2, entry)]).into_bytes();
    let columns = protobuf::decode(&request).unwrap();
    assert_eq!(columns.entries()[0].line, "a\u{fffd}b");
}

fn json_told(text: &str) -> Result<Vec<String>, Malformed> {
    json::decode(text, rfc3339_nanos).map(|columns| told(&columns))
}

#[test]
fn json_is_read_in_both_forms() {
    let today = r#" {"more":[1,{"x":null}], "streams" : [ {"stream":{"a":"b"},
        "values":[["7","li\"ne\u00e9\ud83d\ude00\\n",{"k":"v"}],["8",""]]} ] } "#;
    assert_eq!(
        json_told(today).unwrap(),
        [
            "[(\"a\", \"b\")]",
            "7 \"li\\\"neé😀\\\\n\" [(\"k\", \"v\")]",
            "8 \"\" []"
        ]
    );
    let of_old = r#"{"streams":[{"labels":"{a=\"b\"}","entries":[
        {"ts":"1970-01-01T00:00:01.5Z","line":"x"}]}]}"#;
    assert_eq!(
        json_told(of_old).unwrap(),
        ["{a=\"b\"}", "1500000000 \"x\" []"]
    );
    assert!(json_told("{}").unwrap().is_empty());
}

#[test]
fn json_that_is_wrong_or_cut_is_refused() {
    let whole = r#"{"streams":[{"stream":{"a":"b"},"values":[["7","x",{"k":"v"}]]}]}"#;
    assert!(json_told(whole).is_ok());
    for cut in 0..whole.len() {
        assert!(json_told(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for wrong in [
        r#"{"streams":[{"stream":{},"values":[[7,"x"]]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["soon","x"]]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["7"]]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["7",5]]}]}"#,
        r#"{"streams":[{"stream":{"a":1},"values":[]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["7","x",{"k":1}]]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["7","x",{"k":{"l":"m"}}]]}]}"#,
        r#"{"streams":[{"labels":"{}","entries":[{"line":"x"}]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["7","\x"]]}]}"#,
        r#"{"streams":[{"stream":{},"values":[["7","\u12"]]}]}"#,
        "[]",
        "nothing",
    ] {
        assert!(json_told(wrong).is_err(), "{wrong}");
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(json_told(&deep).is_err());
}

fn attribute(name: &str, value: Message) -> Message {
    Message::new().bytes(1, name).message(2, value)
}

fn text_value(value: &str) -> Message {
    Message::new().bytes(1, value)
}

fn otlp_request() -> Message {
    let resource = Message::new()
        .message(1, attribute("service.name", text_value("shop")))
        .message(1, attribute("host.name", text_value("h1")));
    let scope = Message::new()
        .bytes(1, "lib")
        .bytes(2, "1.0")
        .message(3, attribute("s", Message::new().integer(2, 1)));
    let nested = Message::new().message(1, attribute("n", Message::new().double(4, 0.5)));
    let map = Message::new()
        .message(1, attribute("m", Message::new().message(6, nested)))
        .message(1, attribute("i", Message::new().integer(3, -3)));
    let record = Message::new()
        .fixed64(1, 5)
        .integer(2, 17)
        .bytes(3, "ERROR")
        .message(5, text_value("boom"))
        .message(6, attribute("a", Message::new().message(6, map)))
        .integer(7, 2)
        .bytes(9, [0xab, 0x01])
        .bytes(10, [0x0f])
        .fixed64(11, 6);
    let untimed = Message::new().message(5, Message::new().integer(3, 42));
    let scopes = Message::new()
        .message(1, scope)
        .message(2, record)
        .message(2, untimed);
    let logs = Message::new().message(1, resource).message(2, scopes);
    Message::new().message(1, logs)
}

#[test]
fn records_of_opentelemetry_become_lines() {
    let bytes = otlp_request().into_bytes();
    let columns = otlp::decode(&bytes, 99).unwrap();
    let shared = "(\"host.name\", \"h1\"), (\"s\", \"true\"), (\"scope_name\", \"lib\"), \
                  (\"scope_version\", \"1.0\")";
    assert_eq!(
        told(&columns),
        [
            "[(\"service_name\", \"shop\")]".to_owned(),
            format!(
                "5 \"boom\" [{shared}, (\"a_i\", \"-3\"), (\"a_m_n\", \"0.5\"), \
                 (\"severity_text\", \"ERROR\"), (\"dropped_attributes_count\", \"2\"), \
                 (\"trace_id\", \"ab01\"), (\"span_id\", \"0f\"), (\"severity_number\", \"17\"), \
                 (\"observed_timestamp\", \"6\")]"
            ),
            format!("99 \"42\" [{shared}]"),
        ]
    );
    for cut in 0..bytes.len() {
        let _ = otlp::decode(&bytes[..cut], 99);
    }
}

#[test]
fn json_of_opentelemetry_says_the_same() {
    let json = r#"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}},
        {"key":"host.name","value":{"stringValue":"h1"}}]},
      "scopeLogs":[{"scope":{"name":"lib","version":"1.0","attributes":[
        {"key":"s","value":{"boolValue":true}}]},
       "logRecords":[{"timeUnixNano":"5","severityNumber":17,"severityText":"ERROR",
        "body":{"stringValue":"boom"},"droppedAttributesCount":2,"traceId":"AB01","spanId":"0f",
        "observedTimeUnixNano":"6","attributes":[{"key":"a","value":{"kvlistValue":{"values":[
         {"key":"m","value":{"kvlistValue":{"values":[
          {"key":"n","value":{"doubleValue":0.5}}]}}},
         {"key":"i","value":{"intValue":"-3"}}]}}}]},
        {"body":{"intValue":42}}]}]}]}"#;
    let message = to_protobuf(json.as_bytes(), LOGS).unwrap();
    let expected = otlp_request().into_bytes();
    let same = |bytes: &[u8]| told(&otlp::decode(bytes, 99).unwrap());
    assert_eq!(same(&message), same(&expected));
    for wrong in [
        "{",
        "[1,]",
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"x"}]}]}]}"#,
    ] {
        assert!(to_protobuf(wrong.as_bytes(), LOGS).is_err(), "{wrong}");
    }
}

#[test]
fn of_labels_of_one_name_in_json_the_last_one_counts_and_nothing_is_no_mistake() {
    let text = r#"{"streams":[{"stream":{"a":"x","b":"y","a":"z"},"values":[["1","l"]]}]}"#;
    let columns = json::decode(text, rfc3339_nanos).unwrap();
    assert_eq!(
        told(&columns),
        ["[(\"a\", \"z\"), (\"b\", \"y\")]", "1 \"l\" []"]
    );
    for nothing in ["null", r#"{"streams":null}"#, "{} behind", "null {"] {
        let columns = json::decode(nothing, rfc3339_nanos).unwrap();
        assert_eq!(columns.stream_count(), 0, "{nothing}");
    }
    for wrong in ["nil", r#"{"streams":nope}"#, r#"{"streams":0}"#] {
        assert!(json::decode(wrong, rfc3339_nanos).is_err(), "{wrong}");
    }
}
