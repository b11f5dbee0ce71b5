//! The door for benches and fuzz targets, behind the feature `testing`: what it opens is not part
//! of the API and may change with any release.

pub mod codec;
