//! Wire formats of pushed data: bytes to columns, borrowed from the body where that can be.
//!
//! Knows no HTTP and no store. What a message says is not believed: every count has a limit, and
//! nothing is allocated for what is only claimed.

pub(crate) mod bytes;
pub(crate) mod chunks;
pub(crate) mod columns;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod logs;
pub(crate) mod message;
pub(crate) mod otlp;
pub(crate) mod protobuf;
pub(crate) mod read;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod vm_lines;
pub(crate) mod write_v1;
pub(crate) mod write_v2;
