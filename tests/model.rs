//! The store against a plain model in memory: random work, crashes at any disk call, faults, full
//! disks.
//!
//! A seed replays exactly. docs/testing.md says what this proves and how to run more of it.

mod check;
mod choose;
mod keep;
mod pick;
mod removal;
mod runs;
mod send;
mod shelf;
mod show;
mod value;
mod world;
mod years;
