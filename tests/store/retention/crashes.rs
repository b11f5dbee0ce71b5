//! A crash or an error at every disk call around an expiry, and around a freeze that makes classes.

use chronolith_engine::testing::Fault;

use super::super::bed::{all, points, put, put_line};
use super::*;

const FAULTS: [Fault; 4] = [
    Fault::CrashHere,
    Fault::Eio,
    Fault::Enospc,
    Fault::ShortWriteThenEio,
];

fn limits() -> Limits {
    ruled(
        &[
            rule("app", "short", Some(HOUR)),
            rule("app", "long", Some(9 * HOUR)),
        ],
        None,
    )
}

/// Samples of three classes and lines of one, all frozen; then time passes.
fn prepared() -> (Stage, Engine) {
    let stage = stage();
    let engine = stage.open(&options(limits())).unwrap();
    let metrics = engine.metrics().unwrap();
    for name in ["short", "long", "ever"] {
        put(&metrics, &app(name), START_MS, 1.0);
    }
    metrics.freeze().unwrap();
    put(&metrics, &app("short"), now_ms(&stage) + 1, 2.0);
    metrics.freeze().unwrap();
    put_line(&engine.logs().unwrap(), &app("short"), START_MS * MS, "x");
    engine.logs().unwrap().freeze().unwrap();
    put(&metrics, &app("long"), START_MS + 5, 3.0);
    advance_ms(&stage, 2 * HOUR_MS);
    (stage, engine)
}

/// Entries by the values of `app`.
fn seen(engine: &Engine) -> Vec<(String, usize)> {
    let found = points(&engine.metrics().unwrap().snapshot(), &all());
    let app = |labels: &str| labels.split('"').nth(3).unwrap().to_owned();
    found
        .iter()
        .map(|(labels, points)| (app(labels), points.len()))
        .collect()
}

fn kept() -> Vec<(String, usize)> {
    vec![("ever".to_owned(), 1), ("long".to_owned(), 2)]
}

/// What was kept is there, what expired is not, and after another round no block of it.
fn assert_settled(stage: &Stage, engine: &Engine, what: &str) {
    assert_eq!(seen(engine), kept(), "{what}");
    tend(stage, engine);
    assert_eq!(seen(engine), kept(), "{what}");
    assert_eq!(engine.metrics().unwrap().stats().blocks, 2, "{what}");
    assert_eq!(engine.logs().unwrap().stats().blocks, 0, "{what}");
    assert_sound(&engine.metrics().unwrap());
    assert_sound(&engine.logs().unwrap());
    assert!(engine.damage().is_empty(), "{what}");
}

/// Opens the stage until litter is gone: a torn commit may have named it, until an open settles
/// that.
fn assert_files(stage: &Stage, engine: Engine, files: usize, what: &str) {
    engine.close().unwrap();
    for _ in 0..2 {
        stage.open(&options(limits())).unwrap().close().unwrap();
    }
    assert_eq!(block_files(stage).len(), files, "{what}");
}

/// Does `work` again for each disk call that it makes and each thing that can happen there. In the
/// end there are so many `files`.
fn at_every_call(
    files: usize,
    prepare: impl Fn() -> (Stage, Engine),
    work: impl Fn(&Stage, &Engine),
    check: impl Fn(&Stage, &Engine, &str),
) {
    let (stage, engine) = prepare();
    let first = stage.disk.operations();
    work(&stage, &engine);
    let last = stage.disk.operations();
    assert!(last > first + 2, "nothing was done");
    check(&stage, &engine, "without a fault");
    assert_files(&stage, engine, files, "without a fault");
    for operation in first..last {
        for fault in FAULTS {
            let (stage, engine) = prepare();
            assert_eq!(stage.disk.operations(), first, "a run does not replay");
            stage.disk.fail_at(operation, fault);
            work(&stage, &engine);
            let what = format!("{fault:?} at call {operation}");
            if fault != Fault::CrashHere {
                stage.disk.heal();
                check(&stage, &engine, &what);
                engine.close().unwrap();
                let engine = stage.open(&options(limits())).unwrap();
                check(&stage, &engine, &format!("{what}, reopened"));
                assert_files(&stage, engine, files, &what);
                continue;
            }
            let disks = [stage.disk.crash_to_synced()].into_iter();
            for disk in disks.chain((0..4).map(|seed| stage.disk.crash(seed))) {
                let stage = Stage {
                    disk,
                    clock: ManualClock::new(stage.clock.nanos()),
                };
                let engine = stage.open(&options(limits())).unwrap();
                check(&stage, &engine, &what);
                assert_files(&stage, engine, files, &what);
            }
        }
    }
}

#[test]
fn a_crash_or_an_error_at_any_disk_call_of_an_expiry_loses_nothing_that_is_kept() {
    at_every_call(
        2,
        prepared,
        // Whether it succeeds is not asked: what is left is.
        |stage, engine| {
            advance_ms(stage, MINUTE_MS);
            let _ = testing::tend(engine);
        },
        assert_settled,
    );
}

/// Each of the three series is there, and its block knows how long it is kept, whatever the rules
/// are now.
fn assert_classed(stage: &Stage, engine: &Engine, what: &str) {
    let named = |names: &[&str]| -> Vec<(String, usize)> {
        let entries = engine.metrics().unwrap().stats().block_entries as usize / 3;
        names
            .iter()
            .map(|name| (name.to_string(), entries))
            .collect()
    };
    let start = stage.clock.nanos();
    assert_eq!(seen(engine), named(&["ever", "long", "short"]), "{what}");
    assert_eq!(engine.metrics().unwrap().stats().blocks, 3, "{what}");
    let reader = stage.open_read_only(&options(Limits::default())).unwrap();
    for (hours, names) in [(2, &["ever", "long"][..]), (10, &["ever"])] {
        advance_ms(stage, hours * HOUR_MS);
        assert_eq!(seen(&reader), named(names), "{what}");
        stage.clock.advance(start - stage.clock.nanos());
    }
    assert_sound(&engine.metrics().unwrap());
}

fn put_all(engine: &Engine, time: i64) {
    for name in ["short", "long", "ever"] {
        put(&engine.metrics().unwrap(), &app(name), time, 1.0);
    }
}

#[test]
fn a_crash_or_an_error_at_any_disk_call_of_a_freeze_keeps_every_entry_in_its_class() {
    at_every_call(
        3,
        || {
            let stage = stage();
            let engine = stage.open(&options(limits())).unwrap();
            put_all(&engine, START_MS);
            (stage, engine)
        },
        |_, engine| {
            let _ = engine.metrics().unwrap().freeze();
        },
        |stage, engine, what| {
            let all_there = seen(engine).iter().map(|(_, count)| count).sum::<usize>();
            assert_eq!(all_there, 3, "{what}");
            engine.metrics().unwrap().freeze().unwrap();
            assert_classed(stage, engine, what);
        },
    );
}

#[test]
fn a_crash_or_an_error_at_any_disk_call_of_a_merge_under_new_rules_loses_nothing() {
    at_every_call(
        3,
        || {
            let stage = stage();
            let engine = stage.open(&options(Limits::default())).unwrap();
            for number in 0..2 {
                put_all(&engine, START_MS + number);
                engine.metrics().unwrap().freeze().unwrap();
            }
            let metrics = engine.metrics().unwrap();
            metrics.set_limits(limits()).unwrap();
            (stage, engine)
        },
        |_, engine| {
            let _ = engine.metrics().unwrap().compact();
        },
        |stage, engine, what| {
            let all_there = seen(engine).iter().map(|(_, count)| count).sum::<usize>();
            assert_eq!(all_there, 6, "{what}");
            engine.metrics().unwrap().compact().unwrap();
            assert_classed(stage, engine, what);
        },
    );
}
