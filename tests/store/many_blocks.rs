//! Thousands of blocks through a few descriptors, and files that go while a snapshot reads them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{self, ManualClock, SimDisk, Stage};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Engine, Options, Store};

use super::bed::{Folder, PAST_MS, all, numbered, options, points};

/// The folder that the child is to write to.
const CHILD_FOLDER: &str = "CHRONOLITH_BLOCKS_FOLDER";

/// How many blocks the child makes, if not as many as in CI: each costs two syncs.
const BLOCKS: &str = "CHRONOLITH_BLOCKS";
const BLOCKS_DEFAULT: usize = 1_000;

/// Descriptors that the child may have, its own three and the test's included.
const DESCRIPTORS: usize = 128;

/// Entries that lie in a partition of eight days each, and so in a block each.
const EIGHT_DAYS_MS: i64 = 8 * 24 * 60 * 60 * 1000;

fn time(block: usize) -> i64 {
    PAST_MS - block as i64 * EIGHT_DAYS_MS
}

/// Writes two series into `count` blocks with one freeze.
fn write_blocks(store: &Store<Samples>, count: usize) {
    for (number, labels) in [numbered(0), numbered(1)].iter().enumerate() {
        let mut batch = Batch::<Samples>::new();
        batch.series(labels.as_labels().as_bytes());
        for block in (0..count).rev() {
            let value = (block * 2 + number) as f64;
            batch.entry(Sample::float(Millis(time(block)), value));
        }
        assert_eq!(store.append(&batch).unwrap().accepted, count as u64);
    }
    store.freeze().unwrap();
    assert_eq!(store.stats().blocks, count as u64);
}

fn check_blocks(store: &Store<Samples>, count: usize) {
    let found = points(&store.snapshot(), &all());
    assert_eq!(found.len(), 2);
    for (number, (_, points)) in found.iter().enumerate() {
        assert_eq!(points.len(), count);
        for (place, point) in points.iter().enumerate() {
            let block = count - 1 - place;
            let value = (block * 2 + number) as f64;
            assert_eq!(*point, (time(block), None, super::bed::bits(value)));
        }
    }
}

fn stage() -> Stage {
    Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new(PAST_MS * 1_000_000 + 3_600_000_000_000),
    }
}

fn few_files(open_files_max: usize) -> Options {
    Options {
        open_files_max,
        cache_bytes_max: 0,
        // The blocks are to stay as many as they are.
        compaction_percent: 0,
        ..options()
    }
}

#[test]
fn ten_thousand_blocks_are_written_opened_and_read_through_256_open_files() {
    let count = if cfg!(debug_assertions) {
        1_000
    } else {
        10_000
    };
    let stage = stage();
    let limit = Options::default().open_files_max;
    let engine = stage.open(&few_files(limit)).unwrap();
    write_blocks(&engine.metrics().unwrap(), count);
    assert!(stage.disk.open_files() <= limit);
    engine.close().unwrap();
    let engine = stage.open(&few_files(limit)).unwrap();
    assert_eq!(stage.disk.open_files(), limit);
    check_blocks(&engine.metrics().unwrap(), count);
    assert_eq!(stage.disk.open_files(), limit);
    engine.close().unwrap();
    assert_eq!(stage.disk.open_files(), 0);
}

#[test]
fn a_snapshot_reads_blocks_whose_files_were_closed_and_that_were_dropped_since() {
    const COUNT: usize = 40;
    let stage = stage();
    let engine = stage.open(&few_files(3)).unwrap();
    let store = engine.metrics().unwrap();
    write_blocks(&store, COUNT);
    let is_block = |path: &Path| path.extension().is_some_and(|end| end == "blk");
    let block_files = || {
        let files = stage.disk.files();
        files.iter().filter(|(path, _)| is_block(path)).count()
    };
    let snapshot = store.snapshot();
    let before = points(&snapshot, &all());
    for _ in 0..COUNT / 2 {
        testing::drop_oldest_block(&store).unwrap();
    }
    assert_eq!(store.stats().blocks, COUNT as u64 / 2);
    assert_eq!(points(&store.snapshot(), &all())[0].1.len(), COUNT / 2);
    // A cursor that is half-way keeps its files as well as the snapshot does.
    let mut cursor = snapshot.select(&all()).unwrap()[0].cursor().unwrap();
    assert!(cursor.next().is_some());
    assert_eq!(points(&snapshot, &all()), before);
    assert_eq!(block_files(), COUNT);
    drop(snapshot);
    assert_eq!(cursor.count(), COUNT - 1);
    assert_eq!(block_files(), COUNT / 2);
}

#[test]
fn what_a_crash_left_of_dropped_blocks_is_removed_by_the_next_open() {
    let stage = stage();
    let engine = stage.open(&few_files(3)).unwrap();
    let store = engine.metrics().unwrap();
    write_blocks(&store, 10);
    let _snapshot = store.snapshot();
    testing::drop_oldest_block(&store).unwrap();
    let stage = Stage {
        disk: stage.disk.crash_to_synced(),
        clock: stage.clock.clone(),
    };
    let before = stage.disk.files().len();
    let engine = stage.open(&few_files(3)).unwrap();
    assert_eq!(engine.metrics().unwrap().stats().blocks, 9);
    let blocks = |files: Vec<(PathBuf, u64)>| {
        let is_block = |(path, _): &(PathBuf, u64)| path.to_string_lossy().ends_with(".blk");
        files.into_iter().filter(is_block).count()
    };
    assert_eq!(blocks(stage.disk.files()), 9);
    assert!(before >= 10);
}

#[test]
fn a_setting_of_no_open_files_is_refused() {
    let folder = Folder::new();
    let error = Engine::open(folder.path(), few_files(0)).err().unwrap();
    assert!(error.to_string().contains("open_files_max"), "{error}");
}

/// The child's whole life. In a run of the suite it is no child, and there is nothing to do.
#[test]
fn child_of_the_test_with_few_descriptors() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER).map(PathBuf::from) else {
        return;
    };
    let count = std::env::var(BLOCKS).unwrap().parse().unwrap();
    let options = few_files(DESCRIPTORS / 4);
    let engine = Engine::open(&folder, options.clone()).unwrap();
    write_blocks(&engine.metrics().unwrap(), count);
    check_blocks(&engine.metrics().unwrap(), count);
    engine.close().unwrap();
    let engine = Engine::open(&folder, options.clone()).unwrap();
    check_blocks(&engine.metrics().unwrap(), count);
    let reader = Engine::open_read_only(&folder, options).unwrap();
    check_blocks(&reader.metrics().unwrap(), count);
    // That the limit was in force all the while.
    let mut opened = Vec::new();
    let refused = (0..DESCRIPTORS).find_map(|_| match std::fs::File::open(&folder) {
        Ok(file) => {
            opened.push(file);
            None
        }
        Err(error) => Some(error),
    });
    assert!(
        refused.is_some(),
        "the limit on descriptors is not in force"
    );
}

#[test]
fn a_store_of_many_blocks_works_under_a_low_limit_of_descriptors() {
    let folder = Folder::new();
    let count = std::env::var(BLOCKS).unwrap_or_else(|_| BLOCKS_DEFAULT.to_string());
    let child = Command::new("sh")
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
        .arg(DESCRIPTORS.to_string())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("store::many_blocks::child_of_the_test_with_few_descriptors")
        .env(CHILD_FOLDER, folder.path())
        .env(BLOCKS, &count)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    assert_eq!(folder.files(".blk").len().to_string(), count);
}
