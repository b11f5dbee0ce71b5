//! The label sets of a block as rows of numbers: row `n` says which values series `n` has.
//!
//! A row is a list of (name, value) ranks. Neighbours in label order differ in few labels, so a row
//! is written as its difference to the one before; every [`ROWS_PER_RESTART`]th row is written in
//! full and can be jumped to. What the numbers mean is `symbols`' business.
//!
//! A row is a varint head, then
//! - low bit 1, "same names": the rest is a mask of the places whose value changed; a signed varint
//!   for each;
//! - low bit 0, "full": the rest is a count; for each label the signed step of the name from the
//!   previous label's (from zero for the first) and the value, both varints.

use crate::codec::bytes::{Cursor, put_varint, put_varint_signed};
use crate::error::{Error, Result};

/// One label of a row: the rank of its name, and of its value among the values of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LabelRank {
    pub(crate) name: u32,
    pub(crate) value: u32,
}

/// Every so many rows one is written in full.
pub(crate) const ROWS_PER_RESTART: u32 = 16;

/// More labels than this do not fit the mask of a "same names" row.
const MASK_LABELS_MAX: usize = 56;

/// The most labels a row may claim, far above any limit on label sets: it bounds what damage can
/// make us allocate.
const LABELS_MAX: usize = 1 << 16;

/// Writes rows one after another.
#[derive(Default)]
pub(crate) struct RowWriter {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    previous: Vec<LabelRank>,
    count: u32,
}

impl RowWriter {
    pub(crate) fn push(&mut self, row: &[LabelRank]) -> Result<()> {
        if row.len() > LABELS_MAX {
            return Err(Error::limit(format!(
                "a series has {} labels, at most {LABELS_MAX} can be stored",
                row.len()
            )));
        }
        let restart = self.count.is_multiple_of(ROWS_PER_RESTART);
        if restart {
            let offset = u32::try_from(self.bytes.len())
                .map_err(|_| Error::limit("the label rows of a block exceed 4 GiB"))?;
            self.restarts.push(offset);
        }
        let same_names = row.len() <= MASK_LABELS_MAX
            && row.len() == self.previous.len()
            && row
                .iter()
                .zip(&self.previous)
                .all(|(new, old)| new.name == old.name);
        if same_names && !restart {
            self.push_changes(row);
        } else {
            put_varint(&mut self.bytes, (row.len() as u64) << 1);
            let mut name = 0;
            for label in row {
                put_varint_signed(&mut self.bytes, i64::from(label.name) - name);
                put_varint(&mut self.bytes, u64::from(label.value));
                name = i64::from(label.name);
            }
        }
        self.previous.clear();
        self.previous.extend_from_slice(row);
        self.count = self
            .count
            .checked_add(1)
            .ok_or_else(|| Error::limit("a block holds at most 2^32 - 1 series"))?;
        Ok(())
    }

    fn push_changes(&mut self, row: &[LabelRank]) {
        let pairs = || row.iter().zip(&self.previous).enumerate();
        let mask = pairs()
            .filter(|(_, (new, old))| new.value != old.value)
            .fold(0u64, |mask, (place, _)| mask | 1 << place);
        put_varint(&mut self.bytes, mask << 1 | 1);
        for (new, old) in row.iter().zip(&self.previous) {
            if new.value != old.value {
                let step = i64::from(new.value) - i64::from(old.value);
                put_varint_signed(&mut self.bytes, step);
            }
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The section: `row count u32`, the rows, and one `u32` offset into the rows for each restart.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.bytes.len() + 4 * self.restarts.len());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.bytes);
        for offset in &self.restarts {
            out.extend_from_slice(&offset.to_le_bytes());
        }
        out
    }
}

/// Rows over borrowed bytes.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    count: u32,
    bytes: &'a [u8],
    restarts: &'a [[u8; 4]],
}

impl<'a> Rows<'a> {
    /// Checks the outer layout of a section. The rows are checked as they are read.
    pub(crate) fn read(section: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(section);
        let count = cursor.u32()?;
        let restarts_length = count.div_ceil(ROWS_PER_RESTART) as usize * 4;
        let Some(length) = cursor.remaining().checked_sub(restarts_length) else {
            return Err(Error::corrupt(format!(
                "{count} label rows do not fit their section"
            )));
        };
        let bytes = cursor.take(length)?;
        let (restarts, _) = cursor.rest().as_chunks::<4>();
        Ok(Rows {
            count,
            bytes,
            restarts,
        })
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Puts the row of one series into `row`.
    pub(crate) fn row(&self, ordinal: u32, row: &mut Vec<LabelRank>) -> Result<()> {
        let mut walk = self.walk(ordinal)?;
        while walk.next <= ordinal {
            walk.step()?;
        }
        row.clear();
        row.extend_from_slice(&walk.row);
        Ok(())
    }

    /// A walk whose first step gives a row at or before `ordinal`, at most a restart interval away.
    pub(crate) fn walk(&self, ordinal: u32) -> Result<RowWalk<'a>> {
        if ordinal >= self.count {
            return Err(Error::corrupt(format!(
                "series {ordinal} is asked for, the block has {}",
                self.count
            )));
        }
        let mut walk = RowWalk {
            rows: *self,
            cursor: Cursor::new(&[]),
            next: 0,
            row: Vec::new(),
        };
        walk.seek(ordinal)?;
        Ok(walk)
    }
}

/// Steps through rows in order, and over gaps by jumping to restarts.
pub(crate) struct RowWalk<'a> {
    rows: Rows<'a>,
    cursor: Cursor<'a>,
    next: u32,
    row: Vec<LabelRank>,
}

impl RowWalk<'_> {
    /// The row that the last step read.
    #[cfg(test)]
    pub(crate) fn row(&self) -> &[LabelRank] {
        &self.row
    }

    /// Reads on until the row of `ordinal`, which must not lie before the last one that was read.
    pub(crate) fn advance_to(&mut self, ordinal: u32) -> Result<&[LabelRank]> {
        if ordinal >= self.rows.count {
            return Err(Error::corrupt(format!(
                "series {ordinal} is beyond the last one"
            )));
        }
        assert!(ordinal + 1 >= self.next, "a walk goes forward only");
        if ordinal / ROWS_PER_RESTART > self.next / ROWS_PER_RESTART {
            self.seek(ordinal)?;
        }
        while self.next <= ordinal {
            self.step()?;
        }
        Ok(&self.row)
    }

    fn seek(&mut self, ordinal: u32) -> Result<()> {
        let restart = ordinal / ROWS_PER_RESTART;
        let offset = u32::from_le_bytes(self.rows.restarts[restart as usize]) as usize;
        let Some(rest) = self.rows.bytes.get(offset..) else {
            return Err(Error::corrupt(
                "a restart of the label rows lies outside of them",
            ));
        };
        self.cursor = Cursor::new(rest);
        self.next = restart * ROWS_PER_RESTART;
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        let restart = self.next.is_multiple_of(ROWS_PER_RESTART);
        let head = self.cursor.varint()?;
        if head & 1 == 1 {
            if restart {
                return Err(Error::corrupt(
                    "a label row at a restart is not written in full",
                ));
            }
            self.apply_changes(head >> 1)?;
        } else {
            self.read_full(head >> 1)?;
        }
        self.next += 1;
        Ok(())
    }

    fn apply_changes(&mut self, mut mask: u64) -> Result<()> {
        let labels = self.row.len();
        if labels > MASK_LABELS_MAX || mask >> labels != 0 {
            return Err(Error::corrupt(
                "a label row changes labels that the row before has not",
            ));
        }
        while mask != 0 {
            let place = mask.trailing_zeros() as usize;
            let step = self.cursor.varint_signed()?;
            let label = &mut self.row[place];
            label.value = rank(i64::from(label.value).checked_add(step))?;
            mask &= mask - 1;
        }
        Ok(())
    }

    fn read_full(&mut self, count: u64) -> Result<()> {
        // Each label takes two bytes at least, which bounds the count before anything is allocated.
        let max = LABELS_MAX.min(self.cursor.remaining() / 2) as u64;
        if count > max {
            return Err(Error::corrupt(format!("a label row claims {count} labels")));
        }
        self.row.clear();
        let mut name = 0;
        for _ in 0..count {
            name = rank(i64::from(name).checked_add(self.cursor.varint_signed()?))?;
            let value = u32::try_from(self.cursor.varint()?)
                .map_err(|_| Error::corrupt("a label row has a value rank beyond 32 bits"))?;
            self.row.push(LabelRank { name, value });
        }
        Ok(())
    }
}

fn rank(value: Option<i64>) -> Result<u32> {
    value
        .and_then(|value| u32::try_from(value).ok())
        .ok_or_else(|| Error::corrupt("a label row has a rank outside 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(rows: &[Vec<LabelRank>]) -> Vec<u8> {
        let mut writer = RowWriter::default();
        for row in rows {
            writer.push(row).unwrap();
        }
        writer.finish()
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<LabelRank>>> {
        let label = (0u32..6, 0u32..300).prop_map(|(name, value)| LabelRank { name, value });
        prop::collection::vec(prop::collection::vec(label, 0..8), 0..80)
    }

    fn sample() -> Vec<Vec<LabelRank>> {
        (0..40u32)
            .map(|number| {
                let label = |name, value| LabelRank { name, value };
                vec![
                    label(0, number / 20),
                    label(3, number % 7),
                    label(9, 100_000 - number),
                ]
            })
            .collect()
    }

    proptest! {
        #[test]
        fn rows_are_read_back_at_random_and_in_order(rows in rows()) {
            let bytes = section(&rows);
            let read = Rows::read(&bytes).unwrap();
            prop_assert_eq!(read.count() as usize, rows.len());
            let mut row = Vec::new();
            for (ordinal, expected) in rows.iter().enumerate().rev() {
                read.row(ordinal as u32, &mut row).unwrap();
                prop_assert_eq!(&row, expected);
            }
            for stride in [1, 3, 17, 40] {
                let Ok(mut walk) = read.walk(0) else { break };
                for ordinal in (0..rows.len()).step_by(stride) {
                    prop_assert_eq!(walk.advance_to(ordinal as u32).unwrap(), &rows[ordinal]);
                    prop_assert_eq!(walk.row(), &rows[ordinal]);
                }
            }
        }
    }

    #[test]
    fn neighbours_that_differ_in_one_label_take_three_bytes() {
        let bytes = section(&sample());
        assert!(bytes.len() < 40 * 6, "{} bytes", bytes.len());
    }

    #[test]
    fn a_row_beyond_the_last_is_an_error() {
        let bytes = section(&sample());
        assert!(
            Rows::read(&bytes)
                .unwrap()
                .row(40, &mut Vec::new())
                .is_err()
        );
        assert!(Rows::read(&section(&[])).unwrap().walk(0).is_err());
    }

    #[test]
    fn cuts_and_flips_never_panic() {
        let bytes = section(&sample());
        let read_all = |bytes: &[u8]| {
            let Ok(rows) = Rows::read(bytes) else { return };
            for ordinal in 0..rows.count().min(100) {
                // Errors are fine here: the checksum above tells damage, this only has to survive
                // it.
                let _ = rows.row(ordinal, &mut Vec::new());
            }
        };
        for end in 0..bytes.len() {
            read_all(&bytes[..end]);
        }
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[position] ^= 1 << bit;
                read_all(&damaged);
            }
        }
    }
}
