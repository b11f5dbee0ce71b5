//! A process killed at any instant loses nothing that it acknowledged and invents nothing.
//!
//! The parent starts this test binary again as a child. Four threads of the child write metrics and
//! logs, in batches, under budgets so small that it freezes all the time; after each
//! acknowledgement the thread notes it in a file opened for appending. A fifth freezes and merges
//! without rest, sends entries that it deletes again, and some that expire at once. The parent
//! waits until the child has frozen and merged both kinds, kills it at a random instant, opens the
//! directory and compares; every other time it first kills one that still opens the directory. A
//! kill is no loss of power: the operating system keeps what was written, so this proves the order
//! of events and recovery, not the syncs.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{
    Batch, Deletion, Durability, Engine, Limits, Options, Result, RetentionRule, Selector,
};
use chronolith_tests::Random;

/// The directory that a child is to write to, and its seed.
const CHILD_FOLDER: &str = "CHRONOLITH_KILL_FOLDER";
const CHILD_SEED: &str = "CHRONOLITH_KILL_SEED";

/// How many kills, if not as many as in CI.
const CYCLES: &str = "CHRONOLITH_KILL_CYCLES";
const CYCLES_DEFAULT: u64 = 50;

/// Kills on one directory, before the next begins empty.
const CYCLES_PER_FOLDER: u64 = 10;

const THREADS: usize = 4;

/// Series that each batch of a thread writes to, all with the same number.
const SERIES: usize = 10;

/// A child that was not killed for this long ends by itself.
const LIFE_MAX: Duration = Duration::from_secs(60);

const START_MS: i64 = 1_700_000_000_000;

/// The series of the fifth thread: one whose entries are deleted again, one whose entries expire.
const DOOMED: &str = "doomed";
const FLEETING: &str = "fleeting";

/// How long entries of the second are kept.
const FLEETING_KEEP: Duration = Duration::from_millis(20);

fn options() -> Options {
    Options {
        durability: Durability::Always,
        wal_bytes_max: 64 << 10,
        head_bytes_max: 64 << 10,
        limits: Limits {
            retention_rules: [RetentionRule {
                matchers: vec![of_thread(FLEETING)],
                keep: Some(FLEETING_KEEP),
            }]
            .into(),
            ..Limits::default()
        },
        ..Options::default()
    }
}

fn of_thread(thread: &str) -> Matcher {
    Matcher::new(MatchOp::Equal, "thread", thread).unwrap()
}

fn labels(thread: &str, series: usize) -> LabelSet {
    let series = series.to_string();
    LabelSet::from_pairs([("thread", thread), ("series", &series)]).unwrap()
}

/// Where a thread notes what was acknowledged: metrics and logs apart.
fn notes(folder: &Path, thread: usize) -> [PathBuf; 2] {
    ["metrics", "logs"].map(|kind| folder.join(format!("acknowledged-{kind}-{thread}")))
}

fn store(folder: &Path) -> PathBuf {
    folder.join("store")
}

/// The text of a line: long enough that the budgets matter.
fn text(number: u64) -> String {
    format!("{number} {}", "lorem ipsum ".repeat(number as usize % 40))
}

/// How many batches of a thread were acknowledged.
fn count_notes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}

/// Writes until killed. Batch `n` of a thread holds the number `n` for each of its series.
fn write_batches(engine: &Engine, folder: &Path, thread: usize, from: [u64; 2]) -> Result<()> {
    let (metrics, logs) = (engine.metrics()?, engine.logs()?);
    let open = |path: &PathBuf| {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap()
    };
    let [mut metric_notes, mut log_notes]: [File; 2] = notes(folder, thread).each_ref().map(open);
    let sets: Vec<LabelSet> = (0..SERIES)
        .map(|series| labels(&thread.to_string(), series))
        .collect();
    let begun = Instant::now();
    for step in 0.. {
        if begun.elapsed() > LIFE_MAX {
            break;
        }
        let number = from[0] + step;
        let mut batch = Batch::<Samples>::new();
        let time = Millis(START_MS + number as i64 * 1000);
        for set in &sets {
            batch.push(set.as_labels(), Sample::float(time, number as f64));
        }
        let report = metrics.append(&batch)?;
        assert_eq!(report.accepted + report.duplicates, SERIES as u64);
        // One byte a batch: the length is the count, and a torn note cannot be.
        metric_notes.write_all(b".").unwrap();

        let number = from[1] + step;
        let text = text(number);
        let mut batch = Batch::<Lines>::new();
        for set in &sets {
            batch.push(set.as_labels(), Line::new(Nanos(number as i64), &text));
        }
        assert_eq!(logs.append(&batch)?.accepted, SERIES as u64);
        log_notes.write_all(b".").unwrap();
    }
    Ok(())
}

/// What the fifth thread noted, in order: `s` for a batch sent, `d` for all so far deleted.
fn tidy_notes(folder: &Path) -> PathBuf {
    folder.join("acknowledged-tidy")
}

fn note_tidy(folder: &Path, note: &[u8]) {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(tidy_notes(folder));
    file.unwrap().write_all(note).unwrap();
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as i64
}

fn doomed_batch(number: u64) -> (Vec<LabelSet>, Sample<'static>) {
    let sets = (0..SERIES).map(|series| labels(DOOMED, series)).collect();
    let time = Millis(START_MS + number as i64 * 1000);
    (sets, Sample::float(time, number as f64))
}

fn send(engine: &Engine, sets: &[LabelSet], sample: &Sample<'_>) -> Result<u64> {
    let mut batch = Batch::<Samples>::new();
    for set in sets {
        batch.push(set.as_labels(), *sample);
    }
    Ok(engine.metrics()?.append(&batch)?.accepted)
}

/// Whether the fifth thread deletes all it has sent behind this batch.
fn is_deleted_behind(number: u64) -> bool {
    number.is_multiple_of(3)
}

/// Freezes, merges, deletes and expires until killed, and tells the parent when both kinds were
/// frozen and merged.
fn tidy(engine: &Engine, folder: &Path, from: u64, crossed: &Path) -> Result<()> {
    let (metrics, logs) = (engine.metrics()?, engine.logs()?);
    let begun = Instant::now();
    for number in from.. {
        if begun.elapsed() > LIFE_MAX {
            break;
        }
        let (sets, sample) = doomed_batch(number);
        assert_eq!(send(engine, &sets, &sample)?, SERIES as u64);
        note_tidy(folder, b"s");
        let fleeting = Sample::float(Millis(now_ms()), 1.0);
        send(engine, &[labels(FLEETING, 0)], &fleeting)?;
        metrics.freeze()?;
        if is_deleted_behind(number) {
            metrics.delete(&Deletion::new(vec![of_thread(DOOMED)]))?;
            note_tidy(folder, b"d");
        }
        logs.freeze()?;
        metrics.compact()?;
        logs.compact()?;
        let have = [metrics.stats(), logs.stats()];
        let has_crossed = have.iter().all(|s| s.frozen_bytes > 0 && s.merges > 0);
        if has_crossed && !crossed.exists() {
            std::fs::write(crossed, "").unwrap();
        }
    }
    Ok(())
}

/// What was deleted is gone, what was sent since is there, and what has expired is not shown.
/// Returns the next number, and what of it is not noted yet.
fn check_tidy(engine: &Engine, folder: &Path) -> (u64, Vec<u8>) {
    let notes = std::fs::read(tidy_notes(folder)).unwrap_or_default();
    let sent = notes.iter().filter(|note| **note == b's').count() as u64;
    let deleted = notes.iter().rposition(|note| *note == b'd').unwrap_or(0);
    let deleted = notes[..deleted]
        .iter()
        .filter(|note| **note == b's')
        .count() as u64;
    let selector = Selector::new(vec![of_thread(DOOMED)]);
    let found = one_of_all(read_samples(engine, &selector), DOOMED);
    let whole = |end: u64| (deleted..end).collect::<Vec<u64>>();
    // One batch may have come through without a note; so may a delete, which takes all or nothing.
    let may_be_deleted = notes.last() == Some(&b's') && is_deleted_behind(sent - 1);
    let unnoted: Option<&[u8]> = match &found[..] {
        found if found == whole(sent) => Some(b""),
        found if found == whole(sent + 1) => Some(b"s"),
        [] if may_be_deleted => Some(b"d"),
        _ => None,
    };
    let told = format!("{sent} sent, {deleted} deleted, there are {found:?}");
    let unnoted = unnoted.expect(&told);
    let horizon = now_ms();
    let selector = Selector::new(vec![of_thread(FLEETING)]);
    let snapshot = engine.metrics().unwrap().snapshot();
    for series in snapshot.select(&selector).unwrap() {
        for run in series.read().unwrap() {
            let oldest = horizon - FLEETING_KEEP.as_millis() as i64 - 1000;
            assert!(
                run.times().iter().all(|time| *time >= oldest),
                "expired and shown"
            );
        }
    }
    (sent + u64::from(unnoted == b"s"), unnoted.to_vec())
}

/// The numbers of every series of one thread, which must all be the same: a batch is whole.
fn one_of_all(found: BTreeMap<String, Vec<u64>>, what: &str) -> Vec<u64> {
    let mut numbers: Option<Vec<u64>> = None;
    assert!(
        found.is_empty() || found.len() == SERIES,
        "{what}: {} series",
        found.len()
    );
    for (series, own) in found {
        let first = numbers.get_or_insert_with(|| own.clone());
        assert!(
            *first == own,
            "{what}: series {series} differs from another of its batches"
        );
    }
    numbers.unwrap_or_default()
}

fn read_samples(engine: &Engine, selector: &Selector) -> BTreeMap<String, Vec<u64>> {
    let mut found = BTreeMap::new();
    for series in engine
        .metrics()
        .unwrap()
        .snapshot()
        .select(selector)
        .unwrap()
    {
        let mut numbers = Vec::new();
        for run in series.read().unwrap() {
            for (time, value) in run.times().iter().zip(run.floats().unwrap()) {
                assert_eq!(*time, START_MS + *value as i64 * 1000);
                numbers.push(*value as u64);
            }
        }
        found.insert(series.labels().to_string(), numbers);
    }
    found
}

fn read_lines(engine: &Engine, selector: &Selector) -> BTreeMap<String, Vec<u64>> {
    let mut found = BTreeMap::new();
    for series in engine.logs().unwrap().snapshot().select(selector).unwrap() {
        let mut numbers = Vec::new();
        for run in series.read().unwrap() {
            for index in 0..run.len() {
                let number = run.times()[index] as u64;
                assert_eq!(run.line(index), text(number).as_bytes());
                numbers.push(number);
            }
        }
        found.insert(series.labels().to_string(), numbers);
    }
    found
}

/// Everything acknowledged is there, once, and at most the one batch in flight beyond it. Returns
/// how many batches there are.
fn check(numbers: &[u64], acknowledged: u64, what: &str) -> u64 {
    let expected: Vec<u64> = (0..numbers.len() as u64).collect();
    assert!(
        numbers == expected,
        "{what}: a batch is missing or repeated: {numbers:?}"
    );
    let count = numbers.len() as u64;
    assert!(
        count >= acknowledged,
        "{what}: {acknowledged} acknowledged, {count} there"
    );
    assert!(
        count <= acknowledged + 1,
        "{what}: {acknowledged} acknowledged, {count} there"
    );
    count
}

/// Compares the directory with the notes; returns the next number of each thread and kind.
fn check_all(engine: &Engine, folder: &Path) -> Vec<[u64; 2]> {
    assert!(engine.damage().is_empty(), "{:?}", engine.damage());
    assert!(engine.metrics().unwrap().damage().is_empty());
    assert!(engine.logs().unwrap().damage().is_empty());
    check_tidy(engine, folder);
    let mut next = Vec::new();
    for thread in 0..THREADS {
        let selector = Selector::new(vec![of_thread(&thread.to_string())]);
        let [metric_notes, log_notes] = notes(folder, thread).map(|path| count_notes(&path));
        let samples = one_of_all(read_samples(engine, &selector), "metrics");
        let lines = one_of_all(read_lines(engine, &selector), "logs");
        next.push([
            check(
                &samples,
                metric_notes,
                &format!("metrics of thread {thread}"),
            ),
            check(&lines, log_notes, &format!("logs of thread {thread}")),
        ]);
    }
    next
}

/// The child's whole life. In a run of the suite it is no child, and there is nothing to do.
#[test]
fn child_of_the_kill_test() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER).map(PathBuf::from) else {
        return;
    };
    let seed: u64 = std::env::var(CHILD_SEED).unwrap().parse().unwrap();
    let engine = Engine::open(store(&folder), options()).unwrap();
    let next = check_all(&engine, &folder);
    // What came through without a note counts as noted from now on. Notes are only appended to: a
    // kill in between must not take any back.
    for (thread, counts) in next.iter().enumerate() {
        for (path, count) in notes(&folder, thread).iter().zip(counts) {
            let missing = count - count_notes(path);
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            file.write_all(&vec![b'.'; missing as usize]).unwrap();
        }
    }
    let (tidy_next, unnoted) = check_tidy(&engine, &folder);
    note_tidy(&folder, &unnoted);
    let crossed = crossed(&folder, seed);
    std::thread::scope(|scope| {
        let (whole, place) = (&engine, &folder);
        scope.spawn(move || tidy(whole, place, tidy_next, &crossed).unwrap());
        for (thread, from) in next.into_iter().enumerate() {
            let (engine, folder) = (&engine, &folder);
            scope.spawn(move || write_batches(engine, folder, thread, from).unwrap());
        }
    });
}

fn start_child(folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child_of_the_kill_test", "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .env(CHILD_SEED, seed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The file that a child makes once it has frozen and merged both kinds.
fn crossed(folder: &Path, seed: u64) -> PathBuf {
    folder.join(format!("crossed-{seed}"))
}

/// When a child is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While it opens the directory, most of the time.
    Early,
    /// Behind a freeze and a merge of both kinds, while it goes on.
    Crossed,
}

/// Starts a child, lets it write for a while, kills it. A child that ends by itself has found a
/// fault.
fn kill_one(folder: &Path, seed: u64, moment: Moment, pause: Duration) {
    let mut child = start_child(folder, seed);
    let crossed = crossed(folder, seed);
    let patience = Instant::now();
    let lives = |child: &mut Child| {
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "seed {seed}: the child ended by itself: {ended:?}"
        );
    };
    while moment == Moment::Crossed && !crossed.exists() && patience.elapsed() < LIFE_MAX {
        lives(&mut child);
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(pause);
    lives(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        moment == Moment::Early || crossed.exists(),
        "seed {seed}: the child never froze and merged both kinds"
    );
    let _ = std::fs::remove_file(crossed);
}

#[test]
fn a_process_killed_at_any_instant_loses_nothing_acknowledged_and_invents_nothing() {
    let cycles = std::env::var(CYCLES).map_or(CYCLES_DEFAULT, |text| text.parse().unwrap());
    let seed = std::env::var(CHILD_SEED).map_or(1, |text| text.parse().unwrap());
    let mut random = Random::new(seed);
    let root = std::env::temp_dir().join(format!("chronolith-kill-{}", std::process::id()));
    let (mut batches, mut blocks) = (0, 0);
    for cycle in 0..cycles {
        let folder = root.join((cycle / CYCLES_PER_FOLDER).to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let pause = Duration::from_micros(random.below(120_000) as u64);
        let child = seed.wrapping_add(cycle);
        if cycle % 2 == 1 {
            kill_one(&folder, child, Moment::Early, pause);
        }
        kill_one(&folder, child, Moment::Crossed, pause);
        let is_last = (cycle + 1) % CYCLES_PER_FOLDER == 0 || cycle + 1 == cycles;
        // The next child checks as well; here both a reader and a writer look.
        if cycle % 3 == 0 {
            let reader = Engine::open_read_only(store(&folder), options()).unwrap();
            check_all(&reader, &folder);
        }
        if is_last {
            let engine = Engine::open(store(&folder), options()).unwrap();
            let next = check_all(&engine, &folder);
            batches += next.iter().flatten().sum::<u64>();
            blocks += engine.metrics().unwrap().stats().blocks;
            blocks += engine.logs().unwrap().stats().blocks;
            drop(engine);
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
    let _ = std::fs::remove_dir_all(&root);
    println!("{cycles} kills, seed {seed}: {batches} batches whole, {blocks} blocks, none lost");
    assert!(
        batches > 0 && blocks > 0,
        "the children wrote next to nothing"
    );
}
