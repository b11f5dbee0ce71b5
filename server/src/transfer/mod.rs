//! Data on its way in and out: other stores' files and servers, read into a data directory and
//! written from one.
//!
//! Works on a data directory that nobody serves meanwhile. What was read is stored in durable
//! batches, counted, and continued where it broke off (`checkpoint.rs`).

pub(crate) mod bytes;
mod checkpoint;
pub(crate) mod export;
mod export_blocks;
pub(crate) mod fault;
mod job;
pub(crate) mod progress;
mod prometheus;
mod tally;
pub(crate) mod tsdb;

pub(crate) use export_blocks::export as export_blocks;
pub(crate) use job::{Into, Job, Outcome, Target};
pub(crate) use prometheus::import as import_prometheus;
