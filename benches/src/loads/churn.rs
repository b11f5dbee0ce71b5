//! Series that come and go: generations of them, each with a few samples; then the next.
//!
//! Between two generations the store is frozen, as hours would have done; the memory that the
//! process ever had after the last generation is compared with that after the first.

use chronolith_engine::{Durability, Engine};

use crate::fleet::{LabelBytes, START_MS, STEP_MS};
use crate::loads::{BATCH, Load, Outcome, append_all, say, settle};
use crate::process::{RunDirectory, process_cpu, status_bytes};

/// Samples of each series before it stops.
const SAMPLES: usize = 4;

/// Time between the first samples of two generations: two hours.
const GENERATION_MS: i64 = 7_200_000;

/// Runs the generations.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let settings = load.settings;
    let engine = Engine::open(directory.path(), settings.options(Durability::Never))?;
    let store = engine.metrics()?;
    let cpu = process_cpu().unwrap_or_default();
    let mut peaks = Vec::new();
    let mut resident = Vec::new();
    for generation in 0..load.generations {
        for sample in 0..SAMPLES {
            let time = START_MS + generation as i64 * GENERATION_MS + sample as i64 * STEP_MS;
            let first = generation * load.series;
            for start in (0..load.series).step_by(BATCH) {
                let end = load.series.min(start + BATCH);
                let labels = LabelBytes::of(first + start..first + end);
                append_all(&store, &labels, time, |place| (place + sample) as f64)?;
            }
        }
        store.freeze()?;
        peaks.push(status_bytes("VmHWM").unwrap_or(0));
        resident.push(status_bytes("VmRSS").unwrap_or(0));
        let stats = store.stats();
        say(&format!(
            "  generation {}: VmHWM {} MiB, VmRSS {} MiB ({} MiB of it mapped files), {} series \
             in the head, {} blocks of {} MiB",
            generation + 1,
            peaks[generation] >> 20,
            resident[generation] >> 20,
            status_bytes("RssFile").unwrap_or(0) >> 20,
            stats.head_series,
            stats.blocks,
            stats.block_bytes >> 20,
        ));
    }
    settle(&store)?;
    let end = status_bytes("VmHWM").unwrap_or(0);
    let stats = store.stats();
    say(&format!(
        "churn, {} generations of {} series x {SAMPLES} samples: VmHWM {} MiB, {:.2} of the {} \
         MiB after one; VmRSS {} MiB; {:.2} bytes a sample on disk; {:.1} s of core time",
        load.generations,
        load.series,
        end >> 20,
        end as f64 / peaks[0] as f64,
        peaks[0] >> 20,
        status_bytes("VmRSS").unwrap_or(0) >> 20,
        stats.block_bytes as f64 / stats.block_entries as f64,
        (process_cpu().unwrap_or_default() - cpu).as_secs_f64(),
    ));
    engine.close()?;
    Ok(())
}
