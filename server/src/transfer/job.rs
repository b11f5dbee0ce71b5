//! One import: batches to the store, what became of them, and how far it is.

use std::path::PathBuf;

use chronolith_engine::labels::Labels;
use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::Samples;
use chronolith_engine::time::Ticks;
use chronolith_engine::{BatchMode, Engine, Kind, Options, Selector, Store, Tenant};
use serde_json::Value;

use super::checkpoint::Checkpoint;
use super::fault::Result;
use super::progress::Progress;
use super::tally::Tally;
use crate::ingest::logs::tails::Tails;
use crate::ingest::logs::{self, LogIntake};
use crate::ingest::{self, Families};
use crate::meters::Meters;
use crate::settings::LogLimits;
use crate::wire::columns::{Columns, Faults};
use crate::wire::logs::LogColumns;

/// Where an import goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) data: PathBuf,
    pub(crate) tenant: String,
}

/// What was imported, and whether all of it is there.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Entries that the store has more than before.
    pub(crate) grown: u64,
}

/// Which store an import fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    Metrics,
    Logs,
}

/// An import at work.
pub(crate) struct Job {
    engine: Engine,
    tenant: Tenant,
    into: Into,
    families: Families,
    meters: Meters,
    tails: Tails,
    limits: LogLimits,
    checkpoint: Checkpoint,
    progress: Progress,
}

impl Job {
    /// Opens the data directory, and the checkpoint of this source if there is one.
    pub(crate) fn open(target: &Target, into: Into, source: &str) -> Result<Job> {
        let engine = Engine::open(&target.data, Options::default())?;
        let tenant = engine.tenant(&target.tenant)?;
        let source = format!("{source} into tenant {}", target.tenant);
        let (mut checkpoint, is_continued) = Checkpoint::open(&target.data, &source)?;
        let mut job = Job {
            engine,
            tenant,
            into,
            families: Families::default(),
            meters: Meters::default(),
            tails: Tails::default(),
            limits: LogLimits::default(),
            progress: Progress::new(),
            checkpoint: {
                checkpoint.state.continued += u64::from(is_continued);
                checkpoint
            },
        };
        if !is_continued {
            job.checkpoint.state.before = job.held(None)?;
        }
        job.checkpoint.save()?;
        Ok(job)
    }

    /// How far a unit is, or `None` if it is done. What other unit was at hand is given up.
    pub(crate) fn begin(&mut self, unit: &str) -> Option<u64> {
        let state = &mut self.checkpoint.state;
        if state.done.iter().any(|done| done == unit) {
            return None;
        }
        if state.unit != unit {
            state.unit = unit.to_owned();
            state.detail = Value::Null;
            (state.position, state.unit_seen, state.unit_stored) = (0, 0, 0);
        }
        Some(state.position)
    }

    /// What the source noted with the position.
    pub(crate) fn detail(&self) -> &Value {
        &self.checkpoint.state.detail
    }

    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.checkpoint.state.tally
    }

    /// Notes entries of the unit at hand, those that its own deletions hide included.
    pub(crate) fn saw(&mut self, entries: u64) {
        self.checkpoint.state.unit_seen += entries;
    }

    pub(crate) fn seen(&self) -> u64 {
        self.checkpoint.state.unit_seen
    }

    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let read = self.checkpoint.state.tally.read;
        self.progress.show(|| format!("{}, {read} entries", text()));
    }

    /// Stores samples and what goes beside them, durably.
    pub(crate) fn metrics(&mut self, columns: &Columns<'_>) -> Result<()> {
        let store = self.tenant.metrics()?;
        let (floats, histograms) = columns.counts();
        if floats + histograms > 0 {
            let report = store.append(&columns.batch(BatchMode::Each, &[]))?;
            let reasons = report.refused.iter();
            let refused = reasons.map(|refused| (refused.why.to_string(), 1));
            let read = (floats + histograms) as u64;
            self.count(read, report.accepted, report.duplicates, refused);
        }
        self.beside(columns)
    }

    fn beside(&mut self, columns: &Columns<'_>) -> Result<()> {
        let refused = self.families.store(&self.tenant, columns.families());
        let mut taken = Vec::with_capacity(columns.exemplars().len());
        let mut faults = Faults::default();
        for exemplar in columns.exemplars() {
            let Ok(series) = Labels::from_bytes(columns.labels(exemplar.series)) else {
                continue;
            };
            match ingest::read_exemplar(exemplar) {
                Ok(exemplar) => taken.push((series, exemplar)),
                Err(why) => faults.add(|| why),
            }
        }
        let stored = match taken.is_empty() {
            true => 0,
            false => {
                let report = self.tenant.append_exemplars(&taken)?;
                report.accepted + report.duplicates
            }
        };
        let tally = self.tally();
        tally.families_refused += refused;
        tally.exemplars_read += columns.exemplars().len() as u64;
        tally.exemplars += stored;
        if faults.count() > 0 {
            tally.note(format!("exemplars were not kept: {}", faults.text()));
        }
        Ok(())
    }

    /// Stores lines, durably.
    pub(crate) fn lines(&mut self, columns: &LogColumns<'_>) -> Result<()> {
        let store = self.tenant.logs()?;
        let intake = LogIntake {
            store: &store,
            limits: &self.limits,
            retention: None,
            meters: &self.meters,
            tails: &self.tails,
            tenant: self.tenant.name(),
        };
        let taken = logs::take(intake, columns)?;
        let reasons = taken.reasons;
        let read = columns.entries().len() as u64;
        self.count(read, taken.accepted, taken.duplicates, reasons.into_iter());
        Ok(())
    }

    fn count(
        &mut self,
        read: u64,
        accepted: u64,
        duplicates: u64,
        reasons: impl Iterator<Item = (String, u64)>,
    ) {
        let state = &mut self.checkpoint.state;
        state.unit_stored += accepted + duplicates;
        state.tally.read += read;
        state.tally.accepted += accepted;
        state.tally.duplicates += duplicates;
        reasons.for_each(|(why, count)| state.tally.refuse(&why, count));
    }

    /// Makes durable how far the unit at hand is.
    pub(crate) fn reach(&mut self, position: u64, detail: Value) -> Result<()> {
        self.checkpoint.state.position = position;
        self.checkpoint.state.detail = detail;
        self.checkpoint.save()
    }

    /// Ends a unit. One whose entries are all different, within these times, must have left as many
    /// in the store.
    pub(crate) fn end(&mut self, different: Option<(Ticks, Ticks)>) -> Result<()> {
        if let Some(range) = different {
            let (held, state) = (self.held(Some(range))?, &mut self.checkpoint.state);
            if held < state.unit_stored {
                state.tally.doubt(format!(
                    "{}: {} entries were stored and {held} are found",
                    state.unit, state.unit_stored
                ));
            }
        }
        let state = &mut self.checkpoint.state;
        let unit = std::mem::take(&mut state.unit);
        state.done.push(unit);
        self.checkpoint.save()
    }

    /// Entries that the store holds, all or between two times.
    fn held(&self, range: Option<(Ticks, Ticks)>) -> Result<u64> {
        match self.into {
            Into::Metrics => count::<Samples>(&self.tenant.metrics()?, range),
            Into::Logs => count::<Lines>(&self.tenant.logs()?, range),
        }
    }

    /// Looks whether counts agree, closes the data directory and forgets the checkpoint.
    pub(crate) fn finish(mut self) -> Result<Outcome> {
        self.progress.end();
        let after = self.held(None)?;
        let state = &mut self.checkpoint.state;
        let grown = after.saturating_sub(state.before);
        // What was stored twice because the import broke off counts as a duplicate the second time.
        let most = match state.continued {
            0 => state.tally.accepted,
            _ => state.tally.stored(),
        };
        if after < state.before || grown > most {
            state.tally.doubt(format!(
                "the store had {} entries and has {after}, at most {most} are new",
                state.before
            ));
        }
        self.engine.close()?;
        self.checkpoint.remove()?;
        Ok(Outcome {
            tally: self.checkpoint.state.tally,
            grown,
        })
    }
}

fn count<K: Kind>(store: &Store<K>, range: Option<(Ticks, Ticks)>) -> Result<u64> {
    let mut selector = Selector::new(Vec::new());
    if let Some((start, end)) = range {
        selector = selector.between(start, end);
    }
    let mut count = 0;
    for series in store.snapshot().select(&selector)? {
        count += series.count()?;
    }
    Ok(count)
}
