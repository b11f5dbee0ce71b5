//! The script language in which Prometheus writes its PromQL tests, and a runner for it.
//!
//! A script loads series, evaluates queries and says what must come out. Each instant evaluation
//! is done again as a step of a range, and with `@` at other times, as Prometheus does.

mod annotations;
mod compare;
mod nhcb;
mod parse;
mod rerun;
mod run;
mod series;

pub use run::{Failure, Loaded, Report, Shelf, run, run_over};

/// An error in a script, or an expectation that did not hold.
type Result<T> = std::result::Result<T, String>;
