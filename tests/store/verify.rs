//! Verify: what is sound is called so, and every damaged byte is noticed or harmless.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use chronolith_engine::operations::Verification;
use chronolith_engine::testing::{ManualClock, SimDisk, Stage};
use chronolith_engine::{Durability, Engine, ErrorKind, Options};

use super::bed::{Folder, PAST_MS, options, put, put_line};
use super::whole::{damage, fill, freeze_all, readable, whole};

fn steady() -> Options {
    Options {
        durability: Durability::Always,
        compaction_percent: 0,
        ..options()
    }
}

pub fn stage() -> Stage {
    Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new(PAST_MS * 1_000_000),
    }
}

/// Two rounds in blocks, two in the log, closed.
pub fn closed(stage: &Stage) -> Vec<String> {
    let engine = stage.open(&steady()).unwrap();
    for round in 0..4 {
        fill(&engine, round);
        if round < 2 {
            freeze_all(&engine);
        }
    }
    let shown = whole(&engine);
    engine.close().unwrap();
    shown
}

pub fn data_files(stage: &Stage) -> Vec<(PathBuf, u64)> {
    let files = stage.disk.files().into_iter();
    files.filter(|(_, length)| *length > 0).collect()
}

#[test]
fn a_sound_directory_is_called_sound_and_counted() {
    let stage = stage();
    closed(&stage);
    let before = stage.disk.operations();
    let reader = stage.open_read_only(&steady()).unwrap();
    let found = reader.verify().unwrap();
    assert!(found.is_sound(), "{:?}", found.damage);
    assert_eq!(found.litter, Vec::<PathBuf>::new());
    // Two tenants with metrics, logs and exemplars; two freezes of metrics and logs each.
    assert_eq!((found.stores, found.blocks, found.series), (6, 8, 40));
    assert_eq!(found.entries, 2 * 2 * 2 * 5 * 3);
    assert!(found.chunks >= 40 && found.manifest_files >= 6 && found.log_segments >= 1);
    assert!(found.log_records > 0);
    // Everything but the empty lock file was read.
    let bytes: u64 = stage.disk.files().iter().map(|(_, length)| length).sum();
    assert!(found.bytes <= bytes && found.bytes > bytes / 2);
    assert_eq!(stage.disk.operations(), before, "a check wrote something");
    let one = reader.metrics().unwrap().verify().unwrap();
    assert!(one.is_sound());
    assert_eq!((one.stores, one.blocks, one.series), (1, 2, 10));
}

#[test]
fn a_live_directory_is_sound_while_writers_write_freeze_and_merge() {
    let folder = Folder::new();
    let small = Options {
        wal_bytes_max: 64 << 10,
        head_bytes_max: 64 << 10,
        ..options()
    };
    let engine = Engine::open(folder.path(), small).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (engine, done) = (&engine, &done);
        scope.spawn(move || {
            let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
            for number in 0.. {
                for series in 0..20 {
                    let labels = super::bed::numbered(series);
                    put(&metrics, &labels, number, number as f64);
                    put_line(&logs, &labels, number, &format!("line {number}"));
                }
                if number % 8 == 0 {
                    metrics.freeze().unwrap();
                }
                if number % 32 == 0 {
                    metrics.compact().unwrap();
                }
                if done.load(Ordering::Acquire) {
                    break;
                }
            }
        });
        for _ in 0..25 {
            let found = engine.verify().unwrap();
            assert!(found.is_sound(), "{:?}", found.damage);
            if let Ok(reader) = Engine::open_read_only(folder.path(), options()) {
                let found = reader.verify().unwrap();
                assert!(found.is_sound(), "beside: {:?}", found.damage);
            }
        }
        done.store(true, Ordering::Release);
    });
    let found = engine.verify().unwrap();
    assert!(found.is_sound() && found.blocks > 0, "{found:?}");
}

/// What a check says of a damaged directory: nothing where it did not notice.
fn check(stage: &Stage) -> Option<Verification> {
    match stage.open_read_only(&steady()) {
        // Damage of the last record of the log passes for a write that was cut short.
        Ok(reader) => Some(reader.verify().unwrap())
            .filter(|found| !found.is_sound() || found.log_torn_bytes > 0),
        Err(error) => {
            let fitting = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
            assert!(fitting && error.path().is_some(), "{error:?}");
            Some(Verification {
                damage: vec![error],
                ..Verification::default()
            })
        }
    }
}

/// A few entries of each kind, in a block and in the log.
fn closed_small(stage: &Stage) -> BTreeSet<String> {
    let engine = stage.open(&steady()).unwrap();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for time in 0..4 {
        for series in 0..2 {
            let labels = super::bed::numbered(series);
            put(&metrics, &labels, PAST_MS + time, time as f64);
            put_line(&logs, &labels, time, &format!("line {time} of {series}"));
        }
        if time == 1 {
            metrics.freeze().unwrap();
            logs.freeze().unwrap();
        }
    }
    let shown = whole(&engine).into_iter().collect();
    engine.close().unwrap();
    shown
}

#[test]
fn every_flipped_byte_is_noticed_or_harmless() {
    let stage = stage();
    let expected = closed_small(&stage);
    let (mut noticed, mut harmless) = (0, 0);
    for (path, length) in data_files(&stage) {
        let step = if cfg!(debug_assertions) { 7 } else { 1 };
        for offset in (0..length).step_by(step) {
            let what = format!("{} at {offset}", path.display());
            let mask = 1 << (offset % 8);
            stage.disk.flip(&path, offset, mask);
            match check(&stage) {
                Some(found) => {
                    noticed += 1;
                    let is_placed = found.damage.iter().all(|error| error.path().is_some());
                    assert!(is_placed, "{what}: {:?}", found.damage);
                }
                None => {
                    harmless += 1;
                    let reader = stage.open_read_only(&steady()).unwrap();
                    let (shown, errors) = readable(&reader);
                    assert!(errors == 0 && shown == expected, "{what}: not noticed");
                    assert!(damage(&reader).is_empty(), "{what}");
                }
            }
            stage.disk.flip(&path, offset, mask);
        }
    }
    // What blocks have may still stand in the log.
    assert!(noticed > harmless, "{harmless} harmless, {noticed} noticed");
    assert!(check(&stage).is_none());
}

#[test]
fn what_is_missing_or_cut_is_named_by_its_path() {
    let stage = stage();
    closed(&stage);
    for (path, length) in data_files(&stage) {
        let name = path.to_string_lossy().into_owned();
        let is_last_segment = name.ends_with(".wal");
        for cut in [None, Some(length / 2), Some(length - 1)] {
            let damaged = Stage {
                disk: stage.disk.copy(),
                clock: stage.clock.clone(),
            };
            match cut {
                None => damaged.disk.put(&path, None),
                Some(cut) => damaged.disk.cut(&path, cut),
            }
            let found = check(&damaged);
            let is_manifest = name.ends_with(".man");
            match found {
                Some(found) => {
                    let names = |error: &chronolith_engine::Error| error.path() == Some(&*path);
                    let is_named = found.damage.iter().any(names);
                    let is_gone = cut.is_none() && is_manifest;
                    let is_torn = is_last_segment && found.log_torn_bytes > 0;
                    assert!(is_named || is_gone || is_torn, "{name}: {found:?}");
                }
                // The last of the log may be torn; so may the last file of a manifest.
                None => assert!(is_last_segment || is_manifest, "{name} cut to {cut:?}"),
            }
        }
    }
}

#[test]
fn files_that_nothing_names_are_listed_and_do_no_harm() {
    let stage = stage();
    closed(&stage);
    let strangers = [
        "/data/letter",
        "/data/wal/00000000000000000001.old",
        "/data/tenants/default/metrics/blocks/00000000000000000099.blk",
        "/data/tenants/default/metrics/blocks/copy",
        "/data/tenants/default/metrics/manifest/copy",
        "/data/tenants/default/metrics/other",
        "/data/tenants/default/other",
    ];
    for path in strangers {
        stage.disk.put(path.as_ref(), Some(b"x"));
    }
    stage
        .disk
        .put("/data/damaged/anything".as_ref(), Some(b"x"));
    let found = stage.open_read_only(&steady()).unwrap().verify().unwrap();
    assert!(found.is_sound(), "{:?}", found.damage);
    let mut litter: Vec<String> = found
        .litter
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    litter.sort();
    let mut expected = strangers.map(str::to_owned);
    expected.sort();
    assert_eq!(litter, expected);
}
