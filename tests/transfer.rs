//! Data out and in again: what the program exports is imported as the same.

mod bed;
mod files;
mod round_trip;
mod servers;
mod tables;
