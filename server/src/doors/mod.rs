//! What stands around the routes of every door: connections, and the layers that each request
//! passes.
//!
//! Knows no API.

pub(crate) mod accept;
pub(crate) mod grpc;
pub(crate) mod guard;
mod http2;
pub(crate) mod layers;
mod lenient;
mod patient;
mod rights;
mod secured;
mod tenant;
