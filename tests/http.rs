//! The server's doors over real connections to loopback: what senders and readers ask of them.

mod admin;
pub(crate) mod bed;
mod grafana;
mod loki;
mod names;
mod query;
mod transfer;
mod watch;
mod write;
