//! How far a transfer is, shown to a person who waits.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What takes no longer than this needs no comfort.
const QUIET: Duration = Duration::from_secs(2);
/// How often the line is written again.
const PAUSE: Duration = Duration::from_millis(200);

/// A line on standard error that is written over and over, if somebody sees it.
pub(crate) struct Progress {
    is_seen: bool,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Progress {
            is_seen: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            shown: None,
        }
    }

    /// Shows how far it is, now and then.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        let is_due = match self.shown {
            None => now.duration_since(self.begun) > QUIET,
            Some(shown) => now.duration_since(shown) > PAUSE,
        };
        if self.is_seen && is_due {
            self.shown = Some(now);
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", text());
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
