//! Pages that a merge carries from one block to another as they are stored: packed once, and not
//! again each time that their block is merged.
//!
//! A page is carried whole or not at all, so one chunk must fill it. Its checksums are verified on
//! the way, and what they cover is not looked at.

use std::sync::Arc;

use crate::block::footer::Section;
use crate::block::{BlockReader, ChunkMeta};
use crate::error::Result;

/// A page of one chunk, as it is stored.
pub(crate) struct CarriedPage {
    /// The chunk; its page is that of the block it comes from.
    pub(super) chunk: ChunkMeta,
    pub(super) strips: Vec<CarriedStrip>,
    /// What says which texts are in the page.
    pub(super) filter: Vec<u8>,
}

/// A strip as it is stored.
pub(crate) struct CarriedStrip {
    pub(super) bytes: Arc<[u8]>,
    /// How long it is unpacked.
    pub(super) raw: u32,
}

impl CarriedPage {
    /// About how many bytes its entries are.
    pub(crate) fn raw_bytes(&self) -> usize {
        self.strips.iter().map(|strip| strip.raw as usize).sum()
    }
}

impl BlockReader {
    /// The page of a chunk, if the chunk has it alone and it holds `raw_bytes_min` or more. Pages
    /// so full were packed for long when they were written: to pack one again makes the same bytes.
    pub(crate) fn carry(
        &self,
        chunk: &ChunkMeta,
        raw_bytes_min: usize,
    ) -> Result<Option<CarriedPage>> {
        if chunk.shared.is_some() || chunk.summary.length > 0 {
            return Ok(None);
        }
        let mut stored = Vec::with_capacity(self.strip_count());
        for strip in 0..self.strip_count() {
            let place = self.stored_strip(chunk.page, strip)?;
            let own = chunk.strips[strip];
            if own.offset != 0 || own.length != place.raw {
                return Ok(None);
            }
            stored.push(place);
        }
        let raw: usize = stored.iter().map(|place| place.raw as usize).sum();
        let filters = self.section(Section::Filters)?;
        if raw < raw_bytes_min || filters.is_empty() {
            return Ok(None);
        }
        let mut strips = Vec::with_capacity(stored.len());
        for (strip, place) in stored.into_iter().enumerate() {
            let bytes = self.read_strip(chunk.page, strip, place)?;
            let raw = place.raw;
            strips.push(CarriedStrip { bytes, raw });
        }
        let filter = self
            .filter_bytes(filters, chunk.page)
            .map_err(|error| self.placed(error, Section::Filters))?;
        Ok(Some(CarriedPage {
            chunk: *chunk,
            strips,
            filter: filter.to_vec(),
        }))
    }
}
