//! What sorts of values settings have: each is read from text, and written as it is read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chronolith_engine::{Durability, RetentionRule};
use chronolith_query::promql::syntax::parse_selector;

use crate::duration;

use super::{JournalFormat, KeepRule, Translation};

/// A sort of value.
pub(crate) trait Shape: Sized {
    /// What help calls it.
    const NAME: &'static str;

    /// Reads it. The error says what would be right.
    fn read(text: &str) -> Result<Self, String>;

    fn show(&self) -> String;
}

/// What stands for a bound that is not there.
const NONE: &str = "none";

/// Units of bytes, the largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Shape for PathBuf {
    const NAME: &'static str = "PATH";

    fn read(text: &str) -> Result<Self, String> {
        match text.is_empty() {
            true => Err("name a path".to_owned()),
            false => Ok(PathBuf::from(text)),
        }
    }

    fn show(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

impl Shape for SocketAddr {
    const NAME: &'static str = "ADDR";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "write an address with a port, such as 127.0.0.1:9090 or [::]:9090".into())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shape for usize {
    const NAME: &'static str = "COUNT";

    fn read(text: &str) -> Result<Self, String> {
        text.replace('_', "")
            .parse()
            .map_err(|_| "write a whole number".into())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shape for bool {
    const NAME: &'static str = "BOOL";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("write true or false".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A share of a core.
impl Shape for u8 {
    const NAME: &'static str = "PERCENT";

    fn read(text: &str) -> Result<Self, String> {
        let percent = text.trim_end_matches('%').parse().ok();
        percent
            .filter(|percent| *percent <= 100)
            .ok_or_else(|| "write a percentage from 0 to 100".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// An amount of bytes.
impl Shape for u64 {
    const NAME: &'static str = "BYTES";

    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "write bytes, with or without a unit, such as 64MiB or 2GB".to_owned();
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let known = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let size = match known {
            Some((_, size)) => *size,
            None if unit.is_empty() => 1,
            None => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(size).ok_or_else(wrong)
    }

    fn show(&self) -> String {
        // The unit that leaves the shortest number, and none for nothing.
        let units = UNITS.iter().filter(|(_, size)| self.is_multiple_of(*size));
        match units.max_by_key(|(_, size)| size) {
            Some((name, size)) if *self > 0 => format!("{}{name}", self / size),
            _ => self.to_string(),
        }
    }
}

impl Shape for Duration {
    const NAME: &'static str = "DURATION";

    fn read(text: &str) -> Result<Self, String> {
        duration::parse(text).ok_or_else(|| {
            "write numbers with units, the largest first, such as 30m, 1h30m or 15d".to_owned()
        })
    }

    fn show(&self) -> String {
        duration::format(*self)
    }
}

/// A bound that may be absent.
impl<T: Shape> Shape for Option<T> {
    const NAME: &'static str = T::NAME;

    fn read(text: &str) -> Result<Self, String> {
        match text {
            NONE => Ok(None),
            text => T::read(text)
                .map(Some)
                .map_err(|right| format!("{right}, or {NONE}")),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| NONE.to_owned(), T::show)
    }
}

/// One after the other, with a semicolon between them.
impl<T: Shape> Shape for Vec<T> {
    const NAME: &'static str = T::NAME;

    fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(end_of_element(rest));
            if !part.trim().is_empty() {
                parts.push(T::read(part.trim())?);
            }
            rest = behind.strip_prefix(';').unwrap_or(behind);
        }
        Ok(parts)
    }

    fn show(&self) -> String {
        let parts: Vec<String> = self.iter().map(T::show).collect();
        parts.join("; ")
    }
}

/// Where the first element of a list ends: at a semicolon that is not inside quotes.
fn end_of_element(text: &str) -> usize {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match quote {
            _ if is_escaped => is_escaped = false,
            Some(_) if letter == '\\' => is_escaped = quote != Some('`'),
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if matches!(letter, '"' | '\'' | '`') => quote = Some(letter),
            None if letter == ';' => return at,
            None => {}
        }
    }
    text.len()
}

impl Shape for KeepRule {
    const NAME: &'static str = "RULE";

    fn read(text: &str) -> Result<Self, String> {
        let right = "write a selector, an equals sign and a duration, such as {app=\"audit\"} = 1y";
        let (selector, keep) = text
            .rsplit_once('=')
            .filter(|(selector, _)| selector.trim_end().ends_with('}'))
            .ok_or_else(|| right.to_owned())?;
        let matchers = parse_selector(selector.trim())
            .map_err(|error| format!("{}; {right}", error.describe(selector)))?;
        let keep = Option::<Duration>::read(keep.trim())?;
        Ok(KeepRule {
            selector: selector.trim().to_owned(),
            rule: RetentionRule { matchers, keep },
        })
    }

    fn show(&self) -> String {
        format!("{} = {}", self.selector, self.rule.keep.show())
    }
}

impl Shape for Durability {
    const NAME: &'static str = "DURABILITY";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Durability::Always),
            "never" => Ok(Durability::Never),
            text => match duration::parse(text) {
                Some(Duration::ZERO) => Ok(Durability::Always),
                Some(interval) => Ok(Durability::Interval(interval)),
                None => Err("write always, never, or how often to sync, such as 1s".to_owned()),
            },
        }
    }

    fn show(&self) -> String {
        match self {
            Durability::Always => "always".to_owned(),
            Durability::Never => "never".to_owned(),
            Durability::Interval(interval) => duration::format(*interval),
        }
    }
}

impl Shape for Translation {
    const NAME: &'static str = "STRATEGY";

    fn read(text: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, known)| *known).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name);
            format!("write one of {}", names.join(", "))
        })
    }

    fn show(&self) -> String {
        let known = Self::NAMES.iter().find(|(_, known)| known == self);
        known.map_or_else(String::new, |(name, _)| (*name).to_owned())
    }
}

impl Shape for JournalFormat {
    const NAME: &'static str = "FORMAT";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(JournalFormat::Text),
            "json" => Ok(JournalFormat::Json),
            _ => Err("write text or json".to_owned()),
        }
    }

    fn show(&self) -> String {
        match self {
            JournalFormat::Text => "text".to_owned(),
            JournalFormat::Json => "json".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: Shape>(text: &str) -> String {
        T::read(text).unwrap().show()
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        assert_eq!(round::<u64>("64MiB"), "64MiB");
        assert_eq!(round::<u64>("1500"), "1500B");
        assert_eq!(round::<u64>("2 gb"), "2GB");
        assert_eq!(round::<u64>("0"), "0");
        assert_eq!(round::<Option<Duration>>("none"), "none");
        assert_eq!(round::<Option<Duration>>("90m"), "1h30m");
        assert_eq!(round::<Durability>("1s"), "1s");
        assert_eq!(round::<Durability>("always"), "always");
        assert_eq!(round::<usize>("1_000"), "1000");
        assert_eq!(
            round::<Vec<KeepRule>>("{a=~\"b;\\\";c\"} = 1d"),
            "{a=~\"b;\\\";c\"} = 1d"
        );
        assert_eq!(
            round::<Vec<KeepRule>>("{a=\"b=1d\"}=3d ;up{c!~\"d\"} = none"),
            "{a=\"b=1d\"} = 3d; up{c!~\"d\"} = none"
        );
    }

    #[test]
    fn what_is_wrong_is_answered_with_what_would_be_right() {
        let wrong = [
            (u64::read("12 parsecs").unwrap_err(), "64MiB"),
            (u64::read("99999999999TiB").unwrap_err(), "64MiB"),
            (u8::read("101").unwrap_err(), "0 to 100"),
            (bool::read("yes").unwrap_err(), "true or false"),
            (
                Option::<Duration>::read("15 days").unwrap_err(),
                "such as 30m",
            ),
            (SocketAddr::read("9090").unwrap_err(), "127.0.0.1:9090"),
            (KeepRule::read("app=3d").unwrap_err(), "a selector"),
            (KeepRule::read("{app=~\"(\"}=3d").unwrap_err(), "a selector"),
            (Durability::read("sometimes").unwrap_err(), "always, never"),
        ];
        for (error, expected) in wrong {
            assert!(error.contains(expected), "{error}");
        }
    }
}
