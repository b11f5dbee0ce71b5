//! How long a push takes alone, and while heavy queries run and what is stored is merged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::feed::Feed;
use super::http::escaped;
use super::server::{Program, Server};
use super::servers::{RANGES, millis, percentile};
use crate::loads::{Load, Outcome, node, say};
use crate::process::RunDirectory;

/// Scrapes that are pushed alone, and as many beside the others.
const SCRAPES_TIMED: usize = 60;

const STEP_SECONDS: i64 = 15;

/// Measures the programs, one after the other.
pub fn run(load: &Load, programs: &[Program]) -> Outcome {
    let (hosts, scrapes) = node::input(load)?;
    let before = scrapes
        .checked_sub(2 * SCRAPES_TIMED)
        .ok_or("an hour of scrapes is needed at least")?;
    for program in programs.iter().copied() {
        let directory = RunDirectory::new(program.name());
        let server = Server::start(program, directory.path())?;
        let mut connection = server.connect()?;
        let mut feed = Feed::new(&hosts)?;
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for scrape in 0..before {
            feed.push(&mut connection, scrape, &mut Vec::new())?;
        }
        for scrape in before..before + SCRAPES_TIMED {
            feed.push(&mut connection, scrape, &mut alone)?;
        }
        let end = hosts.time_ms(0, before) / 1_000;
        let start = hosts.time_ms(0, 0) / 1_000;
        let stop = AtomicBool::new(false);
        let counts = std::thread::scope(|scope| -> Result<_, Box<dyn std::error::Error>> {
            let queries = scope.spawn(|| ask_on(&server, (start, end), &stop).unwrap_or(0));
            let merges = scope.spawn(|| merge_on(&server, program, &stop).unwrap_or(0));
            let mut outcome = Ok(());
            for scrape in before + SCRAPES_TIMED..scrapes {
                outcome = feed.push(&mut connection, scrape, &mut beside);
                if outcome.is_err() {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
            let counts = (queries.join(), merges.join());
            outcome.map(|()| counts)
        })?;
        let (queries, merges) = (counts.0.unwrap_or(0), counts.1.unwrap_or(0));
        say(&format!(
            "{}: a push alone takes {} ({} pushes); beside {queries} heavy queries and {merges} \
             merges {} ({} pushes)",
            program.name(),
            shown(&mut alone),
            alone.len(),
            shown(&mut beside),
            beside.len(),
        ));
    }
    Ok(())
}

fn shown(latencies: &mut [Duration]) -> String {
    let [half, most] = [50, 99].map(|percent| millis(percentile(latencies, percent)));
    format!("{half:.1} ms at p50, {most:.1} at p99")
}

/// Asks heavy queries over all that is there, one after the other, until it is told to stop.
fn ask_on(
    server: &Server,
    (start, end): (i64, i64),
    stop: &AtomicBool,
) -> Result<usize, Box<dyn std::error::Error>> {
    let (mut connection, mut asked) = (server.connect()?, 0);
    for (_, query) in RANGES.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let query = escaped(query);
        let path = format!(
            "/api/v1/query_range?query={query}&start={start}&end={end}&step={STEP_SECONDS}\
             &nocache=1"
        );
        connection.send("GET", &path, "", b"")?;
        asked += 1;
    }
    Ok(asked)
}

/// Has what is stored merged again and again; Prometheus has no door for that.
fn merge_on(
    server: &Server,
    program: Program,
    stop: &AtomicBool,
) -> Result<usize, Box<dyn std::error::Error>> {
    let (mut connection, mut merged) = (server.connect()?, 0);
    while !stop.load(Ordering::Relaxed) && !program.flush_paths().is_empty() {
        for (method, path) in program.flush_paths() {
            connection.send(method, path, "", b"")?;
        }
        merged += 1;
    }
    Ok(merged)
}
