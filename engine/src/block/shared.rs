//! Columns that chunks of many series share, each stored once: chiefly the times of those who are
//! scraped together, which label order puts far apart.
//!
//! A writer remembers the columns of late, in bounded memory; one that comes again after it was
//! forgotten is stored again, which costs bytes and nothing else. Columns lie in pages of their
//! own between the others. The section: `u32` number of pages; for each `u64` place in the file,
//! `u32` length, `u32` checksum, `u32` first column; then for each column the `u32` end, from the
//! first byte of the first. Empty where nothing is shared.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;

use crate::block::STRIP_BYTES_MAX;
use crate::block::page::StoredStrip;
use crate::codec::bytes::Cursor;
use crate::error::{Error, Result};

/// A page of columns is closed before it would exceed this; a larger column has one of its own.
const PAGE_BYTES: usize = 32 << 10;
const PAGE_ENTRY_BYTES: usize = 20;

/// Columns that a writer remembers at most, a place for each by hash.
const KNOWN_MAX: usize = 1 << 15;
/// Bytes of columns that a writer remembers at most.
const KNOWN_BYTES_MAX: usize = 32 << 20;

/// Gives columns numbers, and lays out those that are new.
#[derive(Default)]
pub(crate) struct SharedWriter {
    page: Vec<u8>,
    page_first: u32,
    pages: Vec<u8>,
    page_count: u32,
    ends: Vec<u8>,
    end: u32,
    count: u32,
    known: Vec<Option<Known>>,
    known_bytes: usize,
}

struct Known {
    number: u32,
    bytes: Box<[u8]>,
}

impl SharedWriter {
    /// The number of a column like this one, if it is remembered.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<u32> {
        let known = self.known.get(slot(bytes))?.as_ref()?;
        (*known.bytes == *bytes).then_some(known.number)
    }

    /// Whether the open page has to be closed before this column is added.
    pub(crate) fn is_full_for(&self, bytes: &[u8]) -> bool {
        !self.page.is_empty() && self.page.len() + bytes.len() > PAGE_BYTES
    }

    pub(crate) fn has_open_page(&self) -> bool {
        !self.page.is_empty()
    }

    /// Adds a column to the open page, and says its number.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<u32> {
        let end = u32::try_from(bytes.len()).ok();
        let end = end.and_then(|length| self.end.checked_add(length));
        let (Some(end), Some(next)) = (end, self.count.checked_add(1)) else {
            return Err(Error::limit("the shared columns of a block exceed 4 GiB"));
        };
        let number = self.count;
        (self.end, self.count) = (end, next);
        self.ends.extend_from_slice(&end.to_le_bytes());
        self.page.extend_from_slice(bytes);
        self.remember(number, bytes);
        Ok(number)
    }

    /// A column that has the place of another takes it: of those that come again and again, more
    /// than fit, some are then found where the oldest would never be.
    fn remember(&mut self, number: u32, bytes: &[u8]) {
        if self.known.is_empty() {
            self.known.resize_with(KNOWN_MAX, || None);
        }
        let place = &mut self.known[slot(bytes)];
        self.known_bytes -= place.take().map_or(0, |known| known.bytes.len());
        if self.known_bytes + bytes.len() <= KNOWN_BYTES_MAX {
            self.known_bytes += bytes.len();
            *place = Some(Known {
                number,
                bytes: bytes.into(),
            });
        }
    }

    /// Appends the open page to `out`, which begins at `offset` in the file.
    pub(crate) fn close_page(&mut self, offset: u64, out: &mut Vec<u8>) {
        let length = u32::try_from(self.page.len()).expect("columns together are below 4 GiB");
        self.pages.extend_from_slice(&offset.to_le_bytes());
        self.pages.extend_from_slice(&length.to_le_bytes());
        let crc = crc32fast::hash(&self.page);
        self.pages.extend_from_slice(&crc.to_le_bytes());
        self.pages.extend_from_slice(&self.page_first.to_le_bytes());
        self.page_count += 1;
        self.page_first = self.count;
        out.append(&mut self.page);
    }

    /// The section.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.page_count == 0 {
            return Vec::new();
        }
        let mut section = self.page_count.to_le_bytes().to_vec();
        section.append(&mut self.pages);
        section.append(&mut self.ends);
        section
    }
}

fn slot(bytes: &[u8]) -> usize {
    // Fixed, so that equal input gives equal blocks.
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(bytes);
    // The remainder is below the number of places, so the cast cannot lose.
    (hasher.finish() % KNOWN_MAX as u64) as usize
}

/// The section over borrowed bytes.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pages: &'a [[u8; PAGE_ENTRY_BYTES]],
    ends: &'a [[u8; 4]],
    /// The part of the file that pages may lie in.
    within: (u64, u64),
}

/// A page of columns as its table says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedPage {
    pub(crate) stored: StoredStrip,
    first: u32,
}

impl<'a> Shared<'a> {
    pub(crate) fn read(section: &'a [u8], within: Range<u64>) -> Result<Self> {
        let within = (within.start, within.end);
        let Some((count, rest)) = section.split_first_chunk::<4>() else {
            return Ok(Shared {
                pages: &[],
                ends: &[],
                within,
            });
        };
        let table = (u32::from_le_bytes(*count) as usize).checked_mul(PAGE_ENTRY_BYTES);
        let parts = table.and_then(|table| rest.split_at_checked(table));
        let Some((pages, ends)) = parts.filter(|(_, ends)| ends.len().is_multiple_of(4)) else {
            return Err(Error::corrupt("the shared columns do not fit their table"));
        };
        Ok(Shared {
            pages: pages.as_chunks().0,
            ends: ends.as_chunks().0,
            within,
        })
    }

    pub(crate) fn page_count(&self) -> u32 {
        self.pages.len() as u32
    }

    pub(crate) fn column_count(&self) -> u32 {
        self.ends.len() as u32
    }

    /// A page; inside the part of the file that pages may lie in, and of a sane size.
    pub(crate) fn page(&self, page: u32) -> Result<SharedPage> {
        let Some(entry) = self.pages.get(page as usize) else {
            return Err(Error::corrupt(format!(
                "there is no page {page} of columns"
            )));
        };
        let mut cursor = Cursor::new(entry);
        let (offset, length) = (cursor.u64()?, cursor.u32()?);
        let found = SharedPage {
            stored: StoredStrip {
                offset,
                stored: length,
                raw: length,
                crc: cursor.u32()?,
            },
            first: cursor.u32()?,
        };
        let end = offset.saturating_add(u64::from(length));
        let inside = self.within.0 <= offset && end <= self.within.1;
        if !inside || length as usize > STRIP_BYTES_MAX {
            return Err(Error::corrupt(format!(
                "page {page} of columns has an impossible place or length"
            )));
        }
        Ok(found)
    }

    /// The page of a column, and its bytes there.
    pub(crate) fn column(&self, column: u32) -> Result<(u32, SharedPage, Range<usize>)> {
        let first_of = |entry: &[u8; PAGE_ENTRY_BYTES]| {
            u32::from_le_bytes([entry[16], entry[17], entry[18], entry[19]])
        };
        let after = self
            .pages
            .partition_point(|entry| first_of(entry) <= column);
        let number = after
            .checked_sub(1)
            .filter(|_| column < self.column_count());
        let Some(number) = number.and_then(|number| u32::try_from(number).ok()) else {
            return Err(Error::corrupt(format!(
                "shared column {column} is asked for, the block has {}",
                self.column_count()
            )));
        };
        let page = self.page(number)?;
        let end_before = |column: u32| match column.checked_sub(1) {
            None => 0,
            // Both columns were found to be below the count.
            Some(before) => u32::from_le_bytes(self.ends[before as usize]),
        };
        let base = end_before(page.first);
        let start = end_before(column).checked_sub(base);
        let end = u32::from_le_bytes(self.ends[column as usize]).checked_sub(base);
        match (start, end) {
            (Some(start), Some(end)) if start <= end && end <= page.stored.raw => {
                Ok((number, page, start as usize..end as usize))
            }
            _ => Err(Error::corrupt(format!(
                "shared column {column} reaches beyond page {number} of columns"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(columns: &[Vec<u8>]) -> (Vec<u32>, Vec<u8>, Vec<u8>) {
        let (mut writer, mut file) = (SharedWriter::default(), Vec::new());
        let mut numbers = Vec::new();
        for bytes in columns {
            if writer.find(bytes).is_none() && writer.is_full_for(bytes) {
                writer.close_page(file.len() as u64, &mut file);
            }
            let number = writer
                .find(bytes)
                .unwrap_or_else(|| writer.add(bytes).unwrap());
            numbers.push(number);
        }
        if writer.has_open_page() {
            writer.close_page(file.len() as u64, &mut file);
        }
        (numbers, writer.finish(), file)
    }

    #[test]
    fn columns_of_several_pages_are_found_and_equal_ones_have_one_number() {
        let column = |number: u32| {
            let length = 1 + number as usize * 7919 % 2000;
            number.to_le_bytes().repeat(length)
        };
        let columns: Vec<Vec<u8>> = (0..90).map(|n| column(n % 60)).collect();
        let (numbers, section, file) = written(&columns);
        let shared = Shared::read(&section, 0..file.len() as u64).unwrap();
        assert!(shared.page_count() > 3);
        assert_eq!(shared.column_count(), 60);
        assert_eq!(numbers[..30], numbers[60..]);
        for (bytes, number) in columns.iter().zip(&numbers) {
            let (_, page, range) = shared.column(*number).unwrap();
            let start = page.stored.offset as usize;
            assert_eq!(&file[start + range.start..start + range.end], &bytes[..]);
        }
        assert!(shared.column(60).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut writer = SharedWriter::default();
        let large = |number: u32| number.to_le_bytes().repeat(1 << 18);
        for number in 0..40 {
            let bytes = large(number);
            if writer.is_full_for(&bytes) {
                writer.close_page(0, &mut Vec::new());
            }
            assert_eq!(writer.add(&bytes).unwrap(), number);
            assert!(writer.known_bytes <= KNOWN_BYTES_MAX);
        }
        // One that was forgotten is a new one.
        let found = (0..40).filter(|number| writer.find(&large(*number)).is_some());
        assert_eq!(found.count(), KNOWN_BYTES_MAX / (1 << 20));
    }

    #[test]
    fn a_damaged_section_is_an_error_and_never_a_panic() {
        let columns: Vec<Vec<u8>> = (0..9).map(|n| vec![n; 9000]).collect();
        let (_, section, file) = written(&columns);
        for place in 0..section.len() {
            for bit in 0..8 {
                let mut damaged = section.clone();
                damaged[place] ^= 1 << bit;
                let Ok(shared) = Shared::read(&damaged, 0..file.len() as u64) else {
                    continue;
                };
                for column in 0..10 {
                    let _ = shared.column(column);
                }
            }
            if let Ok(shared) = Shared::read(&section[..place], 0..file.len() as u64) {
                let _ = (0..10)
                    .map(|column| shared.column(column))
                    .collect::<Vec<_>>();
            }
        }
    }
}
