//! What administrators look at: the queries at hand and the state of the stores.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use serde_json::Value;

use super::bed::{Bed, Reply, request};

/// A query that goes on for long, since its windows do not slide: a hundred thousand of as many
/// samples. It would run as a script where it is not escaped.
const ENDLESS: &str = "label_replace(stddev_over_time(stddev_over_time(vector(1)[10000s:100ms])\
                       [10000s:100ms]),'a','<script>alert(1)</script>','','')";

fn encoded(query: &str) -> String {
    let bytes = query.bytes();
    bytes.map(|byte| format!("%{byte:02x}")).collect()
}

/// Asks for it, and answers with what came of it.
fn ask_endless(address: SocketAddr) -> JoinHandle<Reply> {
    let path = format!("/api/v1/query?query={}", encoded(ENDLESS));
    std::thread::spawn(move || {
        let client = [("User-Agent", "<b>curl</b>")];
        request(address, "GET", &path, &client, b"")
    })
}

/// The queries at hand, once there is one that has begun to read.
fn at_hand(bed: &Bed) -> Vec<Value> {
    loop {
        let queries = bed.get("/debug/queries").data()["queries"].clone();
        let queries = queries.as_array().unwrap().clone();
        if !queries.is_empty() {
            return queries;
        }
    }
}

#[test]
fn a_query_is_listed_while_it_runs_and_can_be_cancelled() {
    let bed = Bed::new();
    let asked = ask_endless(bed.address());
    let listed = at_hand(&bed);
    let query = &listed[0];
    assert_eq!(query["query"], ENDLESS);
    assert_eq!(query["tenant"], "default");
    assert_eq!(query["client"], "<b>curl</b>");
    assert!(query["endsInSeconds"].as_f64().unwrap() > 0.0, "{query}");

    let page = bed.get("/debug");
    let text = page.text();
    assert_eq!(page.code, 200);
    assert!(
        text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{text}"
    );
    assert!(text.contains("&lt;b&gt;curl&lt;/b&gt;"), "{text}");
    assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );

    let cancel = format!("/debug/queries/{}/cancel", query["id"]);
    let from_elsewhere = [("Origin", "http://elsewhere")];
    assert_eq!(bed.ask("POST", &cancel, &from_elsewhere, b"").code, 403);
    assert_eq!(bed.get(&cancel).code, 405);
    assert_eq!(bed.post(&cancel, "").code, 204);
    let reply = asked.join().unwrap();
    assert_eq!(reply.error().0, "canceled", "{}", reply.text());
    assert_eq!(bed.post(&cancel, "").code, 404);
    let queries = bed.get("/debug/queries").data()["queries"].clone();
    assert_eq!(queries, Value::Array(Vec::new()));
    let metrics = bed.get("/metrics").text();
    assert!(
        metrics.contains("\nchronolith_cancelled_queries_total 1\n"),
        "{metrics}"
    );
}

#[test]
fn requests_about_streams_are_listed_while_they_wait_and_can_be_cancelled() {
    let bed = Bed::with(|settings| settings.query.concurrent_max = 1);
    let line =
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1768476600000000000\",\"x\"]]}]}";
    let kind = [("Content-Type", "application/json")];
    let pushed = bed.ask_loki("POST", "/loki/api/v1/push", &kind, line.as_bytes());
    assert_eq!(pushed.code, 204);
    let endless = ask_endless(bed.address());
    let first = at_hand(&bed)[0]["id"].clone();
    let asked = [
        ("index/volume", "volume"),
        ("index/volume_range", "volume"),
        ("index/stats", "stats"),
        ("index/shards", "stats"),
        ("series", "series"),
        ("labels", "labels"),
        ("label/a/values", "labels"),
        ("detected_labels", "labels"),
    ];
    let (cancel, address) = (
        |id: &Value| format!("/debug/queries/{id}/cancel"),
        bed.loki_address(),
    );
    let mut waiting = Vec::new();
    for (path, kind) in asked {
        let selector = match kind {
            "series" => "match[]",
            _ => "query",
        };
        let path = format!("/loki/api/v1/{path}?{selector}=%7Ba%3D%22b%22%7D");
        let answer = std::thread::spawn(move || request(address, "GET", &path, &[], b"").code);
        waiting.push(answer);
        // Behind the endless one, and those that were asked before.
        let listed = loop {
            if let Some(listed) = at_hand(&bed).get(waiting.len()) {
                break listed.clone();
            }
        };
        assert_eq!(listed["kind"], kind);
        assert_eq!(listed["query"], "{a=\"b\"}");
        assert_eq!(listed["endsInSeconds"], Value::Null);
        assert_eq!(bed.post(&cancel(&listed["id"]), "").code, 204);
    }
    assert_eq!(bed.post(&cancel(&first), "").code, 204);
    assert_eq!(endless.join().unwrap().code, 499);
    for (answer, (path, _)) in waiting.into_iter().zip(asked) {
        assert_eq!(answer.join().unwrap(), 499, "{path}");
    }
}

#[test]
fn the_state_of_each_store_is_told() {
    let bed = Bed::new();
    bed.fill(&[&[("__name__", "up"), ("job", "a")]]);
    let state = bed.get("/debug/stores").data();
    assert_eq!(state["engine"]["headSeries"], 1);
    assert_eq!(state["tenants"][0]["tenant"], "default");
    assert_eq!(state["tenants"][0]["metrics"]["headEntries"], 1);
    assert_eq!(state["tenants"][0]["logs"]["headEntries"], 0);
    assert!(bed.get("/debug").text().contains("<th>headEntries</th>"));
}

#[test]
fn who_administers_at_an_address_of_its_own_looks_there() {
    let bed = Bed::with(|settings| {
        settings.listen_admin = Some("127.0.0.1:0".parse().unwrap());
    });
    for path in ["/debug", "/debug/queries", "/debug/stores"] {
        assert_eq!(bed.get(path).code, 404, "{path}");
        let there = request(bed.admin_address(), "GET", path, &[], b"");
        assert_eq!(there.code, 200, "{path}");
    }
}
