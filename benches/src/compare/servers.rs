//! Programs with the same input and the same queries, one after the other: what each costs.
//!
//! Input comes by remote write, one scrape of some hosts in a request as agents send it. Queries
//! are asked again and again on one connection; core time is that of the server.

use std::time::{Duration, Instant};

use super::feed::Feed;
use super::http::{Connection, escaped};
use super::server::{Program, Server};
use crate::hosts::Hosts;
use crate::loads::{Load, Outcome, node, say};
use crate::process::RunDirectory;

/// A query is asked until the server has worked for so long, within these bounds.
const WORK: Duration = Duration::from_millis(600);
const ROUNDS: std::ops::Range<usize> = 5..400;

const STEP_SECONDS: i64 = 15;

/// Queries over a range, heavy ones of dashboards.
pub const RANGES: [(&str, &str); 8] = [
    (
        "sum by (mode) of rate",
        "sum by (mode) (rate(node_cpu_seconds_total[5m]))",
    ),
    (
        "avg by (instance) of all counters",
        "avg by (instance) ({__name__=~\"node_.+_total\"})",
    ),
    (
        "topk of rate",
        "topk(5, rate(node_network_receive_bytes_total[5m]))",
    ),
    (
        "max_over_time, 1 h",
        "max_over_time(node_memory_MemFree_bytes[1h])",
    ),
    (
        "quantile_over_time, 30 m",
        "quantile_over_time(0.9, node_memory_MemFree_bytes[30m])",
    ),
    (
        "subquery",
        "max_over_time(rate(node_context_switches_total[5m])[30m:1m])",
    ),
    (
        "ratio of two",
        "node_filesystem_avail_bytes / node_filesystem_size_bytes",
    ),
    ("count of everything", "count({__name__=~\"node_.+\"})"),
];

/// Queries at one time, as rules send them, and lists of names.
const INSTANTS: [(&str, &str); 3] = [
    ("up-like", "node_load1 > 100"),
    (
        "rate of a few",
        "sum by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) > 100",
    ),
    ("avg by", "avg by (mode) (rate(node_cpu_seconds_total[2m]))"),
];

/// Runs the programs.
pub fn run(load: &Load, programs: &[Program]) -> Outcome {
    let (hosts, scrapes) = node::input(load)?;
    for program in programs.iter().copied() {
        let directory = RunDirectory::new(program.name());
        let server = Server::start(program, directory.path())?;
        let mut connection = server.connect()?;
        take_in(&server, &mut connection, &hosts, scrapes, program)?;
        let end = hosts.time_ms(0, scrapes - 1) / 1_000;
        let start = hosts.time_ms(0, 0) / 1_000;
        ask(
            &server,
            &mut connection,
            program,
            start.max(end - 3_600),
            end,
        )?;
    }
    Ok(())
}

fn take_in(
    server: &Server,
    connection: &mut Connection,
    hosts: &Hosts,
    scrapes: usize,
    program: Program,
) -> Outcome {
    let begun = Instant::now();
    let mut feed = Feed::new(hosts)?;
    let mut latencies = Vec::new();
    for scrape in 0..scrapes {
        feed.push(connection, scrape, &mut latencies)?;
    }
    let wall = begun.elapsed();
    server.settle(connection)?;
    let samples = (hosts.count() * hosts.series() * scrapes) as f64;
    let (cpu, series) = (server.cpu()?.as_secs_f64(), hosts.count() * hosts.series());
    say(&format!(
        "{}: {series} series, {samples:.0} samples, {:.2} M samples a settled CPU-second \
         ({cpu:.1} s; {:.1} s on the wall), {:.3} bytes a sample on disk, {:.0} bytes of memory \
         a series (VmHWM {} MiB), a push takes {:.1} ms at p50, {:.1} at p99",
        program.name(),
        samples / cpu / 1e6,
        wall.as_secs_f64(),
        server.disk_bytes() as f64 / samples,
        server.peak_bytes() as f64 / series as f64,
        server.peak_bytes() >> 20,
        millis(percentile(&mut latencies, 50)),
        millis(percentile(&mut latencies, 99)),
    ));
    Ok(())
}

fn ask(
    server: &Server,
    connection: &mut Connection,
    program: Program,
    start: i64,
    end: i64,
) -> Outcome {
    for (name, query) in RANGES {
        let query = escaped(query);
        let path = format!(
            "/api/v1/query_range?query={query}&start={start}&end={end}&step={STEP_SECONDS}\
             &nocache=1"
        );
        again(server, connection, program, name, &path)?;
    }
    for (name, query) in INSTANTS {
        let query = escaped(query);
        let path = format!("/api/v1/query?query={query}&time={end}&nocache=1");
        again(server, connection, program, name, &path)?;
    }
    let selector = escaped("{instance=~\".*7.*\"}");
    let path = format!("/api/v1/label/device/values?match[]={selector}&start={start}&end={end}");
    again(
        server,
        connection,
        program,
        "label values by a regex",
        &path,
    )
}

/// Asks until the server has worked enough, and says what one answer costs.
pub(super) fn again(
    server: &Server,
    connection: &mut Connection,
    program: Program,
    name: &str,
    path: &str,
) -> Outcome {
    let answer = connection.send("GET", path, "", b"")?;
    if answer.status != 200 {
        say(&format!(
            "  {name}: {} answers {}",
            program.name(),
            answer.status
        ));
        return Ok(());
    }
    let (before, mut latencies) = (server.cpu()?, Vec::new());
    while latencies.len() < ROUNDS.end
        && (latencies.len() < ROUNDS.start || server.cpu()? - before < WORK)
    {
        let sent = Instant::now();
        connection.send("GET", path, "", b"")?;
        latencies.push(sent.elapsed());
    }
    let spent = server.cpu()? - before;
    say(&format!(
        "  {name}: {:.2} CPU-ms, {:.2} ms at p50, {:.2} at p99 ({} times, {} bytes)",
        millis(spent) / latencies.len() as f64,
        millis(percentile(&mut latencies, 50)),
        millis(percentile(&mut latencies, 99)),
        latencies.len(),
        answer.body.len(),
    ));
    Ok(())
}

pub(super) fn percentile(latencies: &mut [Duration], percent: usize) -> Duration {
    latencies.sort();
    let place = latencies.len() * percent / 100;
    latencies
        .get(place.min(latencies.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
