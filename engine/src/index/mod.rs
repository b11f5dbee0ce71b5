//! From matchers to series: what a sealed block's index is made of, and the selection that the head
//! shares.
//!
//! Everything here works on byte slices and `u32` ordinals. It knows no files, no chunks and no
//! kinds. Readers take bytes that may be hostile: damage is an error, never a panic and never a
//! wrong answer that a bound could have caught.

pub(crate) mod build;
pub(crate) mod filter;
pub(crate) mod postings;
pub(crate) mod rows;
pub(crate) mod sealed;
pub(crate) mod search;
pub(crate) mod select;
pub(crate) mod symbols;
