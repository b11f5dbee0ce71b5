//! Configuration: what a file, the environment and flags say, put together into settings.
//!
//! The file is read whole before anything is believed, and every complaint names its line. Knows
//! the table of settings, and no server.

#[cfg(test)]
mod docs;
mod file;
mod layers;
mod reloads;
mod substitute;
mod written;

#[cfg(test)]
mod tests;

pub(crate) use layers::{Given, check_file, load};
pub(crate) use reloads::{Load, Reloads};
pub(crate) use written::{flags, yaml};
