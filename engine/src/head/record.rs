//! The body of a log record: definitions that the log does not hold yet, then entries by series.
//!
//! Field by field in docs/format/wal.md. A series' definition stands in the log at or after the
//! head's floor before its first use, so that a replay from the floor never meets an unknown
//! number.

use crate::codec::bytes::{Cursor, put_prefixed, put_varint, put_varint_signed};
use crate::error::{Error, Result};
use crate::kind::{Parts, RecordState};

/// Record types of a head's frames.
pub(crate) const ENTRIES: u8 = 1;
/// Small durable facts beside the series, such as metric metadata: key and value.
pub(crate) const NOTES: u8 = 2;

/// Labels of one series at most, as a reader believes; the door's limit is far below.
const PAIRS_MAX: usize = 1 << 16;

/// Builds one record.
#[derive(Default)]
pub(crate) struct RecordWriter {
    pairs: Vec<u8>,
    pair_count: u64,
    series: Vec<u8>,
    series_count: u64,
    groups: Vec<u8>,
    previous: u32,
    state: RecordState,
    body: Vec<u8>,
}

impl RecordWriter {
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
        self.series.clear();
        self.groups.clear();
        (self.pair_count, self.series_count, self.previous) = (0, 0, u32::MAX);
        self.state = RecordState::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(crate) fn define_pair(&mut self, pair: u32, bytes: &[u8]) {
        put_varint(&mut self.pairs, u64::from(pair));
        put_prefixed(&mut self.pairs, bytes);
        self.pair_count += 1;
    }

    pub(crate) fn define_series(&mut self, series: u32, pairs: &[u32]) {
        put_varint(&mut self.series, u64::from(series));
        put_varint(&mut self.series, pairs.len() as u64);
        for pair in pairs {
            put_varint(&mut self.series, u64::from(*pair));
        }
        self.series_count += 1;
    }

    /// Writes an accepted entry.
    #[inline]
    pub(crate) fn entry<K: Parts>(&mut self, series: u32, entry: &K::Entry<'_>) {
        // Most batches visit the series in the order of their numbers: the step is then zero.
        let step = i64::from(series) - (i64::from(self.previous as i32) + 1);
        put_varint_signed(&mut self.groups, step);
        self.previous = series;
        K::put_entry(&mut self.groups, entry, &mut self.state);
    }

    /// The finished body.
    pub(crate) fn body(&mut self) -> &[u8] {
        self.body.clear();
        put_varint(&mut self.body, self.pair_count);
        self.body.extend_from_slice(&self.pairs);
        put_varint(&mut self.body, self.series_count);
        self.body.extend_from_slice(&self.series);
        self.body.extend_from_slice(&self.groups);
        &self.body
    }
}

/// What a record says, piece by piece.
pub(crate) trait RecordReader<K: Parts> {
    fn pair(&mut self, pair: u32, bytes: &[u8]) -> Result<()>;
    fn series(&mut self, series: u32, pairs: &[u32]) -> Result<()>;
    fn entry(&mut self, series: u32, entry: &K::Entry<'_>) -> Result<()>;
}

/// Reads a record's body from front to back.
pub(crate) fn read<K: Parts>(body: &[u8], reader: &mut dyn RecordReader<K>) -> Result<()> {
    let mut cursor = Cursor::new(body);
    for _ in 0..cursor.varint()? {
        let pair = number(&mut cursor)?;
        reader.pair(pair, cursor.prefixed()?)?;
    }
    let mut pairs = Vec::new();
    for _ in 0..cursor.varint()? {
        let series = number(&mut cursor)?;
        pairs.clear();
        for _ in 0..cursor.length(PAIRS_MAX, "a series' label count")? {
            pairs.push(number(&mut cursor)?);
        }
        reader.series(series, &pairs)?;
    }
    let mut state = RecordState::default();
    let mut series = u32::MAX;
    while !cursor.is_empty() {
        let step = cursor.varint_signed()?;
        let next = (i64::from(series as i32) + 1).checked_add(step);
        series = next
            .and_then(|next| u32::try_from(next).ok())
            .ok_or_else(|| Error::corrupt("a series number is out of range"))?;
        K::read_entry(&mut cursor, &mut state, &mut |entry| {
            reader.entry(series, entry)
        })?;
    }
    Ok(())
}

fn number(cursor: &mut Cursor<'_>) -> Result<u32> {
    u32::try_from(cursor.varint()?).map_err(|_| Error::corrupt("a number exceeds 32 bits"))
}
