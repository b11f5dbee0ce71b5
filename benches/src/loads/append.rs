//! Appending to known series: label sets given as bytes, one sample each, 10,000 a batch.
//!
//! Label bytes and values are made before; making the `Batch` counts, and is told apart.

use std::time::{Duration, Instant};

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Durability, Engine, Store};

use crate::fleet::{LabelBytes, Values, shuffled};
use crate::loads::{BATCH, Load, Outcome, Settings, append_all, interval, say, spread};
use crate::process::{RunDirectory, thread_cpu_ns};

/// In which order the series come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The same in each round, as scrapes and remote writers send.
    Stable,
    /// Another in each round: the worst case.
    Shuffled,
}

/// What one round took.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    build: Duration,
    append: Duration,
    cpu_ns: u64,
}

/// Measures rounds over all series.
pub fn run(load: &Load, order: Order) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), load.settings.options(interval()))?;
    let store = engine.metrics()?;
    let (numbers, labels) = in_order(load.series, order, 0);
    let mut values = Values::new(load.series);
    append_all(&store, &labels, values.time_ms(), |place| {
        values.now()[numbers[place]]
    })?;
    let label_bytes = labels.size_bytes() / labels.len();
    let mut rounds = Vec::new();
    let mut prepared = (numbers, labels);
    let begun = Instant::now();
    let mut preparing = Duration::ZERO;
    for round in 0..load.rounds {
        let start = Instant::now();
        values.advance();
        if order == Order::Shuffled {
            drop(prepared);
            prepared = in_order(load.series, order, round as u64 + 1);
        }
        let (numbers, labels) = &prepared;
        let now: Vec<f64> = numbers.iter().map(|number| values.now()[*number]).collect();
        preparing += start.elapsed();
        rounds.push(measure(&store, labels, &now, values.time_ms())?);
    }
    let whole = begun.elapsed() - preparing;
    let wal_bytes = engine.stats().wal_bytes;
    let stats = store.stats();
    engine.close()?;
    say(&describe(load, order, &rounds, whole));
    say(&format!(
        "  {label_bytes} label bytes a series; log now {} MiB; {} blocks with {} of {} samples, \
         {:.2} bytes a sample",
        wal_bytes >> 20,
        stats.blocks,
        stats.block_entries,
        load.series * (load.rounds + 1),
        stats.block_bytes as f64 / stats.block_entries.max(1) as f64,
    ));
    Ok(())
}

fn in_order(series: usize, order: Order, seed: u64) -> (Vec<usize>, LabelBytes) {
    let numbers = match order {
        Order::Stable => (0..series).collect(),
        Order::Shuffled => shuffled(series, seed + 1),
    };
    let labels = LabelBytes::of(numbers.iter().copied());
    (numbers, labels)
}

fn measure(
    store: &Store<Samples>,
    labels: &LabelBytes,
    now: &[f64],
    time_ms: i64,
) -> Result<Round, Box<dyn std::error::Error>> {
    let mut round = Round::default();
    let mut batch = Batch::<Samples>::new();
    let cpu = thread_cpu_ns();
    for start in (0..labels.len()).step_by(BATCH) {
        let end = labels.len().min(start + BATCH);
        let begun = Instant::now();
        batch.clear();
        for (place, value) in (start..end).zip(&now[start..end]) {
            batch
                .series(labels.at(place))
                .entry(Sample::float(Millis(time_ms), *value));
        }
        let built = Instant::now();
        let report = store.append(&batch)?;
        round.append += built.elapsed();
        round.build += built - begun;
        assert_eq!(
            report.accepted as usize,
            end - start,
            "{:?}",
            report.refused.first()
        );
    }
    if let (Some(before), Some(after)) = (cpu, thread_cpu_ns()) {
        round.cpu_ns = after - before;
    }
    Ok(round)
}

fn describe(load: &Load, order: Order, rounds: &[Round], whole: Duration) -> String {
    let millions = load.series as f64 / 1e6;
    let rate = |duration: Duration| millions / duration.as_secs_f64();
    let mut totals: Vec<f64> = rounds
        .iter()
        .map(|round| rate(round.build + round.append))
        .collect();
    let mut appends: Vec<f64> = rounds.iter().map(|round| rate(round.append)).collect();
    let mut cpus: Vec<f64> = rounds
        .iter()
        .map(|round| millions * 1e9 / round.cpu_ns.max(1) as f64)
        .collect();
    let (median, least, most) = spread(&mut totals);
    let (append, _, append_most) = spread(&mut appends);
    let (cpu, _, cpu_most) = spread(&mut cpus);
    format!(
        "append {order:?}, {:?}: {median:.2} M samples/s (median of {} rounds of {millions} M; \
         {least:.2} to {most:.2}); without building the batch {append:.2}, at best \
         {append_most:.2}; \
         by this thread's core time {cpu:.2}, at best {cpu_most:.2}; all rounds together {:.2}",
        load.settings,
        rounds.len(),
        millions * rounds.len() as f64 / whole.as_secs_f64(),
    )
}

/// The same load by several writers, acknowledged at intervals and always.
pub fn compare_durability(load: &Load) -> Outcome {
    for settings in [Settings::Held, Settings::Default] {
        // The order of the two swaps, so that neither always has the warmer machine.
        let first = write_together(load, settings, interval())?;
        let always = write_together(load, settings, Durability::Always)?;
        let again = write_together(load, settings, Durability::Always)?;
        let last = write_together(load, settings, interval())?;
        let (relaxed, strict) = (first.max(last), always.max(again));
        say(&format!(
            "append with {} writers, {settings:?}: always {strict:.2} M samples/s, interval \
             {relaxed:.2}: {:.0} % (better of two runs each: always {always:.2} {again:.2}, \
             interval {first:.2} {last:.2})",
            load.writers,
            100.0 * strict / relaxed,
        ));
    }
    Ok(())
}

fn write_together(
    load: &Load,
    settings: Settings,
    durability: Durability,
) -> Result<f64, Box<dyn std::error::Error>> {
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), settings.options(durability))?;
    let store = engine.metrics()?;
    let share = load.series / load.writers;
    let parts: Vec<LabelBytes> = (0..load.writers)
        .map(|writer| LabelBytes::of(writer * share..(writer + 1) * share))
        .collect();
    let mut values = Values::new(share);
    for labels in &parts {
        append_all(&store, labels, values.time_ms(), |place| {
            values.now()[place]
        })?;
    }
    let steps: Vec<(i64, Vec<f64>)> = (0..load.rounds)
        .map(|_| {
            values.advance();
            (values.time_ms(), values.now().to_vec())
        })
        .collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for labels in &parts {
            let (store, steps) = (&store, &steps);
            scope.spawn(move || {
                for (time_ms, now) in steps {
                    append_all(store, labels, *time_ms, |place| now[place])
                        .expect("an append on a healthy disk is taken");
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    engine.close()?;
    Ok((share * load.writers * load.rounds) as f64 / 1e6 / took)
}
