//! Languages of queries over any source of series.
//!
//! [`promql`] parses, checks and evaluates PromQL, [`logql`] LogQL. This crate sees the engine's
//! public names only, runs no async code and starts no thread of its own.
#![forbid(unsafe_code)]

pub mod logql;
pub mod promql;
pub mod text;
