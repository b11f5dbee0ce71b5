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

mod block;
mod manifest;

mod head;
mod store;

mod engine;
mod exemplars;
mod metadata;
mod tenant;

pub mod labels;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;

/// Metrics: samples, what reads give back of them, and what stands beside the series.
pub mod metrics {
    pub use crate::codec::histogram::{
        BucketCounts, Counts, HISTOGRAM_BUCKETS_MAX, Histogram, ResetHint, SCHEMA_CUSTOM,
        SCHEMA_MAX, SCHEMA_MIN, Span,
    };
    pub use crate::exemplars::Exemplar;
    pub use crate::kind::samples::run::{SampleColumn, SampleRun};
    pub use crate::kind::samples::{STALE_NAN_BITS, Sample, SampleValue, Samples};
    pub use crate::metadata::MetricMetadata;
}

/// Logs: lines, and what reads give back of them.
pub mod logs {
    pub use crate::kind::lines::run::LineRun;
    pub use crate::kind::lines::{Line, Lines};
}

pub use config::{Durability, Limits, Options};
pub use engine::{DEFAULT_TENANT, Engine, EngineStats};
pub use error::{Error, ErrorKind, Result};
pub use head::batch::{Batch, BatchMode, Refused, Report};
pub use kind::{Kind, Refusal};
pub use store::cursor::Cursor;
pub use store::select::{Selector, Series};
pub use store::snapshot::Snapshot;
pub use store::{Store, StoreStats};
pub use tenant::Tenant;
