//! Why something could not be reached or was refused, as a sentence for the person who asked.

use std::fmt;
use std::time::Duration;

/// What kind of failure it is, for those who may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody answered.
    Unreachable,
    /// A server answered with this status, and how long to wait if it said so.
    Refused(u16, Option<Duration>),
    /// The connection broke, an answer made no sense, or a file could not be used.
    Broken,
    /// The person asked for something that cannot be.
    Misused,
}

/// A failure and what to tell about it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    cause: Cause,
    text: String,
}

impl Failure {
    pub(crate) fn new(cause: Cause, text: impl fmt::Display) -> Failure {
        Failure {
            cause,
            text: text.to_string(),
        }
    }

    /// Something broke.
    pub(crate) fn broken(text: impl fmt::Display) -> Failure {
        Failure::new(Cause::Broken, text)
    }

    /// The flags or arguments make no sense.
    pub(crate) fn misused(text: impl fmt::Display) -> Failure {
        Failure::new(Cause::Misused, text)
    }

    /// Adds what would help where nobody answered.
    pub(crate) fn or_else(mut self, help: &str) -> Failure {
        if self.cause == Cause::Unreachable {
            self.text = format!("{}; {help}", self.text);
        }
        self
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether the same request may go well later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.cause,
            Cause::Unreachable | Cause::Refused(429 | 502 | 503 | 504, _)
        )
    }

    /// How long the server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::Refused(_, wait) => wait,
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
