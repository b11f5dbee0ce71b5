//! A chunk ready for a block: what a kind hands over, and a block writes without knowing the kind.

use crate::time::TickRange;

/// One chunk ready for a block: its strips and what a block's index says about it.
#[derive(Clone, Copy, Debug)]
pub struct SealedChunk<'a> {
    /// The first and the last tick of its entries.
    pub(crate) range: TickRange,
    /// How many entries it has, at least one.
    pub(crate) count: u32,
    /// A tag for whoever decodes the strips.
    pub(crate) encoding: u8,
    /// The strips, as many as the block's paging says.
    pub(crate) strips: &'a [&'a [u8]],
    /// The hashes of all of its tokens. Either every chunk of a block tells its tokens or none
    /// does: a block in which one does takes the silence of another for "has no tokens". None is
    /// asked for where a strip is packed as texts that are sought by content: the page tells keys.
    pub(crate) tokens: &'a [u64],
    /// What can be said of its entries without decoding them, kept beside the chunk's place to skip
    /// it by; empty where nothing is.
    pub(crate) summary: &'a [u8],
    /// A column that chunks of other series have as well and that is to be stored once; empty for
    /// none.
    pub(crate) shared: &'a [u8],
}
