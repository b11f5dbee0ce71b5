//! The server's doors over real connections to loopback: what senders and readers ask of them.

mod admin;
mod bed;
mod grafana;
mod grpc;
mod loki;
mod names;
mod query;
mod read;
mod transfer;
mod watch;
mod write;
