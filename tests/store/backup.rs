//! Backups: taken while writers write, complete or refused, and opened like any directory.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{self, Fault, ManualClock, SimDisk, Stage};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Durability, Engine, ErrorKind, Options, Store};

use super::bed::{Folder, PAST_MS, all, bits, numbered, options, points, put};
use super::whole::{damage, fill, freeze_all, whole};

const TARGET: &str = "/backups/monday";

fn stage() -> Stage {
    Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new(PAST_MS * 1_000_000),
    }
}

fn on_disk(stage: &Stage, disk: SimDisk) -> Stage {
    Stage {
        disk,
        clock: stage.clock.clone(),
    }
}

/// Options under which whatever was acknowledged survives the loss of power.
fn synced() -> Options {
    Options {
        durability: Durability::Always,
        ..options()
    }
}

/// Two rounds in blocks, one in the log.
fn filled(stage: &Stage) -> Engine {
    let engine = stage.open(&synced()).unwrap();
    for round in 0..3 {
        fill(&engine, round);
        if round < 2 {
            freeze_all(&engine);
        }
    }
    engine
}

#[test]
fn a_backup_opens_and_shows_everything_and_neither_changes_the_other() {
    let folder = Folder::new();
    let (data, monday) = (folder.path().join("data"), folder.path().join("a/monday"));
    let engine = Engine::open(&data, options()).unwrap();
    fill(&engine, 0);
    freeze_all(&engine);
    fill(&engine, 1);
    let before = whole(&engine);
    let report = engine.backup(&monday).unwrap();
    assert_eq!((report.stores, report.blocks_copied), (6, 0));
    assert!(report.blocks >= 4 && report.block_bytes > 0 && report.log_bytes > 0);
    assert!(report.damage.is_empty());
    let restored = Engine::open(&monday, options()).unwrap();
    assert_eq!(whole(&restored), before);
    // Each goes its own way: freezes, releases of the log and dropped blocks of one are its own.
    fill(&restored, 2);
    freeze_all(&restored);
    testing::drop_oldest_block(&restored.metrics().unwrap()).unwrap();
    fill(&engine, 3);
    freeze_all(&engine);
    testing::drop_oldest_block(&engine.logs().unwrap()).unwrap();
    let (ours, theirs) = (whole(&engine), whole(&restored));
    engine.close().unwrap();
    restored.close().unwrap();
    let engine = Engine::open(&data, options()).unwrap();
    let restored = Engine::open(&monday, options()).unwrap();
    assert_eq!((whole(&engine), whole(&restored)), (ours, theirs));
    assert!(damage(&engine).is_empty() && damage(&restored).is_empty());
}

#[test]
fn a_backup_is_restored_by_a_backup_of_it() {
    let folder = Folder::new();
    let place = |name: &str| folder.path().join(name);
    let engine = Engine::open(place("data"), options()).unwrap();
    fill(&engine, 0);
    freeze_all(&engine);
    fill(&engine, 1);
    let before = whole(&engine);
    engine.backup(place("monday")).unwrap();
    engine.close().unwrap();
    let monday = Engine::open(place("monday"), options()).unwrap();
    let error = monday.backup(place("data")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    monday.backup(place("new")).unwrap();
    monday.close().unwrap();
    assert_eq!(
        whole(&Engine::open(place("new"), options()).unwrap()),
        before
    );
    assert_eq!(
        whole(&Engine::open(place("monday"), options()).unwrap()),
        before
    );
}

#[test]
fn an_empty_store_is_backed_up_too() {
    let stage = stage();
    let engine = stage.open(&options()).unwrap();
    engine.backup(TARGET).unwrap();
    engine.metrics().unwrap();
    engine.backup("/backups/tuesday").unwrap();
    for target in [TARGET, "/backups/tuesday"] {
        let restored = stage.open_at(target, &options()).unwrap();
        assert!(damage(&restored).is_empty());
        put(&restored.metrics().unwrap(), &numbered(1), PAST_MS, 1.0);
    }
}

/// Batch `n` gives every series the value `n`.
fn write(store: &Store<Samples>, thread: usize, number: usize) {
    let sets: [_; 4] = std::array::from_fn(|series| numbered(thread * 10 + series));
    let mut batch = Batch::<Samples>::new();
    for labels in &sets {
        batch.series(labels.as_labels().as_bytes());
        let time = Millis(PAST_MS + number as i64 * 1000);
        batch.entry(Sample::float(time, number as f64));
    }
    assert_eq!(store.append(&batch).unwrap().accepted, 4);
}

/// How many batches of a thread a store shows: from the first on, and each whole.
fn count_batches(store: &Store<Samples>, thread: usize) -> usize {
    let mut counts = Vec::new();
    for series in 0..4 {
        let number = format!("{:05}", thread * 10 + series);
        let found = points(&store.snapshot(), &super::bed::equal("n", &number));
        let points = found
            .into_iter()
            .next()
            .map_or(Vec::new(), |(_, points)| points);
        for (index, point) in points.iter().enumerate() {
            let expected = (PAST_MS + index as i64 * 1000, None, bits(index as f64));
            assert_eq!(*point, expected);
        }
        counts.push(points.len());
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    counts[0]
}

#[test]
fn backups_taken_while_writers_write_and_freeze_hold_what_was_acknowledged_before() {
    const WRITERS: usize = 3;
    const BACKUPS: usize = 12;
    let folder = Folder::new();
    let small = Options {
        wal_bytes_max: 64 << 10,
        head_bytes_max: 64 << 10,
        ..synced()
    };
    let engine = Engine::open(folder.path().join("data"), small).unwrap();
    let done = AtomicBool::new(false);
    let acknowledged: [AtomicUsize; WRITERS] = Default::default();
    std::thread::scope(|scope| {
        for (thread, count) in acknowledged.iter().enumerate() {
            let (store, done) = (engine.metrics().unwrap(), &done);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    write(&store, thread, count.load(Ordering::Acquire));
                    count.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        // A kind whose blocks come and go: what a backup holds must not vanish under it.
        let (logs, done) = (engine.logs().unwrap(), &done);
        scope.spawn(move || {
            for number in 0.. {
                super::bed::put_line(&logs, &numbered(1), number, "a line");
                logs.freeze().unwrap();
                testing::drop_oldest_block(&logs).unwrap();
                if done.load(Ordering::Acquire) {
                    break;
                }
            }
        });
        for number in 0..BACKUPS {
            let before: Vec<usize> = acknowledged
                .iter()
                .map(|count| count.load(Ordering::Acquire))
                .collect();
            let target = folder.path().join(format!("backup-{number}"));
            let report = engine.backup(&target).unwrap();
            assert!(report.damage.is_empty(), "{:?}", report.damage);
            let restored = Engine::open(&target, options()).unwrap();
            assert!(damage(&restored).is_empty(), "{:?}", damage(&restored));
            let store = restored.metrics().unwrap();
            for (thread, before) in before.iter().enumerate() {
                let count = count_batches(&store, thread);
                assert!(count >= *before, "{count} of {before} batches of {thread}");
            }
        }
        done.store(true, Ordering::Release);
    });
    assert!(
        engine.metrics().unwrap().stats().blocks > 0,
        "nothing was frozen"
    );
}

#[test]
fn blocks_that_cannot_be_linked_are_copied() {
    let stage = stage();
    let engine = filled(&stage);
    let before = whole(&engine);
    stage.disk.refuse_links();
    let report = engine.backup(TARGET).unwrap();
    assert!(report.blocks > 0 && report.blocks_copied == report.blocks);
    let after = on_disk(&stage, stage.disk.crash_to_synced());
    assert_eq!(whole(&after.open_at(TARGET, &options()).unwrap()), before);
}

#[test]
fn a_folder_with_anything_in_it_is_refused_and_left_alone() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let engine = Engine::open(&data, options()).unwrap();
    fill(&engine, 0);
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("letter"), "dear").unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let once = folder.path().join("once");
    engine.backup(&once).unwrap();
    for (target, kind) in [
        (full.clone(), ErrorKind::Invalid),
        (file, ErrorKind::Io),
        (once, ErrorKind::Invalid),
        (data.clone(), ErrorKind::Invalid),
        (data.join("backup"), ErrorKind::Invalid),
        (folder.path().to_path_buf(), ErrorKind::Invalid),
    ] {
        let error = engine.backup(&target).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.path().is_some(), "{error}");
    }
    let left: Vec<_> = std::fs::read_dir(&full).unwrap().collect();
    assert_eq!(left.len(), 1);
    // An empty folder, also one that was opened and never written to, is fine.
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("LOCK"), "").unwrap();
    engine.backup(&empty).unwrap();
}

#[test]
fn an_unfinished_backup_neither_opens_nor_takes_another() {
    let folder = Folder::new();
    let (data, broken) = (folder.path().join("data"), folder.path().join("broken"));
    let engine = Engine::open(data, options()).unwrap();
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("UNFINISHED"), "").unwrap();
    let refusals = [
        Engine::open(&broken, options()).err(),
        Engine::open_read_only(&broken, options()).err(),
        engine.backup(&broken).err(),
    ];
    for error in refusals {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("unfinished"), "{error}");
        assert_eq!(error.path(), Some(&*broken));
    }
}

#[test]
fn closed_and_read_only_engines_make_no_backup() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    Engine::open(&data, options()).unwrap().close().unwrap();
    let reader = Engine::open_read_only(&data, options()).unwrap();
    let target = folder.path().join("backup");
    assert_eq!(
        reader.backup(&target).unwrap_err().kind(),
        ErrorKind::ReadOnly
    );
    assert!(!target.exists());
}

#[test]
fn a_block_that_is_lost_is_named_in_the_report_and_in_the_backup() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let engine = Engine::open(&data, options()).unwrap();
    fill(&engine, 0);
    freeze_all(&engine);
    fill(&engine, 1);
    let lost = folder.files(".blk")[0].clone();
    std::fs::remove_file(&lost).unwrap();
    let target = folder.path().join("backup");
    let report = engine.backup(&target).unwrap();
    assert_eq!(report.damage.len(), 1);
    assert_eq!(report.damage[0].path(), Some(&*lost));
    let restored = Engine::open(&target, options()).unwrap();
    assert_eq!(damage(&restored).len(), 1);
}

/// What a target must be whatever became of its backup: complete, or no store at all.
fn check_target(stage: &Stage, expected: &[String], what: &str) -> bool {
    match stage.open_at(TARGET, &options()) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}");
            false
        }
        Ok(restored) => {
            let shown = whole(&restored);
            let files = stage.disk.files();
            let is_in = |path: &Path| path.starts_with(TARGET) && !path.ends_with("LOCK");
            let is_empty = !files.iter().any(|(path, _)| is_in(path));
            assert!(is_empty || shown == expected, "{what}: half a backup opens");
            assert!(
                damage(&restored).is_empty(),
                "{what}: {:?}",
                damage(&restored)
            );
            !is_empty && !shown.is_empty()
        }
    }
}

/// Calls `strike` with the number of each disk call of a backup, until one comes through.
fn at_every_call(mut strike: impl FnMut(u64, Stage, Engine) -> bool) {
    for call in 0.. {
        let stage = stage();
        let engine = filled(&stage);
        let operation = stage.disk.operations() + call;
        if strike(operation, stage, engine) {
            assert!(call > 40, "only {call} disk calls");
            return;
        }
    }
}

#[test]
fn a_crash_at_any_disk_call_leaves_the_source_whole_and_the_target_complete_or_refused() {
    let reference = stage();
    let expected = whole(&filled(&reference));
    let mut complete = 0;
    at_every_call(|operation, stage, engine| {
        stage.disk.fail_at(operation, Fault::CrashHere);
        let outcome = engine.backup(TARGET);
        drop(engine);
        let what = format!("crash at call {operation}");
        for seed in 0..3 {
            let disk = match seed {
                0 => stage.disk.crash_to_synced(),
                seed => stage.disk.crash(seed),
            };
            let after = on_disk(&stage, disk);
            complete += u64::from(check_target(&after, &expected, &what));
            let source = after.open(&synced()).unwrap();
            assert_eq!(whole(&source), expected, "{what}");
            assert!(damage(&source).is_empty(), "{what}");
        }
        outcome.is_ok()
    });
    assert!(complete >= 3, "no backup was ever found complete");
}

#[test]
fn a_backup_that_returned_survives_the_loss_of_power_whatever_the_durability() {
    for durability in [Durability::Never, Durability::Always] {
        let stage = stage();
        let engine = stage
            .open(&Options {
                durability,
                ..options()
            })
            .unwrap();
        for round in 0..3 {
            fill(&engine, round);
        }
        let before = whole(&engine);
        engine.backup(TARGET).unwrap();
        let after = on_disk(&stage, stage.disk.crash_to_synced());
        assert_eq!(whole(&after.open_at(TARGET, &options()).unwrap()), before);
    }
}

#[test]
fn an_error_at_any_disk_call_ends_the_backup_and_nothing_else() {
    for fault in [Fault::Eio, Fault::Enospc] {
        at_every_call(|operation, stage, engine| {
            let before = whole(&engine);
            stage.disk.fail_at(operation, fault);
            let outcome = engine.backup(TARGET);
            stage.disk.heal();
            assert_eq!(whole(&engine), before);
            // The engine goes on, and so does the next backup.
            fill(&engine, 7);
            let more = whole(&engine);
            engine.backup("/backups/tuesday").unwrap();
            assert_eq!(whole(&engine), more);
            drop(engine);
            let what = format!("{fault:?} at call {operation}");
            check_target(&stage, &before, &what);
            let tuesday = stage.open_at("/backups/tuesday", &options()).unwrap();
            assert_eq!(whole(&tuesday), more, "{what}");
            outcome.is_ok()
        });
    }
}

#[test]
fn what_the_log_refused_is_not_in_a_backup() {
    let stage = stage();
    let engine = stage.open(&synced()).unwrap();
    let store = engine.metrics().unwrap();
    put(&store, &numbered(1), PAST_MS, 1.0);
    // The record is written, and its sync fails: the sender is told that it was not stored.
    stage.disk.fail_at(stage.disk.operations() + 1, Fault::Eio);
    let labels = numbered(1);
    let mut batch = Batch::<Samples>::new();
    batch.push(labels.as_labels(), Sample::float(Millis(PAST_MS + 1), 2.0));
    store.append(&batch).unwrap_err();
    engine.backup(TARGET).unwrap();
    let restored = stage.open_at(TARGET, &options()).unwrap();
    let found = points(&restored.metrics().unwrap().snapshot(), &all());
    assert_eq!(found[0].1, [(PAST_MS, None, bits(1.0))]);
}

#[test]
fn a_backup_passes_over_a_segment_that_never_began() {
    for (call, fault) in
        (0..6).flat_map(|call| [(call, Fault::Eio), (call, Fault::ShortWriteThenEio)])
    {
        let stage = stage();
        let engine = stage.open(&synced()).unwrap();
        let store = engine.metrics().unwrap();
        let labels = numbered(1);
        let mut batch = Batch::<Samples>::new();
        batch.push(labels.as_labels(), Sample::float(Millis(PAST_MS), 1.0));
        stage.disk.fail_at(stage.disk.operations() + call, fault);
        let is_first = store.append(&batch).is_ok();
        stage.disk.heal();
        put(&store, &numbered(1), PAST_MS + 1, 2.0);
        engine.backup(TARGET).unwrap();
        let restored = stage.open_at(TARGET, &options()).unwrap();
        assert!(damage(&restored).is_empty(), "{call} {fault:?}");
        let found = points(&restored.metrics().unwrap().snapshot(), &all());
        assert_eq!(
            found[0].1.len(),
            1 + usize::from(is_first),
            "{call} {fault:?}"
        );
    }
}

#[test]
fn a_backup_behind_one_that_failed_outlives_the_power() {
    for call in 0.. {
        let stage = stage();
        let engine = filled(&stage);
        let before = whole(&engine);
        stage
            .disk
            .fail_at(stage.disk.operations() + call, Fault::Eio);
        let is_done = engine.backup("/backups/new/monday").is_ok();
        stage.disk.heal();
        engine.backup("/backups/new/tuesday").unwrap();
        let left = on_disk(&stage, stage.disk.copy_of_synced());
        let restored = left.open_at("/backups/new/tuesday", &options()).unwrap();
        assert_eq!(whole(&restored), before, "the call {call} failed");
        if is_done {
            assert!(call > 20, "it takes some calls");
            break;
        }
    }
}

#[test]
fn a_directory_made_with_those_above_it_outlives_the_power() {
    let stage = stage();
    let engine = stage.open_at("/srv/new/deep/data", &synced()).unwrap();
    put(&engine.metrics().unwrap(), &numbered(1), PAST_MS, 1.0);
    let left = on_disk(&stage, stage.disk.crash_to_synced());
    let reopened = left.open_at("/srv/new/deep/data", &synced()).unwrap();
    let found = points(&reopened.metrics().unwrap().snapshot(), &all());
    assert_eq!(found[0].1, [(PAST_MS, None, bits(1.0))]);
}
