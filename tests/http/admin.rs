//! What changes or copies the store on request.

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::{Engine, Options, Selector};
use serde_json::Value;

use super::bed::{Bed, Folder};

const ADMIN: &str = "/api/v1/admin/tsdb";

fn bed() -> Bed {
    let bed = Bed::new();
    bed.fill(&[
        &[("__name__", "up"), ("job", "api")],
        &[("__name__", "up"), ("job", "web")],
        &[("__name__", "other")],
    ]);
    bed
}

#[test]
fn what_is_deleted_is_gone_when_it_is_answered() {
    let mut bed = bed();
    let delete = format!("{ADMIN}/delete_series");
    let reply = bed.post(&delete, "match[]=up%7Bjob%3D%22api%22%7D");
    assert_eq!(reply.code, 204, "{}", reply.text());
    assert_eq!((bed.count("up"), bed.count("other")), (1, 1));
    // A range without samples deletes none.
    let put = bed.ask("PUT", &format!("{delete}?match[]=other&end=1"), &[], b"");
    assert_eq!((put.code, bed.count("other")), (204, 1));
    assert_eq!(bed.post(&delete, "").code, 400);
    assert_eq!(bed.get(&format!("{delete}?match[]=other")).code, 405);
    assert_eq!(bed.post(&format!("{ADMIN}/clean_tombstones"), "").code, 204);
    bed.restart();
    assert_eq!((bed.count("up"), bed.count("other")), (1, 1));
}

#[test]
fn flush_moves_memory_to_blocks_and_compact_merges_them() {
    let bed = bed();
    let metric = |name: &str| {
        let text = bed.get("/metrics").text();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(metric("chronolith_metrics_blocks"), 0.0);
    assert_eq!(bed.post(&format!("{ADMIN}/flush"), "").code, 204);
    assert_eq!(metric("chronolith_metrics_blocks"), 1.0);
    bed.fill(&[&[("__name__", "late")]]);
    assert_eq!(bed.post(&format!("{ADMIN}/flush"), "").code, 204);
    assert_eq!(bed.post(&format!("{ADMIN}/compact"), "").code, 204);
    assert_eq!(metric("chronolith_metrics_blocks"), 1.0);
    assert_eq!((bed.count("up"), bed.count("late")), (2, 1));
}

#[test]
fn a_snapshot_is_a_data_directory() {
    let mut bed = bed();
    let name = bed.post(&format!("{ADMIN}/snapshot"), "").data()["name"].clone();
    let Value::String(name) = name else {
        panic!("{name} is no name");
    };
    bed.fill(&[&[("__name__", "later")]]);
    let beside = bed.folder.0.with_extension("");
    let beside = Folder(format!("{}-snapshots", beside.display()).into());
    let copy = beside.0.join(name);
    let engine = Engine::open(copy, Options::default()).unwrap();
    let everything = Matcher::new(MatchOp::NotEqual, "__name__", "").unwrap();
    let snapshot = engine.metrics().unwrap().snapshot();
    assert_eq!(
        snapshot
            .select(&Selector::new(vec![everything]))
            .unwrap()
            .len(),
        3
    );
    drop(snapshot);
    engine.close().unwrap();
    bed.restart();
    assert_eq!(bed.count("later"), 1);
}

#[test]
fn pages_of_other_sites_may_change_nothing() {
    let bed = bed();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "http://elsewhere.example"),
    ];
    let delete = format!("{ADMIN}/delete_series");
    assert_eq!(bed.ask("POST", &delete, &headers, b"match[]=up").code, 403);
    assert_eq!(bed.count("up"), 2);
}
