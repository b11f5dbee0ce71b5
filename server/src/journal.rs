//! What the server says about itself while it runs: lines on standard error, as text or JSON.
//!
//! Whoever writes a line gives a sentence and pairs; values that come from outside are quoted, so
//! that nobody can forge a line. A reader that is gone stops nothing.

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::http::times::rfc3339_text;
use crate::settings::JournalFormat;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Notice,
    Warning,
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Level::Notice => "info",
            Level::Warning => "warn",
            Level::Error => "error",
        }
    }
}

/// Where lines go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journal {
    format: JournalFormat,
}

impl Journal {
    pub(crate) const fn new(format: JournalFormat) -> Self {
        Journal { format }
    }

    /// Writes a line.
    pub(crate) fn say(&self, level: Level, message: &str, pairs: &[(&str, Value)]) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let line = self.line(now.unwrap_or_default(), level, message, pairs);
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn line(&self, now: Duration, level: Level, message: &str, pairs: &[(&str, Value)]) -> String {
        let time = rfc3339_text(Duration::from_millis(
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        ));
        let level = level.name();
        match self.format {
            JournalFormat::Text => {
                let mut line = format!("{time} {level} chronolith: {message}");
                for (key, value) in pairs {
                    let _ = write!(line, " {key}={value}");
                }
                line.push('\n');
                line
            }
            JournalFormat::Json => {
                let mut object = Map::new();
                for (key, value) in [("time", &*time), ("level", level), ("message", message)] {
                    object.insert(key.to_owned(), Value::from(value));
                }
                for (key, value) in pairs {
                    object.insert((*key).to_owned(), value.clone());
                }
                format!("{}\n", Value::Object(object))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_quotes_what_comes_from_outside() {
        let journal = Journal::new(JournalFormat::Text);
        let pairs = [
            ("query", Value::from("up\n1970-01-01 forged")),
            ("samples", Value::from(5)),
        ];
        assert_eq!(
            journal.line(
                Duration::from_millis(1_500),
                Level::Warning,
                "slow query",
                &pairs
            ),
            "1970-01-01T00:00:01.500Z warn chronolith: slow query \
             query=\"up\\n1970-01-01 forged\" samples=5\n"
        );
    }

    #[test]
    fn a_line_of_json_is_one_object() {
        let journal = Journal::new(JournalFormat::Json);
        let pairs = [("query", Value::from("a\"b\n"))];
        let line = journal.line(Duration::ZERO, Level::Notice, "ready", &pairs);
        assert_eq!(line.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["query"], "a\"b\n");
        assert_eq!(read["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(read["level"], "info");
    }
}
