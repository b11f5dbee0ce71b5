//! From text to tokens.
//!
//! Errors are tokens too, the last ones: the parser reports what is wrong in front of them first.
//! Places are told as Loki tells them: a token that had to be looked ahead for has no line.

use crate::logql::syntax::token::{Kind, Token, function, keyword, symbol};
use crate::logql::syntax::units;
use crate::text::duration;

/// The tokens of a query up to its end or the first error, and the message of that error.
pub(super) fn scan(input: &str) -> (Vec<Token<'_>>, Option<String>) {
    let mut lexer = Lexer {
        input,
        at: 0,
        line: 1,
        column: 1,
        tokens: Vec::new(),
    };
    let error = lexer.run().err();
    if error.is_some() {
        let place = lexer.place();
        lexer.push(Kind::Error, lexer.at, place);
    }
    (lexer.tokens, error)
}

/// Durations and amounts of bytes are shorter.
const AMOUNT_LETTERS_MAX: usize = 64;

struct Lexer<'a> {
    input: &'a str,
    at: usize,
    /// Where the next character stands.
    line: usize,
    column: usize,
    tokens: Vec<Token<'a>>,
}

type Result<T> = std::result::Result<T, String>;

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<()> {
        loop {
            self.skip_blanks()?;
            let (start, place) = (self.at, self.place());
            let Some(letter) = self.peek() else {
                self.push(Kind::End, start, place);
                return Ok(());
            };
            match letter {
                '"' => self.quoted(start, '"')?,
                '`' => self.raw(start)?,
                '\'' => return Err("invalid char literal".to_owned()),
                '[' => self.range(start)?,
                '0'..='9' => self.number(start, place),
                '.' if self.behind().starts_with(|c: char| c.is_ascii_digit()) => {
                    self.number(start, place);
                }
                '-' if self.behind().starts_with('-') => self.flag(start, place),
                '-' if self.duration_at(start + 1).is_some() => {
                    let length = self.duration_at(start + 1).unwrap_or(0) + 1;
                    self.skip(length);
                    self.push(Kind::Duration, start, (0, place.1));
                }
                _ if letter.is_alphabetic() || letter == '_' => self.word(start, place),
                _ => self.symbol(start, place),
            }
        }
    }

    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            let rest = &self.input[self.at..];
            if rest.starts_with('#') || rest.starts_with("//") {
                self.skip(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else {
                    return Err("comment not terminated".to_owned());
                };
                self.skip(end + 2);
            } else {
                let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                if blanks == 0 {
                    return Ok(());
                }
                self.skip(blanks);
            }
        }
    }

    fn word(&mut self, start: usize, place: (usize, usize)) {
        let rest = &self.input[start..];
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        self.skip(length);
        let kind = match (keyword(word), function(word)) {
            (Some(keyword), _) => Kind::Fixed(keyword),
            (None, Some(function)) if is_call(&rest[length..]) => Kind::Fixed(function),
            _ => Kind::Identifier,
        };
        self.push(kind, start, place);
    }

    fn symbol(&mut self, start: usize, place: (usize, usize)) {
        let Some(symbol) = symbol(&self.input[start..]) else {
            let length = self.peek().map_or(0, char::len_utf8);
            self.skip(length);
            self.push(Kind::Unknown, start, place);
            return;
        };
        self.skip(symbol.len());
        let line = if symbol.len() > 1 { 0 } else { place.0 };
        self.push(Kind::Fixed(symbol), start, (line, place.1));
    }

    /// A number, or what begins like one: a duration or an amount of bytes.
    fn number(&mut self, start: usize, place: (usize, usize)) {
        if let Some(length) = self.duration_at(start) {
            self.skip(length);
            self.push(Kind::Duration, start, (0, place.1));
            return;
        }
        let rest = &self.input[start..];
        let amount = amount(rest);
        // The `e` of an exponent is no exabyte: `1e+6`.
        if amount.len() >= number_length(rest) && units::bytes(amount).is_some() {
            self.skip(amount.len());
            self.push(Kind::Bytes, start, (0, place.1));
            return;
        }
        self.skip(number_length(rest));
        self.push(Kind::Number, start, place);
    }

    /// How long the duration is that stands at a place, if one does.
    fn duration_at(&self, start: usize) -> Option<usize> {
        let amount = amount(&self.input[start..]);
        let begins = amount.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        (begins && units::duration_ns(amount).is_some()).then_some(amount.len())
    }

    fn flag(&mut self, start: usize, place: (usize, usize)) {
        let rest = &self.input[start..];
        let is_next = |flag: &&&str| {
            let behind = rest.strip_prefix(**flag);
            behind.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
        };
        match ["--strict", "--keep-empty"].iter().find(is_next) {
            Some(flag) => {
                self.skip(flag.len());
                self.push(Kind::Flag, start, (0, place.1));
            }
            None => {
                self.skip(1);
                self.push(Kind::Fixed("-"), start, place);
            }
        }
    }

    /// `[5m]`; its duration is Prometheus' alone.
    fn range(&mut self, start: usize) -> Result<()> {
        let place = (0, self.column);
        let rest = &self.input[start + 1..];
        let Some(end) = rest.find(']') else {
            self.line = 0;
            return Err("missing closing ']' in duration".to_owned());
        };
        if let Err(message) = duration::parse(rest[..end].trim()) {
            // Loki has looked ahead by then, so that it knows no line.
            self.line = 0;
            return Err(message);
        }
        if rest[..end].trim() == "0" {
            self.line = 0;
            return Err("not a valid duration string: \"0\"".to_owned());
        }
        self.skip(end + 2);
        self.push(Kind::Range, start, place);
        Ok(())
    }

    fn quoted(&mut self, start: usize, quote: char) -> Result<()> {
        let (place, from) = (self.place(), (self.at, self.line, self.column));
        self.skip(quote.len_utf8());
        loop {
            let Some(letter) = self.bump() else {
                (self.at, self.line, self.column) = from;
                return Err("literal not terminated".to_owned());
            };
            match letter {
                _ if letter == quote => break,
                '\n' => {
                    (self.at, self.line, self.column) = from;
                    return Err("literal not terminated".to_owned());
                }
                '\\' if !self.escape(quote) => {
                    (self.at, self.line, self.column) = from;
                    return Err("invalid char escape".to_owned());
                }
                _ => {}
            }
        }
        self.push(Kind::Text, start, place);
        Ok(())
    }

    /// Takes what follows a backslash; whether it is an escape.
    fn escape(&mut self, quote: char) -> bool {
        let (digits, radix) = match self.bump() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return true,
            Some(letter) if letter == quote => return true,
            Some('0'..='7') => (2, 8),
            Some('x') => (2, 16),
            Some('u') => (4, 16),
            Some('U') => (8, 16),
            _ => return false,
        };
        (0..digits).all(|_| self.bump().is_some_and(|letter| letter.is_digit(radix)))
    }

    fn raw(&mut self, start: usize) -> Result<()> {
        let place = self.place();
        let Some(length) = self.input[start + 1..].find('`') else {
            return Err("literal not terminated".to_owned());
        };
        self.skip(length + 2);
        self.push(Kind::Text, start, place);
        Ok(())
    }

    fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    fn peek(&self) -> Option<char> {
        self.input[self.at..].chars().next()
    }

    /// What stands behind the next character, which is a single byte.
    fn behind(&self) -> &'a str {
        &self.input[self.at + 1..]
    }

    fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        match letter {
            '\n' => (self.line, self.column) = (self.line + 1, 1),
            _ => self.column += 1,
        }
        Some(letter)
    }

    /// Takes so many bytes.
    fn skip(&mut self, bytes: usize) {
        let end = self.at + bytes;
        while self.at < end && self.bump().is_some() {}
    }

    fn push(&mut self, kind: Kind, start: usize, place: (usize, usize)) {
        self.tokens.push(Token {
            kind,
            text: &self.input[start..self.at],
            start,
            place,
        });
    }
}

/// Whether what follows the name of a function makes it a call: a parenthesis, or a grouping.
fn is_call(behind: &str) -> bool {
    let behind = behind.trim_start();
    if behind.starts_with('(') {
        return true;
    }
    ["by", "without"].iter().any(|word| {
        behind
            .get(..word.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(word))
            && behind[word.len()..].trim_start().starts_with('(')
    })
}

/// Letters, digits and dots that the text begins with, as far as a literal is looked for.
fn amount(text: &str) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || c == '.';
    let mut letters = text.char_indices().take(AMOUNT_LETTERS_MAX);
    let end = letters.find(|(_, c)| !is_part(*c)).map(|(at, _)| at);
    let far = || {
        text.char_indices()
            .nth(AMOUNT_LETTERS_MAX)
            .map(|(at, _)| at)
    };
    &text[..end.or_else(far).unwrap_or(text.len())]
}

/// How many bytes of a number the text begins with.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits((length + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
