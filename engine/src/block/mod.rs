//! The block: one immutable, self-contained, checksummed file of chunks with the index that finds
//! them.
//!
//! A block carries bytes and knows no kind: what a chunk's strips hold is the business of whoever
//! wrote them. It exists for readers only if the manifest names it; a file that was not finished is
//! litter. The layout is told in docs/format/block.md, the reasons in docs/decisions/block.md.
//!
//! Words: a *chunk* is one run of a series' entries, cut into up to [`STRIPS_MAX`] *strips* (say
//! times, metadata, lines) that can be read apart; a *page* is the strips of neighbouring chunks,
//! compressed together, strip by strip; an *ordinal* is a series' place in label order.

use std::path::{Path, PathBuf};

use crate::time::TickRange;

pub(crate) mod cache;
pub(crate) mod carried;
mod chunks;
mod footer;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod header;
mod ids;
mod page;
pub(crate) mod partition;
pub(crate) mod reader;
pub(crate) mod salvage;
mod shared;
pub(crate) mod strips;
mod verify;
pub(crate) mod walk;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

pub(crate) use cache::PageCache;
pub(crate) use chunks::Stand;
pub(crate) use header::BlockHeader;
pub(crate) use reader::BlockReader;
pub(crate) use writer::{BlockSink, BlockSummary, BlockWriter, Paging};

/// The most strips a chunk may have.
pub(crate) const STRIPS_MAX: usize = 4;

/// The most bytes that one strip of one page may have before compression: bounds what a reader
/// allocates.
pub(crate) const STRIP_BYTES_MAX: usize = 64 << 20;

/// Where a strip of a chunk lies in its page's strip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StripPlace {
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// What a block tells about a chunk without touching its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkMeta {
    /// The first and the last tick of its entries.
    pub(crate) range: TickRange,
    /// How many entries it has.
    pub(crate) count: u32,
    /// How its strips are encoded, as its writer said.
    pub(crate) encoding: u8,
    /// The page it lies in.
    pub(crate) page: u32,
    /// Its strips; those beyond the block's number of strips are empty.
    pub(crate) strips: [StripPlace; STRIPS_MAX],
    /// Where its summary lies: ask [`BlockReader::summary`].
    summary: StripPlace,
    /// The column that it shares with others, if it does: ask [`BlockReader::shared`].
    pub(crate) shared: Option<u32>,
}

/// The name of a block file: its number in 20 digits, so that names sort as numbers do.
pub(crate) fn block_name(number: u64) -> String {
    format!("{number:020}.blk")
}

/// The number in a block file's name, if it is exactly such a name.
pub(crate) fn block_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".blk")?.parse().ok()?;
    (block_name(number) == name).then_some(number)
}

/// The path of a block in its directory.
pub(crate) fn block_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(block_name(number))
}
