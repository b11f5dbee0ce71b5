//! PromQL: syntax, types, plan and evaluation.

pub mod annotations;
pub mod check;
mod dates;
mod engine_source;
mod error;
pub(crate) mod eval;
pub(crate) mod functions;
pub mod histogram;
pub(crate) mod limits;
mod memory;
mod options;
pub(crate) mod plan;
mod query;
pub(crate) mod room;
pub mod script;
pub mod signatures;
mod slots;
pub mod source;
mod sum;
pub mod syntax;
mod trace;
mod twins;
mod value;
mod workers;

pub use engine_source::EngineSource;
pub use error::{Error, ErrorKind, Result};
pub use limits::{CancelFlag, Limits};
pub use memory::MemorySource;
pub use options::{NameRemoval, Options};
pub use query::{Answer, Query};
pub use room::Room;
pub use trace::Explanation;
pub use value::{Point, ResultSeries, Sample, Value};
pub use workers::Workers;
