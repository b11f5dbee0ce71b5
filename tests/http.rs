//! The server's doors over real connections to loopback: what senders and readers ask of them.

mod admin;
pub(crate) mod bed;
mod debug;
mod grafana;
mod grpc;
mod limits;
mod loki;
mod names;
mod own;
mod query;
mod read;
mod security;
pub(crate) mod settings;
mod transfer;
mod watch;
mod write;
