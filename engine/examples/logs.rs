//! Logs in, logs out: `cargo run --example logs`.

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Engine, Options, Result, Selector};

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("chronolith-logs-{}", std::process::id()));
    let engine = Engine::open(&directory, Options::default())?;
    let logs = engine.logs()?;

    let stream = LabelSet::from_pairs([("app", "checkout"), ("level", "warn")])?;
    let trace = LabelSet::from_pairs([("trace_id", "00f067aa0ba902b7")])?;
    let start = 1_700_000_000_000_000_000;
    let texts: Vec<String> = (0..10)
        .map(|number| format!("payment {number} timed out after {}s", number * 3))
        .collect();
    let mut batch = Batch::<Lines>::new();
    for (number, text) in texts.iter().enumerate() {
        // Structured metadata belongs to one line; labels belong to the stream.
        let metadata = trace.as_labels();
        let time = Nanos(start + number as i64);
        batch.push(
            stream.as_labels(),
            Line {
                time,
                text,
                metadata,
            },
        );
    }
    assert_eq!(logs.append(&batch)?.accepted, 10);

    let matcher = Matcher::new(MatchOp::Equal, "app", "checkout")?;
    let selector = Selector::new(vec![matcher]).between(Nanos(start), Nanos(start + 4));
    for series in logs.snapshot().select(&selector)? {
        // From the newest line backward, as a log reader shows them.
        let mut cursor = series.cursor()?;
        while let Some(run) = cursor.next_back() {
            let run = run?;
            for index in (0..run.len()).rev() {
                let text = String::from_utf8_lossy(run.line(index));
                #[allow(clippy::print_stdout, reason = "an example shows what it read")]
                {
                    println!("{} {text} {}", series.labels(), run.metadata(index));
                }
            }
        }
    }
    engine.close()?;
    std::fs::remove_dir_all(&directory).ok();
    Ok(())
}
