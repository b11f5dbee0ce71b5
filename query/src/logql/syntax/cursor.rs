//! [`Parser`]: a place among the tokens, and the small verbs that all forms are read with.

use crate::logql::syntax::error::{Place, Result, SyntaxError};
use crate::logql::syntax::lexer::scan;
use crate::logql::syntax::token::{Kind, Token};
use crate::text::{Span, quote};

/// How deep expressions may be nested: parentheses, calls, right sides of operators.
pub const NESTING_MAX: usize = 100;

/// How many operators a query may have. A chain of them becomes a tree that leans left, as deep as
/// the chain is long, so this bounds the depth together with [`NESTING_MAX`].
pub const OPERATORS_MAX: usize = 500;

/// The longest text that is read.
pub const QUERY_BYTES_MAX: usize = 131_072;

pub(super) struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    lex_error: Option<String>,
    at: usize,
    depth: usize,
    operators: usize,
    is_empty: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(input: &'a str) -> Result<Self> {
        if input.len() > QUERY_BYTES_MAX {
            let length = input.len();
            let message = format!("input size too long ({length} > {QUERY_BYTES_MAX})");
            return Err(SyntaxError::new(message));
        }
        let (tokens, lex_error) = scan(input);
        Ok(Parser {
            tokens,
            lex_error,
            at: 0,
            depth: 0,
            operators: 0,
            is_empty: input.is_empty(),
        })
    }

    pub(super) fn token(&self) -> Token<'a> {
        // The last token is the end or an error, and it is never passed.
        self.tokens[self.at]
    }

    pub(super) fn kind(&self) -> Kind {
        self.token().kind
    }

    pub(super) fn kind_behind(&self) -> Kind {
        let token = self.tokens.get(self.at + 1);
        token.map_or(Kind::End, |token| token.kind)
    }

    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.token();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// What was read since a byte of the query.
    pub(super) fn span_from(&self, start: usize) -> Span {
        let last = self.tokens[self.at.saturating_sub(1)];
        Span::new(start, last.start + last.text.len())
    }

    /// Whether the next token is this keyword or symbol.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind(), Kind::Fixed(fixed) if fixed == text)
    }

    /// Takes a keyword or symbol if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.is(text);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<()> {
        match self.take(text) {
            true => Ok(()),
            false => Err(self.unexpected(&[text])),
        }
    }

    /// A name.
    pub(super) fn identifier(&mut self) -> Result<String> {
        self.identifier_or(&["IDENTIFIER"])
    }

    /// A name; `expected` is what the error lists.
    pub(super) fn identifier_or(&mut self, expected: &[&str]) -> Result<String> {
        match self.kind() {
            Kind::Identifier => Ok(self.advance().text.to_owned()),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A string.
    pub(super) fn text(&mut self) -> Result<String> {
        match self.kind() {
            Kind::Text => Ok(self.unquote()),
            _ => Err(self.unexpected(&["STRING"])),
        }
    }

    /// A string; the next token is one. Lines are UTF-8, so that bytes which are none find nothing.
    pub(super) fn unquote(&mut self) -> String {
        let bytes = quote::unquote(self.advance().text);
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The error that names the next token, and what might have stood there instead. Loki lists no
    /// more than four such things, and none where there are more.
    pub(super) fn unexpected(&self, expected: &[&str]) -> SyntaxError {
        let token = self.token();
        let (line, column) = token.place;
        let place = match self.is_empty {
            true => Place::Query,
            false => Place::At(line, column),
        };
        if let (Kind::Error, Some(message)) = (token.kind, &self.lex_error) {
            let message = message.clone();
            return SyntaxError { place, message };
        }
        let mut message = format!("syntax error: unexpected {}", token.describe());
        if !expected.is_empty() && expected.len() <= 4 {
            message = format!("{message}, expecting {}", expected.join(" or "));
        }
        SyntaxError { place, message }
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        match self.kind() {
            Kind::End => Ok(()),
            _ => Err(self.unexpected(&[])),
        }
    }

    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let message = format!("the query is nested too deeply: at most {NESTING_MAX} levels");
            return Err(self.error_here(message));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Counts one more link of a chain.
    pub(super) fn count_operator(&mut self) -> Result<()> {
        self.operators += 1;
        if self.operators <= OPERATORS_MAX {
            return Ok(());
        }
        let message = format!("the query has more than {OPERATORS_MAX} operators");
        Err(self.error_here(message))
    }

    fn error_here(&self, message: String) -> SyntaxError {
        let (line, column) = self.token().place;
        SyntaxError {
            place: Place::At(line, column),
            message,
        }
    }

    /// Names between parentheses, of which there may be none.
    pub(super) fn names(&mut self) -> Result<Vec<String>> {
        self.expect("(")?;
        let mut names = Vec::new();
        if self.take(")") {
            return Ok(names);
        }
        names.push(self.identifier_or(&["IDENTIFIER", ")"])?);
        while self.take(",") {
            names.push(self.identifier()?);
        }
        match self.take(")") {
            true => Ok(names),
            false => Err(self.unexpected(&[",", ")"])),
        }
    }
}
