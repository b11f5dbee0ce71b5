//! The engine through its public door, on the real disk: what a program that embeds it may rely on.
//!
//! Each test has a folder of its own under the system's temporary one and removes it. Times are far
//! in the past or in the future, so that no test depends on the day on which it runs. Retention
//! needs a clock that obeys: its tests run on the simulated disk.

mod backfill;
mod backup;
mod bed;
mod budgets;
mod cardinality;
mod commit;
mod compact;
mod cursors;
mod damage;
mod deletes;
mod doors;
mod durability;
mod extremes;
mod floats;
mod full_disk;
mod histograms;
mod late;
mod limits;
mod lines;
mod many_blocks;
mod repair;
mod retention;
mod selects;
mod snapshots;
mod tenants;
mod verdicts;
mod verify;
mod whole;
