//! Label matchers: what a series' labels must be for a query to select it.
//!
//! A label that a series lacks has the empty value, as everywhere in Prometheus and Loki. Regular
//! expressions are RE2, compiled once and anchored at both ends.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::re2::{Re2, Shape};
use crate::error::{Error, Result};

/// How a matcher compares a label's value with its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    /// `=`: the values are the same.
    Equal,
    /// `!=`: the values differ.
    NotEqual,
    /// `=~`: the regular expression matches all of the value.
    Regex,
    /// `!~`: the regular expression does not match all of the value.
    NotRegex,
}

/// A condition on one label, such as `job=~"api|web"`. Cheap to clone.
#[derive(Clone)]
pub struct Matcher {
    condition: Arc<Condition>,
}

struct Condition {
    name: Box<str>,
    op: MatchOp,
    value: Box<str>,
    accepted: Accepted,
}

/// The values that a matcher accepts before `!` is taken into account.
enum Accepted {
    Value(Shape),
    Pattern(Re2),
}

impl MatchOp {
    /// Whether the operator is one of those with a `!`.
    pub fn is_negative(self) -> bool {
        matches!(self, MatchOp::NotEqual | MatchOp::NotRegex)
    }

    /// Whether the matcher's value is a regular expression.
    pub fn is_regex(self) -> bool {
        matches!(self, MatchOp::Regex | MatchOp::NotRegex)
    }
}

impl Matcher {
    /// Builds a matcher, compiling `value` if the operator takes a regular expression.
    pub fn new(op: MatchOp, name: &str, value: &str) -> Result<Matcher> {
        if name.is_empty() {
            return Err(Error::invalid("a matcher's label name is empty"));
        }
        let accepted = if op.is_regex() {
            Accepted::Pattern(Re2::anchored(value)?)
        } else {
            Accepted::Value(Shape::Exact([value.into()].into()))
        };
        let condition = Condition {
            name: name.into(),
            op,
            value: value.into(),
            accepted,
        };
        Ok(Matcher {
            condition: Arc::new(condition),
        })
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.condition.name
    }

    /// The operator.
    pub fn op(&self) -> MatchOp {
        self.condition.op
    }

    /// The value or pattern as given.
    pub fn value(&self) -> &str {
        &self.condition.value
    }

    /// Whether a series with this value of the label is selected; pass `""` for one without the
    /// label.
    pub fn matches(&self, value: &str) -> bool {
        let accepted = match &self.condition.accepted {
            Accepted::Value(_) => value == &*self.condition.value,
            Accepted::Pattern(pattern) => pattern.is_match_str(value),
        };
        accepted != self.op().is_negative()
    }

    /// Whether series without the label are selected.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// Which values the matcher's right side accepts. For a negative operator these are the values
    /// that are *not* selected.
    pub fn shape(&self) -> &Shape {
        match &self.condition.accepted {
            Accepted::Value(shape) => shape,
            Accepted::Pattern(pattern) => pattern.shape(),
        }
    }
}

/// What is known of the values that a pattern accepts, for those who search among many.
impl Matcher {
    /// Texts with one of which every accepted value begins; empty if none are known.
    pub(crate) fn prefixes(&self) -> &[Box<str>] {
        match &self.condition.accepted {
            Accepted::Value(_) => &[],
            Accepted::Pattern(pattern) => pattern.prefixes(),
        }
    }

    /// Texts of which every accepted value contains at least one; empty if none are known.
    pub(crate) fn required(&self) -> &[Box<[u8]>] {
        match &self.condition.accepted {
            Accepted::Value(_) => &[],
            Accepted::Pattern(pattern) => pattern.required(),
        }
    }
}

/// Matchers are equal when they read the same.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Matcher {}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Matcher {
    fn key(&self) -> (&str, MatchOp, &str) {
        (self.name(), self.op(), self.value())
    }
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        })
    }
}

/// As Prometheus prints it: `name=~"value"`, the name quoted too unless it is a plain word.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let name = self.name();
        if name.bytes().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
            f.write_str(name)?;
        } else {
            write_quoted(f, name)?;
        }
        write!(f, "{}", self.op())?;
        write_quoted(f, self.value())
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes a string in double quotes with Go's escapes.
pub(crate) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write;
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\x07' => f.write_str("\\a")?,
            '\x08' => f.write_str("\\b")?,
            '\x0c' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\x0b' => f.write_str("\\v")?,
            '\0'..=' ' | '\x7f' if c != ' ' => write!(f, "\\x{:02x}", u32::from(c))?,
            c if is_printable(c) => f.write_char(c)?,
            c if u32::from(c) < 0x1_0000 => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "\\U{:08x}", u32::from(c))?,
        }
    }
    f.write_char('"')
}

/// Whether Go prints the character as it is. `escape_debug` agrees with it but for combining marks,
/// which it escapes in some places, and quotes, which are dealt with before.
fn is_printable(c: char) -> bool {
    c.is_ascii() || c.is_alphanumeric() || c.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(op: MatchOp, value: &str) -> Matcher {
        Matcher::new(op, "job", value).unwrap()
    }

    #[test]
    fn each_operator_selects_what_it_says() {
        let cases: [(MatchOp, &str, &[&str], &[&str]); 8] = [
            (MatchOp::Equal, "api", &["api"], &["", "api2", "API"]),
            (MatchOp::NotEqual, "api", &["", "api2"], &["api"]),
            (MatchOp::Equal, "", &[""], &["a"]),
            (
                MatchOp::Regex,
                "api|web",
                &["api", "web"],
                &["", "apiweb", "api|web"],
            ),
            (
                MatchOp::NotRegex,
                "api|web",
                &["", "apiweb"],
                &["api", "web"],
            ),
            (
                MatchOp::Regex,
                "a.c",
                &["abc", "a\nc", "aéc"],
                &["ac", "abcd"],
            ),
            (MatchOp::Regex, ".*", &["", "x"], &[]),
            (MatchOp::NotRegex, ".+", &[""], &["x", "\n"]),
        ];
        for (op, value, selected, others) in cases {
            let matcher = matcher(op, value);
            for value in selected {
                assert!(matcher.matches(value), "{matcher} on {value:?}");
            }
            for value in others {
                assert!(!matcher.matches(value), "{matcher} on {value:?}");
            }
            assert_eq!(matcher.matches_empty(), matcher.matches(""));
        }
    }

    #[test]
    fn shapes_are_those_of_the_right_side() {
        let exact =
            |values: &[&str]| Shape::Exact(values.iter().map(|value| Box::from(*value)).collect());
        assert_eq!(matcher(MatchOp::Equal, "a.c").shape(), &exact(&["a.c"]));
        assert_eq!(matcher(MatchOp::NotEqual, "x").shape(), &exact(&["x"]));
        assert_eq!(
            matcher(MatchOp::NotRegex, "b|a").shape(),
            &exact(&["a", "b"])
        );
        assert_eq!(
            matcher(MatchOp::Regex, "p.*").shape(),
            &Shape::Prefix("p".into())
        );
    }

    #[test]
    fn a_matcher_prints_as_in_prometheus() {
        let shown = |name: &str, value: &str| {
            Matcher::new(MatchOp::Regex, name, value)
                .unwrap()
                .to_string()
        };
        assert_eq!(shown("job", "api|web"), r#"job=~"api|web""#);
        assert_eq!(shown("job", r#"a"\\d"#), r#"job=~"a\"\\\\d""#);
        assert_eq!(
            shown("http.status", "é\n\u{1}"),
            "\"http.status\"=~\"é\\n\\x01\""
        );
        assert_eq!(shown("job", "\u{200b}"), "job=~\"\\u200b\"");
        assert_eq!(shown("1a", "x"), "\"1a\"=~\"x\"");
        let not = Matcher::new(MatchOp::NotRegex, "job", "x").unwrap();
        assert_eq!(format!("{not:?}"), r#"job!~"x""#);
    }

    #[test]
    fn matchers_that_read_the_same_are_equal() {
        assert_eq!(matcher(MatchOp::Regex, "a"), matcher(MatchOp::Regex, "a"));
        assert_ne!(matcher(MatchOp::Regex, "a"), matcher(MatchOp::Equal, "a"));
    }

    #[test]
    fn bad_patterns_and_empty_names_are_refused() {
        let error = Matcher::new(MatchOp::Regex, "job", "a(").unwrap_err();
        assert_eq!(
            error.to_string(),
            "error parsing regexp: missing closing ): `^(?s:a()$`"
        );
        assert!(Matcher::new(MatchOp::Equal, "", "x").is_err());
        assert!(Matcher::new(MatchOp::Equal, "job", "a(").is_ok());
    }
}
