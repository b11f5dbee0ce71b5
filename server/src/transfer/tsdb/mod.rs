//! The files of Prometheus' own store, read and written after their published descriptions; their
//! chunks are those of `wire/chunks/`.
//!
//! Knows nothing of our store. Bytes from disk never panic and never size an allocation unchecked.

pub(crate) mod block;
pub(crate) mod index;
pub(crate) mod index_writer;
pub(crate) mod meta;
pub(crate) mod record;
pub(crate) mod segments;
pub(crate) mod tombstones;
pub(crate) mod wal;
pub(crate) mod writer;
