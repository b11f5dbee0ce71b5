//! Metrics in, metrics out: `cargo run --example metrics`.

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Engine, Options, Result, Selector};

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("chronolith-metrics-{}", std::process::id()));
    let engine = Engine::open(&directory, Options::default())?;
    let metrics = engine.metrics()?;

    let hosts: Vec<LabelSet> = ["a", "b", "c"]
        .iter()
        .map(|host| LabelSet::from_pairs([("__name__", "cpu_seconds_total"), ("host", host)]))
        .collect::<Result<_>>()?;
    let start = 1_700_000_000_000;
    for minute in 0..10 {
        let mut batch = Batch::<Samples>::new();
        for (index, host) in hosts.iter().enumerate() {
            let value = (minute * (index as i64 + 1)) as f64;
            let time = Millis(start + minute * 60_000);
            batch.push(host.as_labels(), Sample::float(time, value));
        }
        let report = metrics.append(&batch)?;
        assert_eq!(report.accepted, 3);
    }
    // What is in memory and what is in a block read the same.
    metrics.freeze()?;

    let matcher = Matcher::new(MatchOp::Regex, "host", "a|c")?;
    let selector = Selector::new(vec![matcher]).between(Millis(start), Millis(start + 300_000));
    for series in metrics.snapshot().select(&selector)? {
        for run in series.cursor()? {
            let run = run?;
            let floats = run.floats().unwrap_or_default();
            #[allow(clippy::print_stdout, reason = "an example shows what it read")]
            {
                println!("{} {:?} {:?}", series.labels(), run.times(), floats);
            }
        }
    }
    engine.close()?;
    std::fs::remove_dir_all(&directory).ok();
    Ok(())
}
