//! Numbers to bytes and back. Knows no series, no files, no kinds.
//!
//! Every decoder here takes bytes that may be hostile: it returns an error, never panics, and never
//! sizes an allocation by a length that it has not checked against a limit of its own or the bytes
//! at hand.

pub(crate) mod bits;
pub(crate) mod bytes;
pub(crate) mod chunk;
pub(crate) mod decimal;
pub(crate) mod exceptions;
pub(crate) mod float_chunk;
pub(crate) mod floats;
pub(crate) mod histogram;
pub(crate) mod histogram_chunk;
pub(crate) mod histogram_value;
pub(crate) mod ints;
pub(crate) mod layers;
pub(crate) mod miniblock;
pub(crate) mod pack;
pub(crate) mod scaled;
pub(crate) mod statistics;
pub(crate) mod stream;
pub(crate) mod text;
pub(crate) mod tile;
pub(crate) mod tiled_chunk;
pub(crate) mod tiled_floats;
pub(crate) mod tiled_times;
pub(crate) mod tiles;
pub(crate) mod times;
pub(crate) mod tokens;
pub(crate) mod window;
pub(crate) mod xor;

/// The most entries that a sealed chunk holds.
pub(crate) const CHUNK_ENTRIES_MAX: usize = 65_536;

/// How a part of a page is stored; whatever is not smaller that way is stored as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    AsIs,
    /// A zstd frame of this level.
    Frame(i32),
    /// Lists of texts as a zstd frame of this level; their keys are in the page's filter.
    TextFrame(i32),
    /// Lists of texts as shapes and columns, where that pays, otherwise a frame.
    Texts(Sought),
}

/// Whether texts are searched by what is in them: then their keys are in the page's filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    ByContent,
    Never,
}
