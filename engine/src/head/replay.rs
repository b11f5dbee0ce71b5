//! Recovery: a log record back into the head.
//!
//! Numbers in the log are those of the process that wrote it; definitions tie them to this head's own.

use parking_lot::MutexGuard;

use crate::error::{Error, Result};
use crate::head::record::{self, RecordReader};
use crate::head::window::slot;
use crate::head::{Head, NO_SERIES, Writer};
use crate::kind::{Arrival, Kind, Late, Verdict};
use crate::labels::set::Labels;
use crate::time::{TickRange, Ticks};

/// Numbers that a log may use at most: a damaged or hostile one must not size an allocation.
const NUMBER_MAX: u32 = 1 << 28;

/// What the log's numbers mean, kept from record to record.
#[derive(Default)]
pub(crate) struct Numbers {
    /// Canonical bytes of all pairs, and where each number's stand.
    bytes: Vec<u8>,
    pairs: Vec<(u32, u32)>,
    series: Vec<u32>,
    labels: Vec<u8>,
}

/// What a record brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) entries: u64,
    /// Entries of series whose definition is lost.
    pub(crate) lost: u64,
}

impl<K: Kind> Head<K> {
    /// Brings one record back. Readers see it at once.
    pub(crate) fn replay(
        &self,
        body: &[u8],
        now: Ticks,
        numbers: &mut Numbers,
    ) -> Result<Replayed> {
        let mut writer = self.writer.lock();
        writer.seq += 1;
        let (seq, settled) = (writer.seq, self.snapshots.settled());
        let mut replay = Replay {
            head: self,
            writer: &mut writer,
            numbers,
            arrival: Arrival {
                seq,
                settled,
                oldest: Ticks(i64::MIN),
                newest: None,
                late: Late::Taken,
            },
            range: TickRange { start: Ticks(i64::MAX), end: Ticks(i64::MIN) },
            bytes: 0,
            replayed: Replayed::default(),
        };
        let outcome = record::read::<K>(body, &mut replay);
        let (range, bytes, replayed) = (replay.range, replay.bytes, replay.replayed);
        if replayed.entries > 0 {
            writer.active.grow(now, range, bytes, replayed.entries);
            self.budget.add_bytes(bytes);
        }
        // Whole or not at all, proven or not: a record left out of one recovery counts as proven in the next,
        // once a later sync has covered its place in the log, and a part of it would come back.
        if outcome.is_err() || replayed.lost > 0 {
            self.undo_unpublished(&mut writer);
            outcome?;
            return Ok(Replayed { entries: 0, lost: replayed.lost + replayed.entries });
        }
        self.snapshots.publish(seq);
        Ok(replayed)
    }

    /// After recovery: what the log defined stays valid for reading it again, but this process will use its
    /// own numbers, and so defines everything anew.
    pub(crate) fn finish_replay(&self) {
        self.writer.lock().definitions += 1;
    }
}

struct Replay<'a, 'g, K: Kind> {
    head: &'a Head<K>,
    writer: &'a mut MutexGuard<'g, Writer<K>>,
    numbers: &'a mut Numbers,
    arrival: Arrival,
    range: TickRange,
    bytes: u64,
    replayed: Replayed,
}

impl<K: Kind> RecordReader<K> for Replay<'_, '_, K> {
    fn pair(&mut self, pair: u32, bytes: &[u8]) -> Result<()> {
        Labels::from_bytes(bytes).map_err(|error| error.context("a pair in the log"))?;
        let start = u32::try_from(self.numbers.bytes.len())
            .map_err(|_| Error::corrupt("label pairs in the log exceed 4 GiB"))?;
        self.numbers.bytes.extend_from_slice(bytes);
        put_at(&mut self.numbers.pairs, pair, (start, bytes.len() as u32), (0, 0))
    }

    fn series(&mut self, series: u32, pairs: &[u32]) -> Result<()> {
        let numbers = &mut *self.numbers;
        numbers.labels.clear();
        for pair in pairs {
            let (start, length) = numbers.pairs.get(*pair as usize).copied().unwrap_or((0, 0));
            if length == 0 {
                // The pair's definition is lost with a damaged frame, and so is this series.
                return put_at(&mut numbers.series, series, NO_SERIES, NO_SERIES);
            }
            let range = start as usize..(start + length) as usize;
            numbers.labels.extend_from_slice(&numbers.bytes[range]);
        }
        let labels = Labels::from_bytes(&numbers.labels)
            .map_err(|error| error.context("a series in the log"))?;
        let hash = self.writer.hash(labels.as_bytes());
        let found = self.writer.find_hashed(&self.head.index.read(), hash, labels.as_bytes());
        let number = match found {
            Some(number) => number,
            None => {
                self.head.budget.recovered_series();
                self.head.insert(self.writer, hash, labels)
            }
        };
        put_at(&mut numbers.series, series, number, NO_SERIES)
    }

    fn entry(&mut self, series: u32, entry: &K::Entry<'_>) -> Result<()> {
        let number = self.numbers.series.get(series as usize).copied().unwrap_or(NO_SERIES);
        if number == NO_SERIES {
            self.replayed.lost += 1;
            return Ok(());
        }
        let page = self.writer.active.page_for(number);
        let mut page = page.lock();
        let open = &mut page[slot(number)];
        let before = K::heap_bytes(open);
        self.arrival.newest = self.writer.states[number].newest();
        let was_empty = K::is_empty(open);
        if K::offer(open, entry, &self.arrival) == Verdict::Accepted {
            self.bytes += K::heap_bytes(open).saturating_sub(before) as u64;
            self.replayed.entries += 1;
            self.writer.note_newest(number, entry, &mut self.range);
            if was_empty {
                let series = &mut self.head.index.write().series[number];
                series.born = series.born.min(self.arrival.seq);
            }
        }
        Ok(())
    }
}

fn put_at<T: Clone>(table: &mut Vec<T>, number: u32, value: T, absent: T) -> Result<()> {
    if number >= NUMBER_MAX {
        return Err(Error::corrupt(format!("number {number} in the log, {NUMBER_MAX} is the limit")));
    }
    let place = number as usize;
    if table.len() <= place {
        table.resize(place + 1, absent);
    }
    table[place] = value;
    Ok(())
}
