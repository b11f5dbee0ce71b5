//! What is promised to be durable, on the simulated disk: after the hardest power loss exactly what
//! was not synced is gone.

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{Fault, ManualClock, SimDisk, Stage, tend};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Durability, Engine, Options};

use super::bed::{MS, PAST_MS, all, numbered, points};

const LAZY: [Durability; 2] = [
    Durability::Never,
    Durability::Interval(std::time::Duration::from_secs(3600)),
];

fn stage() -> Stage {
    Stage {
        disk: SimDisk::new(7),
        clock: ManualClock::new(PAST_MS * MS),
    }
}

fn options(durability: Durability) -> Options {
    Options {
        durability,
        wal_bytes_max: 64 << 10,
        ..Options::default()
    }
}

fn append(engine: &Engine, series: usize, time: i64) -> chronolith_engine::Result<u64> {
    let mut batch = Batch::<Samples>::new();
    let labels = numbered(series);
    batch.push(
        labels.as_labels(),
        Sample::float(Millis(PAST_MS + time), time as f64),
    );
    engine
        .metrics()?
        .append(&batch)
        .map(|report| report.accepted)
}

/// How many samples each series has.
fn counts(engine: &Engine) -> Vec<usize> {
    let found = points(&engine.metrics().unwrap().snapshot(), &all());
    found.iter().map(|(_, points)| points.len()).collect()
}

/// What is left after the hardest power loss.
fn left(stage: &Stage, durability: Durability) -> Vec<usize> {
    let after = Stage {
        disk: stage.disk.crash_to_synced(),
        clock: stage.clock.clone(),
    };
    let engine = after.open(&options(durability)).unwrap();
    counts(&engine)
}

/// The process dies here, the machine does not.
fn kill(stage: &Stage, engine: Engine) {
    stage
        .disk
        .fail_at(stage.disk.operations(), Fault::CrashHere);
    drop(engine);
    stage.disk.restart();
}

#[test]
fn sync_and_close_keep_every_segment_of_the_log_whatever_the_durability() {
    for durability in LAZY {
        for is_closed in [false, true] {
            let stage = stage();
            let engine = stage.open(&options(durability)).unwrap();
            for time in 0..1_000 {
                append(&engine, 1, time).unwrap();
            }
            match is_closed {
                true => engine.close().unwrap(),
                false => {
                    engine.sync().unwrap();
                    kill(&stage, engine);
                }
            }
            let files = stage.disk.files();
            let is_segment = |path: &std::path::Path| path.extension().is_some_and(|e| e == "wal");
            assert!(files.iter().filter(|(path, _)| is_segment(path)).count() > 2);
            assert_eq!(left(&stage, durability), [1_000], "{durability:?}");
        }
    }
}

#[test]
fn what_a_full_disk_left_behind_is_kept_by_the_next_sync() {
    for durability in LAZY {
        let stage = stage();
        let engine = stage.open(&options(durability)).unwrap();
        append(&engine, 1, 0).unwrap();
        stage.disk.capacity(stage.disk.used() + 20);
        append(&engine, 1, 1).unwrap_err();
        stage.disk.capacity(u64::MAX);
        append(&engine, 1, 2).unwrap();
        engine.sync().unwrap();
        kill(&stage, engine);
        assert_eq!(left(&stage, durability), [2], "{durability:?}");
    }
}

#[test]
fn what_a_failed_sync_left_in_doubt_goes_to_a_block() {
    for by_itself in [false, true] {
        let stage = stage();
        let engine = stage.open(&options(LAZY[1])).unwrap();
        append(&engine, 1, 0).unwrap();
        stage.disk.fail_at(stage.disk.operations(), Fault::Eio);
        engine.sync().unwrap_err();
        append(&engine, 1, 1).unwrap();
        match by_itself {
            true => drop(tend(&engine).unwrap()),
            false => engine.sync().unwrap(),
        }
        assert_eq!(engine.metrics().unwrap().stats().blocks, 1);
        kill(&stage, engine);
        assert_eq!(left(&stage, LAZY[1]), [2]);
    }
}

#[test]
fn what_a_killed_process_left_unsynced_is_kept_by_the_next_ones_sync() {
    for durability in LAZY {
        let stage = stage();
        let engine = stage.open(&options(durability)).unwrap();
        append(&engine, 1, 0).unwrap();
        // Its sync fails, and whoever syncs the same file after that learns nothing.
        let sync = stage.disk.operations() + if durability == LAZY[0] { 2 } else { 0 };
        stage.disk.fail_at(sync, Fault::Eio);
        engine.sync().unwrap_err();
        kill(&stage, engine);
        let engine = stage.open(&options(durability)).unwrap();
        assert_eq!(counts(&engine), [1]);
        engine.sync().unwrap();
        kill(&stage, engine);
        assert_eq!(left(&stage, durability), [1], "{durability:?}");
    }
}

#[test]
fn a_store_closed_in_peace_stays_in_the_log() {
    for durability in LAZY {
        let stage = stage();
        for time in 0..3 {
            let engine = stage.open(&options(durability)).unwrap();
            append(&engine, 1, time).unwrap();
            engine.close().unwrap();
        }
        let engine = stage.open(&options(durability)).unwrap();
        tend(&engine).unwrap();
        engine.sync().unwrap();
        assert_eq!(engine.metrics().unwrap().stats().blocks, 0);
        assert_eq!(counts(&engine), [3]);
    }
}

/// A record that an earlier process could not sync is shown, and a repetition of it is answered as
/// stored. So it must be durable by then, even if logging it again fails at first.
#[test]
fn a_repetition_is_acknowledged_only_when_what_it_repeats_is_durable() {
    let mut acknowledged = 0;
    for fault in 0..60 {
        let stage = stage();
        let always = options(Durability::Always);
        let engine = stage.open(&always).unwrap();
        append(&engine, 1, 0).unwrap();
        stage.disk.fail_at(stage.disk.operations() + 1, Fault::Eio);
        append(&engine, 2, 0).unwrap_err();
        kill(&stage, engine);
        stage
            .disk
            .fail_at(stage.disk.operations() + fault, Fault::Eio);
        let Ok(engine) = stage.open(&always) else {
            continue;
        };
        let is_there = counts(&engine).len() == 2;
        if is_there && append(&engine, 2, 0).is_ok() {
            acknowledged += 1;
            kill(&stage, engine);
            assert_eq!(left(&stage, Durability::Always), [1, 1], "fault {fault}");
        }
    }
    assert!(acknowledged > 10, "{acknowledged}");
}

#[test]
fn a_log_does_not_grow_by_processes_that_only_hear_repetitions() {
    let stage = stage();
    let settings = Options {
        wal_bytes_max: 16 << 20,
        ..options(Durability::Always)
    };
    let engine = stage.open(&settings).unwrap();
    for time in 0..100 {
        append(&engine, 1, time).unwrap();
    }
    let alone = engine.stats().wal_bytes;
    kill(&stage, engine);
    for _ in 0..20 {
        let engine = stage.open(&settings).unwrap();
        assert_eq!(append(&engine, 1, 99).unwrap(), 0);
        kill(&stage, engine);
    }
    let engine = stage.open(&settings).unwrap();
    let bytes = engine.stats().wal_bytes;
    assert!(bytes < 2 * alone, "{bytes} bytes of log, {alone} at first");
    assert_eq!(counts(&engine), [100]);
}
