//! PromQL through its public door: scripts over memory and over the engine, limits, and texts of
//! other people's parsers.
#![allow(clippy::unwrap_used)] // All of it is test code, functions between the tests too.

mod limits;
mod oracle;
mod scripts;
mod shelf;
