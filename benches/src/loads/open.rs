//! An engine that holds nothing: how long it takes to open, and what it costs to have around.

use std::time::Instant;

use chronolith_engine::{Engine, Options};

use crate::loads::{Load, Outcome, say, spread};
use crate::process::{RunDirectory, status_bytes};

/// Opens fresh and existing empty directories.
pub fn run(load: &Load) -> Outcome {
    let before = status_bytes("VmRSS").unwrap_or(0);
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..load.rounds * 3 {
        let directory = RunDirectory::new(&load.name);
        for times in [&mut fresh, &mut again] {
            let begun = Instant::now();
            let engine = Engine::open(directory.path(), Options::default())?;
            let (_, _) = (engine.metrics()?, engine.logs()?);
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            engine.close()?;
        }
    }
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), Options::default())?;
    let (_metrics, _logs) = (engine.metrics()?, engine.logs()?);
    let idle = status_bytes("VmRSS").unwrap_or(0);
    let ((fresh, fresh_least, _), (again, again_least, _)) =
        (spread(&mut fresh), spread(&mut again));
    say(&format!(
        "open: {fresh:.2} ms fresh, {again:.2} ms again, with both stores (medians of {}; at best \
         {fresh_least:.2} and {again_least:.2}); idle VmRSS {:.1} MiB, before \
         the first open {:.1} MiB",
        load.rounds * 3,
        idle as f64 / f64::from(1 << 20),
        before as f64 / f64::from(1 << 20),
    ));
    engine.close()?;
    Ok(())
}
