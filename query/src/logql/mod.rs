//! LogQL: syntax, pipelines over lines, and evaluation.

pub mod pipeline;
pub mod syntax;

pub use crate::promql::{CancelFlag, Error, ErrorKind, Result};
