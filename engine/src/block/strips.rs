//! Reads what chunks are made of: strips of pages and shared columns, through the cache, each
//! checked before it is looked at.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::block::cache::PageKey;
use crate::block::footer::Section;
use crate::block::header::HEADER_BYTES;
use crate::block::page::StoredStrip;
use crate::block::reader::{BlockReader, read};
use crate::block::shared::Shared;
use crate::block::{ChunkMeta, STRIPS_MAX};
use crate::codec::text::{self, Abridge, Found};
use crate::codec::tokens::Needle;
use crate::error::{Error, Result};

/// A part of a decoded page; keeps the page alive.
#[derive(Clone)]
pub(crate) struct PageSlice {
    page: Arc<[u8]>,
    range: Range<usize>,
}

impl Deref for PageSlice {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.page[self.range.clone()]
    }
}

impl BlockReader {
    /// The bytes of one strip of a chunk.
    pub(crate) fn strip(&self, chunk: &ChunkMeta, strip: usize) -> Result<PageSlice> {
        let page = self.page(chunk.page, strip)?;
        let place = chunk.strips[strip.min(STRIPS_MAX - 1)];
        let start = place.offset as usize;
        let range = start..start + place.length as usize;
        if page.get(range.clone()).is_none() {
            let error = Error::corrupt(format!(
                "a chunk's strip {strip} reaches beyond page {} of {} bytes",
                chunk.page,
                page.len()
            ));
            return Err(self.placed(error, Section::Chunks));
        }
        Ok(PageSlice { page, range })
    }

    /// The bytes of the column that a chunk shares with others.
    pub(crate) fn shared(&self, chunk: &ChunkMeta) -> Result<PageSlice> {
        let Some(column) = chunk.shared else {
            let error = Error::corrupt("a chunk lacks the column that it needs");
            return Err(self.placed(error, Section::Chunks));
        };
        let found = self.shared_columns()?.column(column);
        let (number, page, range) = found.map_err(|error| self.placed(error, Section::Shared))?;
        // No strip has this number.
        let key = PageKey {
            owner: self.owner,
            page: number,
            strip: STRIPS_MAX as u8,
        };
        if let Some(page) = self.cache.find(&key) {
            return Ok(PageSlice { page, range });
        }
        let page = self.read_checked(page.stored, || format!("page {number} of columns"))?;
        self.cache.insert(key, &page);
        Ok(PageSlice { page, range })
    }

    pub(super) fn shared_columns(&self) -> Result<Shared<'_>> {
        let section = self.section(Section::Shared)?;
        Shared::read(section, self.footer.pages_range(HEADER_BYTES as u64))
            .map_err(|error| self.placed(error, Section::Shared))
    }

    /// The texts of a chunk's strip that contain all needles, where they are found without decoding
    /// the strip. None where it has to be decoded, or is already.
    pub(crate) fn search(
        &self,
        chunk: &ChunkMeta,
        strip: usize,
        needles: &[Needle],
    ) -> Result<Option<Found>> {
        let key = self.page_key(chunk.page, strip);
        let Some(stored) = self.packed_alone(chunk, strip)? else {
            return Ok(None);
        };
        if self.cache.find(&key).is_some() {
            return Ok(None);
        }
        let packed = self.read_strip(chunk.page, strip, stored)?;
        if packed.first() == Some(&text::TAG) {
            return self
                .cache
                .search_texts(&packed, stored.raw as usize, needles)
                .map_err(|error| self.damaged(chunk.page, strip, stored, &format!("{error}")));
        }
        let decoded = self.expand(chunk.page, strip, stored, &packed)?;
        self.cache.insert(key, &decoded);
        Ok(None)
    }

    /// The texts of a chunk's strip, abridged. None where the strip has to be decoded.
    pub(crate) fn abridged(
        &self,
        chunk: &ChunkMeta,
        strip: usize,
        reader: &dyn Abridge,
    ) -> Result<Option<Found>> {
        self.told(chunk, strip, |packed, raw_bytes| {
            self.cache.abridge_texts(packed, raw_bytes, reader)
        })
    }

    /// How long the texts of a chunk's strip are. None where the strip has to be decoded.
    pub(crate) fn measured(&self, chunk: &ChunkMeta, strip: usize) -> Result<Option<Found>> {
        self.told(chunk, strip, |packed, raw_bytes| {
            self.cache.measure_texts(packed, raw_bytes)
        })
    }

    /// What the shapes and columns of a chunk's strip tell. None where they are not its own.
    fn told<T>(
        &self,
        chunk: &ChunkMeta,
        strip: usize,
        tell: impl FnOnce(&[u8], usize) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let Some(stored) = self.packed_alone(chunk, strip)? else {
            return Ok(None);
        };
        let packed = self.read_strip(chunk.page, strip, stored)?;
        if packed.first() != Some(&text::TAG) {
            return Ok(None);
        }
        tell(&packed, stored.raw as usize)
            .map_err(|error| self.damaged(chunk.page, strip, stored, &format!("{error}")))
    }

    /// How a chunk's strip is stored, if that is packed and for this chunk alone: a page that
    /// several chunks share is decoded once for all of them.
    fn packed_alone(&self, chunk: &ChunkMeta, strip: usize) -> Result<Option<StoredStrip>> {
        let stored = self.stored_strip(chunk.page, strip)?;
        let place = chunk.strips[strip.min(STRIPS_MAX - 1)];
        let is_alone = place.offset == 0 && place.length == stored.raw;
        Ok((is_alone && stored.stored != stored.raw).then_some(stored))
    }

    /// A decoded strip of a page, from the cache or the disk.
    fn page(&self, page: u32, strip: usize) -> Result<Arc<[u8]>> {
        let stored = self.stored_strip(page, strip)?;
        let key = self.page_key(page, strip);
        if let Some(found) = self.cache.find(&key) {
            return Ok(found);
        }
        let decoded = self.decode_page(page, strip, stored)?;
        self.cache.insert(key, &decoded);
        Ok(decoded)
    }

    fn page_key(&self, page: u32, strip: usize) -> PageKey {
        PageKey {
            owner: self.owner,
            page,
            // Strips are few: whoever asks has looked the strip up in the page table.
            strip: strip as u8,
        }
    }

    /// Reads, checks and decompresses a strip of a page.
    pub(super) fn decode_page(
        &self,
        page: u32,
        strip: usize,
        stored: StoredStrip,
    ) -> Result<Arc<[u8]>> {
        let bytes = self.read_strip(page, strip, stored)?;
        match stored.stored == stored.raw {
            true => Ok(bytes),
            false => self.expand(page, strip, stored, &bytes),
        }
    }

    /// The bytes of a strip as they are stored, once their checksum is known to be right.
    pub(super) fn read_strip(
        &self,
        page: u32,
        strip: usize,
        stored: StoredStrip,
    ) -> Result<Arc<[u8]>> {
        self.read_checked(stored, || format!("strip {strip} of page {page}"))
    }

    /// Decompresses a strip that is stored packed.
    fn expand(
        &self,
        page: u32,
        strip: usize,
        stored: StoredStrip,
        packed: &[u8],
    ) -> Result<Arc<[u8]>> {
        let damaged = |what: &str| self.damaged(page, strip, stored, what);
        let mut raw: Arc<[u8]> = std::iter::repeat_n(0, stored.raw as usize).collect();
        let bytes = Arc::get_mut(&mut raw).expect("nobody else has the new page yet");
        if packed.first() == Some(&text::TAG) {
            self.cache
                .unpack_texts(packed, bytes)
                .map_err(|error| damaged(&format!("{error}")))?;
            return Ok(raw);
        }
        match self.cache.decompress(packed, bytes) {
            Ok(length) if length == bytes.len() => Ok(raw),
            Ok(_) => Err(damaged("it is shorter than the page table says")),
            Err(_) => Err(damaged("it does not decompress")),
        }
    }

    /// Reads stored bytes and checks them. Their length was checked against the limit of a strip.
    pub(super) fn read_checked(
        &self,
        stored: StoredStrip,
        name: impl Fn() -> String,
    ) -> Result<Arc<[u8]>> {
        let file = self.file.handle();
        let file = file.map_err(|error| Error::io(error, "opening a block again", &self.path))?;
        let mut found: Arc<[u8]> = std::iter::repeat_n(0, stored.stored as usize).collect();
        let bytes = Arc::get_mut(&mut found).expect("nobody else has the new page yet");
        read(&*file, &self.path, bytes, stored.offset)?;
        match crc32fast::hash(bytes) == stored.crc {
            true => Ok(found),
            false => Err(Error::corrupt(format!("{}: crc mismatch", name()))
                .at_path(&self.path)
                .at_offset(stored.offset)),
        }
    }

    fn damaged(&self, page: u32, strip: usize, stored: StoredStrip, what: &str) -> Error {
        Error::corrupt(format!("strip {strip} of page {page}: {what}"))
            .at_path(&self.path)
            .at_offset(stored.offset)
    }
}
