//! LogQL over merged logs: the log mix, and lines of JSON that all have a status and a path.
//!
//! One worker, core time, rates of raw lines. What a query answers is printed, so that two builds
//! can be compared.

use chronolith_engine::labels::put_label;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Engine, Store};
use chronolith_query::logql::{EngineLines, Limits, LogQuery, Options, SeriesBeyond};

use crate::loads::{Load, Outcome, interval, say, settle, spread};
use crate::logmix::{Format, LogMix, Random, TURN_NS, Turn, put_request};
use crate::process::{RunDirectory, midnight_before_ms, process_cpu};

const SEED: u64 = 1;

/// Queries are repeated until this much core time was used, so that its clock is fine enough.
const CPU_SECONDS_MIN: f64 = 0.3;

/// Lines of JSON that all tell of a request are a part of the whole.
const REQUEST_STREAMS: usize = 10;
const REQUESTS_PER_TURN: usize = 150;

/// What a query reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Mix,
    MixedJson,
    Requests,
}

const QUERIES: [(&str, Read, &str); 12] = [
    (
        "counts by a label of the stream",
        Read::Mix,
        r#"sum by (app) (count_over_time({namespace="shop"}[1m]))"#,
    ),
    (
        "bytes by a label of the stream",
        Read::Mix,
        r#"sum by (app) (bytes_rate({namespace="shop"}[1m]))"#,
    ),
    (
        "json, a filter, rate by path",
        Read::Requests,
        r#"sum by (path) (rate({kind="requests"} | json | status >= 500 [1m]))"#,
    ),
    (
        "json, a filter, rate by method",
        Read::Requests,
        r#"sum by (method) (rate({kind="requests"} | json | status >= 500 [1m]))"#,
    ),
    (
        "json of the mix, a filter, rate by path",
        Read::MixedJson,
        r#"sum by (http_path) (rate({format="json"} | json | http_status >= 500 [1m]))"#,
    ),
    (
        "json, largest of a number",
        Read::Requests,
        r#"max_over_time({kind="requests"} | json | unwrap duration_ms [1m]) by (method)"#,
    ),
    (
        "a regex without a literal",
        Read::Mix,
        r#"sum(count_over_time({namespace="shop"} |~ "[0-9]{3}\\.[0-9]+ms" [1m]))"#,
    ),
    (
        "another one",
        Read::Mix,
        r#"sum(count_over_time({namespace="shop"} |~ "(?i)t[a-z]+out|[5][0-9]{2} [0-9]{5}" [1m]))"#,
    ),
    (
        "the same over requests",
        Read::Requests,
        r#"sum(count_over_time({kind="requests"} |~ "(?i)t[a-z]+out|[5][0-9]{2} [0-9]{5}" [1m]))"#,
    ),
    (
        "a needle that is not there",
        Read::Mix,
        r#"sum(count_over_time({namespace="shop"} |= "4b8ac4a4b1c94a5f9f5e0d9e51a6a511" [1m]))"#,
    ),
    (
        "a part of a needle",
        Read::Mix,
        r#"sum(count_over_time({namespace="shop"} |= "c94a5f9f5e0d9e51" [1m]))"#,
    ),
    (
        "a rare word",
        Read::Mix,
        r#"sum(count_over_time({namespace="shop"} |= "qzxqzxqz" [1m]))"#,
    ),
];

/// Appends the given megabytes of lines, merges them, and asks.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), load.settings.options(interval()))?;
    let store = engine.logs()?;
    let start_ns = midnight_before_ms(1) * 1_000_000;
    let filled = fill(load, &store, start_ns)?;
    settle(&store)?;
    say(&format!(
        "logql: {} lines, {:.0} MB, of which {:.0} MB are JSON of the mix and {:.0} MB requests",
        filled.lines,
        filled.bytes[0] as f64 / 1e6,
        filled.bytes[1] as f64 / 1e6,
        filled.bytes[2] as f64 / 1e6,
    ));
    for (what, read, text) in QUERIES {
        let bytes = filled.bytes[read as usize];
        ask(load, &store, (what, text), (start_ns, filled.end_ns), bytes)?;
    }
    say(&format!(
        "VmHWM {} MiB",
        crate::process::status_bytes("VmHWM").unwrap_or(0) >> 20
    ));
    engine.close()?;
    Ok(())
}

struct Filled {
    lines: u64,
    /// By what reads them.
    bytes: [u64; 3],
    end_ns: i64,
}

fn fill(
    load: &Load,
    store: &Store<Lines>,
    start_ns: i64,
) -> Result<Filled, Box<dyn std::error::Error>> {
    let mut mix = LogMix::starting(SEED, load.streams, start_ns);
    let mut filled = Filled {
        lines: 0,
        bytes: [0; 3],
        end_ns: start_ns,
    };
    let (mut random, mut turn) = (Random::new(SEED, 0), Turn::default());
    while filled.bytes[0] < load.megabytes * 1_000_000 {
        mix.advance(&mut turn);
        let requests = requests(&mut random, filled.end_ns);
        let mut batch = Batch::<Lines>::new();
        for (stream, time_ns, text) in turn.iter() {
            let stream = &mix.streams()[stream];
            batch
                .series(stream.labels())
                .entry(Line::new(Nanos(time_ns), text));
            filled.bytes[0] += text.len() as u64;
            if stream.format() == Format::Json {
                filled.bytes[1] += text.len() as u64;
            }
        }
        for (labels, time_ns, text) in &requests {
            filled.bytes[2] += text.len() as u64;
            batch.series(labels).entry(Line::new(Nanos(*time_ns), text));
        }
        filled.lines += store.append(&batch)?.accepted;
        filled.end_ns += TURN_NS;
    }
    Ok(filled)
}

/// Requests of one turn: the labels of their stream, their time, their line.
fn requests(random: &mut Random, start_ns: i64) -> Vec<(Vec<u8>, i64, String)> {
    let mut lines = Vec::new();
    for number in 0..REQUEST_STREAMS {
        let mut labels = Vec::new();
        put_label(&mut labels, "kind", "requests");
        put_label(&mut labels, "number", &number.to_string());
        for place in 0..REQUESTS_PER_TURN {
            let time_ns = start_ns + place as i64 * (TURN_NS / REQUESTS_PER_TURN as i64);
            let mut line = String::new();
            put_request(&mut line, random, time_ns);
            lines.push((labels.clone(), time_ns, line));
        }
    }
    lines
}

fn ask(
    load: &Load,
    store: &Store<Lines>,
    (what, text): (&str, &str),
    (start_ns, end_ns): (i64, i64),
    bytes: u64,
) -> Outcome {
    let query = LogQuery::parse(text)?;
    let options = Options {
        workers: std::num::NonZeroUsize::new(1),
        limits: Limits {
            series_beyond: SeriesBeyond::LeftOut,
            ..Limits::default()
        },
        ..Options::default()
    };
    let step = 60_000_000_000;
    let (mut cpus, mut answer) = (Vec::new(), String::new());
    for _ in 0..load.rounds {
        let (begun, mut times) = (process_cpu().unwrap_or_default(), 0.0);
        loop {
            let source = EngineLines::new(store.snapshot());
            let found = query.range(&source, (start_ns, end_ns, step), &options)?;
            answer = describe(&found.value);
            times += 1.0;
            let used = (process_cpu().unwrap_or_default() - begun).as_secs_f64();
            if used > CPU_SECONDS_MIN {
                cpus.push(used / times);
                break;
            }
        }
    }
    let (cpu, least, most) = spread(&mut cpus);
    let megabytes = bytes as f64 / 1e6;
    say(&format!(
        "  {what}: {:.0} MB/CPU-s ({:.0} to {:.0}), {:.1} CPU-ms a GB; {answer}",
        megabytes / cpu,
        megabytes / most,
        megabytes / least,
        cpu * 1e6 / megabytes,
    ));
    Ok(())
}

/// How many series there are, and the sum of all their points.
fn describe(value: &chronolith_query::promql::Value) -> String {
    let chronolith_query::promql::Value::Matrix(series) = value else {
        return "no matrix".to_owned();
    };
    let points = series.iter().flat_map(|series| &series.points);
    let sum: f64 = points
        .filter_map(|point| match &point.sample {
            chronolith_query::promql::Sample::Float(value) => Some(*value),
            chronolith_query::promql::Sample::Histogram(_) => None,
        })
        .sum();
    format!("{} series, sum {sum:.3}", series.len())
}
