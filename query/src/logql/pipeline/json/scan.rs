//! [`Scanner`]: JSON token by token, as raw slices of the line.
//!
//! Numbers are what was written. What is read must be sound, what is skipped must be balanced;
//! what stands behind the outermost object is not looked at. Nothing recurses.

use memchr::memchr2;

/// Why a line is no JSON, in the words that people know from Loki.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::logql) enum Fault {
    Array,
    Deep,
    Escape,
    Object,
    String,
    Syntax,
    Unknown,
    Value,
}

impl Fault {
    pub(in crate::logql) fn text(self) -> &'static str {
        match self {
            Fault::Array => "Value is array, but can't find closing ']' symbol",
            Fault::Deep => "Value nests too deeply",
            Fault::Escape => "Encountered an invalid escape sequence in a string",
            Fault::Object => "Value looks like object, but can't find closing '}' symbol",
            Fault::String => "Value is string, but can't find closing '\"' symbol",
            Fault::Syntax => "Malformed JSON error",
            Fault::Unknown => "Unknown value type",
            Fault::Value => {
                "Value looks like Number/Boolean/None, but can't find its end: ',' or '}' symbol"
            }
        }
    }
}

/// A value of JSON, as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::logql) enum Value<'l> {
    /// What is between the quotes.
    String(Quoted<'l>),
    Number(&'l [u8]),
    Bool(&'l [u8]),
    Null,
    /// The brackets included.
    Array(&'l [u8]),
    /// The braces included.
    Object(&'l [u8]),
}

/// What is between the quotes of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::logql) struct Quoted<'l> {
    pub(in crate::logql) raw: &'l [u8],
    pub(in crate::logql) has_escapes: bool,
}

/// A place in a line of JSON.
#[derive(Clone)]
pub(in crate::logql) struct Scanner<'l> {
    bytes: &'l [u8],
    at: usize,
}

impl<'l> Scanner<'l> {
    pub(in crate::logql) fn new(bytes: &'l [u8]) -> Scanner<'l> {
        Scanner { bytes, at: 0 }
    }

    /// How many bytes were taken.
    pub(in crate::logql) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no space, which is not taken.
    #[inline]
    pub(in crate::logql) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes this byte if it is the next one.
    #[inline]
    pub(in crate::logql) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The key of the next member of an object and the colon behind it; `None` at its end, which
    /// is taken. The opening brace has been taken.
    pub(in crate::logql) fn key(&mut self) -> Result<Option<Quoted<'l>>, Fault> {
        match self.peek() {
            Some(b'"') => {}
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            _ => return Err(Fault::Object),
        }
        let key = self.string()?;
        match self.take(b':') {
            true => Ok(Some(key)),
            false => Err(Fault::Syntax),
        }
    }

    /// What follows a member of an object: whether there may be another one.
    #[inline]
    pub(in crate::logql) fn more(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Fault::Object),
        }
    }

    /// Passes over the next value, as sound as [`Scanner::value`] would find it.
    #[inline]
    pub(in crate::logql) fn skip(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            _ => self.value().map(|_| ()),
        }
    }

    /// The next value, whole.
    pub(in crate::logql) fn value(&mut self) -> Result<Value<'l>, Fault> {
        let first = self.peek().ok_or(Fault::Syntax)?;
        match first {
            b'"' => self.string().map(Value::String),
            b'{' => self.block(b'}', Fault::Object).map(Value::Object),
            b'[' => self.block(b']', Fault::Array).map(Value::Array),
            _ => self.word(first),
        }
    }

    /// A string; its opening quote is next.
    #[inline]
    fn string(&mut self) -> Result<Quoted<'l>, Fault> {
        self.at += 1;
        let start = self.at;
        if let Some(length) = short_length(self.bytes.get(start..).unwrap_or(&[])) {
            self.at = start + length + 1;
            let raw = &self.bytes[start..start + length];
            return Ok(Quoted {
                raw,
                has_escapes: false,
            });
        }
        let mut has_escapes = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            let place = memchr2(b'"', b'\\', rest).ok_or(Fault::String)?;
            self.at += place;
            if self.bytes[self.at] == b'"' {
                let raw = &self.bytes[start..self.at];
                self.at += 1;
                return Ok(Quoted { raw, has_escapes });
            }
            has_escapes = true;
            self.at += 2;
        }
    }

    /// An array or an object from its first byte, which is next, to its last one.
    fn block(&mut self, close: u8, fault: Fault) -> Result<&'l [u8], Fault> {
        let start = self.at;
        let open = self.bytes[start];
        let mut depth = 0usize;
        loop {
            let byte = *self.bytes.get(self.at).ok_or(fault)?;
            if byte == b'"' {
                self.string()?;
                continue;
            }
            self.at += 1;
            if byte == open {
                depth += 1;
            } else if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(&self.bytes[start..self.at]);
                }
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self, first: u8) -> Result<Value<'l>, Fault> {
        let start = self.at;
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'}' | b']');
        let length = self.bytes[start..].iter().position(is_end);
        let word = &self.bytes[start..start + length.ok_or(Fault::Value)?];
        self.at += word.len();
        match (first, word) {
            (b'0'..=b'9' | b'-', _) => Ok(Value::Number(word)),
            (_, b"true" | b"false") => Ok(Value::Bool(word)),
            (_, b"null") => Ok(Value::Null),
            _ => Err(Fault::Unknown),
        }
    }
}

/// Words of eight bytes of a string that are looked at without a call, which most keys and many
/// values are too short to be worth.
const SHORT_WORDS: usize = 4;

/// How long the string is that a text begins with, if it is short and has no escapes.
fn short_length(text: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest byte that is marked is one that was searched for; higher ones may be marked
    // without being.
    let marks = |word: u64, byte: u8| {
        let difference = word ^ (LOW * u64::from(byte));
        difference.wrapping_sub(LOW) & !difference & HIGH
    };
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(SHORT_WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = marks(word, b'"') | marks(word, b'\\');
        if found != 0 {
            let place = at * 8 + found.trailing_zeros() as usize / 8;
            return (text[place] == b'"').then_some(place);
        }
    }
    None
}

impl Quoted<'_> {
    /// Appends the text with its escapes resolved; `None`, and nothing appended, if one is wrong.
    pub(in crate::logql) fn unescape(&self, out: &mut Vec<u8>) -> Option<()> {
        let before = out.len();
        let done = unescape(self.raw, out);
        if done.is_none() {
            out.truncate(before);
        }
        done
    }
}

fn unescape(mut raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let Some(place) = memchr::memchr(b'\\', raw) {
        out.extend_from_slice(&raw[..place]);
        let escape = *raw.get(place + 1)?;
        raw = &raw[place + 2..];
        let plain = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let letter = code_point(&mut raw)?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        out.push(plain);
    }
    out.extend_from_slice(raw);
    Some(())
}

/// The character of the four digits behind `\u`, or of two such that belong together.
fn code_point(raw: &mut &[u8]) -> Option<char> {
    let first = four_digits(raw)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first);
    }
    *raw = raw.strip_prefix(b"\\u")?;
    let second = four_digits(raw)?;
    let high = first.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x1_0000 + (high << 10) + low)
}

fn four_digits(raw: &mut &[u8]) -> Option<u32> {
    let (digits, rest) = raw.split_at_checked(4)?;
    *raw = rest;
    digits.iter().try_fold(0, |code, digit| {
        Some(code * 16 + char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_slices_of_the_line() {
        let cases: [(&str, Result<Value<'_>, Fault>); 12] = [
            ("-1.50e+3,", Ok(Value::Number(b"-1.50e+3"))),
            (" true}", Ok(Value::Bool(b"true"))),
            ("null ", Ok(Value::Null)),
            ("[1,\"]\",[2]] x", Ok(Value::Array(b"[1,\"]\",[2]]"))),
            ("{\"a\":{}}", Ok(Value::Object(b"{\"a\":{}}"))),
            ("nul,", Err(Fault::Unknown)),
            ("x,", Err(Fault::Unknown)),
            ("12", Err(Fault::Value)),
            ("\"a", Err(Fault::String)),
            ("\"a\\\"", Err(Fault::String)),
            ("{\"a\":1", Err(Fault::Object)),
            ("[", Err(Fault::Array)),
        ];
        for (text, value) in cases {
            assert_eq!(Scanner::new(text.as_bytes()).value(), value, "{text}");
        }
    }

    #[test]
    fn escapes_are_resolved_or_refused() {
        let cases = [
            (r#"tab\tq\"b\\s\/"#, Some("tab\tq\"b\\s/")),
            (r"\ud83d\ude00 \u00e9 \u0000", Some("😀 é \0")),
            (r"\x", None),
            (r"\ud83d", None),
            (r"\ud83dx", None),
            (r"\ude00\ud83d", None),
            (r"\u12", None),
        ];
        for (raw, text) in cases {
            let quoted = Quoted {
                raw: raw.as_bytes(),
                has_escapes: true,
            };
            let mut out = b"x".to_vec();
            let done = quoted.unescape(&mut out).is_some();
            assert_eq!(done, text.is_some(), "{raw}");
            assert_eq!(
                out,
                format!("x{}", text.unwrap_or("")).into_bytes(),
                "{raw}"
            );
        }
    }
}
