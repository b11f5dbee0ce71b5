//! What is shipped to watch the server with: every query of the dashboard and of the alert rules is
//! run against the server's own metrics.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bed::Bed;
use super::settings::bed as bed_with;

fn shipped(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The queries of the dashboard, with what Grafana puts in for its interval.
fn of_the_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&shipped("chronolith.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| {
            let text = target["expr"].as_str().unwrap();
            text.replace("$__rate_interval", "5m")
        })
        .collect()
}

/// The queries of the alert rules, each on a line of its own.
fn of_the_alerts() -> Vec<String> {
    let text = shipped("alerts.yml");
    let lines = text.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("expr: "))
        .map(str::to_owned)
        .collect()
}

/// The names of the server's own metrics in a query.
fn names(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("chronolith_"))
        .collect()
}

fn encoded(query: &str) -> String {
    let bytes = query.bytes();
    bytes.map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn every_query_that_is_shipped_runs_over_the_metrics_that_there_are() {
    let bed = Bed::new();
    // A request that is counted, so that there are counts of requests.
    bed.get("/api/v1/labels");
    let metrics = bed.get("/metrics").text();
    let taken = bed.ask("POST", "/api/v1/import/prometheus", &[], metrics.as_bytes());
    assert_eq!(taken.code, 204, "{}", taken.text());
    let queries = [of_the_dashboard(), of_the_alerts()].concat();
    assert!(queries.len() > 25, "{}", queries.len());
    for query in &queries {
        for name in names(query) {
            let family = format!("\n{name}");
            assert!(metrics.contains(&family), "{name} of {query} is no metric");
        }
        let answer = bed.get(&format!("/api/v1/query?query={}", encoded(query)));
        assert_eq!(answer.code, 200, "{query}: {}", answer.text());
    }
    let all = bed.get(&format!(
        "/api/v1/query?query={}",
        encoded("count({__name__=~\"chronolith_.+\"})")
    ));
    assert_ne!(all.data()["result"][0]["value"][1], "0");
}

/// A figure among the server's own metrics, with its labels.
fn figure(metrics: &str, name: &str) -> f64 {
    let begin = format!("{name} ");
    let found = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    found.ok_or(name).unwrap().parse().unwrap()
}

#[test]
fn settings_that_are_numbers_stand_beside_what_they_bound() {
    let bed = bed_with(&[("store.wal_bytes_max", "1MiB"), ("retention", "2d")]);
    let metrics = bed.get("/metrics").text();
    let of = |path: &str| figure(&metrics, &format!("chronolith_setting{{name=\"{path}\"}}"));
    assert_eq!(of("store.wal_bytes_max"), 1_048_576.0);
    assert_eq!(of("retention"), 172_800.0);
    assert_eq!(of("store.compaction_percent"), 50.0);
    assert!(!metrics.contains("name=\"listen.prometheus\""), "no number");
    assert!(!metrics.contains("name=\"retention_bytes_max\""), "none");
}

#[test]
fn syncs_of_the_log_are_counted() {
    let bed = Bed::new();
    let before = bed.get("/metrics").text();
    for at in 0..3 {
        let pushed = bed.ask(
            "POST",
            "/api/v1/import/prometheus",
            &[],
            format!("up {at}\n").as_bytes(),
        );
        assert_eq!(pushed.code, 204);
    }
    let after = bed.get("/metrics").text();
    let grown = |name| figure(&after, name) - figure(&before, name);
    assert!(grown("chronolith_engine_wal_groups_total") >= 3.0);
    assert!(grown("chronolith_engine_wal_syncs_total") >= 3.0);
    assert!(grown("chronolith_engine_wal_sync_seconds_total") > 0.0);
}

#[test]
fn background_work_that_fails_is_shown_until_it_goes_well() {
    let bed = bed_with(&[("store.head_bytes_max", "256KiB")]);
    let push = |from: usize| {
        let text: String = (from..from + 1000).map(|at| format!("x{at} 1\n")).collect();
        bed.ask("POST", "/api/v1/import/prometheus", &[], text.as_bytes())
    };
    assert_eq!(push(0).code, 204);
    // A file stands where the folder of blocks was.
    let blocks = bed.folder.0.join("tenants/default/metrics/blocks");
    let aside = bed.folder.0.join("aside");
    std::fs::rename(&blocks, &aside).unwrap();
    std::fs::write(&blocks, "").unwrap();
    let failing = || {
        figure(
            &bed.get("/metrics").text(),
            "chronolith_engine_background_failing",
        )
    };
    let mut next = 1000;
    // Writers wait for room, and are told at last that there is none.
    while failing() == 0.0 {
        push(next);
        next += 1000;
    }
    let stores = bed.get("/api/v1/status/stores").data();
    let told = stores["engine"]["backgroundErrors"][0].as_str().unwrap();
    assert!(told.contains("blocks"), "{told}");
    std::fs::remove_file(&blocks).unwrap();
    std::fs::rename(&aside, &blocks).unwrap();
    while failing() != 0.0 {
        push(next);
        next += 1000;
    }
}
