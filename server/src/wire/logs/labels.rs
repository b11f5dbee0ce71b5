//! The labels of a stream as text: `{app="a", env="b"}`.
//!
//! Faults are worded as Prometheus words them, with the line and the column where they were found.

use std::borrow::Cow;

use super::Pair;

/// Reads labels, in the order in which they are written.
pub(crate) fn parse(text: &str) -> Result<Vec<Pair<'_>>, String> {
    let mut reader = Reader { text, at: 0 };
    let mut pairs = Vec::new();
    reader.space();
    if !reader.eat('{') {
        return Err(reader.unexpected("label set", "\"{\""));
    }
    loop {
        reader.space();
        if reader.eat('}') {
            break;
        }
        pairs.push(reader.pair()?);
        reader.space();
        if !reader.eat(',') && !reader.rest().starts_with('}') {
            return Err(reader.unexpected("label set", "\",\" or \"}\""));
        }
    }
    reader.space();
    match reader.rest().is_empty() {
        true => Ok(pairs),
        false => Err(reader.unexpected("label set", "the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, letter: char) -> bool {
        let is_there = self.rest().starts_with(letter);
        self.at += if is_there { letter.len_utf8() } else { 0 };
        is_there
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn pair(&mut self) -> Result<Pair<'a>, String> {
        let name = self.name()?;
        self.space();
        if !self.eat('=') {
            return Err(self.unexpected("label set", "\"=\""));
        }
        self.space();
        Ok((Cow::Borrowed(name), self.value()?))
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        if length == 0 || rest.as_bytes()[0].is_ascii_digit() {
            return Err(self.unexpected("label set", "identifier or \"}\""));
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn value(&mut self) -> Result<Cow<'a, str>, String> {
        let rest = self.rest();
        let quote = match rest.as_bytes().first() {
            Some(quote @ (b'"' | b'\'' | b'`')) => *quote,
            _ => return Err(self.unexpected("label set", "string")),
        };
        let body = &rest[1..];
        let Some(end) = closing(body.as_bytes(), quote) else {
            return Err(self.fault("unterminated quoted string"));
        };
        let quoted = &body[..end];
        if quote == b'`' || !quoted.contains('\\') {
            self.at += end + 2;
            return Ok(Cow::Borrowed(quoted));
        }
        match unescape(quoted) {
            Some(value) => {
                self.at += end + 2;
                Ok(Cow::Owned(value))
            }
            None => Err(self.fault("invalid syntax")),
        }
    }

    /// A fault at the place at hand.
    fn fault(&self, what: &str) -> String {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[start..].chars().count() + 1;
        format!("{line}:{column}: parse error: {what}")
    }

    fn unexpected(&self, context: &str, expected: &str) -> String {
        let Some(letter) = self.rest().chars().next() else {
            return self.fault(&format!(
                "unexpected end of input in {context}, expected {expected}"
            ));
        };
        let what = match letter {
            '"' | '\'' | '`' => format!("unexpected string in {context}, expected {expected}"),
            '{' | '}' | ',' | '=' | '!' | '~' => {
                format!(
                    "unexpected {:?} in {context}, expected {expected}",
                    letter.to_string()
                )
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let word = self.rest().split(|letter: char| !letter.is_alphanumeric());
                let word = word.into_iter().next().unwrap_or_default();
                format!("unexpected identifier {word:?} in {context}, expected {expected}")
            }
            _ => format!("unexpected character inside braces: {letter:?}"),
        };
        self.fault(&what)
    }
}

/// Where the quote stands that ends a string; one behind a backslash does not.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' if quote != b'`' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Undoes Go's escapes.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        let digits = |letters: &mut std::str::Chars<'_>, count, radix| {
            let digits: String = letters.by_ref().take(count).collect();
            let is_whole = digits.chars().count() == count;
            let number = u32::from_str_radix(&digits, radix).ok()?;
            is_whole.then_some(number)
        };
        out.push(match letters.next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            same @ ('\\' | '\'' | '"') => same,
            'x' => char::from_u32(digits(&mut letters, 2, 16)?)?,
            'u' => char::from_u32(digits(&mut letters, 4, 16)?)?,
            'U' => char::from_u32(digits(&mut letters, 8, 16)?)?,
            first @ '0'..='7' => {
                let rest = digits(&mut letters, 2, 8)?;
                char::from_u32(first.to_digit(8)? * 64 + rest)?
            }
            _ => return None,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let pairs = parse(text).unwrap().into_iter();
        pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    }

    #[test]
    fn labels_are_read_in_every_way_to_quote() {
        let expected = [("a", "x"), ("b", "y\"\n"), ("c", "\\n"), ("d", "é☃")];
        let found = pairs("{a=\"x\", b = \"y\\\"\\n\" ,c=`\\n`,d='\\u00e9☃',}");
        assert_eq!(found.len(), expected.len());
        for ((name, value), (known, expected)) in found.iter().zip(expected) {
            assert_eq!((name.as_str(), value.as_str()), (known, expected));
        }
        assert!(pairs("{}").is_empty());
        assert!(pairs(" { } ").is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            (
                "{bad-name=\"x\"}",
                "1:5: parse error: unexpected character inside braces: '-'",
            ),
            (
                "{1bad=\"x\"}",
                "1:2: parse error: unexpected character inside braces: '1'",
            ),
            ("{a=\"x}", "1:4: parse error: unterminated quoted string"),
            (
                "{a}",
                "1:3: parse error: unexpected \"}\" in label set, expected \"=\"",
            ),
            (
                "",
                "1:1: parse error: unexpected end of input in label set, expected \"{\"",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        for wrong in [
            "{a=x}",
            "{a=\"x\"",
            "{a=\"x\"}}",
            "{a=\"\\q\"}",
            "{a=\"x\" b=\"y\"}",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
