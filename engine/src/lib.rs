//! One embedded, crash-safe store for metrics and logs.
//!
//! An [`Engine`] is an open data directory. It gives a [`Store`] per tenant and kind: append a
//! [`Batch`], take a [`Snapshot`], select [`Series`] with a [`Selector`] and read them with a
//! [`Cursor`].
//!
//! What an append returned as accepted survives any crash, as far as the chosen [`Durability`]
//! says. A snapshot never blocks a writer and sees every batch whole or not at all. The engine
//! starts no thread before [`Engine::open`] and has joined all when [`Engine::close`] returns; it
//! prints nothing and has no global state.
#![deny(unsafe_code)]

mod codec;
mod config;
mod error;
mod io;

mod kind;

mod index;
mod wal;

#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, ErrorKind, Result};
pub use head::batch::{Batch, BatchMode, Refused, Report};
pub use kind::{Kind, Refusal};
pub use store::cursor::Cursor;
pub use store::select::{Selector, Series};
pub use store::snapshot::Snapshot;
pub use store::{Store, StoreStats};
pub use tenant::Tenant;
