//! Patterns of text with holes: what `|>` and `!>` compare with, and what `| pattern` takes values
//! out of.
//!
//! Both search for each literal where it comes next and never go back.

use memchr::memmem::Finder;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A hole, with its name; `_` has none.
    Hole(Option<String>),
}

/// What lines are compared with.
pub(super) struct Wildcard {
    /// A finder for each literal, and whether a hole stands in front of it.
    literals: Vec<(Finder<'static>, bool)>,
    /// Whether the last part is a hole.
    ends_open: bool,
    /// Whether there are no parts: only an empty line is like that.
    is_empty: bool,
}

/// What takes values out of a line.
pub(super) struct Holes {
    /// What the line must begin with.
    start: Vec<u8>,
    /// The holes, each with the literal behind it; the last one may have none.
    holes: Vec<(Option<String>, Option<Finder<'static>>)>,
}

/// Splits a pattern; two holes beside one another are an error.
fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = pattern;
    let mut before = None;
    while !rest.is_empty() {
        if let Some((name, behind)) = hole(rest) {
            let written = &rest[..rest.len() - behind.len()];
            if let Some(before) = before {
                return Err(format!(
                    "found consecutive capture '{before}{written}': invalid expression"
                ));
            }
            before = Some(written);
            parts.push(Part::Hole((name != "_").then(|| name.to_owned())));
            rest = behind;
            continue;
        }
        let letter = rest.chars().next().map_or(1, char::len_utf8);
        match parts.last_mut() {
            Some(Part::Literal(text)) => text.push_str(&rest[..letter]),
            _ => parts.push(Part::Literal(rest[..letter].to_owned())),
        }
        before = None;
        rest = &rest[letter..];
    }
    Ok(parts)
}

/// A hole at the beginning of a text: its name, and what is behind it.
fn hole(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.strip_prefix('<')?.split_once('>')?;
    super::name::is_name(name).then_some((name, behind))
}

fn finder(text: &str) -> Finder<'static> {
    Finder::new(text.as_bytes()).into_owned()
}

impl Wildcard {
    pub(super) fn parse(pattern: &str) -> Result<Wildcard, String> {
        let parts = parts(pattern)?;
        let mut literals = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Literal(text) => literals.push((finder(text), at > 0)),
                Part::Hole(None) => {}
                Part::Hole(Some(name)) => {
                    return Err(format!("named captures are not allowed: found '<{name}>'"));
                }
            }
        }
        Ok(Wildcard {
            literals,
            ends_open: matches!(parts.last(), Some(Part::Hole(_))),
            is_empty: parts.is_empty(),
        })
    }

    /// Whether a line is like it. A hole takes at least one byte; a literal at the beginning may
    /// stand anywhere, one at the end must be the line's end.
    pub(super) fn matches(&self, line: &[u8]) -> bool {
        if line.is_empty() || self.is_empty {
            return line.is_empty() && self.is_empty;
        }
        let mut rest = line;
        for (literal, is_behind_hole) in &self.literals {
            match literal.find(rest) {
                None => return false,
                Some(0) if *is_behind_hole => return false,
                Some(place) => rest = &rest[place + literal.needle().len()..],
            }
        }
        rest.is_empty() != self.ends_open
    }

    /// What every line that is like it contains.
    pub(super) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().map(|(literal, _)| literal.needle())
    }
}

impl Holes {
    pub(super) fn parse(pattern: &str) -> Result<Holes, String> {
        let mut parts = parts(pattern)?.into_iter().peekable();
        let mut holes = Vec::new();
        let mut start = Vec::new();
        while let Some(part) = parts.next() {
            match part {
                Part::Literal(text) => start = text.into_bytes(),
                Part::Hole(name) => {
                    let behind = match parts.next_if(|part| matches!(part, Part::Literal(_))) {
                        Some(Part::Literal(text)) => Some(finder(&text)),
                        _ => None,
                    };
                    holes.push((name, behind));
                }
            }
        }
        let names = || holes.iter().filter_map(|(name, _)| name.as_deref());
        if names().next().is_none() {
            return Err("at least one capture is required".to_owned());
        }
        let repeated = names()
            .enumerate()
            .find(|(at, name)| names().take(*at).any(|earlier| earlier == *name));
        if let Some((_, name)) = repeated {
            return Err(format!(
                "duplicate capture name ({name}): invalid expression"
            ));
        }
        Ok(Holes { start, holes })
    }

    /// Gives each named hole and what is in it to `take`. A hole whose next literal is missing
    /// takes the rest of the line; those behind it take nothing.
    pub(super) fn take<'l>(&self, line: &'l [u8], mut take: impl FnMut(&str, &'l [u8])) {
        let Some(mut rest) = line.strip_prefix(&*self.start) else {
            return;
        };
        if rest.is_empty() {
            return;
        }
        for (name, behind) in &self.holes {
            let found = behind.as_ref().and_then(|literal| {
                let place = literal.find(rest)?;
                Some((place, place + literal.needle().len()))
            });
            let (end, next) = found.unwrap_or((rest.len(), rest.len()));
            if let Some(name) = name {
                take(name, &rest[..end]);
            }
            if found.is_none() {
                return;
            }
            rest = &rest[next..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_takes_at_least_a_byte_and_ends_where_the_line_does() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            (
                "job=<_> heartbeat",
                &["job=1 heartbeat", "plain job=17 heartbeat"],
                &["job= heartbeat", "job=1 heartbeat!", "heartbeat"],
            ),
            ("<_>heart", &["a heart"], &["heart", "a heartbeat"]),
            ("<_>a<_>b<_>", &["xaxbx"], &["xaxb", "xabx", "axbx"]),
            ("plain", &["plain", "very plain"], &["plain x", ""]),
            ("<_>", &["x"], &[""]),
            ("", &[""], &["x"]),
        ];
        for (pattern, found, others) in cases {
            let wildcard = Wildcard::parse(pattern).unwrap();
            for line in found {
                assert!(wildcard.matches(line.as_bytes()), "{pattern} on {line}");
            }
            for line in others {
                assert!(!wildcard.matches(line.as_bytes()), "{pattern} on {line}");
            }
        }
    }

    #[test]
    fn holes_take_what_is_between_the_literals() {
        let cases = [
            ("<ip> - <_> [<day>]", "::1 - x [mon] y", "ip=::1 day=mon"),
            ("job=<id> <_>", "job=7 done", "id=7"),
            ("job=<id> <_>", "plain job=7 done", ""),
            ("<a>, <b>, <c>", "1, 2", "a=1 b=2"),
            ("<a> <b>", " x", "a= b=x"),
            ("x<a>", "x", ""),
            ("<a> ", "ünï ", "a=ünï"),
        ];
        for (pattern, line, taken) in cases {
            let mut found = Vec::new();
            let holes = Holes::parse(pattern).unwrap();
            holes.take(line.as_bytes(), |name, value| {
                found.push(format!("{name}={}", String::from_utf8_lossy(value)));
            });
            assert_eq!(found.join(" "), taken, "{pattern} on {line}");
        }
    }

    #[test]
    fn wrong_patterns_are_refused_in_the_words_people_know() {
        let wildcards = [
            (
                "<_> job=<id>",
                "named captures are not allowed: found '<id>'",
            ),
            (
                "<_><_> job",
                "found consecutive capture '<_><_>': invalid expression",
            ),
        ];
        for (pattern, error) in wildcards {
            assert_eq!(Wildcard::parse(pattern).err().as_deref(), Some(error));
        }
        let holes = [
            ("only text", "at least one capture is required"),
            ("<_> x", "at least one capture is required"),
            ("<a> <a>", "duplicate capture name (a): invalid expression"),
            (
                "<a><b>",
                "found consecutive capture '<a><b>': invalid expression",
            ),
        ];
        for (pattern, error) in holes {
            assert_eq!(Holes::parse(pattern).err().as_deref(), Some(error));
        }
        assert!(Wildcard::parse("a < b <not a hole> <1>").is_ok());
    }
}
