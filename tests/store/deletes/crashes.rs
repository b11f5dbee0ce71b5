//! Deletes and crashes: at every call of the disk around one, with every fault, once and again.

use chronolith_engine::testing::{Fault, ManualClock, SimDisk, Stage, tend};
use chronolith_engine::{Durability, Error, ErrorKind, Result};

use super::*;

const NANOS: i64 = 1_700_000_000_000_000_000;
const NOW_MS: i64 = 1_700_000_000_000;

/// What a run was told: whether each step was acknowledged, `None` where it was not tried.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    first: Option<bool>,
    deleted: Option<bool>,
    again: Option<bool>,
}

/// Where the entries are when they are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Block,
    Both,
}

fn stage(disk: &SimDisk) -> Stage {
    Stage {
        disk: disk.clone(),
        clock: ManualClock::new(NANOS),
    }
}

fn with(durability: Durability) -> Options {
    Options {
        durability,
        ..options()
    }
}

/// Appends one sample and says what became of it; refused is an error.
fn send(engine: &Engine, number: usize, time: i64, value: f64) -> Result<()> {
    use chronolith_engine::Batch;
    use chronolith_engine::metrics::{Sample, Samples};
    let labels = numbered(number);
    let mut batch = Batch::<Samples>::new();
    batch.push(labels.as_labels(), Sample::float(Ms(NOW_MS + time), value));
    let report = engine.metrics()?.append(&batch)?;
    match &report.refused[..] {
        [] => Ok(()),
        [refused, ..] => Err(Error::new(ErrorKind::Invalid, refused.why.to_string())),
    }
}

/// Two entries, their delete, and the first of them again; another series all the while.
fn run(stage: &Stage, durability: Durability, place: Place) -> Told {
    let mut told = Told::default();
    let Ok(engine) = stage.open(&with(durability)) else {
        return told;
    };
    let steps = || -> Result<()> {
        send(&engine, 1, 10, 1.0)?;
        if place != Place::Head {
            engine.metrics()?.freeze()?;
        }
        if place != Place::Block {
            send(&engine, 1, 20, 2.0)?;
        }
        send(&engine, 2, 10, 9.0)
    };
    told.first = Some(steps().is_ok());
    let deleted = engine
        .metrics()
        .and_then(|metrics| metrics.delete(&number(1)));
    told.deleted = Some(deleted.is_ok());
    if told.first == Some(true) {
        // A delete that failed hides nothing in this process.
        if let (Err(_), Ok(metrics)) = (&deleted, engine.metrics())
            && let Ok(series) = metrics.snapshot().select(&equal("n", "00001"))
        {
            assert_eq!(series.len(), 1);
        }
    }
    told.again = Some(send(&engine, 1, 10, 1.0).is_ok());
    let _ = tend(&engine);
    told
}

fn found(engine: &Engine, number: usize) -> Vec<i64> {
    let times = times(&engine.metrics().unwrap(), number).into_iter();
    times.map(|time| time - NOW_MS).collect()
}

/// What a store may show after a run that was told this.
fn check(engine: &Engine, told: Told, place: Place, what: &str) {
    let found = found(engine, 1);
    let what = format!("{what}: {told:?} {place:?} shows {found:?}");
    if told.deleted == Some(true) {
        assert!(!found.contains(&20), "deleted and there: {what}");
        if told.again == Some(true) {
            assert_eq!(found, [10], "{what}");
        }
    } else {
        // Without an acknowledged delete, either may come up; but what was sent behind it stays.
        let is_lost = told.again == Some(true) && !found.contains(&10);
        assert!(!is_lost, "lost: {what}");
    }
    if told.deleted.is_none() && told.first == Some(true) {
        assert!(found.contains(&10), "{what}");
    }
    let other = self::found(engine, 2);
    assert!(
        told.first != Some(true) || other == [10],
        "{what}: {other:?}"
    );
}

/// Boots what a crash left again and again: nothing may change from one to the next, whether or not
/// something is written in between.
fn check_boots(disk: &SimDisk, told: Told, place: Place, seed: u64) {
    let mut disk = disk.clone();
    let mut shown: Option<Vec<i64>> = None;
    for boot in 0..4 {
        let reader = stage(&disk)
            .open_read_only(&with(Durability::Always))
            .unwrap();
        check(&reader, told, place, "read-only");
        let engine = stage(&disk).open(&with(Durability::Always)).unwrap();
        check(&engine, told, place, &format!("boot {boot} of seed {seed}"));
        let now = found(&engine, 1);
        assert_eq!(
            *shown.get_or_insert(now.clone()),
            now,
            "boot {boot} of seed {seed}: {told:?}"
        );
        if boot == 1 {
            send(&engine, 3, 10, 1.0).unwrap();
        }
        if boot == 2 {
            engine.metrics().unwrap().freeze().unwrap();
            engine.metrics().unwrap().compact().unwrap();
        }
        disk = disk.crash(seed + boot);
    }
}

const PLACES: [Place; 3] = [Place::Head, Place::Block, Place::Both];

fn operations(durability: Durability, place: Place) -> u64 {
    let disk = SimDisk::new(0);
    let told = run(&stage(&disk), durability, place);
    assert_eq!((told.deleted, told.again), (Some(true), Some(true)));
    disk.operations()
}

#[test]
fn a_crash_at_any_disk_call_keeps_deletes_and_what_was_sent_after_them() {
    for place in PLACES {
        for operation in 0..operations(Durability::Always, place) {
            for seed in 0..3 {
                let disk = SimDisk::new(seed);
                disk.fail_at(operation, Fault::CrashHere);
                let told = run(&stage(&disk), Durability::Always, place);
                check_boots(&disk.crash(seed), told, place, seed);
                check_boots(&disk.crash_to_synced(), told, place, seed);
                // The process dies and the system lives: what was not synced is there all the
                // same.
                disk.restart();
                check_boots(&disk, told, place, seed);
            }
        }
    }
}

#[test]
fn an_error_at_any_disk_call_keeps_deletes_and_what_was_sent_after_them() {
    for place in PLACES {
        for operation in 0..operations(Durability::Always, place) {
            for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWriteThenEio] {
                let disk = SimDisk::new(operation);
                disk.fail_at(operation, fault);
                let told = run(&stage(&disk), Durability::Always, place);
                check_boots(&disk.crash(operation), told, place, operation);
                disk.restart();
                check_boots(&disk, told, place, operation);
            }
        }
    }
}

#[test]
fn a_log_that_lost_its_end_does_not_go_on_below_a_delete() {
    for place in PLACES {
        let disk = SimDisk::new(1);
        let engine = stage(&disk).open(&with(Durability::Never)).unwrap();
        for time in 0..100 {
            send(&engine, 1, time, 1.0).unwrap();
            if time == 50 && place != Place::Head {
                engine.metrics().unwrap().freeze().unwrap();
            }
        }
        engine.metrics().unwrap().delete(&number(1)).unwrap();
        // Nothing of the log was synced: the next one would begin at its first number again.
        let mut disk = disk.crash_to_synced();
        for boot in 0..3 {
            let engine = stage(&disk).open(&with(Durability::Always)).unwrap();
            assert_eq!(found(&engine, 1), (0..boot).collect::<Vec<i64>>());
            send(&engine, 1, boot, 1.0).unwrap();
            assert_eq!(found(&engine, 1), (0..=boot).collect::<Vec<i64>>());
            disk = disk.crash_to_synced();
        }
    }
}

/// What recovery could not log once more is hidden by a delete all the same, and on a full disk
/// that delete succeeds.
#[test]
fn a_delete_hides_what_recovery_could_not_log_again() {
    let disk = SimDisk::new(1);
    let always = with(Durability::Always);
    let engine = stage(&disk).open(&always).unwrap();
    send(&engine, 1, 10, 1.0).unwrap();
    send(&engine, 2, 10, 2.0).unwrap();
    drop(engine);
    let disk = disk.crash_to_synced();
    disk.capacity(disk.used());
    let engine = stage(&disk).open(&always).unwrap();
    assert_eq!((found(&engine, 1), found(&engine, 2)), (vec![10], vec![10]));
    disk.capacity(disk.used() + SPARE_BYTES);
    engine.metrics().unwrap().delete(&number(2)).unwrap();
    disk.capacity(u64::MAX);
    send(&engine, 3, 10, 3.0).unwrap();
    let mut disk = disk;
    for _ in 0..3 {
        let reader = stage(&disk).open_read_only(&always).unwrap();
        assert_eq!((found(&reader, 1), found(&reader, 2)), (vec![10], vec![]));
        disk = disk.crash_to_synced();
        let engine = stage(&disk).open(&always).unwrap();
        assert_eq!((found(&engine, 1), found(&engine, 2)), (vec![10], vec![]));
        assert_eq!(found(&engine, 3), [10]);
        send(&engine, 3, 10, 3.0).unwrap();
    }
}

#[test]
fn a_cancel_is_kept_or_refused_at_every_disk_call() {
    for operation in 0.. {
        let disk = SimDisk::new(operation);
        let engine = stage(&disk).open(&with(Durability::Always)).unwrap();
        send(&engine, 1, 10, 1.0).unwrap();
        let id = engine.metrics().unwrap().delete(&number(1)).unwrap();
        let before = disk.operations();
        disk.fail_at(before + operation, Fault::CrashHere);
        let cancelled = engine.metrics().unwrap().cancel_delete(id);
        let is_shown = !found(&engine, 1).is_empty();
        assert_eq!(cancelled.is_ok(), is_shown, "{cancelled:?}");
        let is_done = disk.operations() <= before + operation;
        for disk in [disk.crash(operation), disk.crash_to_synced()] {
            let engine = stage(&disk).open(&with(Durability::Always)).unwrap();
            let shown = found(&engine, 1).len();
            assert!(cancelled.is_err() || shown == 1, "cancelled and gone again");
            let disk = disk.crash_to_synced();
            let engine = stage(&disk).open(&with(Durability::Always)).unwrap();
            assert_eq!(found(&engine, 1).len(), shown, "either, but one of them");
        }
        if is_done {
            return;
        }
    }
}

/// Bytes that are enough for a manifest's few files, and for nothing else.
const SPARE_BYTES: u64 = 4 << 10;

#[test]
fn a_full_disk_takes_a_delete_and_gives_the_space_back() {
    let disk = SimDisk::new(1);
    let stage = stage(&disk);
    let engine = stage.open(&with(Durability::Always)).unwrap();
    let metrics = engine.metrics().unwrap();
    for time in 0..2_000 {
        send(&engine, time as usize % 50, time, time as f64 * 0.37).unwrap();
    }
    metrics.freeze().unwrap();
    send(&engine, 7, 5_000, 1.0).unwrap();
    disk.capacity(disk.used());
    assert_eq!(
        send(&engine, 7, 5_001, 1.0).unwrap_err().kind(),
        ErrorKind::Full
    );
    // The last bytes went to a log that had to be begun again.
    disk.capacity(disk.used() + SPARE_BYTES);
    let id = metrics.delete(&Deletion::everything()).unwrap();
    assert_eq!(selected(&metrics), 0);
    assert_eq!(metrics.deletions()[0].id, id);
    let (used, blocks) = (disk.used(), metrics.stats().block_bytes);
    metrics.compact().unwrap();
    assert_eq!(metrics.stats().blocks, 0);
    assert!(disk.used() + blocks <= used + SPARE_BYTES);
    send(&engine, 7, 5_001, 1.0).unwrap();
    assert_eq!(found(&engine, 7), [5_001]);
    let disk = disk.crash_to_synced();
    let engine = self::stage(&disk).open(&with(Durability::Always)).unwrap();
    assert_eq!(found(&engine, 7), [5_001]);
}
