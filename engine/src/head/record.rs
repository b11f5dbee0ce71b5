//! The body of a log record: definitions that the log does not hold yet, then entries by series.
//!
//! Field by field in docs/format/records.md. A series' definition stands in the log at or after the
//! head's floor before its first use, so that a replay from the floor never meets an unknown number
//! (I6).

use crate::codec::bytes::{Cursor, put_prefixed, put_varint, put_varint_signed};
use crate::error::{Error, Result};
use crate::kind::{Parts, RecordState};

/// Record types of a head's frames.
pub(crate) const ENTRIES: u8 = 1;
/// Small durable facts beside the series, such as metric metadata: key and value.
pub(crate) const NOTES: u8 = 2;

/// Labels of one series at most, as a reader believes; the door's limit is far below.
const PAIRS_MAX: usize = 1 << 16;

/// Where a head's numbers begin in the log: above every number that the log still has, so that none
/// has two meanings there. A lost definition then leaves a number without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bases {
    pub(crate) series: u32,
    pub(crate) pairs: u32,
}

/// Builds one record.
#[derive(Default)]
pub(crate) struct RecordWriter {
    bases: Bases,
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
    pub(crate) fn number_from(&mut self, bases: Bases) {
        self.bases = bases;
    }

    #[cfg(test)]
    pub(crate) fn bases(&self) -> Bases {
        self.bases
    }

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
        put_varint(&mut self.pairs, u64::from(self.bases.pairs + pair));
        put_prefixed(&mut self.pairs, bytes);
        self.pair_count += 1;
    }

    pub(crate) fn define_series(&mut self, series: u32, pairs: &[u32]) {
        put_varint(&mut self.series, u64::from(self.bases.series + series));
        put_varint(&mut self.series, pairs.len() as u64);
        for pair in pairs {
            put_varint(&mut self.series, u64::from(self.bases.pairs + *pair));
        }
        self.series_count += 1;
    }

    /// Writes an accepted entry.
    #[inline]
    pub(crate) fn entry<K: Parts>(&mut self, series: u32, entry: &K::Entry<'_>) {
        let series = self.bases.series + series;
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
pub(crate) fn read<K: Parts, R: RecordReader<K>>(body: &[u8], reader: &mut R) -> Result<()> {
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
        K::read_entry(&mut cursor, &mut state, |entry| reader.entry(series, entry))?;
    }
    Ok(())
}

fn number(cursor: &mut Cursor<'_>) -> Result<u32> {
    u32::try_from(cursor.varint()?).map_err(|_| Error::corrupt("a number exceeds 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::samples::{Sample, SampleValue, Samples};
    use crate::labels::set::put_label;
    use crate::time::Millis;

    /// The example of the page.
    fn example() -> Vec<u8> {
        let mut writer = RecordWriter::default();
        writer.clear();
        for (number, (name, value)) in [("__name__", "up"), ("job", "a")].iter().enumerate() {
            let mut pair = Vec::new();
            put_label(&mut pair, name, value);
            writer.define_pair(number as u32, &pair);
        }
        writer.define_series(7, &[0, 1]);
        writer.entry::<Samples>(7, &Sample::float(Millis(1_000), 1.0));
        writer.entry::<Samples>(7, &Sample::float(Millis(16_000), 0.1));
        let rich = Sample {
            start: Some(Millis(1_000)),
            ..Sample::float(Millis(16_000), 2.0)
        };
        writer.entry::<Samples>(8, &rich);
        writer.body().to_vec()
    }

    /// What a record says, as text.
    #[derive(Default)]
    struct Seen(Vec<String>);

    impl RecordReader<Samples> for Seen {
        fn pair(&mut self, pair: u32, bytes: &[u8]) -> Result<()> {
            self.0.push(format!("pair {pair}: {} bytes", bytes.len()));
            Ok(())
        }

        fn series(&mut self, series: u32, pairs: &[u32]) -> Result<()> {
            self.0.push(format!("series {series}: {pairs:?}"));
            Ok(())
        }

        fn entry(&mut self, series: u32, entry: &Sample<'_>) -> Result<()> {
            let SampleValue::Float(value) = entry.value else {
                return Err(Error::corrupt("the example has no histogram"));
            };
            let (time, start) = (entry.time.0, entry.start.map(|start| start.0));
            self.0
                .push(format!("{series} at {time} from {start:?}: {value}"));
            Ok(())
        }
    }

    fn seen(body: &[u8]) -> (Vec<String>, Result<()>) {
        let mut seen = Seen::default();
        let outcome = read::<Samples, _>(body, &mut seen);
        (seen.0, outcome)
    }

    #[test]
    fn the_example_of_the_format_page_is_what_is_written() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format/records.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, example_on) = page.split_once("```hex\n").unwrap();
        let (shown, _) = example_on.split_once("```").unwrap();
        let shown: Vec<u8> = shown
            .lines()
            .flat_map(|line| line.split('|').next().unwrap().split_whitespace())
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect();
        assert_eq!(
            shown,
            example(),
            "the page shows other bytes: {:02x?}",
            example()
        );
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let (seen, outcome) = seen(&example());
        outcome.unwrap();
        let expected = [
            "pair 0: 12 bytes",
            "pair 1: 6 bytes",
            "series 7: [0, 1]",
            "7 at 1000 from None: 1",
            "7 at 16000 from None: 0.1",
            "8 at 16000 from Some(1000): 2",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_record_cut_or_changed_anywhere_is_an_error_or_a_record() {
        let (whole, example) = (seen(&example()).0, example());
        for end in 0..example.len() {
            // A cut between two entries reads as a shorter record: the frame's checksum tells.
            let (part, _) = seen(&example[..end]);
            assert!(whole.starts_with(&part), "cut at {end}: {part:?}");
            for byte in 0..=255 {
                let mut changed = example.clone();
                changed[end] = byte;
                let _ = seen(&changed);
            }
        }
    }
}
