//! The write path inside the head: verdicts, entries and the log record of one batch, under one
//! lock.
//!
//! Entries are kept at once and seen only when their batch is published, after the log has it. If
//! the log fails, what was not acknowledged is taken out again before anything else is taken in
//! (I7).

use std::sync::Arc;

use parking_lot::{MutexGuard, RwLock};

use crate::config::Limits;
use crate::error::Result;
use crate::head::batch::{Batch, BatchMode, Refused, Report};
use crate::head::index::SeriesIndex;
use crate::head::record::ENTRIES;
use crate::head::window::Pages;
use crate::head::{Head, NO_SERIES, NO_TIME, SeriesState, Writer};
use crate::kind::{Arrival, Kind, Late, Newest, Refusal, Verdict};
use crate::labels::classes::{Classes, RuleNumber};
use crate::time::{Moment, TickRange, Ticks, ticks_of};
use crate::wal::{Lsn, Wal};

/// Series whose entries are kept under one hold of the window's lock.
const SERIES_PER_HOLD: usize = 64;

/// What the door checks a batch against.
pub(crate) struct Gate<'a> {
    pub(crate) limits: &'a Limits,
    /// How long entries are kept.
    pub(crate) classes: &'a Arc<Classes>,
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
        if writer.entered.len() > writer.newborn.len() {
            self.forget_unborn(&mut writer);
        }
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
        writer.newborn.clear();
        let window = Arc::clone(&writer.active);
        let bounds = Bounds::new::<K>(gate);
        writer.ages.begin(gate.classes, gate.now);
        let newest_of_store = writer.newest;
        let mut keeping = Keeping {
            writer,
            index: self.index(),
            batch,
            limits: gate.limits,
            arrival: Arrival {
                seq: 0,
                settled: self.snapshots.settled(),
                oldest: bounds.oldest,
                newest: None,
                newest_of_store,
                late: bounds.late,
            },
            bounds,
            range: TickRange {
                start: Ticks(i64::MAX),
                end: Ticks(i64::MIN),
            },
            bytes: 0,
            report,
        };
        keeping.arrival.seq = keeping.writer.seq;
        let (mut place, mut from) = (0, 0);
        while place < batch.all_series().len() {
            let until = batch.all_series().len().min(place + SERIES_PER_HOLD);
            let mut pages = window.write();
            keeping.fetch(&mut pages, place..until);
            for place in place..until {
                let end = batch.all_series()[place].end as usize;
                keeping.series(&mut pages, place, from..end);
                from = end;
            }
            place = until;
        }
        let (range, bytes) = (keeping.range, keeping.bytes);
        report.refused.sort_by_key(|refused| refused.entry);
        if report.accepted > 0 {
            window.grow(gate.now, range, bytes, report.accepted);
            self.budget.add_bytes(bytes);
        }
        if !writer.newborn.is_empty() {
            let mut index = self.index.write();
            for number in &writer.newborn {
                index.series[*number].born = writer.seq;
            }
        }
        range.end
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
    fn undo_unpublished(&self, writer: &mut Writer<K>) {
        let keep = self.snapshots.published();
        let mut emptied = Vec::new();
        let (states, deleted_below) = (&mut writer.states, writer.deleted_below);
        for window in writer.frozen.iter().chain([&writer.active]) {
            // Where a delete lies behind the window, what is newest in it may be hidden.
            let may_be_hidden = window.floor < deleted_below;
            let before = emptied.len();
            window.change_each_open(|series, open| {
                let newest = K::rollback(open, keep);
                states[series].set_newest(newest.filter(|_| !may_be_hidden));
                emptied.extend(newest.is_none().then_some(series));
            });
            let mut pages = window.write();
            for series in &emptied[before..] {
                pages.members.remove(*series);
            }
        }
        self.unbear(emptied, keep);
    }

    /// Takes the newest batch out again, and what its record would have defined: only its own
    /// series are touched.
    fn undo_batch(&self, writer: &mut Writer<K>) {
        let keep = writer.seq - 1;
        let mut emptied = Vec::new();
        let mut pages = writer.active.write();
        for number in writer
            .resolved
            .iter()
            .filter(|number| **number != NO_SERIES)
        {
            let newest = K::rollback(pages.slot_for(*number), keep);
            writer.states[*number].set_newest(newest);
            if newest.is_none() {
                pages.members.remove(*number);
                emptied.push(*number);
            }
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
                let is_gone = self.forget(writer, series);
                self.budget.return_series(u64::from(is_gone));
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
    pub(crate) fn set_newest(&mut self, newest: Option<Newest>) {
        self.newest_time = newest.map_or(NO_TIME, |newest| newest.time.0);
        self.newest_value = newest.map_or(0, |newest| newest.value);
    }
}

/// One batch on its way into the window.
struct Keeping<'a, 'b, K: Kind> {
    writer: &'a mut Writer<K>,
    index: &'a RwLock<SeriesIndex>,
    batch: &'a Batch<'b, K>,
    limits: &'a Limits,
    bounds: Bounds,
    arrival: Arrival,
    /// What the batch adds to the window.
    range: TickRange,
    bytes: u64,
    report: &'a mut Report,
}

impl<K: Kind> Keeping<'_, '_, K> {
    /// Asks for the memory of a block of series before any of it is needed, with loads that do not
    /// depend on each other: the misses overlap.
    fn fetch(&mut self, pages: &mut Pages<K>, places: std::ops::Range<usize>) {
        let mut touched = 0u64;
        for number in &self.writer.resolved[places.clone()] {
            if *number != NO_SERIES {
                touched ^= self.writer.states[*number].newest_value;
                touched ^= K::heap_bytes(pages.slot_for(*number)) as u64;
            }
        }
        for number in &self.writer.resolved[places] {
            if *number != NO_SERIES {
                touched ^= K::touch(pages.slot_for(*number));
            }
        }
        std::hint::black_box(touched);
    }

    /// The entries of one series.
    fn series(&mut self, pages: &mut Pages<K>, place: usize, entries: std::ops::Range<usize>) {
        let number = self.writer.resolved[place];
        if number == NO_SERIES {
            return;
        }
        if let Some(oldest) = self.writer.ages.oldest(number, self.index) {
            self.arrival.oldest = oldest;
        }
        let open = pages.slot_for(number);
        let before = K::heap_bytes(open);
        let mut is_first = false;
        for at in entries {
            let entry = &self.batch.entries()[at];
            self.arrival.newest = self.writer.states[number].newest();
            let verdict = match self.bounds.admits::<K>(entry, self.limits) {
                Ok(()) => K::offer(open, entry, &self.arrival),
                Err(why) => Verdict::Refused(why),
            };
            match verdict {
                Verdict::Accepted => {
                    self.report.accepted += 1;
                    if self.writer.states[number].defined != self.writer.definitions {
                        // The first entry since the cut: before it the series was not of this
                        // window.
                        is_first = true;
                        self.define(number);
                    }
                    self.writer.record.entry::<K>(number, entry);
                    self.note_newest(number, entry);
                }
                Verdict::Duplicate => self.report.duplicates += 1,
                Verdict::Refused(why) => {
                    self.report.refused.push(Refused {
                        series: place,
                        entry: at,
                        why,
                    });
                }
            }
        }
        self.bytes += K::heap_bytes(open).saturating_sub(before) as u64;
        if is_first {
            pages.members.insert(number);
        }
    }

    /// Defines a series, and its pairs, in the record: the log does not hold the definition yet.
    #[cold]
    fn define(&mut self, number: u32) {
        let writer = &mut *self.writer;
        let definitions = writer.definitions;
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
        if labels.born == u64::MAX {
            writer.newborn.push(number);
        }
        writer.states[number].defined = definitions;
        writer.defined_series.push(number);
    }

    #[inline]
    fn note_newest(&mut self, number: u32, entry: &K::Entry<'_>) {
        let time = K::time(entry);
        self.range.start = self.range.start.min(time);
        self.range.end = self.range.end.max(time);
        let state = &mut self.writer.states[number];
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
        let ticks = |duration| ticks_of(duration, <K::Time as Moment>::PER_SECOND);
        let limits = gate.limits;
        let oldest = gate.classes.keep(RuleNumber::NONE).horizon(gate.now);
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
