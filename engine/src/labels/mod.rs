//! Label sets, what selects them, and the one regular-expression front end.

pub(crate) mod classes;
pub(crate) mod matcher;
pub(crate) mod re2;
pub(crate) mod set;

pub use matcher::{MatchOp, Matcher};
pub use re2::{Captures, Haystack, Re2, Shape, Template};
pub use set::{LabelSet, Labels, SeriesId, put_label};
