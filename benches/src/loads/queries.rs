//! PromQL over a recorded node_exporter on many hosts, by the library's door: core time of an
//! answer.
//!
//! The queries are those that servers are compared with, and others whose windows overlap much. All
//! of it runs in one process, so that a profiler sees nothing else.

use chronolith_engine::metrics::Samples;
use chronolith_engine::{Batch, Engine, Store};
use chronolith_query::promql::{EngineSource, Options, Query, Value, Workers};

use crate::compare::RANGES;
use crate::hosts::Hosts;
use crate::loads::{Load, Outcome, interval, node, say, settle};
use crate::process::{RunDirectory, process_cpu};

/// What the comparison of servers does not ask.
const MORE: [&str; 9] = [
    "sum by (instance) (rate({__name__=~\"node_network_.+_total\"}[5m]))",
    "max_over_time(node_memory_MemFree_bytes[24h])",
    "avg_over_time(node_load1[30m])",
    "sum_over_time(node_memory_MemFree_bytes[30m])",
    "count_over_time(node_cpu_seconds_total[30m])",
    "increase(node_network_receive_bytes_total[1h])",
    "changes(node_load1[30m])",
    "min_over_time(node_load1[30m]) + min_over_time(node_load1[30m])",
    "node_memory_MemFree_bytes",
];

/// A query is repeated until it has worked for so long, within these bounds.
const WORK_SECONDS: f64 = 0.4;
const ROUNDS: std::ops::Range<usize> = 3..200;

const STEP_MS: i64 = 15_000;

/// Answers each query again and again, over the last hour, on `--threads` threads.
pub fn run(load: &Load) -> Outcome {
    let (hosts, scrapes) = node::input(load)?;
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), load.settings.options(interval()))?;
    let store = engine.metrics()?;
    fill(&store, &hosts, scrapes)?;
    let end = hosts.time_ms(0, scrapes - 1) / 1_000 * 1_000;
    let range = (end - 3_600_000, end, STEP_MS);
    let wanted = |text: &str| text.contains(&load.query);
    let texts = RANGES.iter().map(|(_, text)| *text).chain(MORE);
    let texts: Vec<&str> = texts.filter(|text| wanted(text)).collect();
    for state in ["head", "blocks"] {
        if state == "blocks" {
            settle(&store)?;
        }
        for text in &texts {
            ask(load, &store, text, range, state)?;
        }
    }
    engine.close()?;
    Ok(())
}

fn fill(store: &Store<Samples>, hosts: &Hosts, scrapes: usize) -> Outcome {
    let mut batch = Batch::<Samples>::new();
    for scrape in 0..scrapes {
        for first in (0..hosts.count()).step_by(node::HOSTS_A_BATCH) {
            let last = hosts.count().min(first + node::HOSTS_A_BATCH);
            node::append(store, &mut batch, hosts, first..last, scrape)?;
        }
    }
    Ok(())
}

fn ask(
    load: &Load,
    store: &Store<Samples>,
    text: &str,
    range: (i64, i64, i64),
    state: &str,
) -> Outcome {
    let query = Query::parse(text)?;
    let options = Options {
        workers: Workers::new(load.threads),
        ..Options::default()
    };
    let cpu = || process_cpu().map_or(0.0, |cpu| cpu.as_secs_f64());
    let (mut rounds, begun, mut samples, mut series) = (0, cpu(), 0, 0);
    let least = load.rounds.max(ROUNDS.start);
    while rounds < least || (rounds < ROUNDS.end && cpu() - begun < WORK_SECONDS) {
        let source = EngineSource::new(store.snapshot());
        let answer = query.range(&source, range, &options)?;
        samples = answer.samples_read;
        if let Value::Matrix(found) = &answer.value {
            series = found.len();
        }
        rounds += 1;
    }
    say(&format!(
        "{:8.2} ms  {text}  ({state}, {} threads; {samples} samples read, {series} series \
         answered)",
        (cpu() - begun) * 1e3 / rounds as f64,
        load.threads,
    ));
    Ok(())
}
