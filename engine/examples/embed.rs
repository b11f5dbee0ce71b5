//! A program with a store inside: both kinds, a search, and errors: `cargo run --example embed`.
#![allow(clippy::print_stdout, reason = "an example shows what it read")]

use std::path::Path;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Engine, ErrorKind, Options, Result, Selector};

fn open(directory: &Path) -> Result<Engine> {
    Engine::open(directory, Options::default()).or_else(|error| match error.kind() {
        // Somebody else writes: what is there can be read all the same.
        ErrorKind::Locked => Engine::open_read_only(directory, Options::default()),
        _ => Err(error),
    })
}

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("chronolith-embed-{}", std::process::id()));
    let engine = open(&directory)?;
    let job = LabelSet::from_pairs([("__name__", "runs_total"), ("job", "import")])?;
    let start = 1_700_000_000;
    for run in 0..100 {
        let mut samples = Batch::<Samples>::new();
        let time = Millis((start + run) * 1_000);
        samples.push(job.as_labels(), Sample::float(time, run as f64));
        let report = engine.metrics()?.append(&samples)?;
        // Refused entries are no error: the others were stored.
        for refused in &report.refused {
            println!("sample {} was refused: {}", refused.entry, refused.why);
        }
        let text = format!("run {run} read file-{}.csv", run % 7);
        let mut lines = Batch::<Lines>::new();
        let time = Nanos((start + run) * 1_000_000_000);
        lines.push(job.as_labels(), Line::new(time, &text));
        engine.logs()?.append(&lines)?;
    }
    // The needle lets chunks without it be skipped; it is a hint, so lines are looked at again.
    let needle = "file-3.csv";
    let mut found = 0;
    for series in engine
        .logs()?
        .snapshot()
        .select(&Selector::new(vec![]).containing(needle))?
    {
        for run in series.cursor()? {
            let run = run?;
            let lines = (0..run.len()).map(|index| String::from_utf8_lossy(run.line(index)));
            found += lines.filter(|line| line.contains(needle)).count();
        }
    }
    println!("{found} runs read {needle}");
    engine.close()?;
    std::fs::remove_dir_all(&directory).ok();
    Ok(())
}
