//! The write path inside the head: verdicts, entries and the log record of one batch, under one
//! lock.
//!
//! Entries are kept at once and seen only when their batch is published, after the log has it. If
//! the log fails, what was not acknowledged is taken out again before anything else is taken in
//! (I7).

use parking_lot::MutexGuard;

use crate::config::Limits;
use crate::error::Result;
use crate::head::batch::{Batch, BatchMode, Refused, Report};
use crate::head::record::ENTRIES;
use crate::head::window::{PageHold, slot};
use crate::head::{Head, NO_SERIES, NO_TIME, SeriesState, Writer};
use crate::kind::{Arrival, Kind, Late, Newest, Refusal, Verdict};
use crate::time::{Moment, TickRange, Ticks};
use crate::wal::{Lsn, Wal};

/// What the door checks a batch against.
pub(crate) struct Gate<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) now: Ticks,
    pub(crate) wal: &'a Wal,
    pub(crate) tenant: &'a str,
    pub(crate) tag: u8,
}

/// What became of a batch, and what to wait for before it may be acknowledged.
pub(crate) struct Appended {
    pub(crate) report: Report,
    pub(crate) ticket: Option<(u64, Lsn)>,
}

/// What a batch added to the window.
struct Growth {
    range: TickRange,
    bytes: u64,
}

impl Growth {
    const NONE: Growth = Growth {
        range: TickRange {
            start: Ticks(i64::MAX),
            end: Ticks(i64::MIN),
        },
        bytes: 0,
    };
}

impl<K: Kind> Head<K> {
    /// Judges a batch, keeps what is accepted and hands its record to the log.
    pub(crate) fn append(&self, batch: &Batch<'_, K>, gate: &Gate<'_>) -> Result<Appended> {
        let mut writer = self.writer.lock();
        self.heal(&mut writer, gate.wal)?;
        let unresolved = self.resolve(&mut writer, batch, gate.limits);
        let mut report = Report::default();
        let mut from = 0;
        let mut refused = unresolved.into_iter().peekable();
        for (place, series) in batch.all_series().iter().enumerate() {
            let end = series.end as usize;
            if let Some(unresolved) = refused.next_if(|unresolved| unresolved.series == place) {
                let why = unresolved.why;
                report.refused.extend((from..end).map(|entry| Refused {
                    series: place,
                    entry,
                    why: why.clone(),
                }));
            }
            from = end;
        }
        let is_all_or_nothing = batch.mode() == BatchMode::AllOrNothing;
        if is_all_or_nothing && !report.refused.is_empty() {
            self.forget_unborn(&mut writer);
            return Ok(Appended {
                report,
                ticket: None,
            });
        }
        let newest = self.keep(&mut writer, batch, gate, &mut report);
        if is_all_or_nothing && !report.refused.is_empty() {
            self.undo_batch(&mut writer);
            report.accepted = 0;
            return Ok(Appended {
                report,
                ticket: None,
            });
        }
        self.forget_unborn(&mut writer);
        writer.newest = writer.newest.max(newest);
        self.submit(writer, gate, report)
    }

    /// Fixes the verdict of every entry, keeps the accepted ones, and writes their record. Returns
    /// the newest time among them.
    fn keep(
        &self,
        writer: &mut Writer<K>,
        batch: &Batch<'_, K>,
        gate: &Gate<'_>,
        report: &mut Report,
    ) -> Ticks {
        writer.seq += 1;
        writer.record.clear();
        writer.defined_series.clear();
        writer.defined_pairs.clear();
        let bounds = Bounds::new::<K>(gate);
        let newest_of_store = writer.newest;
        let settled = self.snapshots.settled();
        let window = std::sync::Arc::clone(&writer.active);
        let mut pages = PageHold::new(&window);
        let mut growth = Growth::NONE;
        let mut from = 0usize;
        let mut entries_kept = 0;
        for (place, series) in batch.all_series().iter().enumerate() {
            let (start, end) = (from, series.end as usize);
            from = end;
            let number = writer.resolved[place];
            if number == NO_SERIES {
                continue;
            }
            let mut page = pages.lock(number);
            let open = &mut page[slot(number)];
            let before = K::heap_bytes(open);
            for at in start..end {
                let entry = &batch.entries()[at];
                let arrival = Arrival {
                    seq: writer.seq,
                    settled,
                    oldest: bounds.oldest,
                    newest: writer.states[number].newest(),
                    newest_of_store,
                    late: bounds.late,
                };
                let verdict = match bounds.admits::<K>(entry, gate.limits) {
                    Ok(()) => K::offer(open, entry, &arrival),
                    Err(why) => Verdict::Refused(why),
                };
                match verdict {
                    Verdict::Accepted => {
                        entries_kept += 1;
                        self.define(writer, number);
                        writer.record.entry::<K>(number, entry);
                        writer.note_newest(number, entry, &mut growth.range);
                    }
                    Verdict::Duplicate => report.duplicates += 1,
                    Verdict::Refused(why) => {
                        report.refused.push(Refused {
                            series: place,
                            entry: at,
                            why,
                        });
                    }
                }
            }
            growth.bytes += K::heap_bytes(open).saturating_sub(before) as u64;
        }
        report.accepted = entries_kept;
        report.refused.sort_by_key(|refused| refused.entry);
        if entries_kept > 0 {
            window.grow(gate.now, growth.range, growth.bytes, entries_kept);
            self.budget.add_bytes(growth.bytes);
        }
        growth.range.end
    }

    /// Defines a series, and its pairs, in the record unless the log holds the definition already.
    #[inline]
    fn define(&self, writer: &mut Writer<K>, number: u32) {
        if writer.states[number].defined != writer.definitions {
            self.define_anew(writer, number);
        }
    }

    #[cold]
    fn define_anew(&self, writer: &mut Writer<K>, number: u32) {
        let definitions = writer.definitions;
        let is_newborn = {
            let index = self.index.read();
            if writer.pairs_defined.len() < index.symbols.pair_slots() {
                writer.pairs_defined.resize(index.symbols.pair_slots(), 0);
            }
            let labels = &index.series[number];
            for pair in &labels.pairs {
                let defined = &mut writer.pairs_defined[*pair as usize];
                if *defined != definitions {
                    *defined = definitions;
                    writer.defined_pairs.push(*pair);
                    writer.record.define_pair(*pair, index.symbols.bytes(*pair));
                }
            }
            writer.record.define_series(number, &labels.pairs);
            labels.born == u64::MAX
        };
        writer.states[number].defined = definitions;
        writer.defined_series.push(number);
        if is_newborn {
            self.index.write().series[number].born = writer.seq;
        }
    }

    /// Hands the record to the log. On failure the batch is taken out again.
    fn submit(
        &self,
        mut writer: MutexGuard<'_, Writer<K>>,
        gate: &Gate<'_>,
        report: Report,
    ) -> Result<Appended> {
        if writer.record.is_empty() {
            // Nobody has seen this batch: its number is free for the next.
            writer.seq -= 1;
            // Identical entries may be in a batch that the log does not have yet: wait for that
            // one.
            let ticket = (report.duplicates > 0)
                .then(|| self.newest_pending())
                .flatten();
            return Ok(Appended { report, ticket });
        }
        let era = writer.era;
        match gate
            .wal
            .submit(era, gate.tenant, gate.tag, ENTRIES, writer.record.body())
        {
            Ok(lsn) => {
                let seq = writer.seq;
                self.pending.lock().push_back((seq, lsn));
                Ok(Appended {
                    report,
                    ticket: Some((seq, lsn)),
                })
            }
            Err(error) => {
                self.undo_batch(&mut writer);
                Err(error)
            }
        }
    }

    /// After the log has failed: lets readers see what it had acknowledged, takes out the rest.
    pub(crate) fn settle_failure(&self, wal: &Wal) {
        self.settle(&mut self.writer.lock(), wal);
    }

    fn heal(&self, writer: &mut Writer<K>, wal: &Wal) -> Result<()> {
        let health = wal.health();
        if writer.era != wal.era() || health.is_some() {
            self.settle(writer, wal);
        }
        match health {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn settle(&self, writer: &mut Writer<K>, wal: &Wal) {
        let acknowledged = wal.acknowledged_lsn();
        let mut pending = self.pending.lock();
        if let Some((seq, _)) = pending.iter().rev().find(|(_, lsn)| *lsn <= acknowledged) {
            self.snapshots.publish(*seq);
        }
        let has_lost = pending.iter().any(|(_, lsn)| *lsn > acknowledged);
        pending.clear();
        drop(pending);
        if has_lost {
            self.undo_unpublished(writer);
        }
        writer.definitions += 1;
        writer.era = wal.era();
    }

    /// Takes every batch that readers do not see out of every window.
    pub(crate) fn undo_unpublished(&self, writer: &mut Writer<K>) {
        let keep = self.snapshots.published();
        let mut emptied = Vec::new();
        let states = &mut writer.states;
        for window in writer.frozen.iter().chain([&writer.active]) {
            window.each_open(|series, open| {
                let newest = K::rollback(open, keep);
                states[series].set_newest(newest);
                emptied.extend(newest.is_none().then_some(series));
            });
        }
        self.unbear(emptied, keep);
    }

    /// Takes the newest batch out again, and what its record would have defined: only its own
    /// series are touched.
    fn undo_batch(&self, writer: &mut Writer<K>) {
        let keep = writer.seq - 1;
        let window = std::sync::Arc::clone(&writer.active);
        let mut pages = PageHold::new(&window);
        let mut emptied = Vec::new();
        for place in 0..writer.resolved.len() {
            let number = writer.resolved[place];
            if number == NO_SERIES {
                continue;
            }
            let newest = K::rollback(&mut pages.lock(number)[slot(number)], keep);
            writer.states[number].set_newest(newest);
            emptied.extend(newest.is_none().then_some(number));
        }
        drop(pages);
        self.unbear(emptied, keep);
        for series in std::mem::take(&mut writer.defined_series) {
            writer.states[series].defined = 0;
        }
        for pair in std::mem::take(&mut writer.defined_pairs) {
            writer.pairs_defined[pair as usize] = 0;
        }
        writer.seq = keep;
        self.forget_unborn(writer);
    }

    /// Forgets the series that the batch at hand has entered and of which nothing was accepted:
    /// they would take the room of others.
    fn forget_unborn(&self, writer: &mut Writer<K>) {
        for series in std::mem::take(&mut writer.entered) {
            if self.index.read().series[series].born == u64::MAX {
                self.budget
                    .return_series(u64::from(self.forget(writer, series)));
            }
        }
    }

    /// Hides the series that only undone batches had brought.
    fn unbear(&self, emptied: Vec<u32>, keep: u64) {
        for number in emptied {
            let series = &mut self.index.write().series[number];
            if series.born > keep {
                series.born = u64::MAX;
            }
        }
    }
}

impl SeriesState {
    /// After a rollback. Without an entry left in the window, what came before it is not known any
    /// more: the next entry is judged as if the series were new, which at worst lets a late one in.
    fn set_newest(&mut self, newest: Option<Newest>) {
        self.newest_time = newest.map_or(NO_TIME, |newest| newest.time.0);
        self.newest_value = newest.map_or(0, |newest| newest.value);
    }
}

impl<K: Kind> Writer<K> {
    #[inline]
    pub(crate) fn note_newest(&mut self, number: u32, entry: &K::Entry<'_>, range: &mut TickRange) {
        let time = K::time(entry);
        range.start = range.start.min(time);
        range.end = range.end.max(time);
        let state = &mut self.states[number];
        if time.0 > state.newest_time {
            state.newest_time = time.0;
            state.newest_value = K::fingerprint(entry);
        }
    }
}

/// The times that a batch's entries may have.
struct Bounds {
    oldest: Ticks,
    newest: Ticks,
    late: Late,
}

impl Bounds {
    fn new<K: Kind>(gate: &Gate<'_>) -> Self {
        let per_second = <K::Time as Moment>::PER_SECOND;
        let ticks = |duration: std::time::Duration| {
            let ticks = duration.as_nanos() * per_second as u128 / 1_000_000_000;
            i64::try_from(ticks).unwrap_or(i64::MAX)
        };
        let limits = gate.limits;
        let oldest = limits.retention.map_or(Ticks(NO_TIME + 1), |retention| {
            Ticks(gate.now.0.saturating_sub(ticks(retention)))
        });
        let late = match limits.late_max {
            None => Late::Taken,
            Some(window) if window.is_zero() => Late::Refused,
            Some(window) => Late::Within(ticks(window)),
        };
        let newest = Ticks(gate.now.0.saturating_add(ticks(limits.future_max)));
        Bounds {
            oldest,
            newest,
            late,
        }
    }

    #[inline]
    fn admits<K: Kind>(&self, entry: &K::Entry<'_>, limits: &Limits) -> Result<(), Refusal> {
        let time = K::time(entry);
        if time > self.newest {
            return Err(Refusal::TooFarAhead);
        }
        if time.0 == NO_TIME {
            return Err(Refusal::TooOld);
        }
        K::check(entry, limits)
    }
}
