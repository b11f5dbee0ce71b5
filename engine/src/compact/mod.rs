//! Compaction: which blocks to merge, how their entries become fewer and smaller blocks, and which
//! blocks retention drops.
//!
//! `plan` and `expire` decide and touch nothing; `stream` puts the entries of one series together
//! again; `merge` walks the series of all inputs in label order and writes what is left of them.
//! When that happens, and what the manifest says of it, is the store's business.

pub(crate) mod expire;
pub(crate) mod merge;
pub(crate) mod plan;
mod stream;
