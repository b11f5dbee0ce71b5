//! The server: HTTP, the wire formats of metrics and logs, configuration and background jobs.
//!
//! This crate will hold the only async code of the project, and will use the engine and the query
//! crate through the same public names that any program which embeds them uses.
//!
//! It holds no code yet: the engine comes first.
#![forbid(unsafe_code)]
