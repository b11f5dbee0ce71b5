//! PromQL through its public door: scripts over memory and over the engine, and limits.
#![allow(clippy::unwrap_used)] // All of it is test code, functions between the tests too.

mod execution;
mod limits;
mod random;
mod scripts;
mod shelf;
mod twin;
