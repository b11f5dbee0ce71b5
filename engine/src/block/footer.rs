//! The last bytes of a block: counts, the section directory, and the trailer that finds them.
//!
//! A file is read from its end: the trailer has a fixed length and says where the footer is. The
//! footer names every section; sections lie one behind the other and reach from the pages to the
//! footer, so that no byte of the file is without a checksum.

use std::ops::Range;

use crate::block::header::VERSION;
use crate::block::ids::SERIES_BYTES;
use crate::codec::bytes::Cursor;
use crate::error::{Error, Result};
use crate::time::{TickRange, Ticks};

const MAGIC: [u8; 8] = *b"blkchron";

/// The length of the trailer.
pub(crate) const TRAILER_BYTES: usize = 24;

const ENTRY_BYTES: usize = 21;
/// The length of a footer.
pub(crate) const FOOTER_BYTES: usize = footer_bytes(VERSION);

/// The length of a footer of a version.
const fn footer_bytes(version: u16) -> usize {
    40 + 1 + section_count(version) * ENTRY_BYTES
}

/// How many sections blocks of a version have.
const fn section_count(version: u16) -> usize {
    match version {
        1 => SECTIONS.len() - 1,
        _ => SECTIONS.len(),
    }
}

/// The sections of a block, in the order they lie in the file; the numbers are the tags on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Section {
    Symbols = 1,
    Postings = 2,
    Rows = 3,
    Ids = 4,
    Chunks = 5,
    Pages = 6,
    Filters = 7,
    /// Since version 2; empty before.
    Shared = 8,
}

/// Every section, in file order.
pub(crate) const SECTIONS: [Section; 8] = [
    Section::Symbols,
    Section::Postings,
    Section::Rows,
    Section::Ids,
    Section::Chunks,
    Section::Pages,
    Section::Filters,
    Section::Shared,
];

impl Section {
    pub(crate) fn index(self) -> usize {
        self as usize - 1
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Section::Symbols => "symbols",
            Section::Postings => "postings",
            Section::Rows => "label rows",
            Section::Ids => "series ids",
            Section::Chunks => "chunks",
            Section::Pages => "page table",
            Section::Filters => "token filters",
            Section::Shared => "shared columns",
        }
    }
}

/// Where a section lies and what its bytes hash to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SectionPlace {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) crc: u32,
}

/// What the block holds, and where its sections are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) series: u32,
    pub(crate) pages: u32,
    pub(crate) chunks: u64,
    pub(crate) entries: u64,
    /// The hull of all chunks; empty where there is none.
    pub(crate) range: TickRange,
    pub(crate) sections: [SectionPlace; SECTIONS.len()],
}

impl Footer {
    /// The footer and trailer as they end a file whose first `offset` bytes are written.
    pub(crate) fn encode(&self, offset: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES + TRAILER_BYTES);
        out.extend_from_slice(&self.series.to_le_bytes());
        out.extend_from_slice(&self.pages.to_le_bytes());
        out.extend_from_slice(&self.chunks.to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.range.start.0.to_le_bytes());
        out.extend_from_slice(&self.range.end.0.to_le_bytes());
        // Eight sections fit a byte.
        out.push(SECTIONS.len() as u8);
        for (section, place) in SECTIONS.iter().zip(&self.sections) {
            out.push(*section as u8);
            out.extend_from_slice(&place.offset.to_le_bytes());
            out.extend_from_slice(&place.length.to_le_bytes());
            out.extend_from_slice(&place.crc.to_le_bytes());
        }
        assert_eq!(
            out.len(),
            FOOTER_BYTES,
            "the fields add up to the footer's length"
        );
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&(FOOTER_BYTES as u32).to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// Reads a footer of a version, whose checksum was right. Sections must fill `pages_start..end`
    /// from some point to its end.
    pub(crate) fn decode(bytes: &[u8], version: u16, pages_start: u64, end: u64) -> Result<Footer> {
        let mut cursor = Cursor::new(bytes);
        let (series, pages) = (cursor.u32()?, cursor.u32()?);
        let (chunks, entries) = (cursor.u64()?, cursor.u64()?);
        let range = TickRange::new(Ticks(cursor.i64()?), Ticks(cursor.i64()?));
        let count = cursor.u8()?;
        if usize::from(count) != section_count(version) {
            return Err(Error::corrupt(format!("block footer: {count} sections")));
        }
        // A section that the version does not know is empty and stands at the end.
        let absent = SectionPlace {
            offset: end,
            ..SectionPlace::default()
        };
        let mut sections = [absent; SECTIONS.len()];
        let mut expected: Option<u64> = None;
        let known = sections.iter_mut().take(usize::from(count));
        for (section, place) in SECTIONS.iter().zip(known) {
            let tag = cursor.u8()?;
            *place = SectionPlace {
                offset: cursor.u64()?,
                length: cursor.u64()?,
                crc: cursor.u32()?,
            };
            let adjoins = expected.is_none_or(|expected| expected == place.offset);
            if tag != *section as u8 || !adjoins || place.offset < pages_start {
                return Err(Error::corrupt(format!(
                    "block footer: section {} is not where it belongs",
                    section.name()
                )));
            }
            expected = place.offset.checked_add(place.length);
            if expected.is_none_or(|next| next > end) {
                return Err(Error::corrupt(format!(
                    "block footer: section {} reaches beyond the footer",
                    section.name()
                )));
            }
        }
        // Readers size sets of series by the count, so it must be backed by bytes that are there.
        let ids = sections[Section::Ids.index()].length;
        if u64::from(series) * SERIES_BYTES as u64 != ids {
            return Err(Error::corrupt(format!(
                "block footer: {series} series with {ids} id bytes"
            )));
        }
        if expected != Some(end) || !cursor.is_empty() {
            return Err(Error::corrupt(
                "block footer: the sections do not end at the footer",
            ));
        }
        Ok(Footer {
            series,
            pages,
            chunks,
            entries,
            range,
            sections,
        })
    }

    /// The bytes of the file that pages fill, given where they start.
    pub(crate) fn pages_range(&self, pages_start: u64) -> Range<u64> {
        pages_start..self.sections[0].offset
    }
}

/// Where a trailer says the footer is.
pub(crate) struct Trailer {
    pub(crate) footer_offset: u64,
    pub(crate) footer_crc: u32,
}

impl Trailer {
    /// Reads the last bytes of a file of `file_length` bytes and a version.
    pub(crate) fn decode(
        bytes: &[u8; TRAILER_BYTES],
        version: u16,
        file_length: u64,
    ) -> Result<Trailer> {
        let mut cursor = Cursor::new(bytes);
        let (footer_offset, footer_length) = (cursor.u64()?, cursor.u32()?);
        let footer_crc = cursor.u32()?;
        if cursor.array::<8>()? != MAGIC {
            return Err(Error::corrupt(
                "the file does not end as a block does: it is cut or torn",
            ));
        }
        let end = footer_offset
            .checked_add(u64::from(footer_length))
            .and_then(|end| end.checked_add(TRAILER_BYTES as u64));
        if end != Some(file_length) || footer_length as usize != footer_bytes(version) {
            return Err(Error::corrupt(format!(
                "the trailer does not fit a file of {file_length} bytes"
            )));
        }
        Ok(Trailer {
            footer_offset,
            footer_crc,
        })
    }
}
