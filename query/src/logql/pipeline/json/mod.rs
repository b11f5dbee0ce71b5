//! `| json`: every value of a line of JSON, or those that are asked for by their place.

mod abridge;
pub(in crate::logql) mod flatten;
mod path;
pub(in crate::logql) mod scan;

pub(super) use abridge::Abridger;
pub(super) use flatten::{DEPTH_MAX, Flattened, Sink, flatten};
pub(super) use path::{JsonPaths, Path};

/// What a line is that is no JSON.
pub(super) const JSON_ERROR: &str = "JSONParserErr";
