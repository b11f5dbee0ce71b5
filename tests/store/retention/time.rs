//! By time: invisible at the very tick, and the files gone once the keeper has looked.

use chronolith_engine::labels::MatchOp;
use chronolith_engine::metrics::Exemplar;
use chronolith_engine::time::{Millis, Ticks};
use chronolith_engine::{DEFAULT_TENANT, Refusal};

use super::super::bed::{
    all, bits, equal, logged, matching, offer, offer_line, only, points, put, put_line, set, texts,
};
use super::*;

#[test]
fn an_entry_is_invisible_from_the_very_tick_on_at_which_it_expires_in_memory_and_in_blocks() {
    for is_frozen in [false, true] {
        let stage = stage();
        let engine = stage.open(&options(keeping(HOUR))).unwrap();
        let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
        put(&metrics, &app("a"), START_MS, 1.0);
        put_line(&logs, &app("a"), START_MS * MS, "old");
        if is_frozen {
            metrics.freeze().unwrap();
            logs.freeze().unwrap();
        }
        advance_ms(&stage, HOUR_MS);
        assert_eq!(only(&metrics), [(START_MS, None, bits(1.0))]);
        assert_eq!(texts(&logs), ["old"]);
        stage.clock.advance(1);
        // A nanosecond is a tick of logs and none of metrics.
        assert_eq!(only(&metrics).len(), 1);
        assert!(texts(&logs).is_empty(), "frozen: {is_frozen}");
        stage.clock.advance(MS - 1);
        assert!(only(&metrics).is_empty(), "frozen: {is_frozen}");
        // Neither the names nor the series are left, and the door agrees.
        let snapshot = metrics.snapshot();
        assert!(snapshot.select(&all()).unwrap().is_empty());
        assert!(snapshot.label_names(&all(), 10).unwrap().is_empty());
        assert!(snapshot.label_values("app", &all(), 10).unwrap().is_empty());
        assert_eq!(
            offer(&metrics, &app("a"), START_MS - 1, 2.0),
            Err(Refusal::TooOld)
        );
        assert_eq!(
            offer_line(&logs, &app("a"), START_MS * MS, "late"),
            Err(Refusal::TooOld)
        );
        assert_sound(&metrics);
    }
}

#[test]
fn a_block_goes_once_its_last_entry_has_expired_and_until_then_shows_the_rest() {
    let stage = stage();
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    let metrics = engine.metrics().unwrap();
    for minute in 0..3 {
        put(
            &metrics,
            &app("a"),
            START_MS + minute * MINUTE_MS,
            minute as f64,
        );
        advance_ms(&stage, MINUTE_MS);
    }
    metrics.freeze().unwrap();
    advance_ms(&stage, HOUR_MS - 2 * MINUTE_MS);
    tend(&stage, &engine);
    // Now is two minutes behind the first expiry: one entry is left.
    let left = [(START_MS + 2 * MINUTE_MS, None, bits(2.0))];
    assert_eq!(only(&metrics), left);
    let series = metrics.snapshot().select(&all()).unwrap();
    let back = series[0].cursor().unwrap().rev();
    let times: Vec<i64> = back.flat_map(|run| run.unwrap().times().to_vec()).collect();
    // A series holds on to the blocks that it reads.
    drop(series);
    assert_eq!(times, [START_MS + 2 * MINUTE_MS]);
    let past = all().between(Millis(0), Millis(START_MS + 2 * MINUTE_MS - 1));
    assert!(metrics.snapshot().select(&past).unwrap().is_empty());
    assert_eq!(block_files(&stage).len(), 1);
    assert_eq!(
        metrics.stats().oldest,
        Some(Ticks(START_MS + 2 * MINUTE_MS))
    );
    // The next millisecond takes it, and the next look of the keeper the file.
    advance_ms(&stage, 1);
    assert!(only(&metrics).is_empty());
    let stats = metrics.stats();
    assert_eq!(
        (stats.expired_blocks, stats.blocks, stats.oldest),
        (1, 1, None)
    );
    assert_eq!(stats.expired_bytes, stats.block_bytes);
    tend(&stage, &engine);
    assert!(block_files(&stage).is_empty());
    let after = metrics.stats();
    assert_eq!(
        (after.expired_blocks, after.blocks, after.block_bytes),
        (0, 0, 0)
    );
    assert_eq!(
        (after.dropped_blocks, after.dropped_bytes),
        (1, stats.block_bytes)
    );
    assert_eq!(engine.stats().block_bytes, 0);
    // The store goes on, and so does the next process.
    put(&metrics, &app("a"), now_ms(&stage), 9.0);
    metrics.freeze().unwrap();
    engine.close().unwrap();
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    assert_eq!(only(&engine.metrics().unwrap()).len(), 1);
    assert_sound(&engine.metrics().unwrap());
}

#[test]
fn nothing_is_dropped_in_the_first_minute_after_an_open_so_that_limits_can_be_set() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &app("a"), START_MS, 1.0);
    metrics.freeze().unwrap();
    engine.close().unwrap();
    advance_ms(&stage, 2 * HOUR_MS);
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &app("b"), now_ms(&stage), 1.0);
    metrics.freeze().unwrap();
    advance_ms(&stage, MINUTE_MS - 1);
    testing::tend(&engine).unwrap();
    assert_eq!(block_files(&stage).len(), 2);
    metrics.set_limits(keeping(3 * HOUR)).unwrap();
    tend(&stage, &engine);
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 2);
    // A clock that was set back hides nothing from the keeper.
    metrics.set_limits(keeping(HOUR)).unwrap();
    advance_ms(&stage, -(MINUTE_MS * 5));
    tend(&stage, &engine);
    assert_eq!(block_files(&stage).len(), 1);
}

#[test]
fn a_snapshot_goes_on_showing_what_it_did_while_its_entries_expire_and_their_blocks_go() {
    let stage = stage();
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for number in 0..50 {
        put(&metrics, &app("frozen"), START_MS + number, number as f64);
        put_line(&logs, &app("frozen"), START_MS * MS + number, "line");
    }
    metrics.freeze().unwrap();
    logs.freeze().unwrap();
    put(&metrics, &app("fresh"), START_MS + 60, 1.0);
    let (samples, lines) = (metrics.snapshot(), logs.snapshot());
    let cursor = samples.select(&equal("app", "frozen")).unwrap()[0]
        .cursor()
        .unwrap();
    let expected = (points(&samples, &all()), logged(&lines, &all()));
    advance_ms(&stage, 2 * HOUR_MS);
    tend(&stage, &engine);
    assert_eq!((metrics.stats().blocks, logs.stats().blocks), (0, 0));
    assert!(points(&metrics.snapshot(), &all()).is_empty());
    assert_eq!((points(&samples, &all()), logged(&lines, &all())), expected);
    assert_eq!(cursor.map(|run| run.unwrap().len()).sum::<usize>(), 50);
    let names = samples.label_values("app", &all(), 10).unwrap();
    assert_eq!(names, ["fresh", "frozen"]);
    // And beyond the life of the engine.
    engine.close().unwrap();
    assert_eq!(points(&samples, &all()), expected.0);
    // The files go with their last reader.
    assert_eq!(block_files(&stage).len(), 2);
    drop((samples, lines));
    assert!(block_files(&stage).is_empty());
}

#[test]
fn a_read_only_engine_hides_what_has_expired_and_drops_nothing() {
    let stage = stage();
    let rules = [rule("app", "short", Some(HOUR))];
    let engine = stage.open(&options(ruled(&rules, None))).unwrap();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &app("short"), START_MS, 1.0);
    put(&metrics, &app("long"), START_MS, 1.0);
    metrics.freeze().unwrap();
    put(&metrics, &app("short"), START_MS + 1, 2.0);
    let reader = stage.open_read_only(&options(ruled(&rules, None))).unwrap();
    advance_ms(&stage, 2 * HOUR_MS);
    let seen = points(&reader.metrics().unwrap().snapshot(), &all());
    assert_eq!(seen.len(), 1);
    assert!(seen[0].0.contains("long"));
    assert_eq!(reader.metrics().unwrap().stats().expired_blocks, 1);
    testing::tend(&reader).unwrap();
    assert_eq!(block_files(&stage).len(), 2);
    // Without the rules, it knows of blocks what they were written under, and of the log nothing.
    let plain = stage.open_read_only(&options(Limits::default())).unwrap();
    let seen = points(&plain.metrics().unwrap().snapshot(), &equal("app", "short"));
    assert_eq!(seen[0].1, [(START_MS + 1, None, bits(2.0))]);
    // The writer drops the block under a reader that has it open.
    let held = plain.metrics().unwrap().snapshot();
    tend(&stage, &engine);
    assert_eq!(block_files(&stage).len(), 1);
    assert_eq!(points(&held, &equal("app", "long")).len(), 1);
}

#[test]
fn exemplars_are_kept_as_long_as_the_samples_of_their_series() {
    let stage = stage();
    let rules = [rule("app", "long", Some(3 * HOUR))];
    let engine = stage.open(&options(Limits::default())).unwrap();
    let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
    // Also before their store is first asked for: it follows the metrics.
    let limits = ruled(&rules, Some(HOUR));
    tenant.metrics().unwrap().set_limits(limits).unwrap();
    let exemplar = |time: i64| Exemplar {
        time: Millis(time),
        value: 1.0,
        labels: set(&[("trace_id", "x")]),
    };
    let (short, long) = (app("short"), app("long"));
    let both = [
        (short.as_labels(), exemplar(START_MS)),
        (long.as_labels(), exemplar(START_MS)),
    ];
    assert_eq!(tenant.append_exemplars(&both).unwrap().accepted, 2);
    let seen = || -> Vec<LabelSet> {
        let found = tenant.exemplars(&all()).unwrap();
        found.into_iter().map(|(labels, _)| labels).collect()
    };
    assert_eq!(seen(), [long.clone(), short.clone()]);
    advance_ms(&stage, HOUR_MS + 1);
    assert_eq!(seen(), std::slice::from_ref(&long));
    let late = [(short.as_labels(), exemplar(START_MS))];
    let report = tenant.append_exemplars(&late).unwrap();
    assert_eq!(report.refusal(0), Some(&Refusal::TooOld));
    // What is set later counts as well.
    tenant.metrics().unwrap().set_limits(keeping(HOUR)).unwrap();
    assert!(seen().is_empty());
}

#[test]
fn names_follow_the_time_of_blocks_and_of_the_head() {
    let stage = stage();
    let rules = [rule("app", "short", Some(HOUR))];
    let engine = stage.open(&options(ruled(&rules, Some(4 * HOUR)))).unwrap();
    let logs = engine.logs().unwrap();
    put_line(&logs, &app("short"), START_MS * MS, "x");
    put_line(&logs, &app("long"), START_MS * MS, "x");
    let values = || {
        let snapshot = logs.snapshot();
        let values = snapshot.label_values("app", &all(), 10).unwrap();
        let series = snapshot.select(&all()).unwrap();
        let with_short = matching(MatchOp::Equal, "app", "short");
        let names = snapshot.label_names(&with_short, 10).unwrap().len();
        (values, series.len(), names)
    };
    assert_eq!(values(), (vec!["long".into(), "short".into()], 2, 2));
    advance_ms(&stage, HOUR_MS + 1);
    assert_eq!(values(), (vec!["long".into()], 1, 0));
    logs.freeze().unwrap();
    assert_eq!(values(), (vec!["long".into()], 1, 0));
    put_line(&logs, &app("short"), stage.clock.nanos(), "x");
    assert_eq!(values(), (vec!["long".into(), "short".into()], 2, 2));
    advance_ms(&stage, 4 * HOUR_MS);
    assert_eq!(values(), (vec![], 0, 0));
}
