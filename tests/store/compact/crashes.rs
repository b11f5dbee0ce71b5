//! A crash or an error at every disk call of a merge: nothing is lost, nothing comes twice, and
//! files that nobody names go.
//!
//! Pages are full at a few bytes here, so that merges carry some of them.

use chronolith_engine::testing::{self, Fault, ManualClock, SimDisk, Stage};
use chronolith_engine::{Engine, Options};

use super::super::bed::{
    HOUR_MS, Logged, MS, PAST_MS, Point, all, logged, numbered, options, points, put, put_line, set,
};

const FAULTS: [Fault; 4] = [
    Fault::CrashHere,
    Fault::Eio,
    Fault::Enospc,
    Fault::ShortWriteThenEio,
];

type Content = (Vec<(String, Vec<Point>)>, Vec<(String, Vec<Logged>)>);

fn quiet() -> Options {
    Options {
        compaction_percent: 0,
        reserve_bytes: 0,
        ..options()
    }
}

/// Three freezes of each kind that overlap in time and in series, and entries that only the log
/// has.
fn prepared() -> (Stage, Engine) {
    let stage = Stage {
        disk: SimDisk::new(7),
        clock: ManualClock::new((PAST_MS + HOUR_MS) * MS),
    };
    let engine = stage.open(&quiet()).unwrap();
    testing::keep_small_pages(&engine);
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for part in 0..4i64 {
        for number in part..part + 2 {
            let time = PAST_MS + (10 - part) * 1_000 + number;
            put(&metrics, &numbered(number as usize), time, part as f64);
            let stream = set(&[("app", &number.to_string())]);
            put_line(&logs, &stream, time * MS, &format!("line of part {part}"));
        }
        if part < 3 {
            metrics.freeze().unwrap();
            logs.freeze().unwrap();
        }
    }
    (stage, engine)
}

fn content(engine: &Engine) -> Content {
    (
        points(&engine.metrics().unwrap().snapshot(), &all()),
        logged(&engine.logs().unwrap().snapshot(), &all()),
    )
}

/// Merges both kinds; whether that succeeds is not asked.
fn merge(engine: &Engine) {
    let _ = engine.metrics().unwrap().compact();
    let _ = engine.logs().unwrap().compact();
}

/// Everything is there, and after another merge in one block of each kind.
fn assert_whole(engine: &Engine, expected: &Content, what: &str) {
    assert_eq!(&content(engine), expected, "{what}");
    engine.metrics().unwrap().compact().unwrap();
    engine.logs().unwrap().compact().unwrap();
    assert_eq!(&content(engine), expected, "{what}, merged again");
    assert_eq!(engine.metrics().unwrap().stats().blocks, 1, "{what}");
    assert_eq!(engine.logs().unwrap().stats().blocks, 1, "{what}");
    assert!(
        engine.metrics().unwrap().verify().unwrap().is_sound(),
        "{what}"
    );
    assert!(engine.metrics().unwrap().damage().is_empty(), "{what}");
    assert!(engine.logs().unwrap().damage().is_empty(), "{what}");
}

/// Closes, and opens until litter is gone: a torn commit may have named it, until an open settles
/// that. Closing itself may freeze what the log has in doubt, so blocks are counted, not expected.
fn assert_no_litter(stage: &Stage, engine: Engine, what: &str) {
    engine.close().unwrap();
    stage.open(&quiet()).unwrap().close().unwrap();
    let engine = stage.open(&quiet()).unwrap();
    let named = engine.metrics().unwrap().stats().blocks + engine.logs().unwrap().stats().blocks;
    let files = stage.disk.files();
    let is_block = |path: &std::path::Path| path.to_str().unwrap().ends_with(".blk");
    let blocks = files.iter().filter(|(path, _)| is_block(path)).count();
    assert_eq!(blocks as u64, named, "{what}: {files:?}");
    engine.close().unwrap();
}

#[test]
fn a_crash_or_an_error_at_any_disk_call_of_a_merge_loses_nothing() {
    let (stage, engine) = prepared();
    let expected = content(&engine);
    let first = stage.disk.operations();
    merge(&engine);
    let last = stage.disk.operations();
    assert!(last > first + 10, "nothing was merged");
    assert_whole(&engine, &expected, "without a fault");
    for operation in first..last {
        for fault in FAULTS {
            let (stage, engine) = prepared();
            assert_eq!(stage.disk.operations(), first, "a run does not replay");
            stage.disk.fail_at(operation, fault);
            merge(&engine);
            let what = format!("{fault:?} at call {operation}");
            if fault != Fault::CrashHere {
                stage.disk.heal();
                assert_whole(&engine, &expected, &what);
                assert_no_litter(&stage, engine, &what);
                continue;
            }
            drop(engine);
            let disks = [stage.disk.crash_to_synced()].into_iter();
            for disk in disks.chain((0..4).map(|seed| stage.disk.crash(seed))) {
                let stage = Stage {
                    disk,
                    clock: ManualClock::new(stage.clock.nanos()),
                };
                let engine = stage.open(&quiet()).unwrap();
                // What only the log has was not synced under this durability.
                let settled = content(&engine);
                assert_whole(&engine, &settled, &what);
                assert_frozen_kept(&settled, &expected, &what);
                assert_no_litter(&stage, engine, &what);
            }
        }
    }
}

/// Every entry that was frozen is there, and none that was never sent.
fn assert_frozen_kept(found: &Content, expected: &Content, what: &str) {
    let entries = |content: &Content| -> Vec<String> {
        let samples = content.0.iter().flat_map(|(labels, points)| {
            points
                .iter()
                .map(move |point| format!("{labels} {point:?}"))
        });
        let lines = content
            .1
            .iter()
            .flat_map(|(labels, lines)| lines.iter().map(move |line| format!("{labels} {line:?}")));
        samples.chain(lines).collect()
    };
    let (found, expected) = (entries(found), entries(expected));
    assert!(found.iter().all(|entry| expected.contains(entry)), "{what}");
    // Two entries of each kind were in memory only.
    assert!(found.len() + 4 >= expected.len(), "{what}: {found:?}");
    let of_part_3 = |entry: &&String| entry.contains("part 3") || entry.contains(&last_value());
    let missing = expected.iter().filter(|entry| !found.contains(entry));
    assert!(missing.clone().all(|entry| of_part_3(&entry)), "{what}");
}

/// How the value of the samples that only the log has is shown.
fn last_value() -> String {
    format!("Bits({})", 3f64.to_bits())
}
