//! Why a transfer stopped: one sentence, with the place in front of it.

use std::fmt;
use std::io;
use std::path::Path;

use chronolith_engine::Error;

use crate::client::Failure;
use crate::http::problem::Problem;
use crate::wire::protobuf::Malformed;

/// A sentence for the operator: lowercase, names the thing.
#[derive(Debug)]
pub(crate) struct Fault {
    message: String,
}

/// What a step of a transfer gives.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Fault {
            message: message.into(),
        }
    }

    /// What the system refused, and of which file.
    pub(crate) fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        Fault::new(format!("{what} {}: {error}", path.display()))
    }

    /// Puts the place in front.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        Fault::new(format!("{place}: {}", self.message))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::new(error.to_string())
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Fault::new(failure.to_string())
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Fault::new(malformed.to_string())
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Fault::new(problem.message())
    }
}
