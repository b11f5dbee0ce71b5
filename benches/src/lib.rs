//! What the benchmarks share: seeded data that looks like real fleets, and what a process knows of itself.
//!
//! Nothing here measures; the binaries and benches do.

pub mod exposition;
pub mod fleet;
pub mod loads;
pub mod process;
pub mod shipping;
