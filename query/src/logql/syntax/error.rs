//! [`SyntaxError`]: what is wrong with a query, as Loki words it.

use std::fmt;

/// What is wrong with a query, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// Where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a line and a column, which counts characters, both from 1. Loki tells no line (0) of
    /// tokens that it had to look ahead for.
    At(usize, usize),
    /// In the query as a whole.
    Query,
    /// The query is right, but not what was asked for.
    Nowhere,
}

/// The result of reading a query.
pub type Result<T> = std::result::Result<T, SyntaxError>;

impl SyntaxError {
    /// An error in the query as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        SyntaxError {
            place: Place::Query,
            message: message.into(),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::At(line, column) => write!(f, "parse error at line {line}, col {column}: ")?,
            Place::Query => f.write_str("parse error : ")?,
            Place::Nowhere => {}
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}
