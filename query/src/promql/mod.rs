//! PromQL: syntax, types, plan and evaluation.

pub mod annotations;
pub mod check;
mod engine_source;
mod error;
mod eval;
mod functions;
pub mod histogram;
mod limits;
mod memory;
mod plan;
mod query;
pub mod script;
pub mod signatures;
pub mod source;
mod sum;
pub mod syntax;

pub use engine_source::EngineSource;
pub use error::{Error, ErrorKind, Result};
pub use limits::{CancelFlag, Limits};
pub use memory::MemorySource;
pub use query::{Answer, NameRemoval, Options, Point, Query, ResultSeries, Sample, Value};
