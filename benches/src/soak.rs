//! A soak: full load of both kinds under tiny budgets for minutes, with retention, deletes, merges,
//! churn and readers all the while, to see that memory, files and disk settle.
//!
//! It knows nothing of what the data means: that nothing is lost is the model's and the kill loop's
//! business. Whether a figure has settled is told by a line through the second half of its run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::logs::{Line, LineFilter, LineOp, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{
    Batch, Deletion, Durability, Engine, Limits, Options, Result, RetentionRule, Selector,
};

use crate::loads::say;
use crate::process::{RunDirectory, directory_bytes, directory_files, open_files, status_bytes};

/// How long between two looks at the figures.
const LOOK: Duration = Duration::from_secs(10);

/// Series of one generation, and how long one lasts.
const SERIES: usize = 2_000;
const GENERATION: Duration = Duration::from_secs(20);

/// Streams of logs, and lines of one batch.
const STREAMS: usize = 50;
const LINES: usize = 100;

/// How long entries are kept, and those of every fourth series and stream.
const KEEP: Duration = Duration::from_secs(90);
const KEEP_SHORT: Duration = Duration::from_secs(30);

/// What blocks of one store may take.
const STORE_BYTES: u64 = 48 << 20;

/// How often something is deleted, and how often a reader looks at everything of a host.
const DELETE_EVERY: Duration = Duration::from_secs(3);
const READ_EVERY: Duration = Duration::from_millis(500);

/// A figure has settled if a line through its second half rises by no more than this share of its
/// mean from end to end, or by less than its slack.
const RISE_MAX: f64 = 0.10;

/// Looks that a verdict needs at least.
const LOOKS_MIN: usize = 8;

fn options() -> Result<Options> {
    let short = RetentionRule {
        matchers: vec![Matcher::new(MatchOp::Equal, "tier", "short")?],
        keep: Some(KEEP_SHORT),
    };
    Ok(Options {
        durability: Durability::Interval(Duration::from_millis(50)),
        wal_bytes_max: 4 << 20,
        head_bytes_max: 2 << 20,
        cache_bytes_max: 8 << 20,
        limits: Limits {
            retention: Some(KEEP),
            retention_rules: [short].into(),
            retention_bytes_max: Some(STORE_BYTES),
            ..Limits::default()
        },
        ..Options::default()
    })
}

/// Figures at one moment.
#[derive(Clone, Copy)]
struct Look {
    seconds: f64,
    figures: [f64; 4],
}

/// What is looked at, and the rise that is nothing to speak of.
const FIGURES: [(&str, f64); 4] = [
    ("memory, MiB", 8.0),
    ("files", 24.0),
    ("descriptors", 24.0),
    ("disk, MiB", 8.0),
];

fn look(begun: Instant, directory: &Path) -> Look {
    const MIB: f64 = 1024.0 * 1024.0;
    Look {
        seconds: begun.elapsed().as_secs_f64(),
        figures: [
            status_bytes("VmRSS").unwrap_or(0) as f64 / MIB,
            directory_files(directory) as f64,
            open_files().unwrap_or(0) as f64,
            directory_bytes(directory) as f64 / MIB,
        ],
    }
}

/// Runs for so long; whether everything settled.
pub fn run(duration: Duration) -> Result<bool> {
    let directory = RunDirectory::new("soak");
    let engine = Engine::open(directory.path(), options()?)?;
    let is_done = AtomicBool::new(false);
    let begun = Instant::now();
    let mut looks = Vec::new();
    std::thread::scope(|scope| {
        let works: [fn(&Engine, &AtomicBool) -> Result<u64>; 4] =
            [write_samples, write_lines, delete_some, read_some];
        let threads = works.map(|work| {
            let (engine, is_done) = (&engine, &is_done);
            scope.spawn(move || work(engine, is_done))
        });
        while begun.elapsed() + LOOK <= duration {
            std::thread::sleep(LOOK);
            let now = look(begun, directory.path());
            tell(&engine, &now);
            looks.push(now);
        }
        is_done.store(true, Ordering::Release);
        let names = ["samples sent", "lines sent", "deletes", "reads"];
        for (name, thread) in names.into_iter().zip(threads) {
            let count = thread.join().map_err(|_| stopped(name))??;
            say(&format!("{name} {count}"));
        }
        Result::Ok(())
    })?;
    let has_worked = has_done_everything(&engine)?;
    let found = engine.verify()?;
    say(&format!("damage {:?}", found.damage));
    engine.close()?;
    Ok(verdict(&looks) && has_worked && found.is_sound())
}

fn stopped(name: &str) -> chronolith_engine::Error {
    let kind = chronolith_engine::ErrorKind::Invalid;
    chronolith_engine::Error::new(kind, format!("the thread of {name} panicked"))
}

fn tell(engine: &Engine, now: &Look) {
    let named = FIGURES.iter().zip(now.figures);
    let mut line = format!("{:6.0} s", now.seconds);
    for ((name, _), figure) in named {
        line.push_str(&format!(", {name} {figure:.0}"));
    }
    if let (Ok(metrics), Ok(logs)) = (engine.metrics(), engine.logs()) {
        let (metrics, logs) = (metrics.stats(), logs.stats());
        line.push_str(&format!(
            "; blocks {} and {}, merges {} and {}, dropped {} and {}, deletions {} and {}",
            metrics.blocks,
            logs.blocks,
            metrics.merges,
            logs.merges,
            metrics.dropped_blocks,
            logs.dropped_blocks,
            metrics.deletions,
            logs.deletions
        ));
    }
    say(&line);
    for error in engine.background_errors() {
        say(&format!("  background: {error}"));
    }
}

/// A soak that has frozen, merged or dropped nothing has proven nothing.
fn has_done_everything(engine: &Engine) -> Result<bool> {
    let mut is_all = true;
    for (kind, stats) in [
        ("metrics", engine.metrics()?.stats()),
        ("logs", engine.logs()?.stats()),
    ] {
        say(&format!(
            "{kind}: {} MiB frozen, {} MiB merged in {} merges, {} blocks dropped",
            stats.frozen_bytes >> 20,
            stats.merged_bytes >> 20,
            stats.merges,
            stats.dropped_blocks
        ));
        is_all &= stats.frozen_bytes > 0 && stats.merges > 0 && stats.dropped_blocks > 0;
    }
    if !is_all {
        say("not everything was done: let it run for longer");
    }
    Ok(is_all)
}

/// Says of each figure whether it has settled.
fn verdict(looks: &[Look]) -> bool {
    if looks.len() < LOOKS_MIN {
        say("too short for a verdict");
        return false;
    }
    let (first, second) = looks.split_at(looks.len() / 2);
    let mut is_settled = true;
    for (place, (name, slack)) in FIGURES.into_iter().enumerate() {
        let (_, early) = line_through(first, place);
        let (mean, late) = line_through(second, place);
        let is_fine = late <= slack || late <= mean * RISE_MAX;
        is_settled &= is_fine;
        let word = if is_fine { "settled" } else { "RISES" };
        say(&format!(
            "{name}: {word}; mean of the second half {mean:.0}, rise {late:.1}, of the first half \
             {early:.1}"
        ));
    }
    is_settled
}

/// The mean of a figure, and how much the line of least squares rises from the first look to the
/// last.
fn line_through(looks: &[Look], place: usize) -> (f64, f64) {
    let count = looks.len() as f64;
    let mean = |of: &dyn Fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count;
    let (time, figure) = (mean(&|look| look.seconds), mean(&|l| l.figures[place]));
    let (mut both, mut squares) = (0.0, 0.0);
    for look in looks {
        both += (look.seconds - time) * (look.figures[place] - figure);
        squares += (look.seconds - time).powi(2);
    }
    let span = looks[looks.len() - 1].seconds - looks[0].seconds;
    (figure, both / squares.max(f64::MIN_POSITIVE) * span)
}

// The work, each in a thread of its own.

fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as i64)
}

fn tier(number: usize) -> &'static str {
    if number.is_multiple_of(4) {
        "short"
    } else {
        "long"
    }
}

/// Series that change their names with every generation.
fn series(generation: u64) -> Result<Vec<LabelSet>> {
    let generation = generation.to_string();
    let one = |number: usize| {
        let host = format!("host-{}", number / 40);
        let name = format!("soak_metric_{}", number % 40);
        LabelSet::from_pairs([
            ("__name__", name.as_str()),
            ("generation", generation.as_str()),
            ("host", host.as_str()),
            ("tier", tier(number)),
        ])
    };
    (0..SERIES).map(one).collect()
}

fn write_samples(engine: &Engine, is_done: &AtomicBool) -> Result<u64> {
    let metrics = engine.metrics()?;
    let (mut sent, mut time, begun) = (0, 0, Instant::now());
    let (mut generation, mut sets) = (0, series(0)?);
    while !is_done.load(Ordering::Acquire) {
        let due = begun.elapsed().as_secs() / GENERATION.as_secs();
        if due != generation {
            (generation, sets) = (due, series(due)?);
        }
        time = (now_nanos() / 1_000_000).max(time + 1);
        for (part, sets) in sets.chunks(500).enumerate() {
            let mut batch = Batch::<Samples>::new();
            for (number, set) in sets.iter().enumerate() {
                let value = (time % 10_007) as f64 * (part * 500 + number) as f64 / 10.0;
                batch.push(set.as_labels(), Sample::float(Millis(time), value));
            }
            sent += metrics.append(&batch)?.accepted;
        }
    }
    Ok(sent)
}

fn write_lines(engine: &Engine, is_done: &AtomicBool) -> Result<u64> {
    let logs = engine.logs()?;
    let stream = |number: usize| {
        let app = format!("app-{number}");
        LabelSet::from_pairs([("app", app.as_str()), ("tier", tier(number))])
    };
    let streams: Vec<LabelSet> = (0..STREAMS).map(stream).collect::<Result<_>>()?;
    let (mut sent, mut number) = (0, 0u64);
    while !is_done.load(Ordering::Acquire) {
        let texts: Vec<String> = (0..LINES as u64)
            .map(|line| {
                // A multiplicative mix: ids that look like ids, the same in every run.
                let id = (number + line).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let (took, path) = (id % 977, id % 61);
                format!("level=info id={id:016x} path=/api/v1/item/{path} took={took}ms status=200")
            })
            .collect();
        let mut batch = Batch::<Lines>::new();
        let set = &streams[number as usize / LINES % STREAMS];
        for text in &texts {
            batch.push(set.as_labels(), Line::new(Nanos(now_nanos()), text));
        }
        number += LINES as u64;
        sent += logs.append(&batch)?.accepted;
    }
    Ok(sent)
}

/// Deletes the series of one host, and lines by what is in them.
fn delete_some(engine: &Engine, is_done: &AtomicBool) -> Result<u64> {
    let (metrics, logs) = (engine.metrics()?, engine.logs()?);
    let mut count = 0;
    while !is_done.load(Ordering::Acquire) {
        std::thread::sleep(DELETE_EVERY);
        let host = format!("host-{}", count % (SERIES as u64 / 40));
        metrics.delete(&Deletion::new(vec![Matcher::new(
            MatchOp::Equal,
            "host",
            &host,
        )?]))?;
        let app = format!("app-{}", count % STREAMS as u64);
        let app = Matcher::new(MatchOp::Equal, "app", &app)?;
        let path = format!("item/{} ", count % 61);
        let filter = LineFilter::new(LineOp::Contains, &path)?;
        logs.delete(&Deletion::new(vec![app]).lines(filter))?;
        count += 1;
    }
    Ok(count * 2)
}

/// Reads a host and a stream, and holds the snapshots until the next time.
fn read_some(engine: &Engine, is_done: &AtomicBool) -> Result<u64> {
    let (metrics, logs) = (engine.metrics()?, engine.logs()?);
    let (mut count, mut held) = (0u64, None);
    while !is_done.load(Ordering::Acquire) {
        std::thread::sleep(READ_EVERY);
        let (of_metrics, of_logs) = (metrics.snapshot(), logs.snapshot());
        let host = format!("host-{}", count % (SERIES as u64 / 40));
        let host = Selector::new(vec![Matcher::new(MatchOp::Equal, "host", &host)?]);
        for series in of_metrics.select(&host)? {
            series.read()?;
        }
        let app = format!("app-{}", count % STREAMS as u64);
        let app = Selector::new(vec![Matcher::new(MatchOp::Equal, "app", &app)?]);
        for series in of_logs.select(&app)? {
            series.read()?;
        }
        held.replace((of_metrics, of_logs));
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(figure: impl Fn(f64) -> f64) -> Vec<Look> {
        let look = |place: u32| {
            let seconds = f64::from(place) * 10.0;
            let figures = [figure(seconds), 10.0, 10.0, 100.0];
            Look { seconds, figures }
        };
        (1..=60).map(look).collect()
    }

    #[test]
    fn what_rises_first_and_then_stays_has_settled() {
        assert!(verdict(
            &looks(|seconds| 200.0 * (seconds / 200.0).min(1.0))
        ));
        assert!(verdict(&looks(
            |seconds| 200.0 + 30.0 * (seconds / 7.0).sin()
        )));
    }

    #[test]
    fn what_goes_on_rising_has_not() {
        assert!(!verdict(&looks(|seconds| 100.0 + seconds)));
        assert!(!verdict(&looks(|seconds| 1_000.0 + seconds)));
    }

    #[test]
    fn a_few_looks_are_no_verdict() {
        assert!(!verdict(&looks(|_| 5.0)[..LOOKS_MIN - 1]));
    }
}
