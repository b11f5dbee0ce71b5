//! Queries over HTTP: shapes, parameters, errors.

use chronolith_server::testing::{custom_histogram, integer_histogram, v1};
use serde_json::json;

use super::bed::{Bed, NOON};

fn bed() -> Bed {
    let bed = Bed::new();
    let up = |job: &str, values: [f64; 3]| {
        let series = v1::series(&[("__name__", "up"), ("job", job)]);
        values
            .into_iter()
            .zip([0, 60_000, 120_000])
            .fold(series, |series, (value, after)| {
                series.message(2, v1::sample(NOON + after, value))
            })
    };
    let request = v1::request([up("a", [1.0, 0.5, f64::NAN]), up("b", [2.0, 1e-7, 1e21])]);
    assert_eq!(bed.write(request).code, 204);
    bed
}

#[test]
fn each_type_of_value_has_its_shape() {
    let bed = bed();
    let ask = |query: &str| {
        bed.get(&format!("/api/v1/query?time=1768476600.5&query={query}"))
            .data()
    };
    let vector = json!({
        "resultType": "vector",
        "result": [
            { "metric": { "__name__": "up", "job": "a" }, "value": [1_768_476_600.5, "1"] },
            { "metric": { "__name__": "up", "job": "b" }, "value": [1_768_476_600.5, "2"] },
        ],
    });
    assert_eq!(ask("up"), vector);
    let scalar = json!({ "resultType": "scalar", "result": [1_768_476_600.5, "0.00000099"] });
    assert_eq!(ask("0.00000099"), scalar);
    let text = json!({ "resultType": "string", "result": [1_768_476_600.5, "a\"b"] });
    assert_eq!(ask("%27a%22b%27"), text);
    let matrix = json!({
        "resultType": "matrix",
        "result": [{
            "metric": { "__name__": "up", "job": "a" },
            "values": [[1_768_476_600, "1"]],
        }],
    });
    assert_eq!(ask("up%7Bjob=%22a%22%7D[1m]"), matrix);
    assert_eq!(
        ask("nothing"),
        json!({ "resultType": "vector", "result": [] })
    );
}

#[test]
fn a_range_gives_values_at_each_step() {
    let bed = bed();
    let form = "query=up&start=1768476600&end=1768476720&step=60";
    let expected = json!({
        "resultType": "matrix",
        "result": [
            {
                "metric": { "__name__": "up", "job": "a" },
                "values": [[1_768_476_600, "1"], [1_768_476_660, "0.5"], [1_768_476_720, "NaN"]],
            },
            {
                "metric": { "__name__": "up", "job": "b" },
                "values": [
                    [1_768_476_600, "2"], [1_768_476_660, "1e-07"], [1_768_476_720, "1e+21"],
                ],
            },
        ],
    });
    assert_eq!(bed.post("/api/v1/query_range", form).data(), expected);
    assert_eq!(
        bed.get(&format!("/api/v1/query_range?{form}")).data(),
        expected
    );
}

#[test]
fn native_histograms_are_drawn_by_their_buckets() {
    let bed = Bed::new();
    let series = v1::series(&[("__name__", "latency")])
        .message(4, integer_histogram(NOON))
        .message(4, custom_histogram(NOON + 60_000, 0));
    assert_eq!(bed.write(v1::request([series])).code, 204);
    let data = bed
        .get("/api/v1/query?query=latency&time=1768476600")
        .data();
    let histogram = &data["result"][0]["histogram"];
    assert_eq!(histogram[0], 1_768_476_600);
    assert_eq!(
        (&histogram[1]["count"], &histogram[1]["sum"]),
        (&json!("10"), &json!("18.5"))
    );
    let buckets = histogram[1]["buckets"].as_array().unwrap();
    assert_eq!(buckets[0], json!([3, "-0.001", "0.001", "2"]));
    assert_eq!(buckets.len(), 3);
    assert!(buckets[1..].iter().all(|bucket| bucket[0] == 0));
    let path = "/api/v1/query_range?query=latency&start=1768476660&end=1768476660&step=1";
    let data = bed.get(path).data();
    let buckets = &data["result"][0]["histograms"][0][1]["buckets"];
    assert_eq!(
        *buckets,
        json!([
            [3, "-Inf", "0.5", "1.5"],
            [0, "0.5", "2.5", "2"],
            [0, "2.5", "+Inf", "1"],
        ])
    );
    assert_eq!(data["result"][0].get("values"), None);
}

#[test]
fn an_explanation_comes_if_it_is_asked_for_and_changes_nothing() {
    let bed = bed();
    let form = "query=sum(rate(up[5m]))&start=1768476600&end=1768476720&step=60";
    let plain = bed.get(&format!("/api/v1/query_range?{form}")).data();
    let other = bed.get(&format!("/api/v1/query_range?{form}&explain=false"));
    assert_eq!(other.data(), plain);
    let mut explained = bed
        .get(&format!("/api/v1/query_range?{form}&explain=true"))
        .data();
    let explain = explained
        .as_object_mut()
        .unwrap()
        .remove("explain")
        .unwrap();
    assert_eq!(explained, plain);
    assert_eq!(
        (&explain["operator"], &explain["steps"]),
        (&json!("sum"), &json!(3))
    );
    assert_eq!(
        (&explain["series"], &explain["samplesRead"]),
        (&json!(1), &json!(6))
    );
    assert_eq!(explain["repeated"], json!(false));
    assert!(explain["seconds"].is_number());
    let range = &explain["parts"][0]["parts"][0];
    assert_eq!(
        (&range["operator"], &range["query"]),
        (&json!("range"), &json!("up[5m]"))
    );
    let instant = bed.get("/api/v1/query?query=up&time=1768476600&explain=true");
    assert_eq!(instant.data()["explain"]["operator"], "selector");
}

#[test]
fn limit_and_stats_are_extras() {
    let bed = bed();
    let limited = bed.get("/api/v1/query?query=up&time=1768476600&limit=1");
    assert_eq!(limited.data()["result"].as_array().unwrap().len(), 1);
    assert_eq!(
        limited.json()["warnings"],
        json!(["results truncated due to limit"])
    );
    let whole = bed.get("/api/v1/query?query=up&time=1768476600&limit=2");
    assert_eq!(
        (whole.json().get("warnings"), whole.data().get("stats")),
        (None, None)
    );
    let stats = bed
        .get("/api/v1/query?query=up&time=1768476600&stats=all")
        .data();
    assert_eq!(stats["stats"]["samples"]["samplesRead"], 2);
    assert!(stats["stats"]["timings"]["evalTotalTime"].is_number());
}

#[test]
fn annotations_come_beside_the_answer() {
    let bed = bed();
    let json = bed
        .get("/api/v1/query?query=rate(up[5m])&time=1768476720")
        .json();
    let infos = json["infos"].as_array().unwrap();
    assert!(
        infos[0]
            .as_str()
            .unwrap()
            .contains("metric might not be a counter"),
        "{infos:?}"
    );
}

#[test]
fn what_is_wrong_with_a_query_has_its_code_and_sort() {
    let bed = bed();
    let range = "start=1768476600&end=1768476720";
    for (path, code, kind, text) in [
        (
            "query?query=up%7B".to_owned(),
            400,
            "bad_data",
            "invalid parameter \"query\": 1:4: parse error",
        ),
        (
            "query?query=up&time=abc".into(),
            400,
            "bad_data",
            "invalid time value for 'time'",
        ),
        (
            "query?query=up&timeout=abc".into(),
            400,
            "bad_data",
            "invalid parameter \"timeout\"",
        ),
        (
            "query?query=up&lookback_delta=x".into(),
            400,
            "bad_data",
            "error parsing lookback delta",
        ),
        (
            "query?query=up%2Bon()up&time=1768476600".into(),
            422,
            "execution",
            "duplicate series",
        ),
        (
            format!("query_range?query=up&{range}"),
            400,
            "bad_data",
            "invalid parameter \"step\"",
        ),
        (
            format!("query_range?query=up&{range}&step=0"),
            400,
            "bad_data",
            "zero or negative",
        ),
        (
            format!("query_range?query=up&{range}&step=0.01"),
            400,
            "bad_data",
            "11,000 points",
        ),
        (
            format!("query_range?query=up[5m]&{range}&step=1"),
            400,
            "bad_data",
            "range vector",
        ),
        (
            "query_range?query=up&start=2&end=1&step=1".into(),
            400,
            "bad_data",
            "must not be before",
        ),
        (
            "query?query=up&timeout=0".into(),
            503,
            "timeout",
            "query timed out in query queue",
        ),
    ] {
        let reply = bed.get(&format!("/api/v1/{path}"));
        let (found, error) = reply.error();
        assert_eq!(
            (reply.code, found.as_str()),
            (code, kind),
            "{path}: {error}"
        );
        assert!(error.contains(text), "{path}: {error}");
    }
}

#[test]
fn a_form_counts_before_the_url() {
    let bed = Bed::new();
    let data = bed
        .post("/api/v1/query?query=1&time=4", "query=1%2B1")
        .data();
    assert_eq!(data["result"], json!([4, "2"]));
}
