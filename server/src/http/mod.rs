//! HTTP as every door of the server speaks it: bodies, parameters, answers, errors, and lanes for
//! the work behind them.
//!
//! Knows no API: paths and shapes belong to the rooms above.

pub(crate) mod background;
pub(crate) mod bodies;
pub(crate) mod body;
pub(crate) mod flow;
pub(crate) mod form;
pub(crate) mod grpc;
pub(crate) mod json;
pub(crate) mod lane;
pub(crate) mod params;
pub(crate) mod problem;
pub(crate) mod stream;
pub(crate) mod times;
