//! Numbers to bytes and back. Knows no series, no files, no kinds.
//!
//! Every decoder here takes bytes that may be hostile: it returns an error, never panics, and never
//! sizes an allocation by a length that it has not checked against a limit of its own or the bytes
//! at hand.

pub(crate) mod bits;
pub(crate) mod bytes;
pub(crate) mod decimal;
pub(crate) mod float_chunk;
pub(crate) mod floats;
pub(crate) mod histogram;
pub(crate) mod histogram_chunk;
pub(crate) mod histogram_value;
pub(crate) mod ints;
pub(crate) mod miniblock;
pub(crate) mod pack;
pub(crate) mod stream;
pub(crate) mod times;
pub(crate) mod window;
pub(crate) mod xor;

/// The most entries that a sealed chunk holds.
pub(crate) const CHUNK_ENTRIES_MAX: usize = 65_536;
