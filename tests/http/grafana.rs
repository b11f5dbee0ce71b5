//! The requests that Grafana sends to a Prometheus datasource, and what it reads of the answers.

use serde_json::{Value, json};

use super::bed::Bed;

fn bed() -> Bed {
    let bed = Bed::new();
    bed.fill(&[&[("__name__", "up"), ("job", "api")]]);
    bed
}

#[test]
fn the_probe_for_exemplars_is_answered_though_its_times_are_milliseconds() {
    let bed = bed();
    let form = "query=test&start=1795209387000&end=1795212987000";
    assert_eq!(bed.post("/api/v1/query_exemplars", form).data(), json!([]));
}

#[test]
fn build_information_names_no_features() {
    let data = bed().get("/api/v1/status/buildinfo").data();
    assert_eq!(data.get("features"), None);
    for key in [
        "version",
        "revision",
        "branch",
        "buildUser",
        "buildDate",
        "goVersion",
    ] {
        assert!(data[key].is_string(), "{key}");
    }
}

#[test]
fn lists_that_are_empty_are_lists() {
    let bed = bed();
    for (path, pointer) in [
        ("rules", "/groups"),
        (
            "rules?type=alert&exclude_alerts=true&group_limit=40",
            "/groups",
        ),
        ("alerts", "/alerts"),
        ("alertmanagers", "/activeAlertmanagers"),
        ("targets?state=active", "/activeTargets"),
        ("scrape_pools", "/scrapePools"),
        ("targets/metadata", ""),
        ("notifications", ""),
    ] {
        let data = bed.get(&format!("/api/v1/{path}")).data();
        assert_eq!(data.pointer(pointer), Some(&json!([])), "{path}: {data}");
    }
    assert_eq!(bed.get("/api/v1/metadata?limit=40000").data(), json!({}));
}

#[test]
fn the_query_builder_gets_its_lists() {
    let bed = bed();
    let range = "start=1768473000&end=1768476600";
    let names = bed
        .get(&format!(
            "/api/v1/label/__name__/values?limit=40000&{range}"
        ))
        .data();
    assert_eq!(names, json!(["up"]));
    // A trailing comma and a matcher of a label that is not there.
    let selector = "match[]=up%7B__ignore_usage__%3D%22%22,%7D";
    let labels = bed
        .post("/api/v1/labels", &format!("limit=40000&{range}&{selector}"))
        .data();
    assert_eq!(labels, json!(["__name__", "job"]));
    let series = "match[]=%7B__name__!%3D%22%22%7D&limit=40000";
    let series = bed
        .post("/api/v1/series", &format!("{range}&{series}"))
        .data();
    assert_eq!(series, json!([{ "__name__": "up", "job": "api" }]));
}

#[test]
fn the_state_of_the_store_has_the_shape_of_prometheus() {
    let bed = bed();
    let data = bed.get("/api/v1/status/tsdb").data();
    assert_eq!(data["headStats"]["numSeries"], 1);
    assert_eq!(
        data["seriesCountByMetricName"],
        json!([{ "name": "up", "value": 1 }])
    );
    assert_eq!(data["seriesCountByLabelValuePair"][0]["value"], 1);
    assert!(data["memoryInBytesByLabelName"][0]["value"].is_number());
    assert_eq!(bed.get("/api/v1/status/tsdb?limit=10001").code, 400);
    for (path, key) in [("runtimeinfo", "storageRetention"), ("flags", "retention")] {
        let data = bed.get(&format!("/api/v1/status/{path}")).data();
        assert!(data[key].is_string(), "{path}");
    }
    let config = bed.get("/api/v1/status/config").data();
    let yaml = config["yaml"].as_str().unwrap();
    assert!(yaml.contains("retention: \"none\""), "{yaml}");
    let features = bed.get("/api/v1/features").data();
    let all = features
        .as_object()
        .unwrap()
        .values()
        .flat_map(|of| of.as_object().unwrap().values());
    assert!(all.clone().count() > 5 && all.clone().all(Value::is_boolean));
}
