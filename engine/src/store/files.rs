//! The block files that a freeze or a merge writes: their numbers, headers and what the manifest
//! will say of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::block::{
    BlockHeader, BlockReader, BlockSink, BlockSummary, BlockWriter, Paging, block_path,
};
use crate::error::Result;
use crate::kind::{Effort, Kind};
use crate::manifest::BlockEntry;
use crate::store::{Core, LiveBlock};
use crate::time::{Moment, TickRange};

/// Block files that no manifest names yet.
pub(crate) struct BlockFiles<'a, K: Kind> {
    core: &'a Core<K>,
    effort: Effort,
    level: u8,
    lsn: (u64, u64),
    /// The newest tombstone that there was when the entries were looked at: it and all before it
    /// were applied.
    pub(crate) applied: u64,
    /// Every file that may be there, finished or not.
    pub(crate) begun: Vec<u64>,
    pub(crate) done: Vec<BlockEntry>,
}

impl<'a, K: Kind> BlockFiles<'a, K> {
    /// Files with entries of these log positions, the first and the last.
    pub(crate) fn new(core: &'a Core<K>, effort: Effort, level: u8, lsn: (u64, u64)) -> Self {
        BlockFiles {
            core,
            effort,
            level,
            lsn,
            applied: 0,
            begun: Vec::new(),
            done: Vec::new(),
        }
    }
}

/// What counts as a full page where tests want many.
#[cfg(feature = "testing")]
const SMALL_PAGE_BYTES: usize = 48;

impl<K: Kind> BlockFiles<'_, K> {
    fn page_bytes(&self) -> usize {
        #[cfg(feature = "testing")]
        if self.core.shared.has_small_pages() {
            return SMALL_PAGE_BYTES;
        }
        K::page_bytes(self.effort)
    }
}

impl<'f, K: Kind> BlockSink<'f> for BlockFiles<'f, K> {
    fn begin(&mut self, partition: TickRange, class: u8) -> Result<BlockWriter<'f>> {
        let number = self.core.next_block.fetch_add(1, Ordering::AcqRel);
        self.begun.push(number);
        let header = BlockHeader {
            kind: self.core.tag,
            ticks_per_second: <K::Time as Moment>::PER_SECOND as u32,
            level: self.level,
            class,
            partition,
            lsn_min: self.lsn.0,
            lsn_max: self.lsn.1,
        };
        let mut paging = Paging::new(K::strip_packing(self.effort), self.page_bytes());
        if let Some(least) = self.full_page_bytes() {
            // No later merge packs such a page again, so a freeze packs it for long.
            paging = paging.with_full_pages(least, K::strip_packing(Effort::Best));
        }
        let directory = self.core.blocks_directory();
        BlockWriter::create(&*self.core.shared.fs, &directory, number, header, paging)
    }

    fn full_page_bytes(&self) -> Option<usize> {
        #[cfg(feature = "testing")]
        if self.core.shared.has_small_pages() {
            return K::full_page_bytes().map(|_| SMALL_PAGE_BYTES);
        }
        K::full_page_bytes()
    }

    fn done(&mut self, partition: TickRange, class: u8, block: BlockSummary) {
        self.done.push(BlockEntry {
            number: block.number,
            range: block.range,
            partition,
            lsn_min: self.lsn.0,
            lsn_max: self.lsn.1,
            level: self.level,
            class,
            bytes: block.bytes,
            series: u64::from(block.series),
            entries: block.entries,
            applied: self.applied,
        });
    }
}

impl<K: Kind> Core<K> {
    /// Opens blocks just written, as any reader will; where one cannot be read all are removed.
    pub(crate) fn open_written(
        &self,
        done: &[BlockEntry],
        begun: &[u64],
    ) -> Result<Vec<LiveBlock>> {
        let opened: Result<Vec<_>> = done.iter().map(|entry| self.open_block(entry)).collect();
        opened.map_err(|error| {
            self.remove_blocks(begun);
            error.context("reading a block just written")
        })
    }

    fn open_block(&self, entry: &BlockEntry) -> Result<LiveBlock> {
        let path = block_path(&self.blocks_directory(), entry.number);
        let cache = Arc::clone(&self.shared.cache);
        let files = &self.shared.files;
        let reader = BlockReader::open(files, &path, entry.number, cache)?;
        Ok(LiveBlock {
            entry: entry.clone(),
            reader,
        })
    }
}
