//! A full disk: writes wait, what makes room goes through, and the reserve is kept for it.

use std::path::PathBuf;
use std::time::Duration;

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::metrics::{MetricMetadata, Sample, Samples};
use chronolith_engine::testing::{self, Fault, ManualClock, SimDisk, Stage};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Deletion, Durability, Engine, ErrorKind, Limits, Options, Store};
use chronolith_tests::Random;

use super::bed::{Folder, PAST_MS, all, numbered, options, points};

const RESERVE: u64 = 64 << 10;
const BLOCKS: usize = 6;
const SAMPLES: usize = 4_000;

fn with_reserve(reserve_bytes: u64) -> Options {
    Options {
        durability: Durability::Always,
        reserve_bytes,
        compaction_percent: 0,
        ..options()
    }
}

fn stage() -> Stage {
    Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new(PAST_MS * 1_000_000),
    }
}

fn file(stage: &Stage) -> Option<u64> {
    let path = PathBuf::from("/data/RESERVE");
    let files = stage.disk.files();
    files
        .into_iter()
        .find(|file| file.0 == path)
        .map(|file| file.1)
}

/// A batch of values that no codec makes small.
fn append(store: &Store<Samples>, round: usize, count: usize) -> chronolith_engine::Result<()> {
    let mut random = Random::new(round as u64);
    let labels = numbered(1);
    let mut batch = Batch::<Samples>::new();
    batch.series(labels.as_labels().as_bytes());
    for step in 0..count {
        let time = PAST_MS + (round * SAMPLES + step) as i64;
        let value = f64::from_bits(random.draw() >> 2);
        batch.entry(Sample::float(Millis(time), value));
    }
    store
        .append(&batch)
        .map(|report| assert_eq!(report.accepted, count as u64))
}

/// Some blocks of about 32 KiB each, the reserve if there is to be one, and a disk without room.
fn full(stage: &Stage, reserve_bytes: u64) -> (Engine, Store<Samples>) {
    let engine = stage.open(&with_reserve(reserve_bytes)).unwrap();
    let store = engine.metrics().unwrap();
    for round in 0..BLOCKS {
        append(&store, round, SAMPLES).unwrap();
        store.freeze().unwrap();
    }
    testing::tend(&engine).unwrap();
    assert_eq!(file(stage), (reserve_bytes > 0).then_some(reserve_bytes));
    stage.disk.capacity(stage.disk.used());
    (engine, store)
}

fn kind<T>(outcome: chronolith_engine::Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

fn count(store: &Store<Samples>) -> usize {
    let found = points(&store.snapshot(), &all());
    found.iter().map(|(_, points)| points.len()).sum()
}

#[test]
fn expiry_makes_room_on_a_full_disk_and_writes_go_on() {
    let stage = stage();
    let (engine, store) = full(&stage, RESERVE);
    assert_eq!(kind(append(&store, BLOCKS, 100)), Some(ErrorKind::Full));
    assert_eq!(count(&store), BLOCKS * SAMPLES);
    testing::drop_oldest_block(&store).unwrap();
    assert_eq!(count(&store), (BLOCKS - 1) * SAMPLES);
    // The block was smaller than the reserve and the new manifest file: there is no room for both.
    assert_eq!(file(&stage), None);
    testing::drop_oldest_block(&store).unwrap();
    testing::drop_oldest_block(&store).unwrap();
    append(&store, BLOCKS, 100).unwrap();
    assert_eq!(file(&stage), Some(RESERVE));
    store.freeze().unwrap();
    let shown = points(&store.snapshot(), &all());
    engine.close().unwrap();
    let engine = stage.open(&with_reserve(RESERVE)).unwrap();
    let store = engine.metrics().unwrap();
    assert_eq!(points(&store.snapshot(), &all()), shown);
    assert_eq!(file(&stage), Some(RESERVE));
}

#[test]
fn retention_drops_what_has_expired_on_a_full_disk_by_itself() {
    let stage = stage();
    let (engine, store) = full(&stage, RESERVE);
    assert_eq!(kind(append(&store, BLOCKS, 1)), Some(ErrorKind::Full));
    let hour = Duration::from_secs(60 * 60);
    let limits = Limits {
        retention: Some(hour),
        ..with_reserve(RESERVE).limits
    };
    store.set_limits(limits).unwrap();
    stage.clock.advance(2 * 3_600_000_000_000);
    testing::tend(&engine).unwrap();
    assert_eq!((count(&store), store.stats().blocks), (0, 0));
    assert_eq!(store.stats().dropped_blocks, BLOCKS as u64);
    let now = Millis(stage.clock.nanos() / 1_000_000);
    let labels = numbered(1);
    let mut batch = Batch::<Samples>::new();
    batch.push(labels.as_labels(), Sample::float(now, 1.0));
    assert_eq!(store.append(&batch).unwrap().accepted, 1);
    assert_eq!(file(&stage), Some(RESERVE));
}

#[test]
fn deletes_go_through_on_a_full_disk_one_after_the_other() {
    for (reserve, outcome) in [(RESERVE, None), (0, Some(ErrorKind::Full))] {
        let stage = stage();
        let (_engine, store) = full(&stage, reserve);
        for round in 0..BLOCKS {
            let start = PAST_MS + (round * SAMPLES) as i64;
            let end = Millis(start + SAMPLES as i64 - 1);
            let matcher = Matcher::new(MatchOp::Equal, "__name__", "m").unwrap();
            let deletion = Deletion::new(vec![matcher]).between(Millis(start), end);
            assert_eq!(kind(store.delete(&deletion)), outcome, "delete {round}");
            let deleted = if outcome.is_none() { round + 1 } else { 0 };
            assert_eq!(count(&store), (BLOCKS - deleted) * SAMPLES);
        }
    }
}

#[test]
fn without_a_reserve_nothing_can_be_committed_on_a_full_disk() {
    let stage = stage();
    let (_engine, store) = full(&stage, 0);
    let refused = kind(testing::drop_oldest_block(&store));
    assert_eq!(refused, Some(ErrorKind::Full));
    assert_eq!(count(&store), BLOCKS * SAMPLES);
    stage.disk.capacity(u64::MAX);
    testing::drop_oldest_block(&store).unwrap();
    assert_eq!(count(&store), (BLOCKS - 1) * SAMPLES);
}

#[test]
fn neither_appends_nor_freezes_use_what_is_kept_for_removals() {
    let stage = stage();
    let engine = stage.open(&with_reserve(RESERVE)).unwrap();
    let store = engine.metrics().unwrap();
    for round in 0..BLOCKS {
        append(&store, round, SAMPLES).unwrap();
        store.freeze().unwrap();
    }
    testing::tend(&engine).unwrap();
    append(&store, BLOCKS, 10).unwrap();
    stage.disk.capacity(stage.disk.used());
    // Held by a snapshot, the dropped block gives nothing back yet.
    let snapshot = store.snapshot();
    testing::drop_oldest_block(&store).unwrap();
    assert_eq!(file(&stage), None);
    // There is room for each of these, and not quite for the reserve.
    let used = stage.disk.used();
    stage.disk.capacity(used + RESERVE - 1);
    assert_eq!(kind(append(&store, BLOCKS + 1, 1)), Some(ErrorKind::Full));
    assert_eq!(kind(store.freeze()), Some(ErrorKind::Full));
    assert_eq!(kind(store.compact()), Some(ErrorKind::Full));
    let tenant = engine.tenant("default").unwrap();
    let metadata = tenant.set_metadata(&[("m", MetricMetadata::default())]);
    assert_eq!(kind(metadata), Some(ErrorKind::Full));
    assert_eq!(stage.disk.used(), used, "something was left behind");
    testing::drop_oldest_block(&store).unwrap();
    drop(snapshot);
    append(&store, BLOCKS + 1, 1).unwrap();
    store.freeze().unwrap();
    assert_eq!(file(&stage), Some(RESERVE));
}

#[test]
fn housekeeping_takes_the_reserve_again_when_others_make_room() {
    let stage = stage();
    let (engine, store) = full(&stage, RESERVE);
    let _snapshot = store.snapshot();
    testing::drop_oldest_block(&store).unwrap();
    stage.disk.capacity(stage.disk.used());
    let _ = testing::tend(&engine);
    assert_eq!(file(&stage), None);
    stage.disk.capacity(u64::MAX);
    stage.clock.advance(11 * 1_000_000_000);
    testing::tend(&engine).unwrap();
    assert_eq!(file(&stage), Some(RESERVE));
}

#[test]
fn a_reserve_is_taken_only_once_there_is_more_to_keep() {
    let stage = stage();
    let engine = stage.open(&with_reserve(RESERVE)).unwrap();
    let store = engine.metrics().unwrap();
    append(&store, 0, 10).unwrap();
    store.freeze().unwrap();
    testing::tend(&engine).unwrap();
    assert_eq!(file(&stage), None);
    for round in 1..4 {
        append(&store, round, SAMPLES).unwrap();
    }
    testing::tend(&engine).unwrap();
    assert_eq!(file(&stage), Some(RESERVE));
}

#[test]
fn a_reserve_of_another_size_is_replaced_at_open() {
    let stage = stage();
    let (engine, _) = full(&stage, RESERVE);
    stage.disk.capacity(u64::MAX);
    engine.close().unwrap();
    for size in [2 * RESERVE, RESERVE] {
        let engine = stage.open(&with_reserve(size)).unwrap();
        assert_eq!(file(&stage), None);
        testing::tend(&engine).unwrap();
        assert_eq!(file(&stage), Some(size));
        engine.close().unwrap();
    }
    let engine = stage.open(&with_reserve(0)).unwrap();
    testing::tend(&engine).unwrap();
    assert_eq!(file(&stage), None);
}

#[test]
fn a_crash_or_an_error_while_the_reserve_is_taken_given_up_and_taken_again_loses_nothing() {
    for fault in [Fault::CrashHere, Fault::Eio, Fault::Enospc] {
        for call in 0.. {
            let stage = stage();
            let (engine, store) = full(&stage, RESERVE);
            let before = stage.disk.operations();
            stage.disk.fail_at(before + call, fault);
            let dropped = testing::drop_oldest_block(&store);
            let again = testing::drop_oldest_block(&store);
            stage.disk.capacity(u64::MAX);
            stage.clock.advance(11 * 1_000_000_000);
            let _ = testing::tend(&engine);
            let is_over = stage.disk.operations() <= before + call;
            drop((engine, store));
            let stage = Stage {
                disk: stage.disk.crash(call),
                clock: stage.clock.clone(),
            };
            let engine = stage.open(&with_reserve(RESERVE)).unwrap();
            let store = engine.metrics().unwrap();
            let gone = usize::from(dropped.is_ok()) + usize::from(again.is_ok());
            let left = count(&store) / SAMPLES;
            let what = format!("{fault:?} at call {call}: {left} blocks, {gone} dropped");
            assert!(
                store.damage().is_empty() && engine.damage().is_empty(),
                "{what}"
            );
            // A commit that returned an error may be durable all the same.
            assert!((BLOCKS - 2..=BLOCKS - gone).contains(&left), "{what}");
            append(&store, BLOCKS, 10).unwrap();
            testing::tend(&engine).unwrap();
            assert_eq!(file(&stage), Some(RESERVE), "{what}");
            if is_over {
                assert!(call > 10, "only {call} calls");
                break;
            }
        }
    }
}

#[test]
fn sizes_that_cannot_work_are_refused() {
    let folder = Folder::new();
    for size in [1, (64 << 10) - 1, (1 << 30) + 1] {
        let error = Engine::open(folder.path(), with_reserve(size))
            .err()
            .unwrap();
        assert!(error.to_string().contains("reserve_bytes"), "{error}");
    }
}
