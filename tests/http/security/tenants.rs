//! Tenants: whose data a request sees, and which names are taken.

use serde_json::{Value, json};

use super::super::bed::{Bed, NOON, Reply};

const HEADER: &str = "X-Scope-OrgID";

fn bed() -> Bed {
    Bed::with(|settings| {
        settings.multi_tenant = true;
        settings.tenants_max = 3;
    })
}

/// Writes one sample of one series called `metric`.
fn write(bed: &Bed, tenant: &str, metric: &str) -> Reply {
    let headers = [(HEADER, tenant), ("Content-Type", "text/plain")];
    let line = format!("{metric} 1 {NOON}\n");
    bed.ask(
        "POST",
        "/api/v1/import/prometheus",
        &headers,
        line.as_bytes(),
    )
}

fn push(bed: &Bed, tenant: &str, line: &str) -> Reply {
    let headers = [(HEADER, tenant), ("Content-Type", "application/json")];
    let time = NOON * 1_000_000;
    let values = [[time.to_string(), line.to_owned()]];
    let body = json!({"streams": [{"stream": {"app": "x"}, "values": values}]}).to_string();
    bed.ask_loki("POST", "/loki/api/v1/push", &headers, body.as_bytes())
}

fn names(bed: &Bed, tenant: &str) -> Value {
    let path = "/api/v1/label/__name__/values";
    bed.ask("GET", path, &[(HEADER, tenant)], b"").data()
}

fn lines(bed: &Bed, tenant: &str) -> Vec<String> {
    let (start, end) = (NOON / 1000 - 60, NOON / 1000 + 60);
    let path =
        format!("/loki/api/v1/query_range?query=%7Bapp%3D%22x%22%7D&start={start}&end={end}");
    let data = bed.ask_loki("GET", &path, &[(HEADER, tenant)], b"").data();
    let streams = data["result"].as_array().unwrap();
    let values = streams
        .iter()
        .flat_map(|stream| stream["values"].as_array().unwrap());
    values
        .map(|value| value[1].as_str().unwrap().to_owned())
        .collect()
}

fn folders(bed: &Bed) -> Vec<String> {
    let listed = std::fs::read_dir(bed.folder.0.join("tenants")).unwrap();
    let mut names: Vec<String> = listed
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn tenants_see_their_own_data_through_every_door_and_after_a_flush() {
    let bed = bed();
    assert_eq!(write(&bed, "a", "of_a").code, 204);
    assert_eq!(write(&bed, "b", "of_b").code, 204);
    assert_eq!(push(&bed, "a", "line of a").code, 204);
    assert_eq!(push(&bed, "b", "line of b").code, 204);
    let look = || {
        assert_eq!(names(&bed, "a"), json!(["of_a"]));
        assert_eq!(names(&bed, "b"), json!(["of_b"]));
        assert_eq!(lines(&bed, "a"), ["line of a"]);
        assert_eq!(lines(&bed, "b"), ["line of b"]);
        assert_eq!(bed.count("of_a") + bed.count("of_b"), 0);
    };
    look();
    let flush = bed.ask("POST", "/api/v1/admin/tsdb/flush", &[(HEADER, "a")], b"");
    assert_eq!(flush.code, 204);
    look();
    // A delete of one takes nothing from the other.
    let delete = "/api/v1/admin/tsdb/delete_series?match[]=%7B__name__%3D~%22.%2B%22%7D";
    assert_eq!(bed.ask("POST", delete, &[(HEADER, "a")], b"").code, 204);
    assert_eq!(
        (names(&bed, "a"), names(&bed, "b")),
        (json!([]), json!(["of_b"]))
    );
    assert_eq!(folders(&bed), ["a", "b", "default"]);
}

#[test]
fn exemplars_metadata_and_deltas_are_told_apart_by_tenant() {
    let bed = bed();
    let text = format!("# HELP m of a\n# TYPE m gauge\nm 1 {NOON}\n");
    let import = |tenant, text: &str| {
        let headers = [(HEADER, tenant)];
        bed.ask(
            "POST",
            "/api/v1/import/prometheus",
            &headers,
            text.as_bytes(),
        )
        .code
    };
    assert_eq!(import("a", &text), 204);
    // What is remembered of one tenant is not taken for known of another.
    assert_eq!(import("b", &text), 204);
    assert_eq!(import("b", &text.replace("of a", "of b")), 204);
    let help = |tenant| {
        let data = bed
            .ask("GET", "/api/v1/metadata", &[(HEADER, tenant)], b"")
            .data();
        data["m"][0]["help"].clone()
    };
    assert_eq!((help("a"), help("b")), (json!("of a"), json!("of b")));
    let point = |time: i64| {
        json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "d", "sum": {
            "aggregationTemporality": 1, "isMonotonic": true,
            "dataPoints": [{"asInt": "5", "startTimeUnixNano": "1",
                "timeUnixNano": (time * 1_000_000).to_string()}]}}]}]}]})
        .to_string()
    };
    let headers = |tenant| [(HEADER, tenant), ("Content-Type", "application/json")];
    for tenant in ["a", "b", "a"] {
        let time = if tenant == "a" && bed.count("none") == 0 {
            NOON
        } else {
            NOON + 1
        };
        let reply = bed.ask_otlp("/v1/metrics", &headers(tenant), point(time).as_bytes());
        assert_eq!(reply.code, 200, "{}", reply.text());
    }
    let total = |tenant| {
        let query = format!("/api/v1/query?query=d_total&time={}", NOON / 1000 + 1);
        let data = bed.ask("GET", &query, &[(HEADER, tenant)], b"").data();
        data["result"][0]["value"][1].clone()
    };
    assert_eq!((total("a"), total("b")), (json!("5"), json!("5")));
}

#[test]
fn a_tenant_that_was_never_written_to_is_empty_and_makes_no_folder() {
    let bed = bed();
    assert_eq!(names(&bed, "stranger"), json!([]));
    assert!(lines(&bed, "stranger").is_empty());
    for path in [
        "/api/v1/status/tsdb",
        "/api/v1/metadata",
        "/api/v1/query?query=up",
    ] {
        assert_eq!(
            bed.ask("GET", path, &[(HEADER, "stranger")], b"").code,
            200,
            "{path}"
        );
    }
    for name in ["flush", "compact", "clean_tombstones"] {
        let path = format!("/api/v1/admin/tsdb/{name}");
        assert_eq!(
            bed.ask("POST", &path, &[(HEADER, "stranger")], b"").code,
            404,
            "{path}"
        );
    }
    assert_eq!(folders(&bed), ["default"]);
    assert!(!bed.get("/metrics").text().contains("stranger"));
}

#[test]
fn further_tenants_than_are_allowed_are_refused_and_make_no_folder() {
    let bed = bed();
    assert_eq!(
        (write(&bed, "a", "m").code, write(&bed, "b", "m").code),
        (204, 204)
    );
    let refused = write(&bed, "c", "m");
    assert_eq!(refused.code, 429);
    assert!(
        refused.error().1.contains("--tenants-max is 3"),
        "{}",
        refused.text()
    );
    assert_eq!(push(&bed, "c", "line").code, 429);
    assert_eq!(write(&bed, "a", "m").code, 204);
    assert_eq!(folders(&bed), ["a", "b", "default"]);
    let metrics = bed.get("/metrics").text();
    assert!(metrics.contains("chronolith_tenant_head_series{tenant=\"a\",kind=\"metrics\"} 1"));
    assert!(!metrics.contains("tenant=\"c\""));
}

#[test]
fn no_name_leads_out_of_the_folder_of_tenants() {
    let bed = bed();
    let long = "x".repeat(151);
    for name in [
        "..",
        ".",
        "../default",
        "..%2fdefault",
        "%2e%2e",
        "%252e%252e",
        "/etc",
        "a/b",
        "a\\b",
        "..\\..",
        "\u{2025}",
        "\u{ff0e}\u{ff0e}",
        "a b",
        "a\tb",
        "",
        "a|b",
        "default|a",
        "a,b",
        "a:b",
        "\u{e4}",
        "C:",
        "~root",
        "\"a\"",
        &long,
    ] {
        for reply in [
            write(&bed, name, "m"),
            push(&bed, name, "line"),
            bed.ask("GET", "/api/v1/labels", &[(HEADER, name)], b""),
            bed.ask_loki("GET", "/loki/api/v1/labels", &[(HEADER, name)], b""),
            bed.ask_otlp("/v1/logs", &[(HEADER, name)], b""),
        ] {
            assert_eq!(reply.code, 400, "{name:?}: {}", reply.text());
            assert!(
                reply.text().contains("X-Scope-OrgID"),
                "{name:?}: {}",
                reply.text()
            );
        }
    }
    let twice = [(HEADER, "a"), (HEADER, "b")];
    assert_eq!(bed.ask("GET", "/api/v1/labels", &twice, b"").code, 400);
    // Case counts, as it does on the disk.
    assert_eq!(
        (
            write(&bed, "A", "upper").code,
            write(&bed, "a", "lower").code
        ),
        (204, 204)
    );
    assert_eq!(names(&bed, "a"), json!(["lower"]));
    assert_eq!(folders(&bed), ["A", "a", "default"]);
    let beside = std::fs::read_dir(bed.folder.0.parent().unwrap()).unwrap();
    let stem = bed.folder.0.file_name().unwrap().to_owned();
    let strays = beside.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name != stem
            && name
                .to_string_lossy()
                .starts_with(&*format!("{}-", stem.display()))
    });
    assert_eq!(strays.count(), 0);
}

#[test]
fn without_the_setting_the_header_is_not_looked_at() {
    let bed = Bed::new();
    bed.fill(&[&[("__name__", "up")]]);
    for name in ["a", "..", "a|b", ""] {
        assert_eq!(names(&bed, name), json!(["up"]));
        assert_eq!(write(&bed, name, "up").code, 204);
    }
    assert_eq!(folders(&bed), ["default"]);
}

#[test]
fn what_is_done_to_all_tenants_is_done_to_each() {
    let bed = bed();
    let metric = |name: &str| {
        let text = bed.get("/metrics").text();
        let begin = format!("{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&begin));
        value.unwrap().to_owned()
    };
    for turn in ["x", "y"] {
        for tenant in ["a", "b"] {
            assert_eq!(write(&bed, tenant, turn).code, 204);
            assert_eq!(push(&bed, tenant, turn).code, 204);
        }
        assert_eq!(bed.post("/api/v1/admin/tsdb/flush_all", "").code, 204);
    }
    assert_eq!(metric("chronolith_metrics_head_entries"), "0");
    assert_eq!(metric("chronolith_logs_head_entries"), "0");
    assert_eq!(bed.post("/api/v1/admin/tsdb/compact_all", "").code, 204);
    assert_eq!(metric("chronolith_metrics_blocks"), "2");
    assert_eq!(metric("chronolith_logs_blocks"), "2");
}
