//! Replacement templates as in Go's `Regexp.Expand`: `$1`, `$name`, `${name}`, `$$`.
//!
//! A name is as long as it can be, so `$1x` is the group `1x`, which is empty when there is none.

use std::ops::Range;
use std::sync::LazyLock;

use regex_syntax::hir::ClassUnicode;

use super::class::unicode_table;
use super::{Captures, Haystack, Re2};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Index(usize),
    Name(String),
}

/// Greatest group number that is read as one.
const INDEX_MAX: usize = 100_000_000;

impl Template {
    /// Reads a template; every text is one, a `$` that begins nothing stands for itself.
    pub fn new(template: &str) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                text.push('$');
                rest = after;
                continue;
            }
            match reference(rest) {
                Some((part, length)) => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(part);
                    rest = &rest[length..];
                }
                None => text.push('$'),
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Template { parts }
    }

    /// A template that stands for itself, dollars and all.
    pub fn literal(text: &str) -> Self {
        Template {
            parts: vec![Part::Text(text.to_owned())],
        }
    }
}

/// The reference after a `$`, and how many bytes it takes.
fn reference(text: &str) -> Option<(Part, usize)> {
    let braced = text.strip_prefix('{');
    let body = braced.unwrap_or(text);
    let length = body.find(|c| !is_name_character(c)).unwrap_or(body.len());
    let name = &body[..length];
    if name.is_empty() {
        return None;
    }
    let taken = match braced {
        Some(_) if !body[length..].starts_with('}') => return None,
        Some(_) => length + "{}".len(),
        None => length,
    };
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = name.len() > 1 && name.starts_with('0');
    let index = name.parse().ok().filter(|index| *index < INDEX_MAX);
    let part = match index {
        Some(index) if digits && !leading_zero => Part::Index(index),
        _ => Part::Name(name.to_owned()),
    };
    Some((part, taken))
}

/// Letters and decimal digits of all scripts, and the underscore.
fn is_name_character(c: char) -> bool {
    static BEYOND_ASCII: LazyLock<ClassUnicode> = LazyLock::new(|| {
        let mut class = unicode_table("l").unwrap_or_else(ClassUnicode::empty);
        class.union(&unicode_table("nd").unwrap_or_else(ClassUnicode::empty));
        class
    });
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let ranges = BEYOND_ASCII.ranges();
    let at = ranges.partition_point(|range| range.end() < c);
    ranges.get(at).is_some_and(|range| range.start() <= c)
}

impl Re2 {
    /// Appends the template to `out` with its references filled in from a match in `haystack`.
    pub fn expand(
        &self,
        template: &Template,
        haystack: &Haystack<'_>,
        captures: &Captures,
        out: &mut Vec<u8>,
    ) {
        for part in &template.parts {
            let range = match part {
                Part::Text(text) => {
                    out.extend_from_slice(text.as_bytes());
                    continue;
                }
                Part::Index(index) => captures.group(*index),
                Part::Name(name) => self.named(name, captures),
            };
            out.extend_from_slice(&haystack.bytes()[range.unwrap_or(0..0)]);
        }
    }

    /// The first group of this name that took part in the match.
    fn named(&self, name: &str, captures: &Captures) -> Option<Range<usize>> {
        self.capture_names()
            .enumerate()
            .filter(|(_, known)| *known == Some(name))
            .find_map(|(index, _)| captures.group(index))
    }

    /// A copy of `haystack` with every match replaced, as in Go's `ReplaceAll`: an empty match
    /// right after another match is left alone.
    pub fn replace_all(&self, haystack: &Haystack<'_>, template: &Template) -> Vec<u8> {
        let bytes = haystack.bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut captures = Captures::default();
        let (mut copied, mut at) = (0, 0);
        while at <= bytes.len() && self.captures_at(haystack, at, &mut captures) {
            let Some(found) = captures.group(0) else {
                break;
            };
            out.extend_from_slice(&bytes[copied..found.start]);
            if found.end > copied || found.start == 0 {
                self.expand(template, haystack, &captures, &mut out);
            }
            copied = found.end;
            at = found.end.max(haystack.next_character(at));
        }
        out.extend_from_slice(&bytes[copied..]);
        out
    }
}
