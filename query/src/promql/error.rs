//! [`Error`]: why a query has no answer.

use std::fmt;

use crate::promql::syntax::SyntaxError;

/// The result of anything that a query does.
pub type Result<T> = std::result::Result<T, Error>;

/// What sort of failure it is; HTTP status codes follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The query is wrong.
    BadData,
    /// The query cannot be evaluated over this data.
    Execution,
    /// The query needs more than a limit allows.
    Limit,
    /// The queries at hand need more than they may together.
    Busy,
    /// The query took too long.
    Timeout,
    /// The query was told to stop.
    Canceled,
    /// The source failed.
    Storage,
}

/// Why a query has no answer.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error of a sort, with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Error { kind, message }
    }

    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Execution, message)
    }

    pub(crate) fn syntax(error: &SyntaxError, query: &str) -> Self {
        Error::new(ErrorKind::BadData, error.describe(query))
    }

    /// Two series have become the same.
    pub(crate) fn same_labels() -> Self {
        Error::execution("vector cannot contain metrics with the same labelset")
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<chronolith_engine::Error> for Error {
    fn from(error: chronolith_engine::Error) -> Self {
        Error::new(ErrorKind::Storage, error.to_string())
    }
}
