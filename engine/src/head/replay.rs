//! Recovery: log records back into the head.
//!
//! Numbers in the log are those of the process that wrote it; definitions tie them to this head's
//! own. Plain entries are gathered by neighbourhood first and kept a neighbourhood at a time: the
//! log visits a million series in turn, and each visit to cold memory would cost more than the
//! entry.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::MutexGuard;

use crate::codec::bytes::Cursor;
use crate::config::SERIES_MAX;
use crate::error::{Error, Result};
use crate::head::deletes::Reach;
use crate::head::record::{self, Bases, RecordReader};
use crate::head::slots::Sparse;
use crate::head::window::{PAGES_PER_PART, Page};
use crate::head::{Head, Writer};
use crate::kind::{Arrival, Kind, Late, Verdict};
use crate::labels::set::Labels;
use crate::time::{TickRange, Ticks};

/// Numbers that a log may use at most: a damaged or hostile one must not size an allocation.
const NUMBER_MAX: u32 = SERIES_MAX as u32;

/// Entries gathered before they are kept: 24 bytes each.
const GATHERED_MAX: usize = 4 << 20;

/// Neighbourhoods below which a second thread is not worth its start.
const PARTS_PER_THREAD_MIN: usize = 16;

/// What the log's numbers mean, and what was read and is not kept yet.
#[derive(Default)]
pub(crate) struct Recovery {
    /// Canonical bytes of all pairs, and where each number's stand.
    bytes: Vec<u8>,
    pairs: Sparse<(u32, u32)>,
    /// One more than this head's own number; 0 where the definition is lost.
    series: Sparse<u32>,
    /// Above all numbers that were met, with a definition or without.
    above: Bases,
    labels: Vec<u8>,
    /// Plain entries by neighbourhood, in the order of the log.
    parts: Vec<Vec<Gathered>>,
    gathered: usize,
    /// Threads that keep what was gathered.
    threads: usize,
    /// Where tombstones stand in the log, in order, as far as it was not cut there yet.
    cuts: VecDeque<u64>,
}

impl Recovery {
    /// A recovery on so many threads that cuts at these places in the log, which are in order.
    pub(crate) fn new(threads: usize, cuts: impl IntoIterator<Item = u64>) -> Self {
        Recovery {
            threads,
            cuts: cuts.into_iter().collect(),
            ..Recovery::default()
        }
    }

    /// The next place to cut at, if it is not above `lsn`.
    pub(crate) fn next_cut(&mut self, lsn: u64) -> Option<u64> {
        self.cuts.pop_front_if(|cut| *cut <= lsn)
    }

    fn meet_pair(&mut self, pair: u32) {
        if pair < NUMBER_MAX {
            self.above.pairs = self.above.pairs.max(pair + 1);
        }
    }

    fn meet_series(&mut self, series: u32) {
        if series < NUMBER_MAX {
            self.above.series = self.above.series.max(series + 1);
        }
    }
}

/// A plain entry on its way to its series.
#[derive(Clone, Copy)]
struct Gathered {
    series: u32,
    time: i64,
    word: u64,
}

/// Whether a record is known to have been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Later frames say so: keep what can be kept.
    Acknowledged,
    /// It may be a survivor of a torn group: all of it or nothing.
    Open,
}

/// Whether the numbers that a head gives out after recovery can be told from those in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    Distinct,
    /// Not before the log's floor has passed what is there.
    Exhausted,
}

/// What keeping entries did to the window.
struct Kept {
    range: TickRange,
    bytes: u64,
    entries: u64,
}

impl Kept {
    fn nothing() -> Self {
        let range = TickRange {
            start: Ticks(i64::MAX),
            end: Ticks(i64::MIN),
        };
        Kept {
            range,
            bytes: 0,
            entries: 0,
        }
    }

    fn add(&mut self, time: Ticks, bytes: usize) {
        self.range.start = self.range.start.min(time);
        self.range.end = self.range.end.max(time);
        self.bytes += bytes as u64;
        self.entries += 1;
    }

    fn join(mut self, other: Kept) -> Self {
        self.range.start = self.range.start.min(other.range.start);
        self.range.end = self.range.end.max(other.range.end);
        self.bytes += other.bytes;
        self.entries += other.entries;
        self
    }
}

impl<K: Kind> Head<K> {
    /// Brings one record back; returns how many of its entries are lost, because the definition of
    /// their series is. Of one that nobody proved, all or nothing is kept, also where this is an
    /// error.
    pub(crate) fn replay(
        &self,
        body: &[u8],
        proof: Proof,
        now: Ticks,
        recovery: &mut Recovery,
    ) -> Result<u64> {
        if proof == Proof::Open {
            let lost = missing::<K>(body, recovery)?;
            if lost > 0 {
                return Ok(lost);
            }
        }
        let mut writer = self.writer.lock();
        writer.seq += 1;
        let mut replay = Replay {
            head: self,
            writer: &mut writer,
            recovery,
            kept: Kept::nothing(),
            lost: 0,
        };
        let outcome = record::read::<K, _>(body, &mut replay);
        let (kept, lost) = (replay.kept, replay.lost);
        self.count(&writer, now, &kept);
        if recovery.gathered >= GATHERED_MAX {
            self.keep_gathered(&mut writer, now, recovery);
        }
        outcome.map(|()| lost)
    }

    /// Ends recovery: readers see everything, and the writer knows the newest entry of each series,
    /// but for what tombstones may hide.
    ///
    /// What the log defined stays valid for reading it again, but this process uses its own numbers
    /// from now on, and so defines everything anew: above all that the log has, while there is room
    /// for them. Otherwise the log must be let go before anything new comes.
    pub(crate) fn finish_replay(
        &self,
        now: Ticks,
        recovery: &mut Recovery,
        reaches: &[Reach<'_>],
    ) -> Numbering {
        let mut writer = self.writer.lock();
        self.keep_gathered(&mut writer, now, recovery);
        let above = std::mem::take(recovery).above;
        let series_max = self.budget.series_max.max(writer.states.len() as u64);
        let has_room = u64::from(above.series).saturating_add(series_max) <= u64::from(NUMBER_MAX)
            && above.pairs <= NUMBER_MAX / 2;
        if has_room {
            writer.record.number_from(above);
        }
        self.learn_newest(&mut writer, reaches);
        writer.definitions += 1;
        self.snapshots.publish(writer.seq);
        match has_room {
            true => Numbering::Distinct,
            false => Numbering::Exhausted,
        }
    }

    fn count(&self, writer: &Writer<K>, now: Ticks, kept: &Kept) {
        if kept.entries > 0 {
            writer
                .active
                .grow(now, kept.range, kept.bytes, kept.entries);
            self.budget.add_bytes(kept.bytes);
        }
    }

    /// Keeps what was gathered, two neighbourhoods at a time where there are two cores.
    pub(super) fn keep_gathered(
        &self,
        writer: &mut Writer<K>,
        now: Ticks,
        recovery: &mut Recovery,
    ) {
        if recovery.gathered == 0 {
            return;
        }
        recovery.gathered = 0;
        let arrival = replayed(writer.seq);
        let window = Arc::clone(&writer.active);
        let mut pages = window.write();
        let parts = &mut recovery.parts;
        let mut slots = pages.parts(parts.len());
        let threads = recovery.threads.max(1);
        let share = parts.len().div_ceil(threads).max(PARTS_PER_THREAD_MIN);
        let kept = std::thread::scope(|scope| {
            let shares = slots.chunks_mut(share).zip(parts.chunks_mut(share));
            let workers: Vec<_> = shares
                .map(|(slots, parts)| scope.spawn(move || keep_parts::<K>(slots, parts, arrival)))
                .collect();
            let kept = workers.into_iter().map(|worker| match worker.join() {
                Ok(kept) => kept,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            kept.fold(Kept::nothing(), Kept::join)
        });
        drop(pages);
        self.count(writer, now, &kept);
    }
}

/// How entries of the log arrive: everything that was accepted once is accepted again.
fn replayed(seq: u64) -> Arrival {
    Arrival {
        seq,
        settled: 0,
        oldest: Ticks(i64::MIN),
        newest: None,
        newest_of_store: Ticks(i64::MIN),
        late: Late::Taken,
    }
}

/// Keeps the gathered entries of some neighbourhoods, each in the order of the log.
fn keep_parts<K: Kind>(
    slots: &mut [&mut [Page<K>]],
    parts: &mut [Vec<Gathered>],
    arrival: Arrival,
) -> Kept {
    let mut kept = Kept::nothing();
    for (slots, part) in slots.iter_mut().zip(parts) {
        for gathered in part.drain(..) {
            let open = crate::head::window::slot_in::<K>(slots, gathered.series);
            let before = K::heap_bytes(open);
            let time = Ticks(gathered.time);
            let entry = K::unpack(time, gathered.word);
            if K::offer(open, &entry, &arrival) == Verdict::Accepted {
                kept.add(time, K::heap_bytes(open).saturating_sub(before));
            }
        }
    }
    kept
}

struct Replay<'a, 'g, K: Kind> {
    head: &'a Head<K>,
    writer: &'a mut MutexGuard<'g, Writer<K>>,
    recovery: &'a mut Recovery,
    kept: Kept,
    lost: u64,
}

impl<K: Kind> RecordReader<K> for Replay<'_, '_, K> {
    fn pair(&mut self, pair: u32, bytes: &[u8]) -> Result<()> {
        check_pair(bytes)?;
        let start = u32::try_from(self.recovery.bytes.len())
            .map_err(|_| Error::corrupt("label pairs in the log exceed 4 GiB"))?;
        self.recovery.bytes.extend_from_slice(bytes);
        self.recovery.meet_pair(pair);
        put_at(&mut self.recovery.pairs, pair, (start, bytes.len() as u32))
    }

    fn series(&mut self, series: u32, pairs: &[u32]) -> Result<()> {
        let recovery = &mut *self.recovery;
        recovery.meet_series(series);
        recovery.labels.clear();
        for pair in pairs {
            let (start, length) = recovery.pairs.at(*pair);
            if length == 0 {
                // The pair's definition is lost with a damaged frame, and so is this series.
                pairs.iter().for_each(|pair| recovery.meet_pair(*pair));
                return put_at(&mut recovery.series, series, 0);
            }
            let range = start as usize..(start + length) as usize;
            recovery.labels.extend_from_slice(&recovery.bytes[range]);
        }
        check_order(&recovery.labels)?;
        let labels = Labels::trusted(&recovery.labels);
        let hash = self.writer.hash(labels.as_bytes());
        let mut index = self.head.index.write();
        let number = match self.writer.find_hashed(&index, hash, labels.as_bytes()) {
            Some(number) => number,
            None => {
                self.head.budget.recovered_series();
                let number = self.writer.insert(&mut index, hash, labels);
                index.series[number].born = self.writer.seq;
                number
            }
        };
        put_at(&mut recovery.series, series, number + 1)
    }

    #[inline]
    fn entry(&mut self, series: u32, entry: &K::Entry<'_>) -> Result<()> {
        let Some(number) = self.recovery.series.at(series).checked_sub(1) else {
            self.recovery.meet_series(series);
            self.lost += 1;
            return Ok(());
        };
        if let Some(word) = K::pack(entry) {
            let part = number as usize / (PAGES_PER_PART * crate::head::window::PAGE_SERIES);
            if self.recovery.parts.len() <= part {
                self.recovery.parts.resize_with(part + 1, Vec::new);
            }
            let gathered = Gathered {
                series: number,
                time: K::time(entry).0,
                word,
            };
            self.recovery.parts[part].push(gathered);
            self.recovery.gathered += 1;
            return Ok(());
        }
        self.entry_apart(number, entry)
    }
}

impl<K: Kind> Replay<'_, '_, K> {
    /// Keeps an entry that cannot be gathered, behind what was gathered of its series.
    fn entry_apart(&mut self, number: u32, entry: &K::Entry<'_>) -> Result<()> {
        let part = number as usize / (PAGES_PER_PART * crate::head::window::PAGE_SERIES);
        let arrival = replayed(self.writer.seq);
        let window = Arc::clone(&self.writer.active);
        let mut pages = window.write();
        if let Some(part_entries) = self.recovery.parts.get_mut(part)
            && !part_entries.is_empty()
        {
            self.recovery.gathered -= part_entries.len();
            let mut slots = pages.parts(part + 1);
            let (slots, entries) = (&mut slots[part..], &mut self.recovery.parts[part..=part]);
            let kept = keep_parts::<K>(slots, entries, arrival);
            self.kept = std::mem::replace(&mut self.kept, Kept::nothing()).join(kept);
        }
        let open = pages.slot_for(number);
        let before = K::heap_bytes(open);
        if K::offer(open, entry, &arrival) == Verdict::Accepted {
            self.kept
                .add(K::time(entry), K::heap_bytes(open).saturating_sub(before));
        }
        Ok(())
    }
}

/// How many entries of a record belong to series that neither it nor an earlier one defines.
fn missing<K: Kind>(body: &[u8], recovery: &mut Recovery) -> Result<u64> {
    let mut check = Check {
        recovery,
        pairs: Numbers::default(),
        series: Numbers::default(),
        missing: 0,
    };
    record::read::<K, _>(body, &mut check)?;
    Ok(check.missing)
}

/// Numbers that a record defines itself.
type Numbers = hashbrown::HashSet<u32, foldhash::fast::RandomState>;

/// Reads a record without keeping anything of it.
struct Check<'a> {
    recovery: &'a mut Recovery,
    pairs: Numbers,
    series: Numbers,
    missing: u64,
}

impl<K: Kind> RecordReader<K> for Check<'_> {
    fn pair(&mut self, pair: u32, bytes: &[u8]) -> Result<()> {
        self.recovery.meet_pair(pair);
        self.pairs.insert(pair);
        check_pair(bytes)
    }

    fn series(&mut self, series: u32, pairs: &[u32]) -> Result<()> {
        self.recovery.meet_series(series);
        pairs.iter().for_each(|pair| self.recovery.meet_pair(*pair));
        let is_known = |pair: &u32| {
            let (_, earlier_bytes) = self.recovery.pairs.at(*pair);
            self.pairs.contains(pair) || earlier_bytes > 0
        };
        if pairs.iter().all(is_known) {
            self.series.insert(series);
        }
        Ok(())
    }

    fn entry(&mut self, series: u32, _: &K::Entry<'_>) -> Result<()> {
        let is_known = self.recovery.series.at(series) > 0;
        if !self.series.contains(&series) && !is_known {
            self.recovery.meet_series(series);
            self.missing += 1;
        }
        Ok(())
    }
}

/// Whether bytes are one label in canonical form.
fn check_pair(bytes: &[u8]) -> Result<()> {
    let labels = Labels::from_bytes(bytes).map_err(|error| error.context("a pair in the log"))?;
    match labels.iter().count() {
        1 => Ok(()),
        count => Err(Error::corrupt(format!(
            "a pair in the log has {count} labels"
        ))),
    }
}

/// Whether label bytes put together from checked pairs have their names in order.
fn check_order(bytes: &[u8]) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    let mut previous: &[u8] = &[];
    while !cursor.is_empty() {
        let name = cursor.prefixed()?;
        cursor.prefixed()?;
        if name <= previous {
            return Err(Error::corrupt(
                "the labels of a series in the log are out of order",
            ));
        }
        previous = name;
    }
    Ok(())
}

fn put_at<T: Copy + Default>(table: &mut Sparse<T>, number: u32, value: T) -> Result<()> {
    if number >= NUMBER_MAX {
        return Err(Error::corrupt(format!(
            "number {number} in the log, {NUMBER_MAX} is the limit"
        )));
    }
    table.put(number, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::budget::Budget;
    use crate::head::record::RecordWriter;
    use crate::kind::samples::{Sample, Samples};
    use crate::labels::set::put_label;
    use crate::time::Millis;
    use crate::wal::Lsn;

    /// A record that defines a series with these numbers and uses another, which nobody defines.
    fn record(series: u32, pair: u32, undefined: u32) -> Vec<u8> {
        let mut writer = RecordWriter::default();
        writer.clear();
        let mut bytes = Vec::new();
        put_label(&mut bytes, "__name__", "up");
        writer.define_pair(pair, &bytes);
        writer.define_series(series, &[pair]);
        for series in [series, undefined] {
            writer.entry::<Samples>(series, &Sample::float(Millis(1), 1.0));
        }
        writer.body().to_vec()
    }

    #[test]
    fn new_numbers_begin_above_those_of_the_log_while_there_is_room() {
        let series_max = 1_000;
        let last = NUMBER_MAX - 1;
        let cases = [
            (record(7, 9, 2), Some((8, 10))),
            (record(7, 9, 20), Some((21, 10))),
            (record(NUMBER_MAX - series_max, 9, 0), None),
            (record(7, last, 2), None),
            (record(7, 9, last), None),
        ];
        for (body, expected) in cases {
            for proof in [Proof::Acknowledged, Proof::Open] {
                let budget = Arc::new(Budget::new(u64::from(series_max), u64::MAX));
                let (head, _) = Head::<Samples>::new(Lsn(1), Ticks(i64::MIN), 0, budget);
                let mut recovery = Recovery::new(1, []);
                let lost = head.replay(&body, proof, Ticks(0), &mut recovery).unwrap();
                assert_eq!(lost, 1);
                let numbering = head.finish_replay(Ticks(0), &mut recovery, &[]);
                assert_eq!(numbering == Numbering::Distinct, expected.is_some());
                let bases = head.writer.lock().record.bases();
                let (series, pairs) = expected.unwrap_or((0, 0));
                assert_eq!(bases, Bases { series, pairs }, "{proof:?}");
            }
        }
    }
}
