//! LogQL through its public door: lines, numbers, limits, and a slow twin of the whole evaluation.
#![allow(clippy::unwrap_used, clippy::panic)] // All of it is test code, functions between the tests too.

mod limits;
mod lines;
mod numbers;
mod random;
mod shop;
mod store;
mod twin;
