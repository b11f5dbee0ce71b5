//! Pages: the strips of neighbouring chunks stored together, each strip apart and compressed if
//! that pays.
//!
//! Owns the page table and what lies at its offsets. A table entry is `u64` offset of the first
//! strip in the file; then for each strip `u32 stored length, u32 raw length, u32 crc` of the
//! stored bytes. Strips follow each other and pages follow pages without gaps. A strip whose two
//! lengths are equal is stored as it is.

use std::ops::Range;

use crate::block::carried::CarriedStrip;
use crate::block::writer::Paging;
use crate::block::{STRIP_BYTES_MAX, STRIPS_MAX};
use crate::codec::bytes::Cursor;
use crate::codec::text::{self, Packed, TextPacker};
use crate::codec::tokens::Keys;
use crate::codec::{Packing, Sought};
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
    packers: [Packer; STRIPS_MAX],
    full: Option<FullPages>,
    table: Vec<u8>,
    pages: u32,
}

/// How pages of many bytes are packed: made when the first one comes, since a block may have none.
struct FullPages {
    bytes_min: usize,
    packing: [Packing; STRIPS_MAX],
    packers: Option<[Packer; STRIPS_MAX]>,
}

/// What a strip's packing takes.
enum Packer {
    AsIs,
    Frame(Box<zstd::bulk::Compressor<'static>>),
    TextFrame(Box<zstd::bulk::Compressor<'static>>),
    Texts(Box<TextPacker>, Sought),
}

impl Packer {
    fn new(packing: Packing) -> Result<Self> {
        Ok(match packing {
            Packing::AsIs => Packer::AsIs,
            Packing::Frame(level) => Packer::Frame(compressor(level)?),
            Packing::TextFrame(level) => Packer::TextFrame(compressor(level)?),
            Packing::Texts(sought) => Packer::Texts(Box::new(TextPacker::new()?), sought),
        })
    }

    /// The strip in other bytes, if that may be smaller, and the keys of texts that are sought.
    fn pack(&mut self, raw: &[u8]) -> Result<Packed> {
        let (bytes, keys) = match self {
            Packer::AsIs => (None, None),
            Packer::Frame(compressor) => (compressor.compress(raw).ok(), None),
            Packer::TextFrame(compressor) => {
                (compressor.compress(raw).ok(), Some(text::keys_of(raw)?))
            }
            Packer::Texts(packer, sought) => return packer.pack(raw, *sought),
        };
        Ok(Packed { bytes, keys })
    }
}

fn packers(packing: [Packing; STRIPS_MAX]) -> Result<[Packer; STRIPS_MAX]> {
    let mut packers = [const { Packer::AsIs }; STRIPS_MAX];
    for (packer, packing) in packers.iter_mut().zip(packing) {
        *packer = Packer::new(packing)?;
    }
    Ok(packers)
}

fn compressor(level: i32) -> Result<Box<zstd::bulk::Compressor<'static>>> {
    zstd::bulk::Compressor::new(level)
        .map(Box::new)
        .map_err(|error| Error::invalid(format!("zstd level {level} cannot be used: {error}")))
}

impl PageEncoder {
    pub(crate) fn new(paging: &Paging) -> Result<Self> {
        Ok(PageEncoder {
            packers: packers(paging.packing)?,
            full: paging.full.map(|(bytes_min, packing)| FullPages {
                bytes_min,
                packing,
                packers: None,
            }),
            table: Vec::new(),
            pages: 0,
        })
    }

    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// Appends a page's strips to `out`, which begins at `offset` in the file, and notes them in
    /// the table. Tells the keys of a strip of texts that are sought by content.
    pub(crate) fn encode(
        &mut self,
        strips: &[Vec<u8>],
        offset: u64,
        out: &mut Vec<u8>,
    ) -> Result<Option<Keys>> {
        let mut told = None;
        self.table.extend_from_slice(&offset.to_le_bytes());
        let bytes: usize = strips.iter().map(Vec::len).sum();
        let packers = match &mut self.full {
            Some(full) if bytes >= full.bytes_min => match &mut full.packers {
                Some(packers) => packers,
                absent => absent.insert(packers(full.packing)?),
            },
            _ => &mut self.packers,
        };
        for (raw, packer) in strips.iter().zip(packers) {
            assert!(
                raw.len() <= STRIP_BYTES_MAX,
                "the writer closes pages before the limit"
            );
            let Packed { bytes, keys } = packer.pack(raw)?;
            told = told.or(keys);
            // Equal lengths mean "stored as it is", so only what is smaller may count as
            // compressed.
            let stored = match &bytes {
                Some(packed) if packed.len() < raw.len() => packed,
                _ => raw,
            };
            note(&mut self.table, stored, raw.len());
            out.extend_from_slice(stored);
        }
        self.end_page()?;
        Ok(told)
    }

    /// Notes a page in the table whose strips are stored at `offset` as they came.
    pub(crate) fn append_stored(&mut self, strips: &[CarriedStrip], offset: u64) -> Result<()> {
        self.table.extend_from_slice(&offset.to_le_bytes());
        for strip in strips {
            note(&mut self.table, &strip.bytes, strip.raw as usize);
        }
        self.end_page()
    }

    fn end_page(&mut self) -> Result<()> {
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

/// Appends what the table says of a strip. Both lengths are at most the limit, far below 32 bits.
fn note(table: &mut Vec<u8>, stored: &[u8], raw: usize) {
    for number in [stored.len() as u32, raw as u32, crc32fast::hash(stored)] {
        table.extend_from_slice(&number.to_le_bytes());
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
