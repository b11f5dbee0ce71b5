//! How severe a line is: from a field of its own if it has one, else from a word in it.
//!
//! Runs over every line that comes in, so it looks at each byte about once and allocates nothing.

use std::sync::LazyLock;

use chronolith_engine::labels::{LabelSet, Labels};
use memchr::{memchr, memchr2};

/// The name under which the level stands in a line's structured metadata.
pub(crate) const DETECTED_LEVEL: &str = "detected_level";

/// The name of OpenTelemetry's number of the severity in structured metadata.
pub(crate) const SEVERITY_NUMBER: &str = "severity_number";

/// How severe a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
    Fatal,
    Unknown,
}

/// Fields that hold a level, in structured metadata and in lines.
pub(crate) const LEVEL_FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

/// What values of fields mean which level, in any case of letters.
const VALUES: [(&str, Level); 17] = [
    ("trace", Level::Trace),
    ("trc", Level::Trace),
    ("debug", Level::Debug),
    ("dbg", Level::Debug),
    ("info", Level::Info),
    ("inf", Level::Info),
    ("information", Level::Info),
    ("informational", Level::Info),
    ("warn", Level::Warn),
    ("wrn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("critical", Level::Critical),
    ("crit", Level::Critical),
    ("fatal", Level::Fatal),
    ("unknown", Level::Unknown),
];

/// Words that tell the level of a line which has no such field.
const WORDS: [(&[u8], Level); 9] = [
    (b"trace", Level::Trace),
    (b"debug", Level::Debug),
    (b"info", Level::Info),
    (b"warn", Level::Warn),
    (b"warning", Level::Warn),
    (b"error", Level::Error),
    (b"err", Level::Error),
    (b"critical", Level::Critical),
    (b"fatal", Level::Fatal),
];

/// How deep objects hold a field that counts.
const DEPTH_MAX: usize = 2;

/// Bytes that are part of a word.
const IN_WORD: [bool; 256] = table(true);
/// Bytes with which one of the words begins.
const FIRST: [bool; 256] = table(false);

const fn table(is_any: bool) -> [bool; 256] {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = match letter {
            b't' | b'd' | b'i' | b'w' | b'e' | b'c' | b'f' => true,
            b'T' | b'D' | b'I' | b'W' | b'E' | b'C' | b'F' => true,
            _ => is_any && (letter.is_ascii_alphanumeric() || letter == b'_'),
        };
        byte += 1;
    }
    table
}

impl Level {
    /// The level as it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
            Level::Fatal => "fatal",
            Level::Unknown => "unknown",
        }
    }

    /// Structured metadata that holds this level alone.
    pub(crate) fn alone(self) -> Labels<'static> {
        static ALONE: LazyLock<[LabelSet; 8]> = LazyLock::new(|| {
            let levels = [
                Level::Trace,
                Level::Debug,
                Level::Info,
                Level::Warn,
                Level::Error,
                Level::Critical,
                Level::Fatal,
                Level::Unknown,
            ];
            levels.map(|level| {
                LabelSet::from_pairs([(DETECTED_LEVEL, level.name())]).unwrap_or_default()
            })
        });
        // In the order in which they are declared.
        ALONE[self as usize].as_labels()
    }

    /// The level that the value of a field means.
    pub(crate) fn of_value(value: &str) -> Option<Level> {
        let mut known = VALUES.iter();
        let found = known.find(|(name, _)| name.eq_ignore_ascii_case(value.trim()));
        found.map(|(_, level)| *level)
    }

    /// The level that a severity number of OpenTelemetry means.
    pub(crate) fn of_severity(number: u8) -> Option<Level> {
        match number {
            1..=4 => Some(Level::Trace),
            5..=8 => Some(Level::Debug),
            9..=12 => Some(Level::Info),
            13..=16 => Some(Level::Warn),
            17..=20 => Some(Level::Error),
            21..=24 => Some(Level::Fatal),
            _ => None,
        }
    }

    /// The level that a line tells.
    pub(crate) fn of_line(line: &str) -> Level {
        let bytes = line.as_bytes();
        let first = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
        let of_field = match first {
            Some(at) if bytes[at] == b'{' => of_json(&bytes[at..]),
            _ => of_logfmt(bytes),
        };
        of_field
            .or_else(|| of_word(bytes))
            .unwrap_or(Level::Unknown)
    }
}

fn is_level_field(name: &[u8]) -> bool {
    (3..=13).contains(&name.len())
        && matches!(name[0], b'l' | b'L' | b's' | b'S')
        && LEVEL_FIELDS.iter().any(|field| field.as_bytes() == name)
}

fn of_bytes(value: &[u8]) -> Option<Level> {
    std::str::from_utf8(value).ok().and_then(Level::of_value)
}

/// The first field of an object, or of one directly inside of it, that holds a level.
fn of_json(text: &[u8]) -> Option<Level> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let start = at;
                at = behind_quote(text, at)?;
                let behind = skip_space(text, at);
                if depth > DEPTH_MAX || text.get(behind) != Some(&b':') {
                    continue;
                }
                at = skip_space(text, behind + 1);
                let value = text.get(at + 1..).filter(|_| text.get(at) == Some(&b'"'));
                if let (true, Some(value)) = (is_level_field(name_at(text, start)), value)
                    && let Some(level) = of_bytes(name_at(value, 0))
                {
                    return Some(level);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text up to the next quote.
fn name_at(text: &[u8], start: usize) -> &[u8] {
    let text = &text[start..];
    &text[..memchr(b'"', text).unwrap_or(text.len())]
}

/// Behind the quote that ends a string whose first byte is at `at`.
fn behind_quote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The first `field=value` that holds a level.
fn of_logfmt(text: &[u8]) -> Option<Level> {
    let mut at = 0;
    while let Some(equals) = text.get(at..).and_then(|rest| memchr(b'=', rest)) {
        let equals = at + equals;
        let before = &text[at..equals];
        let start = before.iter().rposition(u8::is_ascii_whitespace);
        let name = &before[start.map_or(0, |start| start + 1)..];
        let value = &text[equals + 1..];
        let (value, length) = match value.first() {
            Some(b'"') => {
                let end = behind_quote(value, 1).unwrap_or(value.len());
                (
                    &value[1..end.max(2).min(value.len()) - usize::from(end > 1)],
                    end,
                )
            }
            _ => {
                let end = value.iter().position(u8::is_ascii_whitespace);
                let end = end.unwrap_or(value.len());
                (&value[..end], end)
            }
        };
        if is_level_field(name)
            && let Some(level) = of_bytes(value)
        {
            return Some(level);
        }
        at = equals + 1 + length;
    }
    None
}

/// The first word that is a level.
fn of_word(text: &[u8]) -> Option<Level> {
    let mut is_in_word = false;
    for (at, byte) in text.iter().enumerate() {
        if !is_in_word
            && FIRST[usize::from(*byte)]
            && let Some(level) = word_at(&text[at..])
        {
            return Some(level);
        }
        is_in_word = IN_WORD[usize::from(*byte)];
    }
    None
}

fn word_at(text: &[u8]) -> Option<Level> {
    let found = WORDS.iter().find(|(word, _)| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
            && !text
                .get(word.len())
                .is_some_and(|next| IN_WORD[usize::from(*next)])
    });
    found.map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_line_tells_its_level() {
        for (line, level) in [
            ("ts=1 level=warn msg=\"an error\"", Level::Warn),
            ("msg=\"level=debug x\" lvl=ERR", Level::Error),
            ("a=b severity=\"Information\"", Level::Info),
            ("{\"msg\":\"error\",\"level\":\"debug\"}", Level::Debug),
            ("{ \"a\" : {\"level\": \"WARN\"} }", Level::Warn),
            ("{\"log.level\":\"trc\"}", Level::Trace),
            (
                "{\"m\":\"\\\"level\\\":\\\"info\\\"\",\"severity\":\"crit\"}",
                Level::Critical,
            ),
        ] {
            assert_eq!(Level::of_line(line), level, "{line}");
        }
    }

    #[test]
    fn a_field_that_says_nothing_leaves_it_to_the_words() {
        for (line, level) in [
            ("{\"level\":\"notice\",\"m\":\"an error\"}", Level::Error),
            ("{\"a\":{\"b\":{\"level\":\"warn\"}}}", Level::Warn),
            ("{\"a\":{\"b\":{\"level\":\"dbg\"}}}", Level::Unknown),
            ("level=5 WARNING: low", Level::Warn),
            ("[FATAL] no disk", Level::Fatal),
            ("info, then error", Level::Info),
            ("terror and errors, 3infos, info_x", Level::Unknown),
            ("level=", Level::Unknown),
            ("level=\"", Level::Unknown),
            ("level=\"\"", Level::Unknown),
            ("{\"level\"", Level::Unknown),
            ("{\"level\":\"", Level::Unknown),
            ("}}}", Level::Unknown),
            ("", Level::Unknown),
        ] {
            assert_eq!(Level::of_line(line), level, "{line}");
        }
    }

    #[test]
    fn each_level_has_metadata_of_its_own() {
        for (_, level) in VALUES {
            let labels: Vec<_> = level.alone().iter().collect();
            assert_eq!(labels, [(DETECTED_LEVEL, level.name())]);
            assert!(Level::of_value(level.name()).is_some());
        }
        assert_eq!(Level::of_severity(17), Some(Level::Error));
        assert_eq!(Level::of_severity(0), None);
    }
}
