//! What query languages share below their grammars: places in a text, quoted strings, numbers and
//! durations as Go reads and writes them.
//!
//! Knows no language and no data.

pub(crate) mod amounts;
pub mod duration;
pub mod number;
pub(crate) mod quote;
mod span;

pub use span::Span;
