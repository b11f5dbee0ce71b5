//! One source file, cut so that rules can look at code alone.
//!
//! `code` is the text with comments and the contents of literals blanked out, byte for byte as long
//! as the text, so that line numbers agree and no rule is fooled by a word in a string. It is a
//! scanner, not a parser: it knows literals, comments, braces and `mod`, and nothing else of the
//! language.

use std::ops::Range;

/// A Rust source file of the workspace.
pub(crate) struct Source {
    /// From the workspace root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and literal contents blanked.
    pub(crate) code: String,
    /// Where the bodies of `#[cfg(test)]` modules lie.
    tests: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let code = blank(text);
        let tests = test_bodies(text, &code);
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            tests,
        }
    }

    /// Whether all of the file is test code, by its place.
    pub(crate) fn is_test_file(&self) -> bool {
        let in_tests = self.path.starts_with("tests/") || self.path.contains("/tests/");
        in_tests || self.path.ends_with("/tests.rs")
    }

    /// Whether the byte at `at` is test code.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.is_test_file() || self.tests.iter().any(|body| body.contains(&at))
    }

    /// The line, counted from one, of the byte at `at`.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// How many lines are not test code.
    pub(crate) fn lines_outside_tests(&self) -> usize {
        let inside = |body: &Range<usize>| self.line(body.end) - self.line(body.start);
        self.text.lines().count() - self.tests.iter().map(inside).sum::<usize>()
    }

    /// Where `word` stands in the code as a whole word.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        let bytes = self.code.as_bytes();
        let free = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|b| !is_name(*b));
        self.code
            .match_indices(word)
            .map(|(at, _)| at)
            .filter(|at| free(at.checked_sub(1)) && free(Some(at + word.len())))
            .collect()
    }
}

pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name that starts at `at`, empty if none does.
pub(crate) fn name_at(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    let end = rest
        .bytes()
        .position(|byte| !is_name(byte))
        .unwrap_or(rest.len());
    &rest[..end]
}

/// The first byte at or behind `at` that is no white space.
pub(crate) fn skip_space(code: &str, at: usize) -> usize {
    at + code[at..].len() - code[at..].trim_start().len()
}

/// The place behind the brace that closes the one at `open`.
pub(crate) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return offset + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The bodies of modules behind `#[cfg(test)]`.
fn test_bodies(text: &str, code: &str) -> Vec<Range<usize>> {
    let mut bodies = Vec::new();
    for (at, attribute) in text.match_indices("#[cfg(test)]") {
        // In a comment or a literal the blanked code shows something else.
        let mut next = skip_space(code, at + attribute.len());
        if code[at..].starts_with('#') && name_at(code, next) == "mod" {
            next = skip_space(code, next + "mod".len());
            let open = skip_space(code, next + name_at(code, next).len());
            if code[open..].starts_with('{') {
                bodies.push(open..closing_brace(code, open));
            }
        }
    }
    bodies
}

/// The text with comments and the contents of literals as spaces; line ends stay.
fn blank(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let end = match literal_or_comment(text.as_bytes(), at) {
            Some(end) => end,
            None => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("only whole literals and comments were blanked, with spaces")
}

/// Where the literal or comment that starts at `at` ends.
fn literal_or_comment(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let fresh = at == 0 || !is_name(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => {
            let length = rest.iter().position(|byte| *byte == b'\n');
            Some(at + length.unwrap_or(rest.len()))
        }
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + quoted(rest, 0)),
        [b'b' | b'c', b'"', ..] if fresh => Some(at + quoted(rest, 1)),
        [b'r', b'"' | b'#', ..] if fresh => raw(rest, 1).map(|length| at + length),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if fresh => raw(rest, 2).map(|length| at + length),
        [b'b', b'\'', ..] if fresh => character(rest, 1).map(|length| at + length),
        [b'\'', ..] => character(rest, 0).map(|length| at + length),
        _ => None,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a string whose opening quote stands at `open`.
fn quoted(rest: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string whose first `#` or quote stands at `from`; `r#name` is no string.
fn raw(rest: &[u8], from: usize) -> Option<usize> {
    let hashes = rest[from..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = from + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let closes = |at: &usize| {
        let behind = &rest[at + 1..];
        rest[*at] == b'"' && behind.len() >= hashes && behind[..hashes].iter().all(|b| *b == b'#')
    };
    let close = (open + 1..rest.len()).find(closes);
    Some(close.map_or(rest.len(), |at| at + 1 + hashes))
}

/// The length of a character literal whose quote stands at `open`; a lifetime is none.
fn character(rest: &[u8], open: usize) -> Option<usize> {
    let body = &rest[open + 1..];
    if body.first() == Some(&b'\\') {
        let close = body.iter().skip(2).position(|byte| *byte == b'\'')?;
        return Some(open + 1 + 2 + close + 1);
    }
    let width = match *body.first()? {
        0x00..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    (body.get(width) == Some(&b'\'')).then_some(open + 1 + width + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text =
            "a // b\n/* c /* d */ e */ f \"g\\\"h\" r#\"i\"j\"# 'k' '\\n' b'\\'' 'l, '\u{1f512}' m";
        let code = blank(text);
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "f", "'l,", "m"]);
        assert_eq!((code.len(), code.lines().count()), (text.len(), 2));
    }

    #[test]
    fn a_name_that_ends_in_r_is_no_raw_string_and_a_raw_name_no_literal() {
        assert_eq!(blank("for\"x\" r#type b"), "for    r#type b");
    }

    #[test]
    fn test_modules_are_found_by_their_braces() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { \"}\" }\n}\nfn c() {}\n";
        let source = Source::new("engine/src/x.rs", text);
        assert!(!source.is_test(text.find("fn a").unwrap()));
        assert!(source.is_test(text.find("fn b").unwrap()));
        assert!(!source.is_test(text.find("fn c").unwrap()));
        assert_eq!(source.lines_outside_tests(), 4);
        assert!(Source::new("engine/src/x/tests.rs", "").is_test_file());
    }
}
