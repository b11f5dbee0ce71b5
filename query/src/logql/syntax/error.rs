//! [`SyntaxError`]: what is wrong with a query, as Loki words it.

use std::fmt;

/// What is wrong with a query, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where: line and column, columns in characters from 1. Loki tells no line (0) of tokens that
    /// it had to look ahead for, and no place of what it finds wrong after it has read all.
    pub place: Option<(usize, usize)>,
    /// What.
    pub message: String,
}

/// The result of reading a query.
pub type Result<T> = std::result::Result<T, SyntaxError>;

impl SyntaxError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        SyntaxError {
            place: None,
            message: message.into(),
        }
    }

    pub(super) fn at(place: (usize, usize), message: impl Into<String>) -> Self {
        SyntaxError {
            place: Some(place),
            message: message.into(),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(
                f,
                "parse error at line {line}, col {column}: {}",
                self.message
            ),
            None => write!(f, "parse error : {}", self.message),
        }
    }
}

impl std::error::Error for SyntaxError {}
