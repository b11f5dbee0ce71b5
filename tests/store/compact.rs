//! Merging sealed blocks: the same answers from fewer files.

mod carried;
mod crashes;

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{self, ManualClock, SimDisk, Stage};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Deletion, Engine, ErrorKind, Options, Snapshot, Store};

use super::bed::{
    AHEAD_MS, Folder, HOUR_MS, MS, PAST_MS, all, append_samples, bits, compact, logged, numbered,
    only, options, points, put, put_line, set, texts,
};

/// Options without merges in the background: the tests say when.
fn quiet() -> Options {
    Options {
        compaction_percent: 0,
        ..options()
    }
}

fn everything(snapshot: &Snapshot<Samples>) -> Vec<(String, Vec<super::bed::Point>)> {
    points(snapshot, &all())
}

/// Several freezes with samples of changing series in one partition.
fn in_parts(metrics: &Store<Samples>, base: i64) {
    for part in 0..6 {
        for number in part..part + 4 {
            let time = base + (part as i64) * 60_000 + number as i64;
            put(
                metrics,
                &numbered(number),
                time,
                (part * 10 + number) as f64,
            );
        }
        metrics.freeze().unwrap();
    }
}

#[test]
fn blocks_of_one_partition_become_one_with_the_same_entries() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    in_parts(&metrics, PAST_MS);
    let before = everything(&metrics.snapshot());
    assert_eq!(metrics.stats().blocks, 6);
    metrics.compact().unwrap();
    let stats = metrics.stats();
    assert_eq!((stats.blocks, stats.merges), (1, 1));
    assert!(stats.merged_bytes > 0 && stats.frozen_bytes > stats.merged_bytes);
    assert_eq!(everything(&metrics.snapshot()), before);
    assert_eq!(folder.files(".blk").len(), 1);
    assert!(metrics.verify().unwrap().is_sound());
    engine.close().unwrap();
    let metrics = folder.open().metrics().unwrap();
    assert_eq!(everything(&metrics.snapshot()), before);
}

/// A merge that fails in the background has nobody to tell.
#[test]
fn what_the_background_could_not_do_is_told_until_it_can() {
    let stage = Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new((PAST_MS + 12 * HOUR_MS) * 1_000_000),
    };
    let engine = stage.open(&quiet()).unwrap();
    let metrics = engine.metrics().unwrap();
    in_parts(&metrics, PAST_MS);
    let stats = metrics.stats();
    assert_eq!(
        (stats.fresh_blocks, stats.fresh_bytes),
        (6, stats.block_bytes)
    );
    assert!(engine.background_errors().is_empty());
    stage.disk.capacity(stage.disk.used());
    testing::merge(&engine).unwrap_err();
    let told = engine.background_errors();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind(), ErrorKind::Full);
    assert!(
        told[0].to_string().contains("merging blocks"),
        "{}",
        told[0]
    );
    stage.disk.capacity(u64::MAX);
    assert!(testing::merge(&engine).unwrap());
    assert!(engine.background_errors().is_empty());
    let stats = metrics.stats();
    assert_eq!(
        (stats.blocks, stats.fresh_blocks, stats.fresh_bytes),
        (1, 0, 0)
    );
}

#[test]
fn the_figures_tell_how_old_what_is_in_memory_is_and_what_deletes_wait_for() {
    let stage = Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new((PAST_MS + 12 * HOUR_MS) * 1_000_000),
    };
    let engine = stage.open(&quiet()).unwrap();
    let metrics = engine.metrics().unwrap();
    assert_eq!(
        (metrics.stats().window_seconds, metrics.stats().deletions),
        (0, 0)
    );
    put(&metrics, &numbered(1), PAST_MS, 1.0);
    stage.clock.advance(90 * 1_000_000_000);
    assert_eq!(metrics.stats().window_seconds, 90);
    metrics.delete(&Deletion::everything()).unwrap();
    assert_eq!(metrics.stats().deletions, 1);
    metrics.freeze().unwrap();
    metrics.compact().unwrap();
    assert_eq!(
        (metrics.stats().window_seconds, metrics.stats().deletions),
        (0, 0)
    );
}

#[test]
fn merging_twice_changes_nothing() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    in_parts(&metrics, PAST_MS);
    metrics.compact().unwrap();
    let files = folder.files(".blk");
    metrics.compact().unwrap();
    assert_eq!(folder.files(".blk"), files);
}

#[test]
fn a_snapshot_reads_on_while_its_blocks_are_merged_away() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    in_parts(&metrics, PAST_MS);
    let held = metrics.snapshot();
    let before = everything(&held);
    metrics.compact().unwrap();
    put(&metrics, &numbered(0), PAST_MS + HOUR_MS, 5.0);
    assert_eq!(everything(&held), before);
    engine.close().unwrap();
    assert_eq!(everything(&held), before, "after the engine is gone too");
}

#[test]
fn the_first_acknowledged_value_of_a_timestamp_stays() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    let series = numbered(0);
    put(&metrics, &series, PAST_MS, 1.0);
    put(&metrics, &series, PAST_MS + 1_000, 1.5);
    metrics.freeze().unwrap();
    engine.close().unwrap();
    // A head that knows nothing of the series takes the second value: the merge settles it.
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    append_samples(&metrics, &series, &[Sample::float(Millis(PAST_MS), 2.0)]);
    put(&metrics, &series, PAST_MS + 500, 3.0);
    metrics.freeze().unwrap();
    let expected = [
        (PAST_MS, None, bits(1.0)),
        (PAST_MS + 500, None, bits(3.0)),
        (PAST_MS + 1_000, None, bits(1.5)),
    ];
    assert_eq!(only(&metrics), expected);
    metrics.compact().unwrap();
    assert_eq!(only(&metrics), expected);
    assert_eq!(metrics.stats().block_entries, 3, "the other one is gone");
}

#[test]
fn lines_of_one_timestamp_over_many_chunks_keep_their_order_of_arrival() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let logs = engine.logs().unwrap();
    let stream = set(&[("app", "a")]);
    // Every line at one of three ticks and longer than a fifth of a chunk, in three freezes.
    let long = "x".repeat(60_000);
    for part in 0..3 {
        for number in 0..20 {
            let time = (PAST_MS + number / 7) * MS;
            put_line(&logs, &stream, time, &format!("{part} {number:02} {long}"));
        }
        logs.freeze().unwrap();
    }
    let before = texts(&logs);
    assert_eq!(before.len(), 60);
    logs.compact().unwrap();
    assert_eq!(logs.stats().blocks, 1);
    assert_eq!(texts(&logs), before);
}

#[test]
fn many_small_streams_are_merged_with_their_metadata() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let logs = engine.logs().unwrap();
    for part in 0..4 {
        for stream in 0..50 {
            let labels = set(&[("stream", &format!("{stream:03}"))]);
            for line in 0..5 {
                let time = (PAST_MS + part * 1_000 + line) * MS + stream;
                put_line(&logs, &labels, time, &format!("{part} {line}"));
            }
        }
        logs.freeze().unwrap();
    }
    let before = logged(&logs.snapshot(), &all());
    logs.compact().unwrap();
    assert_eq!(logged(&logs.snapshot(), &all()), before);
    assert!(logs.verify().unwrap().is_sound());
}

#[test]
fn recent_partitions_stay_apart_and_old_ones_grow() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    for hour in 0..24 {
        put(&metrics, &numbered(0), AHEAD_MS + hour * HOUR_MS, 1.0);
        metrics.freeze().unwrap();
    }
    metrics.compact().unwrap();
    assert_eq!(metrics.stats().blocks, 12, "of two hours each");
    assert_eq!(only(&metrics).len(), 24);
}

#[test]
fn a_damaged_block_is_left_alone_and_told_of() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    in_parts(&engine.metrics().unwrap(), PAST_MS);
    engine.close().unwrap();
    let files = folder.files(".blk");
    let mut bytes = std::fs::read(&files[2]).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&files[2], bytes).unwrap();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    metrics.compact().unwrap();
    assert!(!metrics.damage().is_empty());
    assert_eq!(folder.files(".blk"), files, "nothing is lost for a merge");
    engine.close().unwrap();
}

#[test]
fn writers_and_readers_go_on_while_blocks_are_merged() {
    let folder = Folder::new();
    let engine = folder.open_with(quiet());
    let metrics = engine.metrics().unwrap();
    let rounds = 40;
    std::thread::scope(|scope| {
        let (engine, writer) = (&engine, metrics.clone());
        let writing = scope.spawn(move || {
            for round in 0..rounds {
                let mut batch = Batch::<Samples>::new();
                for number in 0..20 {
                    let labels = numbered(number);
                    let sample = Sample::float(Millis(PAST_MS + round * 1_000), round as f64);
                    batch.push(labels.as_labels(), sample);
                    // The batch borrows its labels: one series at a time.
                    writer.append(&batch).unwrap();
                    batch = Batch::new();
                }
                writer.freeze().unwrap();
            }
        });
        while !writing.is_finished() {
            compact(engine);
            for (_, points) in everything(&metrics.snapshot()) {
                let times: Vec<i64> = points.iter().map(|point| point.0).collect();
                let expected: Vec<i64> = (0..times.len() as i64)
                    .map(|round| PAST_MS + round * 1_000)
                    .collect();
                assert_eq!(times, expected, "no hole, nothing twice");
            }
        }
    });
    compact(&engine);
    assert_eq!(metrics.stats().block_entries, 20 * rounds as u64);
    check_closed(engine, &metrics);
}

fn check_closed(engine: Engine, metrics: &Store<Samples>) {
    engine.close().unwrap();
    let error = metrics.compact().unwrap_err();
    assert_eq!(error.kind(), chronolith_engine::ErrorKind::Closed);
}
