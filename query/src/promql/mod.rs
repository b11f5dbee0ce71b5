//! PromQL: syntax, types, plan and evaluation.

pub mod check;
pub mod signatures;
pub mod syntax;
