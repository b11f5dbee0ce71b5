//! Memory of series in the head: the process' peak, less nothing.
//!
//! Label bytes are made batch by batch, so that the peak holds next to none of the benchmark's own.

use chronolith_engine::{Durability, Engine};

use crate::fleet::{LabelBytes, Values};
use crate::loads::{BATCH, Load, Outcome, Settings, append_all, say};
use crate::process::{RunDirectory, status_bytes};

/// Samples of each series.
const SAMPLES: usize = 120;

/// Fills the head and reports `VmHWM`.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let before = status_bytes("VmRSS").ok_or("this system has no /proc")?;
    let engine = Engine::open(directory.path(), Settings::Held.options(Durability::Never))?;
    let store = engine.metrics()?;
    let mut values = Values::new(load.series);
    let mut marks = Vec::new();
    for sample in 0..SAMPLES {
        for start in (0..load.series).step_by(BATCH) {
            let end = load.series.min(start + BATCH);
            let labels = LabelBytes::of(start..end);
            let now = &values.now()[start..end];
            append_all(&store, &labels, values.time_ms(), |place| now[place])?;
        }
        values.advance();
        if matches!(sample + 1, 1 | 30 | 60 | 120) {
            let peak = status_bytes("VmHWM").unwrap_or(0);
            marks.push(format!(
                "{} after {}",
                peak / load.series as u64,
                sample + 1
            ));
        }
    }
    let peak = status_bytes("VmHWM").ok_or("this system has no VmHWM")?;
    let stats = store.stats();
    let now = status_bytes("VmRSS").unwrap_or(0);
    let values_bytes = load.series as u64 * 8;
    say(&format!(
        "memory: {} bytes a series (VmHWM {} MiB, {} series x {SAMPLES} samples; before opening {} \
         MiB; {} MiB of it are the load's own values); engine counts {} bytes a series for \
         entries; \
         VmRSS at the end {} MiB; by samples: {}",
        peak / load.series as u64,
        peak >> 20,
        load.series,
        before >> 20,
        values_bytes >> 20,
        stats.head_bytes / load.series as u64,
        now >> 20,
        marks.join(", "),
    ));
    engine.close()?;
    Ok(())
}
