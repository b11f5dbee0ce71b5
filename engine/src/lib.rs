//! One embedded, crash-safe store for metrics and logs.
//!
//! An [`Engine`] is an open data directory. It gives a [`Store`] per tenant and kind: append a [`Batch`],
//! take a [`Snapshot`], select [`Series`] by matchers and read them with a [`Cursor`].
#![deny(unsafe_code)]

mod codec;
mod config;
mod error;
mod io;
mod time;

mod kind;
mod labels;

mod index;
mod wal;

mod block;
mod manifest;

mod head;
mod store;

mod engine;
mod tenant;

#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, ErrorKind, Result};
