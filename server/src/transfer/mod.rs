//! Data on its way in and out: other stores' files and servers, read into a data directory and
//! written from one.
//!
//! Works on a data directory that nobody serves meanwhile. What was read is stored in durable
//! batches, counted, and continued where it broke off (`checkpoint.rs`).

mod checkpoint;
pub(crate) mod export;
pub(crate) mod export_blocks;
pub(crate) mod export_lines;
pub(crate) mod export_parquet;
pub(crate) mod fault;
mod files;
mod job;
pub(crate) mod json_logs;
pub(crate) mod layouts;
mod lines;
pub(crate) mod loki;
pub(crate) mod metric_files;
mod parquet;
pub(crate) mod plain_logs;
pub(crate) mod progress;
pub(crate) mod prometheus;
pub(crate) mod remote;
pub(crate) mod remote_read;
mod tally;
pub(crate) mod tsdb;

pub(crate) use job::{Into, Job, Outcome, Target};
pub(crate) use lines::Pairs;
