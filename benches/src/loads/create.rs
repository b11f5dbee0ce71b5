//! Creating series: each batch brings 10,000 that the engine has never seen.

use std::time::{Duration, Instant};

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Engine};

use crate::fleet::{LabelBytes, START_MS};
use crate::loads::{BATCH, Load, Outcome, interval, say};
use crate::process::{RunDirectory, thread_cpu_ns};

/// Measures a fresh engine.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), load.settings.options(interval()))?;
    let store = engine.metrics()?;
    let labels = LabelBytes::of(0..load.series);
    let mut batch = Batch::<Samples>::new();
    let (mut slowest, mut took) = (Duration::ZERO, Duration::ZERO);
    let cpu = thread_cpu_ns();
    for start in (0..labels.len()).step_by(BATCH) {
        let begun = Instant::now();
        batch.clear();
        for place in start..labels.len().min(start + BATCH) {
            batch
                .series(labels.at(place))
                .entry(Sample::float(Millis(START_MS), 1.0));
        }
        let report = store.append(&batch)?;
        assert_eq!(
            report.accepted as usize,
            batch.len(),
            "{:?}",
            report.refused.first()
        );
        slowest = slowest.max(begun.elapsed());
        took += begun.elapsed();
    }
    let core = match (cpu, thread_cpu_ns()) {
        (Some(before), Some(after)) => (after - before) as f64 / 1e9,
        _ => f64::NAN,
    };
    let wal_bytes = engine.stats().wal_bytes;
    engine.close()?;
    let count = labels.len() as f64;
    say(&format!(
        "create, {:?}: {:.0} series/s ({count} series of ten labels, {} label bytes each); by core \
         time {:.0}; slowest batch {slowest:.1?}; log {} bytes a series",
        load.settings,
        count / took.as_secs_f64(),
        labels.size_bytes() / labels.len(),
        count / core,
        wal_bytes / load.series as u64,
    ));
    Ok(())
}
