//! PromQL and LogQL, planned and executed over a source of series.
//!
//! This crate will hold the two parsers, one plan and one executor for both languages where they
//! meet. It will see the engine's public names only, run no async code and start no thread of its
//! own.
#![forbid(unsafe_code)]

pub mod promql;
pub mod text;
