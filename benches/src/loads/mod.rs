//! The loads of `engine_load`, one file each; this one reads the arguments and knows the two
//! settings.

mod append;
mod churn;
mod create;
mod logmix;
mod logql;
mod logs;
mod matchers;
mod memory;
pub mod node;
mod open;
mod queries;
mod recover;
mod short;

use std::io::Write;
use std::time::Duration;

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Durability, Error, Kind, Options, Store};

use crate::fleet::LabelBytes;

/// Series of a batch, one sample each.
pub const BATCH: usize = 10_000;

/// What a load returns.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// What to run.
pub struct Load {
    name: String,
    series: usize,
    rounds: usize,
    writers: usize,
    megabytes: u64,
    hosts: usize,
    threads: usize,
    hours: usize,
    jitter_percent: u64,
    streams: usize,
    generations: usize,
    settings: Settings,
    directory: String,
    /// What a query must contain to be asked.
    query: String,
}

/// The two settings that loads run at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// Bounds so high that nothing freezes.
    Held,
    /// The defaults, freezes and all.
    Default,
}

impl Settings {
    /// The options of these settings.
    pub fn options(self, durability: Durability) -> Options {
        let options = Options {
            durability,
            ..Options::default()
        };
        match self {
            Settings::Default => options,
            Settings::Held => Options {
                wal_bytes_max: 1 << 40,
                head_bytes_max: 1 << 40,
                window_span_max: Duration::from_secs(1 << 32),
                ..options
            },
        }
    }
}

/// The interval that `interval` is measured at.
pub fn interval() -> Durability {
    Durability::Interval(Duration::from_secs(1))
}

impl Load {
    /// Reads the arguments: a sub-command, then `--name value` pairs.
    pub fn parse(arguments: &[String]) -> Result<Load, Box<dyn std::error::Error>> {
        let (name, options) = arguments.split_first().ok_or(USAGE)?;
        let mut load = Load {
            name: name.clone(),
            series: 1_000_000,
            rounds: 7,
            writers: 4,
            megabytes: 1_536,
            hosts: 100,
            threads: 1,
            hours: 24,
            jitter_percent: 0,
            streams: 50,
            generations: 10,
            settings: Settings::Held,
            directory: String::new(),
            query: String::new(),
        };
        load.adjust();
        for pair in options.chunks(2) {
            let [option, value] = pair else {
                return Err(USAGE.into());
            };
            match &option[..] {
                "--series" => load.series = value.parse()?,
                "--rounds" => load.rounds = value.parse()?,
                "--writers" => load.writers = value.parse()?,
                "--megabytes" => load.megabytes = value.parse()?,
                "--hosts" => load.hosts = value.parse()?,
                "--threads" => load.threads = value.parse()?,
                "--hours" => load.hours = value.parse()?,
                "--jitter" => load.jitter_percent = value.parse()?,
                "--streams" => load.streams = value.parse()?,
                "--generations" => load.generations = value.parse()?,
                "--query" => load.query = value.clone(),
                "--directory" => load.directory = value.clone(),
                "--settings" if value == "held" => load.settings = Settings::Held,
                "--settings" if value == "default" => load.settings = Settings::Default,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(load)
    }

    /// What to run.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sizes and settings that fit one load only.
    fn adjust(&mut self) {
        match &self.name[..] {
            "logmix" | "logmix-lines" | "logql" => self.megabytes = 200,
            "short-streams" => self.streams = 100_000,
            "backfill" => self.series = 5_000,
            "servers" | "chronolith" | "victoria-metrics" | "queries" => {
                self.hours = 1;
            }
            "node" | "prometheus" | "churn" | "short-series" => {}
            _ => return,
        }
        // What stays on disk is measured as users have it.
        self.settings = Settings::Default;
    }
}

const USAGE: &str = "engine_load append-stable|append-shuffled|append-always|create|memory|recover|\
                     logs|open|node|queries|logmix|logmix-lines|logql|matchers|churn|\
                     short-series|short-streams|backfill [--series N] [--rounds N] [--writers N] \
                     [--megabytes N] [--hosts N] [--threads N] [--hours N] [--jitter PERCENT] \
                     [--streams N] [--generations N] [--query PART] [--settings held|default]";

/// Runs a load.
pub fn run(load: &Load) -> Outcome {
    match &load.name[..] {
        "append-stable" => append::run(load, append::Order::Stable),
        "append-shuffled" => append::run(load, append::Order::Shuffled),
        "append-always" => append::compare_durability(load),
        "create" => create::run(load),
        "memory" => memory::run(load),
        "recover" => recover::run(load),
        "recover-fill" => recover::fill(load),
        "logs" => logs::run(load),
        "open" => open::run(load),
        "node" => node::run(load),
        "queries" => queries::run(load),
        "logmix" => logmix::run(load),
        "logmix-lines" => logmix::print(load),
        "logql" => logql::run(load),
        "matchers" => matchers::run(load),
        "churn" => churn::run(load),
        "short-series" => short::series(load),
        "short-streams" => short::streams(load),
        "backfill" => short::backfill(load),
        _ => Err(USAGE.into()),
    }
}

/// Brings a store to rest: all entries in blocks, and no work left over.
pub fn settle<K: Kind>(store: &Store<K>) -> Result<(), Error> {
    store.freeze()?;
    store.compact()?;
    Ok(())
}

/// Prints one line. Nobody is left to tell if the reader has gone.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Appends one sample to each series and makes sure that all were taken.
pub fn append_all(
    store: &Store<Samples>,
    labels: &LabelBytes,
    time_ms: i64,
    value: impl Fn(usize) -> f64,
) -> Result<(), Error> {
    let mut batch = Batch::<Samples>::new();
    for start in (0..labels.len()).step_by(BATCH) {
        let end = labels.len().min(start + BATCH);
        batch.clear();
        for place in start..end {
            let sample = Sample::float(Millis(time_ms), value(place));
            batch.series(labels.at(place)).entry(sample);
        }
        let report = store.append(&batch)?;
        assert_eq!(
            report.accepted as usize,
            end - start,
            "{:?}",
            report.refused.first()
        );
    }
    Ok(())
}

/// The middle of some figures, and the smallest and largest.
fn spread(figures: &mut [f64]) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (
        figures[figures.len() / 2],
        figures[0],
        figures[figures.len() - 1],
    )
}
