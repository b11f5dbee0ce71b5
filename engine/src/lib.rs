//! One embedded, crash-safe store for metrics and logs.
#![deny(unsafe_code)]

mod codec;
mod config;
mod error;
mod io;
mod labels;
mod time;

mod block;
mod head;
mod index;
mod kind;
mod manifest;
mod store;
mod wal;

#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, ErrorKind, Result};
