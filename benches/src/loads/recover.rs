//! Recovery: a child fills an engine and is killed, then the time until everything can be read
//! again.
//!
//! The child says what was acknowledged; the parent counts that all of it is there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::{Engine, Options, Selector};

use crate::fleet::{LabelBytes, Values};
use crate::loads::{BATCH, Load, Outcome, Settings, append_all, interval, say};
use crate::process::{RunDirectory, directory_bytes, thread_cpu_ns};

/// Rounds over all series that the child at default settings writes at least: several freezes.
const ROUNDS_MIN: usize = 40;

/// Kills a child in full flight and opens what it leaves.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let settings = if load.settings == Settings::Held {
        "held"
    } else {
        "default"
    };
    let series = load.series.to_string();
    let mut child = Command::new(std::env::current_exe()?)
        .args([
            "recover-fill",
            "--settings",
            settings,
            "--series",
            &series,
            "--directory",
        ])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or("the child has no output")?;
    let mut acknowledged = 0;
    for line in BufReader::new(said).lines() {
        let line = line?;
        let (samples, state) = line
            .split_once(' ')
            .ok_or("the child said something else")?;
        acknowledged = samples.parse()?;
        if state == "kill" {
            break;
        }
    }
    // Kill is a signal that no program can catch.
    child.kill()?;
    child.wait()?;
    reopen(load, directory.path(), acknowledged)
}

/// The child: appends until it is killed, and says how many samples were acknowledged.
pub fn fill(load: &Load) -> Outcome {
    let options = load.settings.options(interval());
    let bound = Options::default().wal_bytes_max;
    let engine = Engine::open(&load.directory, options)?;
    let store = engine.metrics()?;
    let labels: Vec<LabelBytes> = (0..load.series)
        .step_by(BATCH)
        .map(|start| LabelBytes::of(start..load.series.min(start + BATCH)))
        .collect();
    let mut values = Values::new(load.series);
    let (mut acknowledged, mut peak) = (0, 0);
    for round in 0.. {
        for (part, labels) in labels.iter().enumerate() {
            let now = &values.now()[part * BATCH..];
            append_all(&store, labels, values.time_ms(), |place| now[place])?;
            acknowledged += labels.len();
            let wal_bytes = engine.stats().wal_bytes;
            peak = peak.max(wal_bytes);
            let is_time = match load.settings {
                Settings::Held => wal_bytes >= bound,
                Settings::Default => round >= ROUNDS_MIN && wal_bytes >= bound / 2,
            };
            say(&format!(
                "{acknowledged} {}",
                if is_time { "kill" } else { "goes-on" }
            ));
        }
        values.advance();
    }
    Ok(())
}

fn reopen(load: &Load, path: &Path, acknowledged: u64) -> Outcome {
    let wal_bytes = directory_bytes(&path.join("wal"));
    let (cpu, begun) = (thread_cpu_ns().unwrap_or(0), Instant::now());
    let engine = Engine::open(path, Options::default())?;
    let opened = begun.elapsed();
    let opening_core_ns = thread_cpu_ns().unwrap_or(0) - cpu;
    let store = engine.metrics()?;
    let one = Matcher::new(
        MatchOp::Equal,
        "__name__",
        "node_network_receive_bytes_total",
    )?;
    let series = store.snapshot().select(&Selector::new(vec![one]))?;
    for series in &series {
        series.read()?;
    }
    let first = begun.elapsed();
    let targets = series.len();
    drop(series);
    let begun_all = Instant::now();
    let all = store.snapshot().select(&Selector::new(Vec::new()))?;
    let selected = begun_all.elapsed();
    let mut samples = 0u64;
    for series in &all {
        for run in series.cursor()? {
            samples += run?.len() as u64;
        }
    }
    let read = begun_all.elapsed();
    assert_eq!(
        all.len(),
        load.series,
        "series that are there after the kill"
    );
    assert!(
        samples >= acknowledged,
        "{samples} samples are there, {acknowledged} were acknowledged"
    );
    let stats = store.stats();
    say(&format!(
        "recover, {:?}: readable after {:.2} s (opened after {:.2} s, {:.2} s of core time, then \
         one metric of \
         {targets} \
         targets selected and read); {} series; log {} MiB, {} blocks; then select of all series \
         {:.2} s, with reading all {:.2} s; {samples} samples there, {acknowledged} acknowledged; \
         damage reports {}",
        load.settings,
        first.as_secs_f64(),
        opened.as_secs_f64(),
        opening_core_ns as f64 / 1e9,
        all.len(),
        wal_bytes >> 20,
        stats.blocks,
        selected.as_secs_f64(),
        read.as_secs_f64(),
        engine.damage().len() + store.damage().len(),
    ));
    drop(all);
    engine.close()?;
    Ok(())
}
