//! A recorded node_exporter on many hosts, in the order in which they are scraped, until the store
//! is at rest: bytes and core time a sample.

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Engine, Selector, Store};

use crate::exposition::{SHARED, node_exporter};
use crate::fleet::STEP_MS;
use crate::hosts::Hosts;
use crate::loads::{Load, Outcome, interval, say, settle};
use crate::meter::{Made, Meter, Spent};
use crate::process::{RunDirectory, midnight_before_ms};

/// Hosts whose samples go into one batch: about ten thousand samples.
pub const HOSTS_A_BATCH: usize = 20;

/// One host of so many is read back and compared, sample by sample.
const COMPARED: usize = 10;

const SCRAPES_AN_HOUR: usize = 3_600_000 / STEP_MS as usize;

/// Appends the given hours of the given hosts.
pub fn run(load: &Load) -> Outcome {
    let (hosts, scrapes) = input(load)?;
    measure(load, &hosts, scrapes)?;
    Ok(())
}

/// The hosts that the arguments ask for, and how often each is scraped.
pub fn input(load: &Load) -> Result<(Hosts, usize), Box<dyn std::error::Error>> {
    let recording = node_exporter().ok_or_else(|| format!("{SHARED} must name the shared data"))?;
    let scrapes = load.hours * SCRAPES_AN_HOUR;
    let start_ms = midnight_before_ms(load.hours.div_ceil(24) as u64);
    let jitter = load.jitter_percent;
    let hosts = Hosts::new(&recording, load.hosts, scrapes, jitter, start_ms)?;
    Ok((hosts, scrapes))
}

/// Appends all scrapes in order, lets the store come to rest, and reads some of them back.
pub fn measure(
    load: &Load,
    hosts: &Hosts,
    scrapes: usize,
) -> Result<Made, Box<dyn std::error::Error>> {
    let directory = RunDirectory::new(&load.name);
    let engine = Engine::open(directory.path(), load.settings.options(interval()))?;
    let store = engine.metrics()?;
    let mut meter = Meter::start()?;
    let mut batch = Batch::<Samples>::new();
    for scrape in 0..scrapes {
        for first in (0..hosts.count()).step_by(HOSTS_A_BATCH) {
            let last = hosts.count().min(first + HOSTS_A_BATCH);
            append(&store, &mut batch, hosts, first..last, scrape)?;
            meter.note_log(engine.stats().wal_bytes);
        }
    }
    let appended = meter.stop();
    settle(&store)?;
    let settled = meter.stop();
    let stats = store.stats();
    let made = Made {
        samples: stats.block_entries,
        bytes: stats.block_bytes,
        blocks: stats.blocks,
        cpu_seconds: settled.cpu.as_secs_f64(),
        peak_bytes: settled.peak_bytes,
    };
    let sent = (hosts.count() * hosts.series() * scrapes) as u64;
    if made.samples != sent {
        return Err(format!("{sent} samples were sent, {} are in blocks", made.samples).into());
    }
    say(&describe(load, &made, &appended, &settled));
    let compared = compare(&store, hosts, scrapes)?;
    say(&format!("  {compared} samples read back and compared"));
    engine.close()?;
    Ok(made)
}

/// Appends one scrape of some hosts.
pub fn append<'a>(
    store: &Store<Samples>,
    batch: &mut Batch<'a, Samples>,
    hosts: &'a Hosts,
    range: std::ops::Range<usize>,
    scrape: usize,
) -> Outcome {
    batch.clear();
    for host in range {
        let time = Millis(hosts.time_ms(host, scrape));
        let values = hosts.values(host, scrape);
        for (labels, value) in hosts.labels(host).iter().zip(values) {
            batch.series(labels).entry(Sample::float(time, *value));
        }
    }
    let report = store.append(batch)?;
    match report.accepted as usize == batch.len() {
        true => Ok(()),
        false => Err(format!("{:?}", report.refused.first()).into()),
    }
}

fn describe(load: &Load, made: &Made, appended: &Spent, settled: &Spent) -> String {
    format!(
        "node, {} hosts, {} h, {} % jitter: {}; {:.1} s on the wall; until the last append {:.2} M \
         samples/CPU-s; {:.2} bytes written to blocks for each that is there",
        load.hosts,
        load.hours,
        load.jitter_percent,
        made.describe(),
        settled.wall.as_secs_f64(),
        made.samples as f64 / 1e6 / appended.cpu.as_secs_f64(),
        settled.block_written_bytes as f64 / made.bytes as f64,
    )
}

/// Reads some hosts back: every sample must be there with its exact bits.
fn compare(
    store: &Store<Samples>,
    hosts: &Hosts,
    scrapes: usize,
) -> Result<u64, Box<dyn std::error::Error>> {
    let (snapshot, mut compared) = (store.snapshot(), 0);
    for host in (0..hosts.count()).step_by(COMPARED) {
        let instance = format!("host-{host}:9100");
        let matcher = Matcher::new(MatchOp::Equal, "instance", &instance)?;
        let found = snapshot.select(&Selector::new(vec![matcher]))?;
        if found.len() != hosts.series() {
            return Err(format!("{instance} has {} series", found.len()).into());
        }
        for series in found {
            let is_it = |labels: &Vec<u8>| labels == series.labels().as_bytes();
            let place = hosts.labels(host).iter().position(is_it);
            let place = place.ok_or("a series that was never sent")?;
            let mut scrape = 0;
            for run in series.cursor()? {
                let run = run?;
                let floats = run.floats().ok_or("a run without floats")?;
                for (time, value) in run.times().iter().zip(floats) {
                    let sent = hosts.values(host, scrape)[place];
                    let is_same =
                        *time == hosts.time_ms(host, scrape) && value.to_bits() == sent.to_bits();
                    if !is_same {
                        return Err(format!("{} differs at {time}", series.labels()).into());
                    }
                    scrape += 1;
                }
            }
            if scrape != scrapes {
                return Err(format!("{} has {scrape} samples", series.labels()).into());
            }
            compared += scrape as u64;
        }
    }
    Ok(compared)
}
