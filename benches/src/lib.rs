//! What the benchmarks share: seeded data that looks like real fleets, the loads, and what a
//! process knows of itself.
//!
//! `engine_load` runs the loads; `docs/benchmarks.md` says how to read what they print.

pub mod compare;
pub mod exposition;
pub mod fleet;
pub mod hosts;
pub mod loads;
pub mod logmix;
pub mod meter;
pub mod process;
pub mod shipping;
pub mod soak;
pub mod traffic;
