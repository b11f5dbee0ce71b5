//! Repair: takes out what is damaged and nothing else, says what is lost, and may be interrupted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chronolith_engine::operations::RepairReport;
use chronolith_engine::testing::{Fault, Stage};
use chronolith_engine::{Durability, Engine, ErrorKind, Options};
use chronolith_tests::Random;

use super::bed::{Folder, options};
use super::verify::{closed, data_files, stage};
use super::whole::{damage, fill, readable, whole};

/// Flips of the random test: each is a repair of a directory of its own.
const FLIPS: usize = if cfg!(debug_assertions) { 60 } else { 1_500 };

fn steady() -> Options {
    Options {
        durability: Durability::Always,
        compaction_percent: 0,
        ..options()
    }
}

fn copy(stage: &Stage) -> Stage {
    Stage {
        disk: stage.disk.copy(),
        clock: stage.clock.clone(),
    }
}

fn set_of(shown: &[String]) -> BTreeSet<String> {
    shown.iter().cloned().collect()
}

fn paths(stage: &Stage, ending: &str) -> Vec<PathBuf> {
    let files = data_files(stage).into_iter().map(|(path, _)| path);
    files
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}

/// What can be read before a repair; nothing where the directory does not open.
fn readable_before(stage: &Stage) -> BTreeSet<String> {
    match stage.open_read_only(&steady()) {
        Ok(reader) => readable(&reader).0,
        Err(_) => BTreeSet::new(),
    }
}

/// A repaired directory is sound, opens without damage, shows what could be read before, and
/// nothing that was never there. Returns what it shows.
fn check_repaired(
    stage: &Stage,
    before: &BTreeSet<String>,
    expected: &BTreeSet<String>,
    what: &str,
) -> BTreeSet<String> {
    let reader = stage.open_read_only(&steady()).unwrap();
    let found = reader.verify().unwrap();
    assert!(found.is_sound(), "{what}: {:?}", found.damage);
    drop(reader);
    let again = stage.repair(&steady()).unwrap();
    assert!(again.is_sound(), "{what}: {again:?}");
    let engine = stage.open(&steady()).unwrap();
    assert!(damage(&engine).is_empty(), "{what}: {:?}", damage(&engine));
    let shown = set_of(&whole(&engine));
    let gone: Vec<_> = before.difference(&shown).collect();
    assert!(gone.is_empty(), "{what}: lost by the repair: {gone:?}");
    // Where a note is lost, the value before it may be there.
    let is_note = |line: &&String| line.contains("MetricMetadata");
    let new: Vec<_> = shown
        .difference(expected)
        .filter(|line| !is_note(line))
        .collect();
    assert!(new.is_empty(), "{what}: invented by the repair: {new:?}");
    // It goes on taking entries, freezes them and merges them with the rest.
    fill(&engine, 9);
    super::whole::freeze_all(&engine);
    engine.metrics().unwrap().compact().unwrap();
    let more = set_of(&whole(&engine));
    let kept = shown
        .iter()
        .filter(|line| !line.contains("help: \"as of round"));
    assert!(kept.into_iter().all(|line| more.contains(line)), "{what}");
    engine.close().unwrap();
    shown
}

fn entries_lost(report: &RepairReport) -> u64 {
    report.blocks.iter().map(|block| block.entries_lost).sum()
}

#[test]
fn a_sound_directory_is_left_as_it_is() {
    let stage = stage();
    closed(&stage);
    let image = |stage: &Stage| {
        let files = data_files(stage).into_iter();
        let with_bytes = files.map(|(path, _)| (stage.disk.contents(&path), path));
        with_bytes.collect::<Vec<_>>()
    };
    let before = image(&stage);
    let report = stage.repair(&steady()).unwrap();
    assert!(report.is_sound() && report.set_aside.is_empty());
    assert_eq!(report.recovered_blocks, 0);
    assert!(
        before == image(&stage),
        "a repair of nothing has changed something"
    );
}

#[test]
fn a_flipped_byte_anywhere_costs_at_most_what_it_damages() {
    let stage = stage();
    let expected = set_of(&closed(&stage));
    let files = data_files(&stage);
    let mut random = Random::new(7);
    let (mut unhurt, mut rewritten, mut set_aside, mut logs) = (0, 0, 0, 0);
    for _ in 0..FLIPS {
        let (path, length) = &files[random.below(files.len())];
        let (offset, mask) = (random.below(*length as usize) as u64, 1 << random.below(8));
        let what = format!("{} at {offset} by {mask}", path.display());
        let damaged = copy(&stage);
        damaged.disk.flip(path, offset, mask);
        let before = readable_before(&damaged);
        let report = damaged.repair(&steady()).unwrap();
        let litter = damaged
            .open_read_only(&steady())
            .unwrap()
            .verify()
            .unwrap()
            .litter;
        assert_eq!(litter, Vec::<PathBuf>::new(), "{what}");
        let shown = check_repaired(&damaged, &before, &expected, &what);
        let lost = expected.difference(&shown).count();
        if report.log.is_empty() {
            assert_eq!(entries_lost(&report), lost as u64, "{what}: {report:?}");
        } else {
            logs += 1;
            // A lost record may have told the series of those that follow it in its store: at most
            // the two rounds that the log has of five series.
            let in_one_store = 2 * 5 * 3;
            assert!(lost <= in_one_store, "{what}: {lost} lost: {report:?}");
        }
        unhurt += usize::from(lost == 0);
        for block in &report.blocks {
            match block.rewritten {
                Some(_) => rewritten += 1,
                None => set_aside += 1,
            }
            let named: u64 = block.series.iter().map(|series| series.entries).sum();
            assert!(
                block.series.is_empty() || named == block.entries_lost,
                "{what}"
            );
        }
        assert!(!report.is_sound() || report.set_aside.is_empty(), "{what}");
    }
    let counts = [unhurt, rewritten, set_aside, logs];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn a_damaged_chunk_is_dropped_and_named_and_the_rest_of_its_block_is_kept() {
    let stage = stage();
    let expected = set_of(&closed(&stage));
    let is_metrics = |path: &PathBuf| path.to_string_lossy().contains("default/metrics");
    let path = paths(&stage, ".blk").into_iter().find(is_metrics).unwrap();
    // The first page begins behind the header of 64 bytes.
    stage.disk.flip(&path, 64, 1);
    let before = readable_before(&stage);
    let report = stage.repair(&steady()).unwrap();
    let [block] = &report.blocks[..] else {
        panic!("{report:?}");
    };
    assert_eq!(block.path, path);
    assert!(!block.errors.is_empty());
    // Small series share a page: five of them with three samples each.
    assert_eq!((block.series_lost, block.entries_lost), (5, 15));
    assert_eq!(block.series[0].labels, super::bed::numbered(0));
    assert_eq!(Some(block.series[0].range), block.range_lost);
    assert_eq!(report.set_aside.len(), 1);
    let aside = Path::new("/data/damaged").join(path.strip_prefix("/data").unwrap());
    assert_eq!(report.set_aside[0], aside);
    assert!(stage.disk.contents(&aside).is_some() && stage.disk.contents(&path).is_none());
    let shown = check_repaired(&stage, &before, &expected, "a damaged page");
    assert_eq!(expected.len() - shown.len(), 15);
}

#[test]
fn missing_and_cut_blocks_are_taken_out_and_reported() {
    let pristine = stage();
    let expected = set_of(&closed(&pristine));
    for path in paths(&pristine, ".blk") {
        let length = pristine.disk.contents(&path).unwrap().len() as u64;
        for cut in [None, Some(0), Some(length / 2), Some(length - 1)] {
            let stage = copy(&pristine);
            match cut {
                None => stage.disk.put(&path, None),
                Some(cut) => stage.disk.cut(&path, cut),
            }
            let what = format!("{} cut to {cut:?}", path.display());
            let before = readable_before(&stage);
            let report = stage.repair(&steady()).unwrap();
            assert_eq!(report.blocks.len(), 1, "{what}");
            assert_eq!(report.blocks[0].path, path);
            assert_eq!(report.set_aside.len(), usize::from(cut.is_some()), "{what}");
            let shown = check_repaired(&stage, &before, &expected, &what);
            let lost = expected.difference(&shown).count() as u64;
            assert_eq!(lost, report.blocks[0].entries_lost, "{what}");
        }
    }
}

#[test]
fn a_manifest_beyond_use_is_made_again_from_the_blocks() {
    let stage = stage();
    let expected = set_of(&closed(&stage));
    let is_logs = |path: &PathBuf| path.to_string_lossy().contains("default/logs");
    for path in paths(&stage, ".man").into_iter().filter(is_logs) {
        let length = stage.disk.contents(&path).unwrap().len() as u64;
        stage.disk.flip(&path, 40, 1);
        stage.disk.flip(&path, length / 2 + 40, 1);
    }
    assert!(stage.open(&steady()).is_err());
    let report = stage.repair(&steady()).unwrap();
    assert_eq!(report.recovered_blocks, 2);
    assert!(report.blocks.is_empty() && report.log.is_empty());
    assert!(!report.manifests.is_empty());
    let before = BTreeSet::new();
    let shown = check_repaired(&stage, &before, &expected, "no manifest");
    // The blocks are back, and the log has what is not in them.
    assert_eq!(shown, expected);
}

#[test]
fn blocks_of_a_lost_commit_are_named_again() {
    let stage = stage();
    let engine = stage.open(&steady()).unwrap();
    for round in 0..3 {
        fill(&engine, round);
        super::whole::freeze_all(&engine);
    }
    let expected = set_of(&whole(&engine));
    drop(engine);
    let is_metrics = |path: &PathBuf| path.to_string_lossy().contains("team-b/metrics");
    let files: Vec<_> = paths(&stage, ".man")
        .into_iter()
        .filter(is_metrics)
        .collect();
    // Not the newest, which would pass for a commit that nobody was told of.
    let path = &files[files.len() - 2];
    let length = stage.disk.contents(path).unwrap().len() as u64;
    stage.disk.flip(path, 33, 1);
    stage.disk.flip(path, length / 2 + 33, 1);
    // The log has all of it still, as it is small.
    for path in paths(&stage, ".wal") {
        stage.disk.put(&path, None);
    }
    // A writer that opens it sets the damaged files aside and keeps what they may name.
    stage.open(&steady()).unwrap().close().unwrap();
    let before = readable_before(&stage);
    assert!(before.len() < expected.len());
    let report = stage.repair(&steady()).unwrap();
    assert_eq!(report.recovered_blocks, 2);
    let shown = check_repaired(&stage, &before, &expected, "a lost commit");
    // The newest notes and the exemplars were in the log only.
    let in_log = |line: &&String| line.contains("MetricMetadata") || line.contains("Exemplar");
    let missing: Vec<_> = expected
        .difference(&shown)
        .filter(|line| !in_log(line))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_damaged_log_gives_up_its_records_to_blocks_and_names_those_that_are_lost() {
    let stage = stage();
    let expected = set_of(&closed(&stage));
    let path = paths(&stage, ".wal").pop().unwrap();
    let length = stage.disk.contents(&path).unwrap().len() as u64;
    stage.disk.flip(&path, length * 5 / 8 / 8 * 8 + 3, 0xff);
    let before = readable_before(&stage);
    let report = stage.repair(&steady()).unwrap();
    let (first, last) = report.log[0].records.unwrap();
    assert!(first > 0 && first <= last && last - first < 3, "{report:?}");
    assert_eq!(report.log[0].error.path(), Some(&*path));
    assert_eq!(report.set_aside.len(), 1);
    let shown = check_repaired(&stage, &before, &expected, "the log");
    assert!(shown.len() < expected.len());
}

/// Damage of every sort at once.
fn ruin(stage: &Stage) {
    let blocks = paths(stage, ".blk");
    stage.disk.flip(&blocks[0], 64, 1);
    stage.disk.cut(&blocks[1], 100);
    let is_logs = |path: &PathBuf| path.to_string_lossy().contains("team-b/logs");
    for path in paths(stage, ".man").into_iter().filter(is_logs) {
        let length = stage.disk.contents(&path).unwrap().len() as u64;
        stage.disk.flip(&path, 40, 1);
        stage.disk.flip(&path, length / 2 + 40, 1);
    }
    let segment = paths(stage, ".wal").pop().unwrap();
    let length = stage.disk.contents(&segment).unwrap().len() as u64;
    stage.disk.flip(&segment, length * 5 / 8 / 8 * 8 + 3, 0xff);
}

#[test]
fn a_crash_or_an_error_at_any_disk_call_of_a_repair_loses_no_more_than_the_damage() {
    let pristine = stage();
    let expected = set_of(&closed(&pristine));
    ruin(&pristine);
    let whole_repair = copy(&pristine);
    let before = readable_before(&whole_repair);
    whole_repair.repair(&steady()).unwrap();
    let reference = check_repaired(&whole_repair, &before, &expected, "uninterrupted");
    for fault in [Fault::CrashHere, Fault::Eio, Fault::Enospc] {
        for call in 0.. {
            let stage = copy(&pristine);
            stage.disk.fail_at(stage.disk.operations() + call, fault);
            let outcome = stage.repair(&steady());
            let stage = match fault {
                Fault::CrashHere => Stage {
                    disk: stage.disk.crash(call),
                    clock: stage.clock.clone(),
                },
                _ => stage,
            };
            stage.disk.heal();
            let what = format!("{fault:?} at call {call}");
            stage.repair(&steady()).unwrap();
            let shown = check_repaired(&stage, &before, &expected, &what);
            assert_eq!(shown, reference, "{what}");
            if outcome.is_ok() && fault == Fault::CrashHere || call > 300 {
                assert!(call > 50, "only {call} calls");
                break;
            }
            if outcome.is_ok() && call > 50 && fault != Fault::CrashHere {
                break;
            }
        }
    }
}

#[test]
fn a_directory_in_use_missing_or_unfinished_is_refused() {
    let folder = Folder::new();
    let engine = folder.open();
    let locked = Engine::repair(folder.path(), options()).unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::Locked);
    engine.close().unwrap();
    assert!(Engine::repair(folder.path(), options()).unwrap().is_sound());
    let missing = folder.path().join("missing");
    let error = Engine::repair(&missing, options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(!missing.exists());
    std::fs::write(folder.path().join("UNFINISHED"), "").unwrap();
    let error = Engine::repair(folder.path(), options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
