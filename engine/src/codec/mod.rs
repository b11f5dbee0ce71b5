//! Numbers to bytes and back. Knows no series, no files, no kinds.
//!
//! Every decoder here takes bytes that may be hostile: it returns an error, never panics, and never
//! sizes an allocation by a length that it has not checked against a limit of its own or the bytes
//! at hand.

pub(crate) mod bytes;
