//! A process killed at any instant loses nothing that it acknowledged and invents nothing.
//!
//! The parent starts this test binary again as a child. Four threads of the child write metrics and
//! logs, in batches, under budgets so small that it freezes all the time; after each
//! acknowledgement the thread notes it in a file opened for appending. The parent kills the child
//! at a random instant, opens the directory and compares. A kill is no loss of power: the operating
//! system keeps what was written, so this proves the order of events and recovery, not the syncs.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Durability, Engine, Options, Result, Selector};
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

fn options() -> Options {
    Options {
        durability: Durability::Always,
        wal_bytes_max: 64 << 10,
        head_bytes_max: 64 << 10,
        ..Options::default()
    }
}

fn labels(thread: usize, series: usize) -> LabelSet {
    let (thread, series) = (thread.to_string(), series.to_string());
    LabelSet::from_pairs([("thread", &*thread), ("series", &series)]).unwrap()
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
    let sets: Vec<LabelSet> = (0..SERIES).map(|series| labels(thread, series)).collect();
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
    let mut next = Vec::new();
    for thread in 0..THREADS {
        let own = thread.to_string();
        let matcher = chronolith_engine::labels::Matcher::new(
            chronolith_engine::labels::MatchOp::Equal,
            "thread",
            &own,
        );
        let selector = Selector::new(vec![matcher.unwrap()]);
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
    std::fs::write(folder.join(format!("begun-{seed}")), "").unwrap();
    std::thread::scope(|scope| {
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

/// Starts a child, lets it write for a while, kills it. A child that ends by itself has found a
/// fault.
fn kill_one(folder: &Path, seed: u64, pause: Duration) {
    let mut child = start_child(folder, seed);
    let begun = folder.join(format!("begun-{seed}"));
    // Half of the kills come while the child still opens the directory.
    let waits = seed.is_multiple_of(2);
    let patience = Instant::now();
    while waits && !begun.exists() && patience.elapsed() < LIFE_MAX {
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "seed {seed}: the child ended by itself: {ended:?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(pause);
    let ended = child.try_wait().unwrap();
    assert!(
        ended.is_none(),
        "seed {seed}: the child ended by itself: {ended:?}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
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
        kill_one(&folder, seed.wrapping_add(cycle), pause);
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
        batches > 0 && (blocks > 0 || cycles < 20),
        "the children wrote next to nothing"
    );
}
