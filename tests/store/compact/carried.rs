//! Pages that a merge does not pack again: copied where they stand alone, and opened where a line
//! of another block or a deletion concerns them.

use chronolith_engine::logs::{LineFilter, LineOp, Lines};
use chronolith_engine::testing;
use chronolith_engine::time::Nanos;
use chronolith_engine::{Deletion, Engine, Store};

use super::super::bed::{Folder, Logged, MS, PAST_MS, all, logged, put_line, set, texts};
use super::quiet;

fn opened(folder: &Folder) -> (Engine, Store<Lines>) {
    let engine = folder.open_with(quiet());
    testing::keep_small_pages(&engine);
    let logs = engine.logs().unwrap();
    (engine, logs)
}

/// A line that fills a page by itself, as packed as a merge makes it.
fn line(number: i64) -> String {
    format!(
        "request id={number:08} took={}ms path=/api/v1/things status=200",
        number * 7
    )
}

/// Freezes of ten lines, a second apart, from the given second on.
fn freeze_ten(logs: &Store<Lines>, second: i64) {
    let stream = set(&[("app", "a")]);
    for number in second..second + 10 {
        put_line(
            logs,
            &stream,
            (PAST_MS + number * 1_000) * MS,
            &line(number),
        );
    }
    logs.freeze().unwrap();
}

/// The bytes between the header and the index of each block, by the name of its file.
fn contents(folder: &Folder) -> Vec<Vec<u8>> {
    let files = folder.files(".blk").into_iter();
    files.map(|path| std::fs::read(path).unwrap()).collect()
}

/// How many of the pages of the frozen blocks are in the merged one as they were: the first page of
/// each lies at byte 64.
fn copied(frozen: &[Vec<u8>], merged: &[u8]) -> usize {
    let start = |block: &Vec<u8>| block[64..124].to_vec();
    let holds = |page: &Vec<u8>| merged.windows(page.len()).any(|part| part == page);
    frozen.iter().map(start).filter(holds).count()
}

#[test]
fn pages_that_stand_alone_are_copied_and_every_line_is_there() {
    let folder = Folder::new();
    let (engine, logs) = opened(&folder);
    for part in 0..4 {
        freeze_ten(&logs, part * 100);
    }
    let before = logged(&logs.snapshot(), &all());
    let frozen = contents(&folder);
    assert_eq!(frozen.len(), 4);
    logs.compact().unwrap();
    let merged = contents(&folder);
    assert_eq!(merged.len(), 1);
    assert_eq!(copied(&frozen, &merged[0]), 4);
    assert_eq!(logged(&logs.snapshot(), &all()), before);
    assert!(logs.verify().unwrap().is_sound());
    let needle = all().containing("id=00000203");
    let found = logged(&logs.snapshot(), &needle);
    let is_sought = |line: &Logged| format!("{line:?}").contains("id=00000203");
    assert_eq!(found[0].1.iter().filter(|line| is_sought(line)).count(), 1);
    engine.close().unwrap();
    let (engine, logs) = opened(&folder);
    assert_eq!(logged(&logs.snapshot(), &all()), before);
    engine.close().unwrap();
}

#[test]
fn pages_beside_which_others_have_lines_are_merged_line_by_line() {
    let folder = Folder::new();
    let (engine, logs) = opened(&folder);
    freeze_ten(&logs, 0);
    freeze_ten(&logs, 100);
    // Between the first ones, some of them twice, and at the very end of the second.
    freeze_ten(&logs, 5);
    freeze_ten(&logs, 109);
    let frozen = contents(&folder);
    logs.compact().unwrap();
    let merged = contents(&folder);
    assert_eq!(copied(&frozen, &merged[0]), 0);
    let expected: Vec<String> = (0..15).chain(100..119).map(line).collect();
    assert_eq!(texts(&logs), expected);
    engine.close().unwrap();
}

#[test]
fn what_is_deleted_of_a_page_is_gone_after_the_merge() {
    let folder = Folder::new();
    let (engine, logs) = opened(&folder);
    for part in 0..3 {
        freeze_ten(&logs, part * 100);
    }
    let second = |number: i64| Nanos((PAST_MS + number * 1_000) * MS);
    let filter = LineFilter::new(LineOp::Contains, "id=00000104").unwrap();
    let deletion = Deletion::everything()
        .between(second(100), second(109))
        .lines(filter);
    logs.delete(&deletion).unwrap();
    let frozen = contents(&folder);
    logs.compact().unwrap();
    let merged = contents(&folder);
    assert_eq!(copied(&frozen, &merged[0]), 2);
    let expected: Vec<String> = (0..10)
        .chain(100..110)
        .chain(200..210)
        .filter(|number| *number != 104)
        .map(line)
        .collect();
    assert_eq!(texts(&logs), expected);
    assert!(logs.deletions().is_empty());
    let bytes = merged[0].windows(8).any(|part| part == b"00000104");
    assert!(!bytes);
    engine.close().unwrap();
}
