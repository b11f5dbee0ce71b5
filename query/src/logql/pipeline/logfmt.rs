//! `| logfmt`: pairs of a key and a value.
//!
//! A pair is dropped without a word where its unquoted value holds `=` or `"`, unless the stage is
//! strict: then the line is read as far as it is sound, and has an error.

use super::labels::{LineLabels, Repeated};
use super::name::{name_text, push_name, value_text};
use super::needs::Needs;

/// What a line is that is no logfmt.
const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// Bytes that end a key, or a value without quotes.
const ENDS: [bool; 256] = {
    let mut ends = [false; 256];
    let mut byte = 0;
    while byte <= b' ' as usize {
        ends[byte] = true;
        byte += 1;
    }
    ends[b'=' as usize] = true;
    ends[b'"' as usize] = true;
    ends
};

/// Pairs of a line, one by one.
pub(super) struct Pairs<'l> {
    line: &'l [u8],
    at: usize,
}

/// A pair as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair<'l> {
    pub(super) key: &'l [u8],
    /// What is between the quotes, or behind the `=`.
    pub(super) value: &'l [u8],
    pub(super) has_escapes: bool,
}

/// What is wrong with a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The byte that is, from 0.
    at: usize,
    what: String,
}

impl<'l> Pairs<'l> {
    pub(super) fn new(line: &'l [u8]) -> Pairs<'l> {
        Pairs { line, at: 0 }
    }

    /// The next pair. Behind a fault the next one is what follows the next space.
    pub(super) fn next(&mut self) -> Option<Result<Pair<'l>, Fault>> {
        let rest = self.line.get(self.at..)?;
        self.at += rest.iter().position(|byte| *byte > b' ')?;
        let pair = self.pair();
        if pair.is_err() {
            self.skip_word();
        }
        Some(pair)
    }

    fn pair(&mut self) -> Result<Pair<'l>, Fault> {
        let start = self.at;
        let is_end = |byte: &u8| ENDS[usize::from(*byte)];
        self.skip_until(is_end);
        let key = &self.line[start..self.at];
        let mut pair = Pair {
            key,
            value: &[],
            has_escapes: false,
        };
        match self.line.get(self.at) {
            Some(b'=') if !key.is_empty() => {}
            Some(byte @ (b'=' | b'"')) => return Err(self.unexpected(*byte)),
            _ => return Ok(pair),
        }
        if !key.is_ascii() && value_text(key).contains(' ') {
            return Err(self.fault("invalid key"));
        }
        self.at += 1;
        if self.line.get(self.at) == Some(&b'"') {
            return self.quoted(pair);
        }
        let start = self.at;
        self.skip_until(is_end);
        if let Some(byte @ (b'=' | b'"')) = self.line.get(self.at) {
            return Err(self.unexpected(*byte));
        }
        pair.value = &self.line[start..self.at];
        Ok(pair)
    }

    /// A value in quotes, the first of which is next.
    fn quoted(&mut self, mut pair: Pair<'l>) -> Result<Pair<'l>, Fault> {
        self.at += 1;
        let start = self.at;
        loop {
            let rest = self.line.get(self.at..).unwrap_or(&[]);
            let Some(place) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.line.len();
                return Err(self.fault("unterminated quoted value"));
            };
            self.at += place;
            if self.line[self.at] == b'"' {
                break;
            }
            pair.has_escapes = true;
            self.at += 2;
        }
        pair.value = &self.line[start..self.at];
        self.at += 1;
        let is_sound = !pair.has_escapes || unescape(pair.value).is_some();
        match is_sound {
            true => Ok(pair),
            false => Err(self.fault("invalid quoted value")),
        }
    }

    fn skip_until(&mut self, is_end: impl Fn(&u8) -> bool) {
        let rest = &self.line[self.at..];
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    fn skip_word(&mut self) {
        self.at = self.at.min(self.line.len());
        self.skip_until(|byte| *byte <= b' ');
    }

    fn unexpected(&self, byte: u8) -> Fault {
        self.fault(&format!("unexpected '{}'", char::from(byte)))
    }

    fn fault(&self, what: &str) -> Fault {
        let what = what.to_owned();
        Fault { at: self.at, what }
    }
}

impl Fault {
    fn text(&self) -> String {
        format!("logfmt syntax error at pos {} : {}", self.at + 1, self.what)
    }
}

impl Pair<'_> {
    /// The value with its escapes resolved.
    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        if !self.has_escapes {
            return value_text(self.value);
        }
        let bytes = unescape(self.value).unwrap_or_default();
        value_text(&bytes).into_owned().into()
    }
}

/// Resolves the escapes of a quoted value, which are those of JSON and `\'`.
fn unescape(raw: &[u8]) -> Option<Vec<u8>> {
    use super::json::scan::Quoted;
    let mut out = Vec::with_capacity(raw.len());
    let mut parts = raw;
    // JSON does not know `\'`: what stands around it is resolved apart.
    while let Some(place) = find_escaped_quote(parts) {
        let before = Quoted {
            raw: &parts[..place],
            has_escapes: true,
        };
        before.unescape(&mut out)?;
        out.push(b'\'');
        parts = &parts[place + 2..];
    }
    let rest = Quoted {
        raw: parts,
        has_escapes: true,
    };
    rest.unescape(&mut out)?;
    Some(out)
}

fn find_escaped_quote(raw: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'\\', raw.get(at..)?)?;
        if raw.get(at + 1) == Some(&b'\'') {
            return Some(at);
        }
        at += 2;
    }
}

/// The stage.
pub(super) struct Logfmt {
    pub(super) is_strict: bool,
    pub(super) keeps_empty: bool,
    /// Whether there is a list of labels.
    pub(super) is_listed: bool,
    /// Labels of the list that somebody looks at, and the keys that they are read from.
    pub(super) extractions: Vec<(String, String)>,
}

impl Logfmt {
    /// Sets labels of the line's pairs, of those that `wants` names.
    pub(super) fn parse(
        &self,
        line: &[u8],
        name: &mut Vec<u8>,
        labels: &mut LineLabels<'_>,
        needs: &Needs,
    ) {
        let mut pairs = Pairs::new(line);
        while let Some(pair) = pairs.next() {
            let pair = match pair {
                Ok(pair) => pair,
                Err(fault) if self.is_strict => {
                    labels.fail(LOGFMT_ERROR, &fault.text());
                    break;
                }
                Err(_) => continue,
            };
            if !self.is_listed && is_unwanted(pair.key, needs) {
                continue;
            }
            name.clear();
            push_name(name, pair.key);
            if name.is_empty() {
                continue;
            }
            if !self.is_listed {
                if (self.keeps_empty || !pair.value.is_empty()) && needs.wants(name) {
                    labels.extract(name_text(name), &pair.text(), Repeated::FirstWins);
                    if needs.are_met_by(labels) {
                        break;
                    }
                }
                continue;
            }
            let key = pair.key;
            for (label, wanted) in &self.extractions {
                if wanted.as_bytes() == name || wanted.as_bytes() == key {
                    labels.extract(label, &pair.text(), Repeated::LastWins);
                }
            }
        }
        for (label, _) in &self.extractions {
            if labels.value(label).is_none() {
                labels.extract(label, "", Repeated::LastWins);
            }
        }
    }
}

/// Whether the first letter tells that a key is none that anybody looks at.
fn is_unwanted(key: &[u8], needs: &Needs) -> bool {
    let first = key.first().filter(|byte| byte.is_ascii_alphabetic());
    first.is_some_and(|first| !needs.may_begin(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &[u8]) -> String {
        let mut pairs = Pairs::new(line);
        let mut out = Vec::new();
        while let Some(pair) = pairs.next() {
            out.push(match pair {
                Ok(pair) => format!("{}:{}", value_text(pair.key), pair.text()),
                Err(fault) => fault.text().replace("logfmt syntax error at pos ", "!"),
            });
        }
        out.join("; ")
    }

    #[test]
    fn pairs_are_read_and_faults_told() {
        let cases = [
            ("a=1  b=\"x y\" c", "a:1; b:x y; c:"),
            (r#"m="said \"no\"\n" n='q r"#, "m:said \"no\"\n; n:'q; r:"),
            (
                "=novalue c=ledger foo\"bar=1 a=2",
                "!1 : unexpected '='; c:ledger; !22 : unexpected '\"'; a:2",
            ),
            ("a=b=c d=e", "!4 : unexpected '='; d:e"),
            ("a=b\"c d=e", "!4 : unexpected '\"'; d:e"),
            ("m=\"open a=1", "!12 : unterminated quoted value"),
            (r#"m="\x" a=1"#, "!7 : invalid quoted value; a:1"),
            (r#"m="it\'s" a="" b="#, "m:it's; a:; b:"),
            (r"path=C:\temp\x", r"path:C:\temp\x"),
            ("a=\"x\"b=1", "a:x; b:1"),
            ("", ""),
        ];
        for (line, read) in cases {
            assert_eq!(pairs(line.as_bytes()), read, "{line}");
        }
        assert_eq!(pairs(b"a\xff=1 b=\xff"), "!3 : invalid key; b: ");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let line = br#"a=1 b="x \"y\" \u00e9" c d= =e f=g=h "#;
        for cut in 0..line.len() {
            pairs(&line[..cut]);
            for byte in [0, b'"', b'\\', b'=', b' ', 0xff] {
                let mut changed = line.to_vec();
                changed[cut] = byte;
                pairs(&changed);
            }
        }
    }
}
