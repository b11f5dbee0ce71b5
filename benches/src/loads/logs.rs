//! Appending log lines: about 300 bytes each, 200 streams, 2,000 lines a batch.

use std::time::{Duration, Instant};

use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Engine};

use crate::loads::{Load, Outcome, interval, say, spread};
use crate::process::{RunDirectory, thread_cpu_ns};
use crate::shipping::{START_NS, line, stream_labels};

const STREAMS: usize = 200;
const STREAMS_A_BATCH: usize = 20;
const LINES_A_STREAM: usize = 100;

/// Distinct lines; the times of repeats differ.
const LINES: usize = 100_000;

/// Appends the given megabytes of text.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), load.settings.options(interval()))?;
    let store = engine.logs()?;
    let lines: Vec<String> = (0..LINES as u64).map(line).collect();
    let streams: Vec<Vec<u8>> = (0..STREAMS).map(stream_labels).collect();
    let (mut next_line, mut next_stream, mut time) = (0, 0, START_NS);
    let (mut done, mut since_mark, mut took) = (0u64, 0u64, Duration::ZERO);
    let (mut building, mut mark) = (Duration::ZERO, Duration::ZERO);
    let mut rates = Vec::new();
    let mut batch = Batch::<Lines>::new();
    let cpu = thread_cpu_ns();
    while done < load.megabytes * 1_000_000 {
        let begun = Instant::now();
        batch.clear();
        let mut bytes = 0;
        for _ in 0..STREAMS_A_BATCH {
            batch.series(&streams[next_stream]);
            next_stream = (next_stream + 1) % STREAMS;
            for _ in 0..LINES_A_STREAM {
                let text = &lines[next_line];
                next_line = (next_line + 1) % LINES;
                time += 1_003;
                bytes += text.len() as u64;
                batch.entry(Line::new(Nanos(time), text));
            }
        }
        building += begun.elapsed();
        let report = store.append(&batch)?;
        assert_eq!(
            report.accepted as usize,
            batch.len(),
            "{:?}",
            report.refused.first()
        );
        took += begun.elapsed();
        (done, since_mark) = (done + bytes, since_mark + bytes);
        if since_mark > 100_000_000 {
            rates.push(since_mark as f64 / 1e6 / (took - mark).as_secs_f64());
            (since_mark, mark) = (0, took);
        }
    }
    let core = match (cpu, thread_cpu_ns()) {
        (Some(before), Some(after)) => (after - before) as f64 / 1e9,
        _ => f64::NAN,
    };
    let stats = store.stats();
    engine.close()?;
    let (median, least, most) = spread(&mut rates);
    say(&format!(
        "logs, {:?}: {median:.0} MB/s (median of {} parts of 100 MB; {least:.0} to {most:.0}); \
         whole \
         run {:.0}; by this thread's core time {:.0}; building batches took {:.1} % of it; \
         {} bytes a \
         line; {} blocks, text to block bytes {:.1} : 1",
        load.settings,
        rates.len(),
        done as f64 / 1e6 / took.as_secs_f64(),
        done as f64 / 1e6 / core,
        100.0 * building.as_secs_f64() / took.as_secs_f64(),
        lines.iter().map(String::len).sum::<usize>() / LINES,
        stats.blocks,
        stats.block_entries as f64 * 300.0 / stats.block_bytes.max(1) as f64,
    ));
    Ok(())
}
