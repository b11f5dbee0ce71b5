//! Rules that change: what follows at once, and what keeps to the rules it was written under.

use super::super::bed::{all, bits, equal, only, points, put, put_line, texts};
use super::*;

/// The values of `app` that have entries.
fn seen(store: &Store<chronolith_engine::metrics::Samples>) -> Vec<String> {
    let found = points(&store.snapshot(), &all());
    let app = |labels: String| labels.split('"').nth(3).unwrap().to_owned();
    found.into_iter().map(|(labels, _)| app(labels)).collect()
}

#[test]
fn blocks_keep_the_duration_that_they_were_written_under_across_restarts() {
    let stage = stage();
    let old = [
        rule("app", "a", Some(2 * HOUR)),
        rule("app", "b", Some(4 * HOUR)),
    ];
    let engine = stage.open(&options(ruled(&old, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    for name in ["a", "b", "c"] {
        put(&metrics, &app(name), START_MS, 1.0);
    }
    metrics.freeze().unwrap();
    engine.close().unwrap();
    // Other rules in another order: the first now keeps what the second kept before, and longer.
    let new = [
        rule("app", "c", Some(HOUR)),
        rule("app", "b", Some(8 * HOUR)),
        rule("app", "a", Some(2 * HOUR)),
    ];
    let engine = stage.open(&options(ruled(&new, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    advance_ms(&stage, HOUR_MS + 1);
    // "c" was written under no rule, and keeps to that until it is written anew.
    assert_eq!(seen(&metrics), ["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        put(&metrics, &app(name), now_ms(&stage), 2.0);
    }
    metrics.freeze().unwrap();
    advance_ms(&stage, HOUR_MS);
    tend(&stage, &engine);
    // The old "a" is gone; the new "c" too.
    assert_eq!(
        points(&metrics.snapshot(), &equal("app", "a"))[0].1.len(),
        1
    );
    advance_ms(&stage, 1);
    assert_eq!(
        points(&metrics.snapshot(), &equal("app", "c"))[0].1.len(),
        1
    );
    engine.close().unwrap();
    // Without any rules the blocks still know.
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    advance_ms(&stage, HOUR_MS + MINUTE_MS);
    assert_eq!(seen(&metrics), ["b", "c"]);
    advance_ms(&stage, HOUR_MS);
    tend(&stage, &engine);
    let b = points(&metrics.snapshot(), &equal("app", "b"));
    assert_eq!(b[0].1[0].2, bits(2.0), "the first had four hours");
    advance_ms(&stage, 8 * HOUR_MS);
    tend(&stage, &engine);
    assert_eq!(seen(&metrics), ["c"]);
    assert_eq!(block_files(&stage).len(), 1);
    assert_sound(&metrics);
}

#[test]
fn what_is_in_memory_follows_a_changed_rule_at_once() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &app("a"), START_MS, 1.0);
    advance_ms(&stage, 2 * HOUR_MS);
    assert_eq!(seen(&metrics), ["a"]);
    let shorter = ruled(&[rule("app", "a", Some(HOUR))], None);
    metrics.set_limits(shorter).unwrap();
    assert!(seen(&metrics).is_empty());
    // It is still there: a longer rule shows it again.
    let longer = ruled(&[rule("app", "a", Some(3 * HOUR))], None);
    metrics.set_limits(longer).unwrap();
    assert_eq!(seen(&metrics), ["a"]);
    metrics.freeze().unwrap();
    advance_ms(&stage, HOUR_MS + 1);
    assert!(seen(&metrics).is_empty());
}

#[test]
fn the_default_takes_hold_of_blocks_at_once_and_longer_brings_back_nothing_that_was_dropped() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let logs = engine.logs().unwrap();
    put_line(&logs, &app("a"), START_MS * MS, "first");
    logs.freeze().unwrap();
    advance_ms(&stage, 2 * HOUR_MS);
    put_line(&logs, &app("a"), stage.clock.nanos(), "second");
    logs.freeze().unwrap();
    logs.set_limits(keeping(HOUR)).unwrap();
    assert_eq!(texts(&logs), ["second"]);
    // Before the keeper has looked, it was only hidden.
    logs.set_limits(keeping(3 * HOUR)).unwrap();
    assert_eq!(texts(&logs), ["first", "second"]);
    logs.set_limits(keeping(HOUR)).unwrap();
    tend(&stage, &engine);
    logs.set_limits(Limits::default()).unwrap();
    assert_eq!(texts(&logs), ["second"]);
    assert_eq!(block_files(&stage).len(), 1);
}

#[test]
fn what_has_expired_hides_nothing_that_is_kept() {
    let stage = stage();
    let short = [rule("app", "a", Some(HOUR))];
    let engine = stage.open(&options(ruled(&short, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &app("a"), START_MS, 1.0);
    put(&metrics, &app("a"), START_MS + 10, 1.5);
    metrics.freeze().unwrap();
    // The same series is kept for ever from now on, and another value comes for the same time. The
    // one acknowledged first counts as long as it is there (I10).
    metrics.set_limits(Limits::default()).unwrap();
    put(&metrics, &app("a"), START_MS, 2.0);
    assert_eq!(only(&metrics)[0].2, bits(1.0));
    metrics.freeze().unwrap();
    assert_eq!(only(&metrics)[0].2, bits(1.0));
    advance_ms(&stage, HOUR_MS + 1);
    let after = [
        (START_MS, None, bits(2.0)),
        (START_MS + 10, None, bits(1.5)),
    ];
    assert_eq!(only(&metrics), after, "the first block is half expired");
    advance_ms(&stage, 10);
    tend(&stage, &engine);
    assert_eq!(only(&metrics), after[..1]);
    assert_eq!(block_files(&stage).len(), 1);
}

#[test]
fn rules_may_change_more_often_than_there_are_class_numbers() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    let rules = |round: u32| {
        let keep = Some(HOUR + Duration::from_secs(u64::from(round)));
        ruled(&[rule("app", "a", keep), rule("app", "b", keep)], None)
    };
    // Each round has rules of its own, and a snapshot that holds on to some of them.
    let mut held = Vec::new();
    for round in 0..300 {
        metrics.set_limits(rules(round)).unwrap();
        put(&metrics, &app("a"), now_ms(&stage), f64::from(round));
        put(&metrics, &app("c"), now_ms(&stage), f64::from(round));
        metrics.freeze().unwrap();
        if round % 50 == 0 {
            held.push(metrics.snapshot());
        }
        tend(&stage, &engine);
    }
    // A round takes a minute and a block lives for an hour: few numbers are in use at a time, and
    // each entry was kept as long as its own rule said.
    let found = points(&metrics.snapshot(), &equal("app", "a"));
    let now = now_ms(&stage);
    let kept = |round: i64| START_MS + round * MINUTE_MS >= now - HOUR_MS - round * 1000;
    let expected: Vec<i64> = (0..300)
        .filter(|round| kept(*round))
        .map(|round| START_MS + round * MINUTE_MS)
        .collect();
    let times: Vec<i64> = found[0].1.iter().map(|point| point.0).collect();
    assert_eq!(times, expected);
    assert!((60..70).contains(&expected.len()), "{}", expected.len());
    assert_eq!(
        points(&metrics.snapshot(), &equal("app", "c"))[0].1.len(),
        300
    );
    assert_eq!(points(&held[0], &all()).len(), 2);
}

#[test]
fn when_all_class_numbers_are_in_use_entries_are_kept_rather_than_lost() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    for round in 0..=254u32 {
        let keep = Some(HOUR + Duration::from_secs(u64::from(round)));
        let limits = ruled(&[rule("app", "a", keep)], None);
        metrics.set_limits(limits).unwrap();
        put(&metrics, &app("a"), START_MS + i64::from(round), 1.0);
        metrics.freeze().unwrap();
    }
    // 254 numbers are given away, and the last rule found none.
    advance_ms(&stage, 2 * HOUR_MS);
    tend(&stage, &engine);
    assert_eq!(only(&metrics), [(START_MS + 254, None, bits(1.0))]);
    assert_eq!(block_files(&stage).len(), 1);
    // The numbers are free again.
    let limits = ruled(&[rule("app", "a", Some(HOUR))], None);
    metrics.set_limits(limits).unwrap();
    put(&metrics, &app("a"), now_ms(&stage), 2.0);
    metrics.freeze().unwrap();
    assert_eq!(only(&metrics).len(), 2);
    advance_ms(&stage, 2 * HOUR_MS);
    tend(&stage, &engine);
    assert_eq!(only(&metrics).len(), 1);
}
