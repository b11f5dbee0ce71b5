//! The one error type of the engine: what went wrong, where, and what would be right.
//!
//! World errors (disk, bytes, users, limits) are `Error`; programmer errors assert. Callers branch
//! on `ErrorKind` only, never on text. Nothing here logs: whoever returns an error does not also
//! print it.

use std::fmt;
use std::path::{Path, PathBuf};

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure an [`Error`] is: enough to decide what to do, not how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Bytes on disk or in a message are not what was written: a checksum, a length or a version is
    /// wrong.
    Corrupt,
    /// The operating system refused an operation.
    Io,
    /// The disk is full; writes are refused until space returns, reads go on.
    Full,
    /// Another process or handle holds the data directory.
    Locked,
    /// The store takes no writes now: opened read-only, or its log failed and has not recovered.
    ReadOnly,
    /// A configured limit was reached; the message names the limit.
    Limit,
    /// The caller's input is not valid; the message says what would be.
    Invalid,
    /// A format version that this build cannot read.
    Unsupported,
    /// The store has been closed.
    Closed,
}

/// An error with its kind, a message, and for damaged files the path and offset.
pub struct Error {
    repr: Box<Repr>,
}

struct Repr {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    offset: Option<u64>,
    source: Option<std::io::Error>,
}

impl Error {
    /// An error of this kind that says `message` (lowercase, no full stop).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            repr: Box::new(Repr {
                kind,
                message: message.into(),
                path: None,
                offset: None,
                source: None,
            }),
        }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Limit, message)
    }

    /// Wraps an operating system error; "no space" and "quota exceeded" become [`ErrorKind::Full`].
    pub(crate) fn io(source: std::io::Error, doing: &str, path: &Path) -> Self {
        use std::io::ErrorKind as Os;
        let kind = match source.kind() {
            Os::StorageFull | Os::QuotaExceeded => ErrorKind::Full,
            _ => ErrorKind::Io,
        };
        let mut error = Error::new(kind, doing).at_path(path);
        error.repr.source = Some(source);
        error
    }

    /// Names the file the error is about, unless a deeper floor already did.
    pub(crate) fn at_path(mut self, path: &Path) -> Self {
        self.repr.path.get_or_insert_with(|| path.to_path_buf());
        self
    }

    /// Names the byte offset the error is about, unless a deeper floor already did.
    pub(crate) fn at_offset(mut self, offset: u64) -> Self {
        self.repr.offset.get_or_insert(offset);
        self
    }

    /// Puts what was being done in front of the message.
    pub(crate) fn context(mut self, doing: impl fmt::Display) -> Self {
        self.repr.message = format!("{doing}: {}", self.repr.message);
        self
    }

    /// Whether the operating system said that there is no such file.
    pub(crate) fn is_not_found(&self) -> bool {
        let source = self.repr.source.as_ref();
        source.is_some_and(|source| source.kind() == std::io::ErrorKind::NotFound)
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.repr.kind
    }

    /// The file that the error is about, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.repr.path.as_deref()
    }

    /// The byte offset in [`Error::path`] that the error is about, where it is known.
    pub fn offset(&self) -> Option<u64> {
        self.repr.offset
    }
}

impl Clone for Error {
    fn clone(&self) -> Self {
        let repr = &self.repr;
        // An `io::Error` cannot be cloned: its kind and text survive, which is all that callers
        // look at.
        let source = repr
            .source
            .as_ref()
            .map(|source| std::io::Error::new(source.kind(), source.to_string()));
        Error {
            repr: Box::new(Repr {
                kind: repr.kind,
                message: repr.message.clone(),
                path: repr.path.clone(),
                offset: repr.offset,
                source,
            }),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.repr.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.repr.message)?;
        if let Some(offset) = self.repr.offset {
            write!(f, " (at byte {offset})")?;
        }
        if let Some(source) = &self.repr.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.repr.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.repr.source.as_ref().map(|source| source as _)
    }
}
