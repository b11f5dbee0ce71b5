//! Pages: the strips of neighbouring chunks stored together, each strip apart and compressed if
//! that pays.
//!
//! Owns the page table and what lies at its offsets. A table entry is `u64` offset of the first
//! strip in the file; then for each strip `u32 stored length, u32 raw length, u32 crc` of the
//! stored bytes. Strips follow each other and pages follow pages without gaps. A strip whose two
//! lengths are equal is stored as it is.

use std::ops::Range;

use crate::block::{STRIP_BYTES_MAX, STRIPS_MAX};
use crate::codec::bytes::Cursor;
use crate::error::{Error, Result};

const STRIP_ENTRY_BYTES: usize = 12;

fn entry_bytes(strips: u8) -> usize {
    8 + STRIP_ENTRY_BYTES * usize::from(strips)
}

/// How one strip of one page is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredStrip {
    pub(crate) offset: u64,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    pub(crate) crc: u32,
}

/// Compresses strips and writes the page table.
pub(crate) struct PageEncoder {
    compressors: [Option<zstd::bulk::Compressor<'static>>; STRIPS_MAX],
    table: Vec<u8>,
    pages: u32,
}

impl PageEncoder {
    pub(crate) fn new(levels: [Option<i32>; STRIPS_MAX]) -> Result<Self> {
        let mut compressors = [const { None }; STRIPS_MAX];
        for (compressor, level) in compressors.iter_mut().zip(levels) {
            if let Some(level) = level {
                let made = zstd::bulk::Compressor::new(level);
                *compressor = Some(made.map_err(|error| {
                    Error::invalid(format!("zstd level {level} cannot be used: {error}"))
                })?);
            }
        }
        Ok(PageEncoder {
            compressors,
            table: Vec::new(),
            pages: 0,
        })
    }

    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// Appends a page's strips to `out`, which begins at `offset` in the file, and notes them in
    /// the table.
    pub(crate) fn encode(
        &mut self,
        strips: &[Vec<u8>],
        offset: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.table.extend_from_slice(&offset.to_le_bytes());
        for (raw, compressor) in strips.iter().zip(&mut self.compressors) {
            assert!(
                raw.len() <= STRIP_BYTES_MAX,
                "the writer closes pages before the limit"
            );
            let packed = match compressor {
                Some(compressor) => compressor.compress(raw).ok(),
                None => None,
            };
            // Equal lengths mean "stored as it is", so only what is smaller may count as
            // compressed.
            let stored = match &packed {
                Some(packed) if packed.len() < raw.len() => packed,
                _ => raw,
            };
            // Both lengths are at most the limit, far below 32 bits.
            self.table
                .extend_from_slice(&(stored.len() as u32).to_le_bytes());
            self.table
                .extend_from_slice(&(raw.len() as u32).to_le_bytes());
            self.table
                .extend_from_slice(&crc32fast::hash(stored).to_le_bytes());
            out.extend_from_slice(stored);
        }
        self.pages = self
            .pages
            .checked_add(1)
            .ok_or_else(|| Error::limit("a block holds at most 2^32 - 1 pages"))?;
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.table
    }
}

/// The page table over borrowed bytes.
#[derive(Clone, Copy)]
pub(crate) struct PageTable<'a> {
    bytes: &'a [u8],
    strips: u8,
    /// The part of the file that pages may lie in.
    within: (u64, u64),
}

impl<'a> PageTable<'a> {
    pub(crate) fn read(
        bytes: &'a [u8],
        strips: u8,
        pages: u32,
        within: Range<u64>,
    ) -> Result<Self> {
        let expected = (pages as usize).checked_mul(entry_bytes(strips));
        if expected != Some(bytes.len()) {
            return Err(Error::corrupt(format!(
                "the page table does not fit {pages} pages"
            )));
        }
        Ok(PageTable {
            bytes,
            strips,
            within: (within.start, within.end),
        })
    }

    /// Where a strip of a page is stored; inside the part of the file that pages may lie in, and of
    /// a sane size.
    pub(crate) fn strip(&self, page: u32, strip: usize) -> Result<StoredStrip> {
        let size = entry_bytes(self.strips);
        let start = (page as usize)
            .checked_mul(size)
            .filter(|_| strip < usize::from(self.strips));
        let Some(entry) = start.and_then(|start| self.bytes.get(start..)?.get(..size)) else {
            return Err(Error::corrupt(format!(
                "strip {strip} of page {page} is not in the block"
            )));
        };
        let mut cursor = Cursor::new(entry);
        let mut offset = cursor.u64()?;
        for _ in 0..strip {
            offset = offset.saturating_add(u64::from(cursor.u32()?));
            cursor.take(STRIP_ENTRY_BYTES - 4)?;
        }
        let found = StoredStrip {
            offset,
            stored: cursor.u32()?,
            raw: cursor.u32()?,
            crc: cursor.u32()?,
        };
        let end = found.offset.saturating_add(u64::from(found.stored));
        let inside = self.within.0 <= found.offset && end <= self.within.1;
        if !inside || found.stored > found.raw || found.raw as usize > STRIP_BYTES_MAX {
            return Err(Error::corrupt(format!(
                "strip {strip} of page {page} has an impossible place or length"
            )));
        }
        Ok(found)
    }
}
