//! The server: HTTP, the wire formats of metrics and logs, configuration and background jobs.
//!
//! A [`Server`] opens a data directory and answers the HTTP APIs of Prometheus and Loki for it.
//! This crate holds the only async code of the project, and uses the engine and the query crate
//! through the same public names that any program which embeds them uses.
#![forbid(unsafe_code)]

mod app;
mod cli;
mod client;
mod config;
mod doors;
mod duration;
mod http;
mod ingest;
mod journal;
mod loki;
mod meters;
mod prometheus;
mod reach;
mod reload;
mod security;
mod server;
mod settings;
mod supervisor;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transfer;
mod wire;

pub use cli::run;
pub use server::{ServeError, Server};
pub use settings::{
    GrpcLimits, HttpLimits, IngestLimits, JournalFormat, JournalSettings, KeepRule, LogLimits,
    OwnSettings, QueryLimits, Settings, StoreLimits, Translation,
};
