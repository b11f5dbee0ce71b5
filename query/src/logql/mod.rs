//! LogQL: syntax, pipelines over lines, and evaluation.

mod answer;
mod engine_source;
mod eval;
mod limits;
mod memory;
pub mod pipeline;
mod query;
pub mod source;
pub mod syntax;

pub use crate::promql::{CancelFlag, Error, ErrorKind, Result, Room};
pub use answer::{
    LabelPairs, LinesAnswer, MergedStream, MetricAnswer, ResultEntry, ResultStream, Stats,
};
pub use engine_source::EngineLines;
pub use limits::{Limits, Options, SeriesBeyond, Steps};
pub use memory::MemoryLines;
pub use query::{LinesRequest, LogQuery};
pub use source::{Direction, LineRequest, LineSource, LineStream};
