//! What is shipped to watch the server with: every query of the dashboard and of the alert rules is
//! run against the server's own metrics.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bed::Bed;

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
