//! Label sets, what selects them, and the one regular-expression front end.

pub(crate) mod matcher;
pub(crate) mod re2;
pub(crate) mod set;
