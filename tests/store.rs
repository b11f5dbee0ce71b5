//! The engine through its public door, on the real disk: what a program that embeds it may rely on.
//!
//! Each test has a folder of its own under the system's temporary one and removes it. Times are far
//! in the past or in the future, so that no test depends on the day on which it runs.

mod backfill;
mod bed;
mod budgets;
mod commit;
mod cursors;
mod damage;
mod doors;
mod durability;
mod floats;
mod histograms;
mod late;
mod limits;
mod lines;
mod selects;
mod snapshots;
mod tenants;
mod verdicts;
