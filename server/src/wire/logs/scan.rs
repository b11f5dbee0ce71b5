//! A walk over JSON without a tree: texts are borrowed unless an escape stands in them.

use std::borrow::Cow;

use super::super::protobuf::Malformed;

/// How deep values that nobody looks at may hold values.
const DEPTH_MAX: usize = 64;

/// A place in a JSON text.
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Scan { text, at: 0 }
    }

    /// The next byte that is no space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
        None
    }

    /// Takes the byte if it comes next.
    pub(crate) fn eat(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes a byte that has to come next.
    pub(crate) fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        match self.eat(wanted) {
            true => Ok(()),
            false => Err(self.fault(&format!("expected {:?}", char::from(wanted)))),
        }
    }

    /// What is wrong here.
    pub(crate) fn fault(&self, what: &str) -> Malformed {
        Malformed::new(format!("{what} at byte {} of the body", self.at))
    }

    /// Nothing but space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("unexpected text behind the value")),
        }
    }

    /// The elements of an array.
    pub(crate) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'[')?;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.eat(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// The members of an object.
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'{')?;
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            each(self, key)?;
            if self.eat(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// A string.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if !self.eat(b'"') {
            return Err(self.fault("expected a string"));
        }
        let rest = &self.text[self.at..];
        let Some(end) = rest.find(['"', '\\']) else {
            return Err(self.fault("a string does not end"));
        };
        if rest.as_bytes()[end] == b'"' {
            self.at += end + 1;
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        let mut out = String::with_capacity(rest.len().min(end * 2 + 64));
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find(['"', '\\']) else {
                return Err(self.fault("a string does not end"));
            };
            out.push_str(&rest[..end]);
            self.at += end + 1;
            if rest.as_bytes()[end] == b'"' {
                return Ok(Cow::Owned(out));
            }
            self.escape(&mut out)?;
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Malformed> {
        let letter = self.text.as_bytes().get(self.at).copied();
        let plain = match letter {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'u') => {
                self.at += 1;
                out.push(self.unicode()?);
                return Ok(());
            }
            _ => return Err(self.fault("an escape that JSON does not have")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    /// The letter of four digits, or of two escapes where they are one letter.
    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.hex()?;
        if let Some(letter) = char::from_u32(first) {
            return Ok(letter);
        }
        let is_first_half = (0xd800..0xdc00).contains(&first);
        if is_first_half && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.get(self.at..self.at + 4);
        let number = digits.and_then(|digits| {
            let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            all.then(|| u32::from_str_radix(digits, 16).ok())?
        });
        let number = number.ok_or_else(|| self.fault("an escape without four digits"))?;
        self.at += 4;
        Ok(number)
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(self.fault(&format!("values are nested deeper than {DEPTH_MAX}")));
        }
        match self.peek() {
            Some(b'{') => self.object(|scan, _| scan.skip_at(depth + 1)),
            Some(b'[') => self.array(|scan| scan.skip_at(depth + 1)),
            Some(b'"') => self.string().map(|_| ()),
            Some(_) => self.word().map(|_| ()),
            None => Err(self.fault("expected a value")),
        }
    }

    /// A number, `true`, `false` or `null`, as it is written.
    pub(crate) fn word(&mut self) -> Result<&'a str, Malformed> {
        self.peek();
        let is_end = |byte: u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| !is_end(**byte)).count();
        let word = &self.text[self.at..self.at + length];
        let is_value = matches!(word, "true" | "false" | "null")
            || word.parse::<f64>().is_ok_and(f64::is_finite);
        if !is_value {
            return Err(self.fault("expected a value"));
        }
        self.at += length;
        Ok(word)
    }
}
