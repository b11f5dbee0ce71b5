//! Merges: where a changed rule takes hold of what is in blocks, and what has expired is left out.

use super::super::bed::{all, bits, equal, logged, only, points, put, put_line};
use super::*;

/// The values of `app` that have entries, with how many.
fn seen(store: &Store<chronolith_engine::metrics::Samples>) -> Vec<(String, usize)> {
    let found = points(&store.snapshot(), &all());
    let app = |labels: &str| labels.split('"').nth(3).unwrap().to_owned();
    found
        .iter()
        .map(|(labels, points)| (app(labels), points.len()))
        .collect()
}

fn named(names: &[(&str, usize)]) -> Vec<(String, usize)> {
    names
        .iter()
        .map(|(name, count)| (name.to_string(), *count))
        .collect()
}

/// Two freezes of two series.
fn fill(store: &Store<chronolith_engine::metrics::Samples>) {
    for time in [START_MS, START_MS + 10] {
        put(store, &app("a"), time, 1.0);
        put(store, &app("b"), time, 1.0);
        store.freeze().unwrap();
    }
}

#[test]
fn a_changed_rule_takes_hold_at_the_next_merge() {
    let stage = stage();
    let old = [rule("app", "a", Some(2 * HOUR))];
    let engine = stage.open(&options(ruled(&old, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    fill(&metrics);
    assert_eq!(metrics.stats().blocks, 4);
    // Longer for one, a first rule for the other.
    let new = [
        rule("app", "b", Some(HOUR)),
        rule("app", "a", Some(4 * HOUR)),
    ];
    metrics.set_limits(ruled(&new, None)).unwrap();
    metrics.compact().unwrap();
    assert_eq!(metrics.stats().blocks, 2);
    assert_eq!(seen(&metrics), named(&[("a", 2), ("b", 2)]));
    engine.close().unwrap();
    // The blocks say so, not the rules of the day.
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    advance_ms(&stage, HOUR_MS + 11);
    assert_eq!(seen(&metrics), named(&[("a", 2)]));
    advance_ms(&stage, 2 * HOUR_MS);
    tend(&stage, &engine);
    assert_eq!(seen(&metrics), named(&[("a", 2)]));
    advance_ms(&stage, HOUR_MS);
    tend(&stage, &engine);
    assert!(block_files(&stage).is_empty());
}

#[test]
fn a_merge_under_a_longer_rule_brings_back_nothing_that_had_expired() {
    let stage = stage();
    let old = [rule("app", "a", Some(HOUR))];
    let engine = stage.open(&options(ruled(&old, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    fill(&metrics);
    // The first of each two has expired by a tick, and is in a block that is still there.
    advance_ms(&stage, HOUR_MS + 5);
    let longer = [rule("app", "a", Some(9 * HOUR))];
    metrics.set_limits(ruled(&longer, None)).unwrap();
    assert_eq!(seen(&metrics), named(&[("a", 1), ("b", 2)]));
    let held = metrics.snapshot();
    metrics.compact().unwrap();
    assert_eq!(seen(&metrics), named(&[("a", 1), ("b", 2)]));
    assert_eq!(metrics.stats().block_entries, 3);
    assert_eq!(points(&held, &all())[0].1.len(), 1);
    // What is left has the longer rule.
    advance_ms(&stage, 8 * HOUR_MS);
    assert_eq!(seen(&metrics), named(&[("a", 1), ("b", 2)]));
    assert_sound(&metrics);
}

#[test]
fn a_merge_leaves_out_what_has_expired_and_with_it_the_labels() {
    let stage = stage();
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    let logs = engine.logs().unwrap();
    for (name, time) in [("old", START_MS), ("new", START_MS + 10)] {
        put_line(&logs, &app(name), time * MS, name);
        put_line(&logs, &app("both"), time * MS, name);
    }
    logs.freeze().unwrap();
    advance_ms(&stage, HOUR_MS + 5);
    let values = || logs.snapshot().label_values("app", &all(), 9).unwrap();
    // The block is told by its newest entry.
    assert_eq!(values(), ["both", "new", "old"]);
    logs.compact().unwrap();
    assert_eq!(values(), ["both", "new"]);
    assert_eq!(logs.stats().block_entries, 2);
    let lines = logged(&logs.snapshot(), &equal("app", "both"));
    assert_eq!(lines[0].1[0].1, "new");
    // A merge of which nothing is left leaves no block. What was merged before waits for the
    // keeper.
    advance_ms(&stage, HOUR_MS);
    put_line(&logs, &app("last"), START_MS * MS + HOUR_MS * MS * 2, "x");
    logs.freeze().unwrap();
    advance_ms(&stage, 2 * HOUR_MS);
    logs.compact().unwrap();
    assert_eq!(logs.stats().blocks, 1);
    tend(&stage, &engine);
    assert!(block_files(&stage).is_empty());
    assert_sound(&logs);
}

#[test]
fn a_value_that_has_expired_does_not_win_a_merge() {
    let stage = stage();
    let short = [rule("app", "a", Some(HOUR))];
    let engine = stage.open(&options(ruled(&short, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &app("a"), START_MS, 1.0);
    put(&metrics, &app("a"), START_MS + 10, 1.0);
    metrics.freeze().unwrap();
    metrics.set_limits(Limits::default()).unwrap();
    put(&metrics, &app("a"), START_MS, 2.0);
    put(&metrics, &app("a"), START_MS + 10, 2.0);
    metrics.freeze().unwrap();
    advance_ms(&stage, HOUR_MS + 5);
    let expected = [
        (START_MS, None, bits(2.0)),
        (START_MS + 10, None, bits(1.0)),
    ];
    assert_eq!(only(&metrics), expected);
    metrics.compact().unwrap();
    assert_eq!(only(&metrics), expected);
    assert_eq!(metrics.stats().blocks, 1);
}

/// Where blocks expire faster than they are merged, no merge would ever come to an end.
#[test]
fn a_merge_comes_to_its_end_although_inputs_expire_meanwhile() {
    let stage = stage();
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    let metrics = engine.metrics().unwrap();
    for part in 0..12 {
        put(&metrics, &app("a"), START_MS + part * 1000, 1.0);
        metrics.freeze().unwrap();
    }
    advance_ms(&stage, HOUR_MS - 500);
    let mut has_expired = false;
    let merged = testing::merge_meanwhile(&metrics, &mut || {
        if !has_expired {
            has_expired = true;
            advance_ms(&stage, 5_000);
            testing::tend(&engine).unwrap();
            assert!(
                metrics.stats().expired_blocks > 0,
                "the inputs are left alone"
            );
        }
    });
    assert!(merged.unwrap() && has_expired);
    let stats = metrics.stats();
    assert_eq!(
        (stats.merges, stats.blocks, stats.dropped_blocks),
        (1, 1, 0)
    );
    assert_eq!(seen(&metrics), named(&[("a", 7)]));
    // Those that no merge is at work on go as before.
    advance_ms(&stage, HOUR_MS);
    testing::tend(&engine).unwrap();
    assert_eq!(metrics.stats().blocks, 0);
}
