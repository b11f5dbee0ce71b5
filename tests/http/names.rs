//! Series, label names and label values, as pickers and explorers ask for them.

use chronolith_server::testing::{Message, v1};
use serde_json::{Value, json};

use super::bed::{Bed, NOON, raw};

fn bed() -> Bed {
    let bed = Bed::new();
    bed.fill(&[
        &[("__name__", "up"), ("job", "api"), ("instance", "a:1")],
        &[("__name__", "up"), ("job", "api"), ("instance", "b:1")],
        &[("__name__", "up"), ("job", "web"), ("instance", "c:1")],
        &[
            ("__name__", "http.requests"),
            ("http.route", "/login"),
            ("a_b", "x"),
        ],
    ]);
    bed
}

#[test]
fn label_names_come_sorted_and_by_selector() {
    let bed = bed();
    let all = json!(["__name__", "a_b", "http.route", "instance", "job"]);
    assert_eq!(bed.get("/api/v1/labels").data(), all);
    assert_eq!(bed.post("/api/v1/labels", "").data(), all);
    let some = bed
        .get("/api/v1/labels?match[]=up&match[]=%7Bjob%3D%22none%22%7D")
        .data();
    assert_eq!(some, json!(["__name__", "instance", "job"]));
    assert_eq!(
        bed.post("/api/v1/labels", "match%5B%5D=nothing").data(),
        json!([])
    );
}

#[test]
fn label_values_come_sorted_also_of_escaped_names() {
    let bed = bed();
    assert_eq!(
        bed.get("/api/v1/label/job/values").data(),
        json!(["api", "web"])
    );
    for name in ["http.route", "U__http_2e_route"] {
        let path = format!("/api/v1/label/{name}/values");
        assert_eq!(bed.get(&path).data(), json!(["/login"]), "{name}");
    }
    assert_eq!(bed.get("/api/v1/label/U__a__b/values").data(), json!(["x"]));
    assert_eq!(bed.get("/api/v1/label/none/values").data(), json!([]));
    let path = "/api/v1/label/instance/values?match[]=%7Bjob%3D%22web%22%7D";
    assert_eq!(bed.get(path).data(), json!(["c:1"]));
}

#[test]
fn series_come_once_whatever_selects_them() {
    let bed = bed();
    let path = "/api/v1/series?match[]=%7Bjob%3D%22web%22%7D&match[]=up%7Binstance%3D%22c:1%22%7D";
    let expected = json!([{ "__name__": "up", "job": "web", "instance": "c:1" }]);
    assert_eq!(bed.get(path).data(), expected);
    assert_eq!(
        bed.post("/api/v1/series", "match[]=up")
            .data()
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_limit_cuts_and_warns_and_none_is_no_limit() {
    let bed = bed();
    for (path, count) in [
        ("/api/v1/labels?", 5),
        ("/api/v1/label/instance/values?", 3),
        ("/api/v1/series?match[]=up&", 3),
    ] {
        let cut = bed.get(&format!("{path}limit=2"));
        assert_eq!(cut.data().as_array().unwrap().len(), 2, "{path}");
        assert_eq!(
            cut.json()["warnings"],
            json!(["results truncated due to limit"]),
            "{path}"
        );
        for limit in ["0".to_owned(), count.to_string()] {
            let whole = bed.get(&format!("{path}limit={limit}"));
            assert_eq!(
                whole.data().as_array().unwrap().len(),
                count,
                "{path}{limit}"
            );
            assert_eq!(whole.json().get("warnings"), None, "{path}{limit}");
        }
    }
}

#[test]
fn a_range_shows_what_has_samples_in_it() {
    let bed = bed();
    let noon = "2026-01-15T11:30:00Z";
    let with = format!("start=2026-01-15T11:00:00.000Z&end={noon}");
    let without = "start=1768476601&end=1768480000";
    for (range, count) in [(with.as_str(), 3), (without, 0), ("end=1768476599.999", 0)] {
        let series = bed
            .get(&format!("/api/v1/series?match[]=up&{range}"))
            .data();
        assert_eq!(series.as_array().unwrap().len(), count, "{range}");
    }
    assert_eq!(
        bed.get(&format!("/api/v1/labels?{with}"))
            .data()
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        bed.get(&format!("/api/v1/labels?{without}")).data(),
        json!([])
    );
}

#[test]
fn a_series_with_samples_around_a_range_within_one_block_is_listed() {
    let bed = Bed::new();
    // A block begins at 10:00 and ends at 12:00, on which the other series stand on either side.
    let (noon, minute) = (NOON + 30 * 60_000, 60_000);
    let series = |name, times: [i64; 2]| {
        let series = v1::series(&[("__name__", "a"), ("b", name)]);
        let add = |series: Message, time| series.message(2, v1::sample(time, 1.0));
        times.into_iter().fold(series, add)
    };
    let written = v1::request([
        series("around", [noon - 40 * minute, noon - 10 * minute]),
        series("across", [noon - 40 * minute, noon + 10 * minute]),
        series("before", [noon - 41 * minute, noon - 40 * minute]),
        series("inside", [noon - 40 * minute, noon - 25 * minute]),
    ]);
    assert_eq!(bed.write(written).code, 204);
    let listed = |from: i64, to: i64, more: &str| {
        let (from, to) = ((noon + from * minute) / 1000, (noon + to * minute) / 1000);
        let path = format!("/api/v1/series?match[]=a&start={from}&end={to}{more}");
        let data = bed.get(&path).data();
        let names = data.as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|set| set["b"].as_str().unwrap().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(listed(-30, -20, ""), "around inside");
    assert_eq!(listed(-30, -30, ""), "around inside");
    assert_eq!(listed(-30, -20, "&limit=1"), "around");
    assert_eq!(listed(-20, -15, ""), "around");
    // Across the border of blocks only samples count, and so where there is no other bound.
    assert_eq!(listed(-20, 5, ""), "around");
    assert_eq!(listed(-9, 5, ""), "");
    assert_eq!(listed(1, 5, ""), "");
    assert_eq!(bed.get("/api/v1/labels?start=1&end=2").data(), json!([]));
}

#[test]
fn wrong_selectors_are_told_as_prometheus_tells_them() {
    let bed = bed();
    let (call, all) = ("sum(up)", "%7B%7D");
    let unexpected = "1:4: parse error: unexpected \"(\"";
    let empty = "match[] must contain at least one non-empty matcher";
    for path in ["labels", "label/job/values", "series"] {
        for (selector, why) in [(call, unexpected), (all, empty)] {
            let (_, error) = bed
                .get(&format!("/api/v1/{path}?match[]={selector}"))
                .error();
            let expected = match path {
                "series" => format!("invalid parameter \"match[]\": {why}"),
                _ => why.to_owned(),
            };
            assert_eq!(error, expected, "{path}");
        }
    }
    for other in ["start=x", "limit=x"] {
        let (_, error) = bed.get(&format!("/api/v1/series?{other}")).error();
        assert_eq!(error, "no match[] parameter provided");
    }
}

#[test]
fn a_query_may_have_in_its_url_what_go_takes() {
    let bed = bed();
    let heads = |end: &str| {
        let head = "GET /api/v1/series?match[]=up{job=\"web\"}#é HTTP/1.1\r\nHost: a\r\n";
        head.replace("#é", end)
    };
    // Two on one connection: the first says nothing of its end.
    let both = heads("") + "\r\n" + &heads("") + "Connection: close\r\n\r\n";
    let answer = raw(bed.address(), both.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert_eq!(
        answer.matches("\"instance\":\"c:1\"").count(),
        2,
        "{answer}"
    );
    let wrong = heads("#é") + "Connection: close\r\n\r\n";
    let answer = raw(bed.address(), wrong.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // What Go refuses is refused.
    for wrong in ["\u{7f}", "\u{1}"] {
        let text = heads(wrong) + "\r\n";
        let answer = raw(bed.address(), text.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn wrong_parameters_are_bad_data() {
    let bed = bed();
    for (path, text) in [
        ("/api/v1/series", "no match[] parameter provided"),
        ("/api/v1/series?match[]=up%7B", "parse error"),
        (
            "/api/v1/series?match[]=up&start=x",
            "invalid time value for 'start'",
        ),
        ("/api/v1/labels?limit=-1", "limit must be non-negative"),
        (
            "/api/v1/label/job/values?match[]=%7Bjob%3D~%22.*%22%7D",
            "non-empty matcher",
        ),
    ] {
        let reply = bed.get(path);
        let (kind, error) = reply.error();
        assert_eq!((reply.code, kind.as_str()), (400, "bad_data"), "{path}");
        assert!(error.contains(text), "{path}: {error}");
    }
}

#[test]
fn a_large_answer_is_streamed_whole() {
    let bed = Bed::new();
    let values: Vec<String> = (0..5000).map(|n| format!("{n:0>64}")).collect();
    let series: Vec<[(&str, &str); 2]> = values
        .iter()
        .map(|value| [("__name__", "many"), ("value", value.as_str())])
        .collect();
    let series: Vec<&[(&str, &str)]> = series.iter().map(|labels| &labels[..]).collect();
    bed.fill(&series);
    let reply = bed.get("/api/v1/label/value/values");
    assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    assert_eq!(reply.data(), json!(values));
    assert_eq!(bed.count("many"), 5000);
}

#[test]
fn queries_are_formatted_and_parsed() {
    let bed = Bed::new();
    let data = bed
        .post("/api/v1/format_query", "query=sum+by(job)(up)")
        .data();
    assert_eq!(data, json!("sum by (job) (up)"));
    let data = bed.get("/api/v1/parse_query?query=-up").data();
    assert_eq!(
        (&data["type"], &data["expr"]["name"]),
        (&json!("unaryExpr"), &json!("up"))
    );
    let query = "/api/v1/parse_query?query=up[max_of(step(),(5m*2))]offset+-range()";
    let data = bed.get(query).data();
    let number = |seconds: &str, duration: bool| {
        let kind = "numberLiteral";
        json!({ "type": kind, "val": seconds, "duration": duration })
    };
    let length = |op: &str, lhs: Value, rhs: Value, wrapped: bool| {
        let kind = "durationExpr";
        json!({ "type": kind, "op": op, "lhs": lhs, "rhs": rhs, "wrapped": wrapped })
    };
    let named = |name: &str| length(name, Value::Null, Value::Null, false);
    let twice = length("*", number("300", true), number("2", false), true);
    assert_eq!(data["range"], json!(0));
    assert_eq!(
        data["rangeExpr"],
        length("max_of", named("step"), twice, false)
    );
    assert_eq!(
        data["offsetExpr"],
        length("-", Value::Null, named("range"), false)
    );
    let (kind, error) = bed.get("/api/v1/format_query?query=sum(").error();
    assert_eq!(kind, "bad_data");
    assert_eq!(
        error,
        "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"
    );
}
