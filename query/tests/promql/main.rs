//! PromQL through its public door: scripts over memory and over the engine, limits, and a slow
//! twin of the whole evaluation.
// All of it is test code, functions between the tests too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod execution;
mod limits;
mod random;
mod scripts;
mod shelf;
mod twin;
