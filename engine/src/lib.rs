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
//!
//! ```
//! use std::path::Path;
//!
//! use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
//! use chronolith_engine::metrics::{Sample, Samples};
//! use chronolith_engine::time::Millis;
//! use chronolith_engine::{Batch, Engine, Options, Result, Selector};
//!
//! fn record(directory: &Path) -> Result<()> {
//!     let engine = Engine::open(directory, Options::default())?;
//!     let up = LabelSet::from_pairs([("__name__", "up"), ("job", "node")])?;
//!     let mut batch = Batch::<Samples>::new();
//!     batch.push(up.as_labels(), Sample::float(Millis(1_700_000_000_000), 1.0));
//!     // On stable storage when this returns; what was refused is in the report.
//!     let report = engine.metrics()?.append(&batch)?;
//!     assert_eq!(report.accepted, 1);
//!
//!     let name = Matcher::new(MatchOp::Equal, "__name__", "up")?;
//!     for series in engine.metrics()?.snapshot().select(&Selector::new(vec![name]))? {
//!         for run in series.cursor()? {
//!             let run = run?;
//!             println!("{} {:?} {:?}", series.labels(), run.times(), run.floats());
//!         }
//!     }
//!     engine.close()
//! }
//! # let name = format!("chronolith-record-{}", std::process::id());
//! # let directory = std::env::temp_dir().join(name);
//! # let _ = std::fs::remove_dir_all(&directory);
//! # record(&directory)?;
//! # std::fs::remove_dir_all(&directory).ok();
//! # Ok::<(), chronolith_engine::Error>(())
//! ```
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

mod compact;
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
    pub use crate::codec::text::{Abridge, Abridged, Filling};
    pub use crate::kind::lines::filter::{LineFilter, LineOp};
    pub use crate::kind::lines::run::LineRun;
    pub use crate::kind::lines::{Line, Lines};
}

/// What operators of a data directory learn: from backups, checks, repairs and counts.
pub mod operations {
    pub use crate::store::backup::BackupReport;
    pub use crate::store::cardinality::{Cardinality, LabelCount, PairCount};
    pub use crate::store::repair::{DamagedBlock, DamagedLog, LostSeries, RepairReport};
    pub use crate::store::verify::Verification;
}

pub use config::{Durability, Limits, Options, RetentionRule};
pub use engine::{DEFAULT_TENANT, Engine, EngineStats, Progress};
pub use error::{Error, ErrorKind, Result};
pub use head::batch::{Batch, BatchMode, Refused, Report};
pub use kind::{Kind, Refusal, Wanted};
pub use store::Store;
pub use store::cursor::Cursor;
pub use store::deletion::{Deletion, DeletionStatus};
pub use store::select::{Selector, Series};
pub use store::snapshot::Snapshot;
pub use store::stats::StoreStats;
pub use tenant::Tenant;

/// The examples of the README, compiled with the doc tests so that they match the door.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeExamples;
