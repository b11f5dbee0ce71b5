//! Series, label names and label values, as pickers and explorers ask for them.

use serde_json::{Value, json};

use super::bed::Bed;

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
