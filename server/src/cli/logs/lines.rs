//! Lines as they are shown.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::json;

use crate::cli::notation;
use crate::cli::output::{Out, Stop};
use crate::cli::period::{rfc3339_exact, rfc3339_ms};

use super::border::Entry;

/// The form of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Time, labels and line.
    Full,
    /// The line alone.
    Raw,
    /// An object in JSON.
    JsonLines,
    /// Time, labels and line, quoted.
    Csv,
}

/// Colours that are readable on dark and light ground, one for each stream.
const COLORS: [u8; 6] = [31, 32, 33, 34, 35, 36];

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Writes lines.
pub(super) struct Writer {
    pub(super) form: Form,
    pub(super) has_labels: bool,
    pub(super) is_colored: bool,
    pub(super) is_terminal: bool,
}

impl Writer {
    pub(super) fn write(&mut self, out: &mut Out, entry: &Entry) -> Result<(), Stop> {
        out.text(&self.line(entry))
    }

    fn line(&self, entry: &Entry) -> String {
        match self.form {
            Form::Raw => format!("{}\n", self.shown(&entry.line)),
            Form::JsonLines => {
                let time = rfc3339_exact(entry.time);
                let object =
                    json!({"labels": *entry.labels, "line": entry.line, "timestamp": time});
                format!("{object}\n")
            }
            Form::Csv => {
                let line = entry.line.replace('"', "\"\"");
                let labels = notation::series(&entry.labels).replace('"', "\"\"");
                format!("{},\"{labels}\",\"{line}\"\n", rfc3339_exact(entry.time))
            }
            Form::Full => self.full(entry),
        }
    }

    fn full(&self, entry: &Entry) -> String {
        let time = rfc3339_ms(entry.time);
        let labels = match self.has_labels {
            true => notation::series(&entry.labels) + " ",
            false => String::new(),
        };
        let line = self.shown(&entry.line);
        match self.is_colored {
            true => {
                let color = color(&labels);
                format!("{DIM}{time}{PLAIN} \x1b[{color}m{labels}{PLAIN}{line}\n")
            }
            false => format!("{time} {labels}{line}\n"),
        }
    }

    /// A line as a terminal may have it: what would move its cursor or change its colours, and may
    /// come from anybody who can write a log, is shown instead of done.
    fn shown(&self, line: &str) -> String {
        let is_harmless = |letter: char| !letter.is_control() || matches!(letter, '\t' | '\n');
        if !self.is_terminal || line.chars().all(is_harmless) {
            return line.to_owned();
        }
        let mut shown = String::with_capacity(line.len());
        for letter in line.chars() {
            match is_harmless(letter) {
                true => shown.push(letter),
                false => shown.extend(letter.escape_default()),
            }
        }
        shown
    }
}

/// A colour that a stream always has.
fn color(labels: &str) -> u8 {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    let place = hasher.finish() % COLORS.len() as u64;
    COLORS[usize::try_from(place).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn shown(form: Form, line: &str) -> String {
        let labels = [("app".to_owned(), "api".to_owned())].into_iter().collect();
        let writer = Writer {
            form,
            has_labels: true,
            is_colored: false,
            is_terminal: true,
        };
        writer.line(&Entry {
            time: 1_768_476_600_120_000_000,
            labels: Rc::new(labels),
            line: line.to_owned(),
        })
    }

    #[test]
    fn a_line_has_several_forms() {
        assert_eq!(
            shown(Form::Full, "x"),
            "2026-01-15T11:30:00.120Z {app=\"api\"} x\n"
        );
        assert_eq!(shown(Form::Raw, "x"), "x\n");
        let json = "{\"labels\":{\"app\":\"api\"},\"line\":\"x\",\
                    \"timestamp\":\"2026-01-15T11:30:00.12Z\"}\n";
        assert_eq!(shown(Form::JsonLines, "x"), json);
    }

    #[test]
    fn a_line_cannot_command_the_terminal() {
        assert_eq!(shown(Form::Raw, "\x1b[2Jä\t\r"), "\\u{1b}[2Jä\t\\r\n");
    }
}
