//! Languages of queries over any source of series.
//!
//! [`promql`] parses, checks and evaluates PromQL, [`logql`] LogQL. This crate sees the engine's
//! public names only and runs no async code. Threads are started while a LogQL query reads, no more
//! than its options say, and joined before it answers.
#![forbid(unsafe_code)]

mod grid;
pub mod logql;
pub mod promql;
pub mod text;
