//! LogQL through its public door: lines, numbers, limits, and a slow twin of the whole evaluation.
// All of it is test code, functions between the tests too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod limits;
mod lines;
mod numbers;
mod random;
mod shapes;
mod shop;
mod store;
mod twin;
