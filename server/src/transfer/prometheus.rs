//! A data directory of Prometheus: its blocks, the oldest first, then its logs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chronolith_engine::time::{Millis, Ticks};
use serde_json::Value as Json;

use super::fault::{Fault, Result};
use super::job::Job;
use super::tsdb::block::BlockReader;
use super::tsdb::meta::{self, Meta};
use super::tsdb::record::{self, Entry, Label};
use super::tsdb::tombstones::Tombstones;
use super::tsdb::wal::{self, SegmentReader};
use crate::wire::bytes::{Reader, put_prefixed};
use crate::wire::chunks::chunk::Value;
use crate::wire::columns::{Columns, TimedHistogram, WireMetadata};
use crate::wire::labels::LabelScratch;
use crate::wire::write_v1;

/// A batch is stored when it weighs this much: a float counts one.
const BATCH_WEIGHT: usize = 100_000;
/// What a histogram counts beside its buckets.
const HISTOGRAM_WEIGHT: usize = 16;

/// Imports all of a data directory.
pub(crate) fn import(job: &mut Job, directory: &Path) -> Result<()> {
    let blocks = meta::blocks(directory)?;
    let logs = ["wal", "wbl"].map(|name| directory.join(name));
    if blocks.is_empty() && logs.iter().all(|log| !log.is_dir()) {
        return Err(Fault::new(format!(
            "{} has no blocks and no wal: name the folder that --storage.tsdb.path names",
            directory.display()
        )));
    }
    for (place, (folder, meta)) in blocks.iter().enumerate() {
        let fault = |fault: Fault| fault.at(format_args!("block {}", meta.ulid));
        let name = format!("block {} of {}", place + 1, blocks.len());
        block(job, folder, meta, &name).map_err(fault)?;
    }
    logs.iter().try_for_each(|log| import_log(job, log))
}

/// A batch that is being put together.
#[derive(Default)]
struct Gathered {
    columns: Columns<'static>,
    weight: usize,
}

impl Gathered {
    fn add(&mut self, time: i64, start: i64, value: Value) -> Result<()> {
        match value {
            Value::Float(value) => {
                self.weight += 1;
                self.columns.sample(time, start, value)?;
            }
            Value::Histogram(histogram) => {
                let spans = histogram
                    .positive_spans
                    .iter()
                    .chain(&histogram.negative_spans);
                let buckets: usize = spans.map(|span| span.length as usize).sum();
                self.weight += HISTOGRAM_WEIGHT + buckets;
                let timed = TimedHistogram {
                    time,
                    start,
                    histogram: *histogram,
                };
                self.columns.histogram(timed, buckets)?;
            }
        }
        Ok(())
    }

    /// Ends the series at hand, or refuses its samples.
    fn end_series(&mut self, labels: &[Label<'_>], job: &mut Job) -> Result<()> {
        let mut scratch = LabelScratch::default();
        labels
            .iter()
            .for_each(|(name, value)| scratch.push(name, value));
        match scratch.settle() {
            Ok(()) => Ok(self.columns.end_series(&scratch)?),
            Err(fault) => {
                let before = self.columns.counts();
                self.columns.drop_series();
                let after = self.columns.counts();
                let lost = (before.0 - after.0 + before.1 - after.1) as u64;
                let tally = job.tally();
                tally.read += lost;
                tally.refuse(&fault.to_string(), lost);
                Ok(())
            }
        }
    }

    fn store(&mut self, job: &mut Job) -> Result<()> {
        self.weight = 0;
        job.metrics(&std::mem::take(&mut self.columns))
    }
}

fn block(job: &mut Job, folder: &Path, meta: &Meta, name: &str) -> Result<()> {
    let Some(done) = job.begin(&meta.ulid) else {
        return Ok(());
    };
    let (mut reader, mut gathered, mut place) =
        (BlockReader::open(folder)?, Gathered::default(), 0u64);
    while let Some((reference, series, samples)) = reader.next()? {
        place += 1;
        if place <= done {
            continue;
        }
        let mut seen = 0;
        for chunk in &series.chunks {
            seen += samples.chunk(reference, chunk, |time, value| gathered.add(time, 0, value))?;
            // A long series of a large block is stored in parts.
            if gathered.weight >= 4 * BATCH_WEIGHT {
                gathered.end_series(&series.labels, job)?;
                gathered.store(job)?;
            }
        }
        job.saw(seen);
        gathered.end_series(&series.labels, job)?;
        if gathered.weight >= BATCH_WEIGHT {
            gathered.store(job)?;
            job.reach(place, Json::Null)?;
            job.show(|| format!("{name}: series {place} of {}", meta.series));
        }
    }
    gathered.store(job)?;
    let seen = job.seen();
    if meta.samples != 0 && seen != meta.samples {
        let told = meta.samples;
        job.tally().doubt(format!(
            "block {}: its meta.json counts {told} samples, its chunks hold {seen}",
            meta.ulid
        ));
    }
    job.end(Some((
        Ticks::from(Millis(meta.min_time)),
        Ticks::from(Millis(meta.max_time)),
    )))
}

/// What the log has said of its series so far.
#[derive(Default)]
struct LogState {
    /// Names and values, each behind its length.
    labels: HashMap<u64, Box<[u8]>>,
    tombstones: Tombstones,
    /// Samples of series that were never told.
    orphans: u64,
    pending: HashMap<u64, Vec<(i64, i64, Value)>>,
    order: Vec<u64>,
    weight: usize,
}

fn import_log(job: &mut Job, folder: &Path) -> Result<()> {
    let segments = wal::segments(folder)?;
    let Some(first) = segments.first() else {
        return Ok(());
    };
    // A log of which Prometheus has let go of something since is another one.
    let Some(done) = job.begin(&format!("log that begins with {}", first.display())) else {
        return Ok(());
    };
    let mut state = LogState::default();
    each_record(&segments, |record, _| match record.first() {
        Some(&record::TOMBSTONES) => record::decode(record, |entry| {
            if let Entry::Tombstone { series, times } = entry {
                state.tombstones.add(series, times);
            }
            Ok(())
        }),
        _ => Ok(()),
    })?;
    let mut place = 0u64;
    let end = each_record(&segments, |record, path| {
        place += 1;
        let is_new = place > done;
        state.record(record, is_new, job)?;
        if state.weight >= BATCH_WEIGHT {
            state.store(job)?;
            job.reach(place, Json::Null)?;
            job.show(|| path.display().to_string());
        }
        Ok(())
    })?;
    state.store(job)?;
    let orphans = state.orphans;
    let tally = job.tally();
    tally.read += orphans;
    tally.refuse("the log does not tell of which series they are", orphans);
    if let Some(note) = end {
        tally.note(note);
    }
    job.end(None)
}

/// Goes over all records. A last segment may break off, as that of a copy of a running Prometheus
/// does, which is told; another one may not.
fn each_record(
    segments: &[PathBuf],
    mut each: impl FnMut(&[u8], &Path) -> Result<()>,
) -> Result<Option<String>> {
    for (place, path) in segments.iter().enumerate() {
        let mut reader = SegmentReader::open(path)?;
        loop {
            match reader.next() {
                Ok(Some(record)) => {
                    each(record, path).map_err(|fault| fault.at(path.display()))?;
                }
                Ok(None) => break,
                Err(fault) if place + 1 == segments.len() => {
                    let told = fault.at(path.display());
                    return Ok(Some(format!("{told}: what follows was not read")));
                }
                Err(fault) => return Err(fault.at(path.display())),
            }
        }
    }
    Ok(None)
}

impl LogState {
    fn record(&mut self, record: &[u8], is_new: bool, job: &mut Job) -> Result<()> {
        let mut beside = Columns::default();
        record::decode(record, |entry| {
            match entry {
                Entry::Series { series, labels } => {
                    let mut bytes = Vec::new();
                    for (name, value) in labels {
                        put_prefixed(&mut bytes, name);
                        put_prefixed(&mut bytes, value);
                    }
                    self.labels.insert(series, bytes.into());
                }
                _ if !is_new => {}
                Entry::Sample {
                    series,
                    time,
                    start,
                    value,
                } => self.sample(series, time, start, value),
                Entry::Exemplar {
                    series,
                    time,
                    value,
                    labels,
                } => {
                    let bytes = self.labels.get(&series);
                    let Some(bytes) = bytes else { return Ok(()) };
                    let owned = |(name, value): (&[u8], &[u8])| {
                        (name.to_vec().into(), value.to_vec().into())
                    };
                    beside.exemplar(time, value, labels.into_iter().map(owned).collect())?;
                    end_beside(&mut beside, &pairs(bytes)?)?;
                }
                Entry::Metadata {
                    series,
                    kind,
                    unit,
                    help,
                } => {
                    let bytes = self.labels.get(&series);
                    let Some(bytes) = bytes else { return Ok(()) };
                    let name = pairs(bytes)?
                        .into_iter()
                        .find(|(name, _)| *name == b"__name__");
                    if let Some((_, family)) = name {
                        let mut columns = Columns::default();
                        columns.metadata(WireMetadata {
                            family: family.into(),
                            kind: write_v1::kind(u64::from(kind)),
                            help,
                            unit,
                        })?;
                        job.metrics(&columns)?;
                    }
                }
                Entry::Tombstone { .. } => {}
                Entry::Unknown(sort) => {
                    job.tally().doubt(format!(
                        "records of sort {sort} are unknown and were left out"
                    ));
                }
            }
            Ok(())
        })?;
        if !beside.exemplars().is_empty() {
            job.metrics(&beside)?;
        }
        Ok(())
    }

    fn sample(&mut self, series: u64, time: i64, start: i64, value: Value) {
        let deleted = self.tombstones.of(series);
        if deleted
            .iter()
            .any(|(start, end)| (*start..=*end).contains(&time))
        {
            return;
        }
        if !self.labels.contains_key(&series) {
            self.orphans += 1;
            return;
        }
        self.weight += match &value {
            Value::Float(_) => 1,
            Value::Histogram(_) => 2 * HISTOGRAM_WEIGHT,
        };
        let samples = self.pending.entry(series).or_insert_with(|| {
            self.order.push(series);
            Vec::new()
        });
        samples.push((time, start, value));
    }

    /// Stores what is pending, series by series in the order in which they came.
    fn store(&mut self, job: &mut Job) -> Result<()> {
        let mut gathered = Gathered::default();
        for series in std::mem::take(&mut self.order) {
            let samples = self.pending.remove(&series).unwrap_or_default();
            job.saw(samples.len() as u64);
            for (time, start, value) in samples {
                gathered.add(time, start, value)?;
            }
            let bytes = self.labels.get(&series).map_or(&[][..], |bytes| bytes);
            gathered.end_series(&pairs(bytes)?, job)?;
        }
        self.weight = 0;
        gathered.store(job)
    }
}

fn end_beside(columns: &mut Columns<'_>, labels: &[Label<'_>]) -> Result<()> {
    let mut scratch = LabelScratch::default();
    labels
        .iter()
        .for_each(|(name, value)| scratch.push(name, value));
    match scratch.settle() {
        Ok(()) => Ok(columns.end_series(&scratch)?),
        Err(_) => {
            columns.drop_series();
            Ok(())
        }
    }
}

fn pairs(bytes: &[u8]) -> Result<Vec<Label<'_>>> {
    let (mut reader, mut pairs) = (Reader::new(bytes), Vec::new());
    while !reader.is_empty() {
        pairs.push((reader.prefixed()?, reader.prefixed()?));
    }
    Ok(pairs)
}
