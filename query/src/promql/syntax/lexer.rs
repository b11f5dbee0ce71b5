//! From text to tokens.
//!
//! Errors are tokens too, the last ones: the parser reports what is wrong in front of them first.

use crate::promql::syntax::ast::BinaryOp;
use crate::promql::syntax::token::{Kind, Token, word_kind};
use crate::text::{Span, quote};

/// The tokens of a query up to its end or the first error, and the message of that error.
pub(super) fn scan(input: &str) -> (Vec<Token<'_>>, Option<String>) {
    let mut lexer = Lexer {
        input,
        at: 0,
        parens: 0,
        place: Place::Statement,
        tokens: Vec::new(),
    };
    let error = lexer.run().err().map(|error| {
        let span = Span::new(error.start, input.len());
        lexer.push_span(Kind::Error, span);
        error.message
    });
    (lexer.tokens, error)
}

/// What the lexer is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Statement,
    Braces,
    /// Behind `[`: before the first number, and whether a colon was seen.
    Bracket {
        has_number: bool,
        has_colon: bool,
    },
}

struct Lexer<'a> {
    input: &'a str,
    at: usize,
    parens: usize,
    place: Place,
    tokens: Vec<Token<'a>>,
}

struct LexError {
    start: usize,
    message: String,
}

type Result<T> = std::result::Result<T, LexError>;

fn error<T>(start: usize, message: impl Into<String>) -> Result<T> {
    let message = message.into();
    Err(LexError { start, message })
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<()> {
        loop {
            self.skip_blanks();
            let start = self.at;
            let Some(letter) = self.peek() else {
                return self.end();
            };
            match self.place {
                Place::Braces => self.in_braces(start, letter)?,
                Place::Bracket { .. } => self.in_bracket(start, letter)?,
                Place::Statement => self.statement(start, letter)?,
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        let message = match self.place {
            Place::Braces => "unexpected end of input inside braces",
            Place::Bracket {
                has_number: false, ..
            } => "unexpected end of input in duration expression",
            _ if self.parens > 0 => "unclosed left parenthesis",
            Place::Bracket { .. } => "unclosed left bracket",
            Place::Statement => {
                self.push(Kind::End, self.at);
                return Ok(());
            }
        };
        error(self.at, message)
    }

    fn statement(&mut self, start: usize, letter: char) -> Result<()> {
        if letter.is_ascii_digit() || (letter == '.' && self.digit_follows()) {
            return self.number_or_duration(start);
        }
        if letter.is_ascii_alphabetic() || letter == '_' || letter == ':' {
            self.word(start);
            return Ok(());
        }
        self.bump();
        match letter {
            '"' | '\'' => return self.text(start, letter),
            '`' => return self.raw_text(start),
            '{' => {
                self.push(Kind::LeftBrace, start);
                self.place = Place::Braces;
            }
            '[' => {
                self.push(Kind::LeftBracket, start);
                self.place = Place::Bracket {
                    has_number: false,
                    has_colon: false,
                };
            }
            ']' => return error(start, "unexpected right bracket ']'"),
            '=' if self.peek() == Some('~') => {
                return error(start, "unexpected character after '=': '~'");
            }
            '!' => match self.bump() {
                Some('=') => self.push(Kind::Op(BinaryOp::NotEqual), start),
                other => {
                    let shown = other.map_or_else(|| "'�'".to_owned(), quote::quote_char);
                    return error(start, format!("unexpected character after '!': {shown}"));
                }
            },
            _ => return self.symbol(start, letter),
        }
        Ok(())
    }

    /// Symbols of one or two characters; the first one is taken.
    fn symbol(&mut self, start: usize, letter: char) -> Result<()> {
        let two = |second: char| self.peek() == Some(second);
        let (kind, length) = match letter {
            ',' => (Kind::Comma, 1),
            '@' => (Kind::At, 1),
            '*' => (Kind::Op(BinaryOp::Mul), 1),
            '/' => (Kind::Op(BinaryOp::Div), 1),
            '%' => (Kind::Op(BinaryOp::Mod), 1),
            '+' => (Kind::Op(BinaryOp::Add), 1),
            '-' => (Kind::Op(BinaryOp::Sub), 1),
            '^' => (Kind::Op(BinaryOp::Pow), 1),
            '=' if two('=') => (Kind::Op(BinaryOp::Equal), 2),
            '=' => (Kind::Equal, 1),
            '<' if two('=') => (Kind::Op(BinaryOp::LessEqual), 2),
            '<' if two('/') => (Kind::Op(BinaryOp::TrimUpper), 2),
            '<' => (Kind::Op(BinaryOp::Less), 1),
            '>' if two('=') => (Kind::Op(BinaryOp::GreaterEqual), 2),
            '>' if two('/') => (Kind::Op(BinaryOp::TrimLower), 2),
            '>' => (Kind::Op(BinaryOp::Greater), 1),
            '(' => {
                self.parens += 1;
                (Kind::LeftParen, 1)
            }
            ')' => (Kind::RightParen, 1),
            _ => {
                let shown = quote::quote_char(letter);
                return error(start, format!("unexpected character: {shown}"));
            }
        };
        self.at = start + length;
        if letter == ')' {
            match self.parens.checked_sub(1) {
                Some(parens) => self.parens = parens,
                None => return error(self.at, "unexpected right parenthesis ')'"),
            }
        }
        self.push(kind, start);
        Ok(())
    }

    fn in_braces(&mut self, start: usize, letter: char) -> Result<()> {
        if letter.is_ascii_alphabetic() || letter == '_' {
            self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            self.push(Kind::Identifier, start);
            return Ok(());
        }
        self.bump();
        match letter {
            ',' => self.push(Kind::Comma, start),
            '"' | '\'' => return self.text(start, letter),
            '`' => return self.raw_text(start),
            '=' if self.take('~') => self.push(Kind::RegexEqual, start),
            '=' => self.push(Kind::Equal, start),
            '!' => match self.bump() {
                Some('~') => self.push(Kind::RegexNotEqual, start),
                Some('=') => self.push(Kind::Op(BinaryOp::NotEqual), start),
                other => {
                    let shown = other.map_or_else(|| "'�'".to_owned(), quote::quote_char);
                    let message = "unexpected character after '!' inside braces";
                    return error(start, format!("{message}: {shown}"));
                }
            },
            '{' => return error(start, "unexpected left brace '{'"),
            '}' => {
                self.push(Kind::RightBrace, start);
                self.place = Place::Statement;
            }
            _ => {
                let shown = quote::quote_char(letter);
                return error(
                    start,
                    format!("unexpected character inside braces: {shown}"),
                );
            }
        }
        Ok(())
    }

    fn in_bracket(&mut self, start: usize, letter: char) -> Result<()> {
        let Place::Bracket {
            has_number,
            has_colon,
        } = self.place
        else {
            return Ok(());
        };
        if letter.is_ascii_digit() || (letter == '.' && self.digit_follows()) {
            self.place = Place::Bracket {
                has_number: true,
                has_colon,
            };
            return self.number_or_duration(start);
        }
        if letter.is_ascii_alphabetic() || letter == '_' {
            self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            let word = &self.input[start..self.at];
            let kind = word_kind(word)
                .filter(|kind| matches!(kind, Kind::Keyword(keyword) if keyword.is_context()));
            let is_choice = matches!(word.to_ascii_lowercase().as_str(), "min_of" | "max_of");
            match kind {
                Some(kind) => self.push(kind, start),
                None if is_choice => self.push(Kind::Identifier, start),
                None => return self.stray(start, letter, has_number),
            }
            self.place = Place::Bracket {
                has_number: true,
                has_colon,
            };
            return Ok(());
        }
        match letter {
            ']' => {
                self.bump();
                self.push(Kind::RightBracket, start);
                self.place = Place::Statement;
                Ok(())
            }
            ':' => {
                self.bump();
                if !has_number {
                    let message = "unexpected colon before duration in duration expression";
                    return error(self.at, message);
                }
                if has_colon {
                    return error(start, "unexpected colon ':'");
                }
                self.push(Kind::Colon, start);
                self.place = Place::Bracket {
                    has_number,
                    has_colon: true,
                };
                Ok(())
            }
            '[' => error(start, "unexpected left bracket '['"),
            '(' | ')' | '+' | '-' | '*' | '/' | '%' | '^' | ',' => {
                self.bump();
                self.symbol(start, letter)
            }
            _ => self.stray(start, letter, has_number),
        }
    }

    fn stray(&self, start: usize, letter: char, has_number: bool) -> Result<()> {
        let shown = quote::quote_char(letter);
        let is_word = letter.is_ascii_alphabetic() || letter == '_';
        let message = match (has_number, is_word) {
            (true, true) => format!("unexpected character: {shown}, expected ':'"),
            (true, false) => format!("unexpected character: {shown}"),
            _ => format!("unexpected character in duration expression: {shown}"),
        };
        error(start, message)
    }

    fn word(&mut self, start: usize) {
        self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':');
        let word = &self.input[start..self.at];
        let kind = match word_kind(word) {
            // These became words of the language late, so they stay names unless they are called.
            Some(Kind::Keyword(keyword)) if keyword.is_fill() && !self.paren_follows() => {
                Kind::Identifier
            }
            Some(kind) => kind,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        };
        self.push(kind, start);
    }

    fn paren_follows(&self) -> bool {
        self.input[self.at..]
            .trim_start_matches(is_blank)
            .starts_with('(')
    }

    fn number_or_duration(&mut self, start: usize) -> Result<()> {
        if self.number() {
            self.push(Kind::Number, start);
            return Ok(());
        }
        if self.duration() {
            self.push(Kind::Duration, start);
            return Ok(());
        }
        let shown = quote::quote(&self.input[start..self.at]);
        error(start, format!("bad number or duration syntax: {shown}"))
    }

    /// Takes a number. Where it fails, what it took stays taken: a duration may go on from there.
    fn number(&mut self) -> bool {
        let start = self.at;
        let mut is_hex = false;
        if self.take('0') && self.take_any("xX") {
            self.take('_');
            is_hex = true;
        }
        let is_digit = |letter: char| match is_hex {
            true => letter.is_ascii_hexdigit(),
            false => letter.is_ascii_digit(),
        };
        // A dot in front does not forbid a second one here; the reader of the number does.
        self.take('.');
        let (mut has_dot, mut has_exponent) = (false, false);
        while let Some(letter) = self.peek() {
            let is_exponent = !is_hex && matches!(letter, 'e' | 'E');
            if is_digit(letter) {
                self.take_while(is_digit);
            } else if letter == '.' {
                self.bump();
                if has_dot || self.take_any("_.") || is_hex {
                    return false;
                }
                has_dot = true;
            } else if is_exponent {
                self.bump();
                if has_exponent {
                    return false;
                }
                has_exponent = true;
                self.take_any("+-");
                if self.take_any("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if letter == '_' {
                self.bump();
                if self.take_any("._eE") || self.peek().is_none() {
                    return false;
                }
            } else {
                break;
            }
        }
        self.at > start && !self.peek().is_some_and(is_word_letter)
    }

    /// Takes the rest of a duration behind its first digits.
    fn duration(&mut self) -> bool {
        if !self.take_any("smhdwy") {
            return false;
        }
        self.take('s');
        while self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
            self.take_while(|letter| letter.is_ascii_digit());
            if !self.take_any("smhdw") {
                return false;
            }
            self.take('s');
        }
        let goes_on = self.peek().is_some_and(is_word_letter);
        if goes_on {
            // What is shown of a word that is no duration ends behind the letter that says so.
            self.bump();
        }
        !goes_on
    }

    /// Takes a quoted string; the quote is taken.
    fn text(&mut self, start: usize, quote: char) -> Result<()> {
        loop {
            match self.bump() {
                None | Some('\n') => return error(start, "unterminated quoted string"),
                Some(letter) if letter == quote => break,
                Some('\\') => self.escape(start, quote)?,
                Some('\u{fffd}') => return error(start, "invalid UTF-8 rune"),
                Some(_) => {}
            }
        }
        self.push(Kind::Text, start);
        Ok(())
    }

    fn raw_text(&mut self, start: usize) -> Result<()> {
        loop {
            match self.bump() {
                None => return error(start, "unterminated raw string"),
                Some('`') => break,
                Some('\u{fffd}') => return error(start, "invalid UTF-8 rune"),
                Some(_) => {}
            }
        }
        self.push(Kind::Text, start);
        Ok(())
    }

    fn escape(&mut self, start: usize, quote: char) -> Result<()> {
        let Some(letter) = self.bump() else {
            return error(start, "escape sequence not terminated");
        };
        let (mut code, digits, radix, largest) = match letter {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            _ if letter == quote => return Ok(()),
            '0'..='7' => (letter.to_digit(8).unwrap_or(0), 2, 8, 255),
            'x' => (0, 2, 16, 255),
            'u' => (0, 4, 16, 0x10_ffff),
            'U' => (0, 8, 16, 0x10_ffff),
            _ => {
                let shown = quote::code_point(letter);
                return error(start, format!("unknown escape sequence {shown}"));
            }
        };
        for _ in 0..digits {
            let Some(letter) = self.bump() else {
                return error(start, "escape sequence not terminated");
            };
            let Some(digit) = letter.to_digit(radix) else {
                let shown = quote::code_point(letter);
                return error(
                    start,
                    format!("illegal character {shown} in escape sequence"),
                );
            };
            code = u32::wrapping_add(code.wrapping_mul(radix), digit);
        }
        if code > largest || (0xd800..0xe000).contains(&code) {
            return error(start, "escape sequence is an invalid Unicode code point");
        }
        Ok(())
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(is_blank);
            let in_bracket = matches!(
                self.place,
                Place::Bracket {
                    has_number: false,
                    ..
                }
            );
            if in_bracket || self.peek() != Some('#') {
                return;
            }
            self.take_while(|letter| letter != '\n' && letter != '\r');
        }
    }

    fn digit_follows(&self) -> bool {
        let rest = self.input.as_bytes().get(self.at + 1);
        rest.is_some_and(u8::is_ascii_digit)
    }

    fn peek(&self) -> Option<char> {
        self.input[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.bump();
        }
        found
    }

    fn take_any(&mut self, wanted: &str) -> bool {
        let found = self.peek().is_some_and(|letter| wanted.contains(letter));
        if found {
            self.bump();
        }
        found
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.push_span(kind, Span::new(start, self.at));
    }

    fn push_span(&mut self, kind: Kind, span: Span) {
        let text = self.input.get(span.start..span.end).unwrap_or("");
        self.tokens.push(Token { kind, span, text });
    }
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

fn is_word_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}
