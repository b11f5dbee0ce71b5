//! Many and short: a million series of two samples, a hundred thousand streams of twenty lines,
//! and months of backfill in one go. Memory must stay bounded, and sharing must keep them small.

use chronolith_engine::labels::put_label;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Durability, Engine, Kind, Store};

use crate::fleet::{LabelBytes, START_MS, STEP_MS, mix};
use crate::loads::{BATCH, Load, Outcome, append_all, say, settle};
use crate::logmix;
use crate::process::{RunDirectory, process_cpu, status_bytes};

/// Samples of each short series.
const SAMPLES: usize = 2;

/// Lines of each short stream, and streams in one batch.
const LINES: usize = 20;
const STREAMS_A_BATCH: usize = 500;

/// A sample every half an hour for this many days.
const BACKFILL_DAYS: i64 = 180;
const BACKFILL_STEP_MS: i64 = 30 * 60 * 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Short series of a fleet.
pub fn series(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let (engine, store) = open(load, &directory)?;
    for sample in 0..SAMPLES {
        let time = START_MS + sample as i64 * STEP_MS;
        for start in (0..load.series).step_by(BATCH) {
            let end = load.series.min(start + BATCH);
            let labels = LabelBytes::of(start..end);
            append_all(&store, &labels, time, |place| (place * (sample + 1)) as f64)?;
        }
    }
    finish(
        &store,
        &format!("{} series of {SAMPLES} samples", load.series),
        0,
    )?;
    engine.close()?;
    Ok(())
}

/// Short streams of access and other lines.
pub fn streams(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let settings = load.settings;
    let engine = Engine::open(directory.path(), settings.options(Durability::Never))?;
    let store = engine.logs()?;
    let mut text_bytes = 0;
    for first in (0..load.streams).step_by(STREAMS_A_BATCH) {
        let numbers = first..load.streams.min(first + STREAMS_A_BATCH);
        let mut streams: Vec<(logmix::Stream, Vec<(i64, String)>)> = numbers
            .map(|number| (logmix::Stream::new(1, number), Vec::new()))
            .collect();
        for (stream, lines) in &mut streams {
            for _ in 0..LINES {
                let mut line = String::new();
                lines.push((stream.put_line(&mut line), line));
            }
        }
        let mut batch = Batch::<Lines>::new();
        for (stream, lines) in &streams {
            batch.series(stream.labels());
            for (time_ns, line) in lines {
                text_bytes += line.len() as u64;
                batch.entry(Line::new(Nanos(*time_ns), line));
            }
        }
        let report = store.append(&batch)?;
        if report.accepted as usize != batch.len() {
            return Err(format!("{:?}", report.refused.first()).into());
        }
    }
    finish(
        &store,
        &format!("{} streams of {LINES} lines", load.streams),
        text_bytes,
    )?;
    engine.close()?;
    Ok(())
}

/// Half a year of each series at once, series after series.
pub fn backfill(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let (engine, store) = open(load, &directory)?;
    let count = (BACKFILL_DAYS * DAY_MS / BACKFILL_STEP_MS) as usize;
    let start = START_MS - BACKFILL_DAYS * DAY_MS;
    let mut labels = Vec::new();
    for number in 0..load.series {
        labels.clear();
        put_label(&mut labels, "__name__", "backfilled_total");
        put_label(&mut labels, "meter", &format!("meter-{number:06}"));
        let mut batch = Batch::<Samples>::new();
        batch.series(&labels);
        let mut value = 0;
        for step in 0..count {
            value += mix((number * count + step) as u64, 41) % 400;
            let time = Millis(start + step as i64 * BACKFILL_STEP_MS);
            batch.entry(Sample::float(time, value as f64 / 10.0));
        }
        let report = store.append(&batch)?;
        if report.accepted as usize != count {
            return Err(format!("{:?}", report.refused.first()).into());
        }
    }
    let what = format!(
        "{} series, {BACKFILL_DAYS} days of backfill each",
        load.series
    );
    finish(&store, &what, 0)?;
    engine.close()?;
    Ok(())
}

fn open(
    load: &Load,
    directory: &RunDirectory,
) -> Result<(Engine, Store<Samples>), Box<dyn std::error::Error>> {
    let settings = load.settings;
    let engine = Engine::open(directory.path(), settings.options(Durability::Never))?;
    let store = engine.metrics()?;
    Ok((engine, store))
}

fn finish<K: Kind>(store: &Store<K>, what: &str, text_bytes: u64) -> Outcome {
    settle(store)?;
    let stats = store.stats();
    if stats.head_entries != 0 {
        return Err("entries are left in the head".into());
    }
    let text = match text_bytes {
        0 => String::new(),
        _ => format!(
            ", text to block bytes {:.2} : 1",
            text_bytes as f64 / stats.block_bytes as f64
        ),
    };
    say(&format!(
        "short, {what}: {} entries in {} blocks of {:.1} MB, {:.2} bytes an entry{text}; VmHWM {} \
         MiB, VmRSS {} MiB; {} open files; {:.1} s of core time",
        stats.block_entries,
        stats.blocks,
        stats.block_bytes as f64 / 1e6,
        stats.block_bytes as f64 / stats.block_entries as f64,
        status_bytes("VmHWM").unwrap_or(0) >> 20,
        status_bytes("VmRSS").unwrap_or(0) >> 20,
        std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        process_cpu().unwrap_or_default().as_secs_f64(),
    ));
    Ok(())
}
