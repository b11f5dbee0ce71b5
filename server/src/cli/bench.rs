//! `bench`: how fast this machine takes in and answers, measured on a scratch directory.
//!
//! Made data tells how machines, disks and versions compare, not how fast real data will be.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Engine, Options};
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::holdings::bytes_text;
use crate::cli::output::{self, Format, Found, JsonList, Out, Stop};
use crate::cli::progress::Progress;
use crate::cli::table::{Side, Table};
use crate::reach::{Access, Credentials, Door, Failure, Reach};

/// Series of metrics, and samples that come together for each.
const SERIES: usize = 1000;
/// Streams of logs, and lines of each in a batch.
const STREAMS: usize = 20;
const LINES_PER_BATCH: usize = 100;

/// From one sample of a series to the next.
const SCRAPE_MS: i64 = 15_000;

/// 2026-01-15T00:00:00Z in milliseconds: what is measured does not depend on the day.
const START_MS: i64 = 1_768_435_200_000;

/// How often each query is asked.
const ROUNDS: u64 = 5;

/// The flags of `bench`.
pub(super) fn command() -> Command {
    let count = |name: &'static str, default: &'static str, help: &'static str| {
        let count = Arg::new(name).long(name).value_name("COUNT").help(help);
        count
            .default_value(default)
            .value_parser(value_parser!(u64).range(1..))
    };
    Command::new("bench")
        .about("Measure how fast this machine stores and answers, on a scratch directory")
        .arg(
            Arg::new("dir")
                .long("dir")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Where the scratch directory is made, and removed [default: the system's]"),
        )
        .arg(count("samples", "2000000", "Samples that are stored"))
        .arg(count("lines", "500000", "Lines that are stored"))
        .arg(output::format_argument())
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, bench(flags))
}

/// A folder that is gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(flags: &ArgMatches) -> Result<Scratch, Failure> {
        let parent = flags.get_one::<PathBuf>("dir").cloned();
        let parent = parent.unwrap_or_else(std::env::temp_dir);
        let path = parent.join(format!("chronolith-bench-{}", std::process::id()));
        let made = std::fs::create_dir_all(&parent).and_then(|()| std::fs::create_dir(&path));
        made.map_err(|error| Failure::misused(format!("cannot make {}: {error}", path.display())))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One thing that was measured.
struct Measured {
    what: &'static str,
    count: u64,
    unit: &'static str,
    seconds: f64,
}

fn bench(flags: &ArgMatches) -> Result<Found, Stop> {
    let count = |name: &str| flags.get_one::<u64>(name).copied().unwrap_or(1);
    let scratch = Scratch::new(flags)?;
    let (samples, lines) = (count("samples"), count("lines"));
    let mut all = Vec::new();
    let engine = Engine::open(&scratch.0, Options::default()).map_err(failed)?;
    store_samples(&engine, samples, &mut all).map_err(failed)?;
    store_lines(&engine, lines, &mut all).map_err(failed)?;
    let disk = [
        (
            "disk for metrics",
            engine.metrics().map_err(failed)?.stats().block_bytes,
            samples,
        ),
        (
            "disk for logs",
            engine.logs().map_err(failed)?.stats().block_bytes,
            lines,
        ),
    ];
    engine.close().map_err(failed)?;
    ask(&scratch.0, samples, lines, &mut all)?;
    show(flags, &all, &disk)?;
    Ok(Found::Something)
}

fn failed(error: chronolith_engine::Error) -> Failure {
    Failure::broken(format!("the scratch directory: {error}"))
}

type Stored = chronolith_engine::Result<()>;

/// Stores samples as they come from scrapes, each batch durable, and moves them to blocks.
fn store_samples(engine: &Engine, count: u64, all: &mut Vec<Measured>) -> Stored {
    let store = engine.metrics()?;
    let mut sets = Vec::with_capacity(SERIES);
    for number in 0..SERIES {
        let (instance, code) = (
            format!("10.0.0.{}:9100", number / 10),
            (number % 10).to_string(),
        );
        let labels = [
            ("__name__", "bench_total"),
            ("instance", &instance),
            ("code", &code),
        ];
        sets.push(LabelSet::from_pairs(labels)?);
    }
    let progress = Progress::start("storing samples", "samples");
    progress.expect(count);
    let began = Instant::now();
    let (mut stored, mut round) = (0, 0);
    while stored < count {
        let mut batch = Batch::<Samples>::new();
        for (number, set) in sets.iter().enumerate().take(left(count - stored)) {
            let value = (round * (number as i64 % 7 + 1)) as f64;
            let time = Millis(START_MS + round * SCRAPE_MS);
            batch.push(set.as_labels(), Sample::float(time, value));
            stored += 1;
        }
        store.append(&batch)?;
        progress.add(SERIES as u64);
        round += 1;
    }
    all.push(measured("store samples", stored, "samples", began));
    let began = Instant::now();
    store.freeze()?;
    all.push(measured("move samples to blocks", stored, "samples", began));
    Ok(())
}

fn left(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Stores lines, each batch durable, and moves them to blocks.
fn store_lines(engine: &Engine, count: u64, all: &mut Vec<Measured>) -> Stored {
    let store = engine.logs()?;
    let mut sets = Vec::with_capacity(STREAMS);
    for number in 0..STREAMS {
        let pod = format!("api-{number}");
        sets.push(LabelSet::from_pairs([
            ("app", "bench"),
            ("pod", pod.as_str()),
        ])?);
    }
    let progress = Progress::start("storing lines", "lines");
    progress.expect(count);
    let began = Instant::now();
    let mut stored = 0;
    while stored < count {
        let here = left(count - stored).min(STREAMS * LINES_PER_BATCH);
        let texts: Vec<String> = (stored..).take(here).map(line).collect();
        let mut batch = Batch::<Lines>::new();
        for (place, text) in texts.iter().enumerate() {
            let time = START_MS * 1_000_000 + (stored as i64 + place as i64) * 1_000_000;
            let set = &sets[place / LINES_PER_BATCH];
            batch.push(set.as_labels(), Line::new(Nanos(time), text));
        }
        store.append(&batch)?;
        stored += here as u64;
        progress.add(here as u64);
    }
    all.push(measured("store lines", stored, "lines", began));
    let began = Instant::now();
    store.freeze()?;
    all.push(measured("move lines to blocks", stored, "lines", began));
    Ok(())
}

/// A line of a server's log that is different each time.
fn line(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let level = if number.is_multiple_of(100) {
        "error"
    } else {
        "info"
    };
    format!(
        "level={level} method=GET path=/api/v1/items/{} status={} duration_ms={} \
         trace={mixed:016x}",
        mixed >> 50,
        if level == "error" { 500 } else { 200 },
        mixed % 997
    )
}

fn measured(what: &'static str, count: u64, unit: &'static str, began: Instant) -> Measured {
    let seconds = began.elapsed().as_secs_f64();
    Measured {
        what,
        count,
        unit,
        seconds,
    }
}

/// Asks as a server's clients would.
fn ask(path: &Path, samples: u64, lines: u64, all: &mut Vec<Measured>) -> Result<(), Failure> {
    let reach = Reach::directory(path, Access::Read, Credentials::default())?;
    let (from, rounds) = (START_MS / 1000, samples.div_ceil(SERIES as u64));
    let seconds = i64::try_from(rounds).unwrap_or(i64::MAX / SCRAPE_MS) * SCRAPE_MS / 1000;
    let (start, end) = (from.to_string(), (from + seconds).to_string());
    let step = format!("{}", (seconds / 250).max(1));
    let expr = "sum by (code) (rate(bench_total[5m]))";
    let progress = Progress::start("querying", "");
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let parameters = [
            ("query", expr),
            ("start", &start),
            ("end", &end),
            ("step", &step),
        ];
        let answer = reach.ask(Door::Prometheus, "/api/v1/query_range", &parameters)?;
        answer.text()?;
    }
    all.push(measured(
        "query samples (sum of rates)",
        samples * ROUNDS,
        "samples",
        began,
    ));
    let (start, end) = (START_MS * 1_000_000, i64::MAX);
    let to = (start
        + i64::try_from(lines)
            .unwrap_or(end)
            .saturating_mul(1_000_000))
    .to_string();
    let start = start.to_string();
    let queries = [
        (
            "query lines (word that none has)",
            "{app=\"bench\"} |= \"timeout\"",
        ),
        (
            "query lines (regular expression)",
            "{app=\"bench\"} |~ \"items/1[0-9]+ .*_ms=99.$\"",
        ),
        (
            "count lines by a parsed field",
            "sum by (status) (count_over_time({app=\"bench\"} | logfmt [1m]))",
        ),
    ];
    for (what, query) in queries {
        let began = Instant::now();
        for _ in 0..ROUNDS {
            let parameters = [
                ("query", query),
                ("start", &start),
                ("end", &to),
                ("step", "60"),
            ];
            let answer = reach.ask(Door::Loki, "/loki/api/v1/query_range", &parameters)?;
            answer.text()?;
        }
        all.push(measured(what, lines * ROUNDS, "lines", began));
    }
    drop(progress);
    Ok(())
}

fn show(flags: &ArgMatches, all: &[Measured], disk: &[(&str, u64, u64)]) -> Result<(), Stop> {
    let mut out = Out::open();
    let format = output::format(flags);
    if format == Format::Json {
        let mut list = JsonList::begin(&mut out)?;
        for it in all {
            let rate = it.count as f64 / it.seconds;
            let object = serde_json::json!({"what": it.what, "count": it.count, "unit": it.unit,
                "seconds": it.seconds, "perSecond": rate});
            list.add(&mut out, &object.to_string())?;
        }
        return list.end(&mut out);
    }
    let columns = [
        ("WHAT", Side::Left),
        ("COUNT", Side::Right),
        ("SECONDS", Side::Right),
        ("PER SECOND", Side::Right),
    ];
    let mut table = Table::new(&columns, format);
    for it in all {
        let rate = format!("{:.0} {}", it.count as f64 / it.seconds, it.unit);
        let cells = [
            it.what.to_owned(),
            it.count.to_string(),
            format!("{:.3}", it.seconds),
            rate,
        ];
        table.row(&mut out, cells.into())?;
    }
    for (what, bytes, count) in disk {
        let each = format!("{:.2} B each", *bytes as f64 / *count as f64);
        let cells = [
            (*what).to_owned(),
            count.to_string(),
            bytes_text(*bytes),
            each,
        ];
        table.row(&mut out, cells.into())?;
    }
    table.end(&mut out)
}
