//! Label sets, what selects them, and the one regular-expression front end.

pub(crate) mod set;
