//! From the text of a template to its tree.

use super::NESTING_MAX;
use super::functions;
use super::lexer::{Piece, Placed, Token, pieces, tokens};
use super::tree::{Base, Branch, Command, Node, Operand, Pipe, Place};
use super::value::Value;
use crate::text::quote::quote;

/// Words that are no functions.
const KEYWORDS: [&str; 10] = [
    "if", "else", "end", "range", "with", "define", "block", "template", "break", "continue",
];

/// Parses a template; errors begin with the line.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let pieces = pieces(text).map_err(|(what, at)| located(text, at, &what))?;
    let mut parser = Parser {
        text,
        pieces: pieces.into_iter(),
        variables: vec!["$".to_owned()],
        loops: 0,
        depth: 0,
    };
    let (nodes, end) = parser.list()?;
    match end {
        Stop::Text => Ok(nodes),
        Stop::Else(..) => Err(parser.error("unexpected {{else}}")),
        Stop::Close => Err(parser.error("unexpected {{end}}")),
    }
}

fn located(text: &str, at: usize, what: &str) -> String {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("{line}: {what}")
}

struct Parser<'t> {
    text: &'t str,
    pieces: std::vec::IntoIter<Piece<'t>>,
    /// Those that are known here, the outermost first.
    variables: Vec<String>,
    /// How many `range` are open.
    loops: usize,
    depth: usize,
}

/// What ended a list of nodes.
enum Stop {
    Text,
    Close,
    /// `{{else …}}`, with what stands behind the word.
    Else(Vec<Placed>, usize),
}

impl Parser<'_> {
    fn error(&self, what: &str) -> String {
        self.error_at(self.text.len(), what)
    }

    fn error_at(&self, at: usize, what: &str) -> String {
        located(self.text, at, what)
    }

    /// Nodes up to an `end`, an `else` or the end of the text.
    fn list(&mut self) -> Result<(Vec<Node>, Stop), String> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (action, start) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text.as_bytes().to_vec()));
                    continue;
                }
                Piece::Action(action, start) | Piece::Open(action, start, _) => (action, start),
            };
            let (mut tokens, end) = tokens(action, start);
            if let Piece::Open(_, _, what) = piece {
                tokens.push((Token::Wrong(what), end));
            }
            let word = match tokens.first() {
                None => return Err(self.error_at(start, "missing value for command")),
                Some((Token::Word(word), _)) => word.clone(),
                Some(_) => String::new(),
            };
            if KEYWORDS.contains(&word.as_str()) {
                let cursor = Cursor::new(&tokens, end).behind_word();
                match word.as_str() {
                    "end" => {
                        self.expect_nothing(&cursor, "end")?;
                        return Ok((nodes, Stop::Close));
                    }
                    "else" => return Ok((nodes, Stop::Else(cursor.rest(), end))),
                    _ => nodes.push(self.keyword(&word, cursor)?),
                }
                continue;
            }
            let mut cursor = Cursor::new(&tokens, end);
            let pipe = self.pipe(&mut cursor, "command", Declares::One)?;
            self.expect_all_closed(&cursor)?;
            nodes.push(Node::Action(pipe));
        }
        Ok((nodes, Stop::Text))
    }

    fn expect_nothing(&self, cursor: &Cursor<'_>, context: &str) -> Result<(), String> {
        match cursor.peek() {
            None => Ok(()),
            Some(token) => Err(self.unexpected(token, cursor.at(), context)),
        }
    }

    /// A pipeline that no parenthesis opened is not closed by one.
    fn expect_all_closed(&self, cursor: &Cursor<'_>) -> Result<(), String> {
        match cursor.peek() {
            Some(Token::Close) => Err(self.error_at(cursor.at(), "unexpected right paren")),
            _ => Ok(()),
        }
    }

    fn unexpected(&self, token: &Token, at: usize, context: &str) -> String {
        match token {
            Token::Wrong(what) => self.error_at(at, what),
            token => {
                let what = format!("unexpected {} in {context}", shown(token));
                self.error_at(at, &what)
            }
        }
    }

    fn keyword(&mut self, word: &str, cursor: Cursor<'_>) -> Result<Node, String> {
        let at = cursor.at();
        match word {
            "if" => self.branch("if", cursor).map(Node::If),
            "with" => self.branch("with", cursor).map(Node::With),
            "range" => {
                self.loops += 1;
                let branch = self.branch("range", cursor);
                self.loops -= 1;
                branch.map(Node::Range)
            }
            "break" | "continue" => {
                self.expect_nothing(&cursor, &format!("{{{{{word}}}}}"))?;
                match (self.loops, word) {
                    (0, _) => {
                        let what = format!("{{{{{word}}}}} outside {{{{range}}}}");
                        Err(self.error_at(at, &what))
                    }
                    (_, "break") => Ok(Node::Break),
                    _ => Ok(Node::Continue),
                }
            }
            _ => {
                let what = format!("{{{{{word}}}}} is not supported here: write it out");
                Err(self.error_at(at, &what))
            }
        }
    }

    /// `if`, `with` and `range` from behind the word to their `end`.
    fn branch(&mut self, word: &str, mut cursor: Cursor<'_>) -> Result<Branch, String> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(self.error_at(cursor.at(), "actions nest too deeply"));
        }
        let known = self.variables.len();
        let declares = match word {
            "range" => Declares::Two,
            _ => Declares::One,
        };
        let pipe = self.pipe(&mut cursor, word, declares)?;
        self.expect_all_closed(&cursor)?;
        let (then, end) = self.list()?;
        let otherwise = match end {
            Stop::Text => return Err(self.error("unexpected EOF")),
            Stop::Close => Vec::new(),
            Stop::Else(tokens, end) => self.otherwise(word, Cursor::new(&tokens, end))?,
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(Branch {
            pipe,
            then,
            otherwise,
        })
    }

    /// What follows an `else`: nodes up to the `end`, or an `if` that shares it.
    fn otherwise(&mut self, word: &str, cursor: Cursor<'_>) -> Result<Vec<Node>, String> {
        let is_chained = matches!(cursor.peek(), Some(Token::Word(chained)) if chained == word);
        if is_chained && word != "range" {
            let branch = self.branch(word, cursor.behind_word())?;
            return Ok(vec![match word {
                "if" => Node::If(branch),
                _ => Node::With(branch),
            }]);
        }
        self.expect_nothing(&cursor, "else")?;
        match self.list()? {
            (nodes, Stop::Close) => Ok(nodes),
            (_, Stop::Else(_, at)) => Err(self.error_at(at, "expected end; found {{else}}")),
            (_, Stop::Text) => Err(self.error("unexpected EOF")),
        }
    }

    /// `$a, $b := command | command`, to the end of the tokens or a closing parenthesis.
    fn pipe(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &str,
        declares: Declares,
    ) -> Result<Pipe, String> {
        let (variables, is_assignment) = self.declaration(cursor, context, declares)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            commands.push(self.command(cursor, context)?);
            if !cursor.take(&Token::Bar) {
                break;
            }
            // What stands behind the last bar may be nothing, as in Go.
            cursor.skip_space();
            if matches!(cursor.peek(), None | Some(Token::Close)) {
                break;
            }
        }
        for command in commands.iter().skip(1) {
            let is_callable = command.operands.first().is_some_and(|operand| {
                let is_dot = matches!(operand.base, Base::Dot) && operand.fields.is_empty();
                !(is_dot || matches!(operand.base, Base::Constant(_) | Base::Nil))
            });
            if !is_callable {
                let what = "non executable command in pipeline stage 2";
                return Err(self.error_at(cursor.at(), what));
            }
        }
        if !is_assignment {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipe {
            variables,
            is_assignment,
            commands,
        })
    }

    /// The variables in front of `:=` or `=`, if that is what stands here.
    fn declaration(
        &mut self,
        cursor: &mut Cursor<'_>,
        context: &str,
        declares: Declares,
    ) -> Result<(Vec<String>, bool), String> {
        let mut ahead = cursor.clone();
        let mut variables = Vec::new();
        loop {
            ahead.skip_space();
            let Some(Token::Variable(name)) = ahead.peek() else {
                return Ok((Vec::new(), false));
            };
            variables.push(name.clone());
            ahead.advance();
            ahead.skip_space();
            match ahead.peek() {
                Some(Token::Comma) if declares == Declares::Two && variables.len() < 2 => {
                    ahead.advance();
                }
                Some(Token::Comma) => {
                    let what = format!("too many declarations in {context}");
                    return Err(self.error_at(ahead.at(), &what));
                }
                Some(token @ (Token::Declare | Token::Assign)) => {
                    let is_assignment = *token == Token::Assign;
                    let unknown = variables.iter().find(|name| !self.knows(name));
                    if let (true, Some(name)) = (is_assignment, unknown) {
                        let what = format!("undefined variable {}", quote(name));
                        return Err(self.error_at(ahead.at(), &what));
                    }
                    ahead.advance();
                    *cursor = ahead;
                    return Ok((variables, is_assignment));
                }
                _ => return Ok((Vec::new(), false)),
            }
        }
    }

    fn knows(&self, variable: &str) -> bool {
        self.variables.iter().any(|known| known == variable)
    }

    fn command(&mut self, cursor: &mut Cursor<'_>, context: &str) -> Result<Command, String> {
        cursor.skip_space();
        let start = cursor.at();
        let mut end = start;
        let mut operands = Vec::new();
        loop {
            cursor.skip_space();
            match cursor.peek() {
                None | Some(Token::Bar | Token::Close) => break,
                Some(_) => {}
            }
            let is_first = operands.is_empty();
            let context = if is_first { context } else { "operand" };
            operands.push(self.operand(cursor, context)?);
            end = cursor.at();
            match cursor.peek() {
                None | Some(Token::Space | Token::Bar | Token::Close) => {}
                Some(token) => return Err(self.unexpected(token, cursor.at(), "operand")),
            }
        }
        if operands.is_empty() {
            return Err(match cursor.peek() {
                None => self.error_at(start, &format!("missing value for {context}")),
                Some(token) => self.unexpected(token, start, context),
            });
        }
        let before = &self.text[..start];
        let place = Place {
            line: before.matches('\n').count() + 1,
            column: start - before.rfind('\n').map_or(0, |newline| newline + 1),
            text: self.text[start..end].trim_end().to_owned(),
        };
        Ok(Command { operands, place })
    }

    fn operand(&mut self, cursor: &mut Cursor<'_>, context: &str) -> Result<Operand, String> {
        let at = cursor.at();
        let mut fields = Vec::new();
        let token = cursor.peek().cloned();
        let base = match token {
            Some(Token::Open) => {
                cursor.advance();
                self.depth += 1;
                if self.depth > NESTING_MAX {
                    return Err(self.error_at(at, "parentheses nest too deeply"));
                }
                let pipe = self.pipe(cursor, "parenthesized pipeline", Declares::One)?;
                self.depth -= 1;
                match cursor.peek() {
                    Some(Token::Close) => {}
                    Some(Token::Wrong(what)) => return Err(self.error_at(at, what)),
                    _ => return Err(self.error_at(at, "unclosed left paren")),
                }
                Base::Pipe(Box::new(pipe))
            }
            Some(Token::Word(word)) => match word.as_str() {
                "nil" => Base::Nil,
                "true" => Base::Constant(Value::Bool(true)),
                "false" => Base::Constant(Value::Bool(false)),
                _ => match functions::known(&word) {
                    Some(name) => Base::Function(name),
                    None if KEYWORDS.contains(&word.as_str()) => {
                        let what = format!("unexpected <{word}> in operand");
                        return Err(self.error_at(at, &what));
                    }
                    None => {
                        let what = format!("function {} not defined", quote(&word));
                        return Err(self.error_at(at, &what));
                    }
                },
            },
            Some(Token::Field(name)) => {
                fields.push(name);
                Base::Dot
            }
            Some(Token::Dot) => Base::Dot,
            Some(Token::Variable(name)) if self.knows(&name) => Base::Variable(name),
            Some(Token::Variable(name)) => {
                let what = format!("undefined variable {}", quote(&name));
                return Err(self.error_at(at, &what));
            }
            Some(Token::Text(text)) => Base::Constant(Value::text(text)),
            Some(Token::Int(value)) => Base::Constant(Value::Int(value)),
            Some(Token::Float(value)) => Base::Constant(Value::Float(value)),
            Some(token) => return Err(self.unexpected(&token, at, context)),
            None => return Err(self.error_at(at, "unexpected end of action in operand")),
        };
        let is_dot = matches!(base, Base::Dot) && fields.is_empty();
        cursor.advance();
        let term_end = cursor.at();
        while let Some(Token::Field(name)) = cursor.peek() {
            fields.push(name.clone());
            cursor.advance();
        }
        let is_plain = is_dot || matches!(base, Base::Constant(_) | Base::Nil);
        match fields.is_empty() {
            false if is_plain => {
                let term = quote(&self.text[at..term_end]);
                let what = format!("unexpected . after term {term}");
                Err(self.error_at(at, &what))
            }
            _ => Ok(Operand { base, fields }),
        }
    }
}

/// How many variables a pipeline may set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declares {
    One,
    Two,
}

#[derive(Clone)]
struct Cursor<'p> {
    tokens: &'p [Placed],
    next: usize,
    /// Where the last token ends.
    end: usize,
}

impl<'p> Cursor<'p> {
    fn new(tokens: &'p [Placed], end: usize) -> Cursor<'p> {
        let next = 0;
        Cursor { tokens, next, end }
    }

    /// Behind a keyword and the space that follows it.
    fn behind_word(mut self) -> Cursor<'p> {
        self.advance();
        self.skip_space();
        self
    }

    fn rest(&self) -> Vec<Placed> {
        self.tokens.get(self.next..).unwrap_or(&[]).to_vec()
    }

    fn peek(&self) -> Option<&'p Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.next += usize::from(is_next);
        is_next
    }

    fn skip_space(&mut self) {
        while self.take(&Token::Space) {}
    }

    /// Where the next token stands.
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, at)| *at)
    }
}

/// A token as errors show it.
fn shown(token: &Token) -> String {
    match token {
        Token::Word(name) => format!("<{name}>"),
        Token::Field(name) => format!("<.{name}>"),
        Token::Dot => "<.>".to_owned(),
        Token::Variable(name) => quote(name),
        Token::Text(text) => format!("\"{}\"", crate::text::quote::quote_bytes(text)),
        Token::Int(value) => format!("\"{value}\""),
        Token::Float(value) => format!("\"{value}\""),
        Token::Open => "\"(\"".to_owned(),
        Token::Close => "\")\"".to_owned(),
        Token::Bar => "\"|\"".to_owned(),
        Token::Declare => "\":=\"".to_owned(),
        Token::Assign => "\"=\"".to_owned(),
        Token::Comma => "\",\"".to_owned(),
        Token::Letter(letter) => quote(&letter.to_string()),
        Token::Space => "\" \"".to_owned(),
        Token::Wrong(what) => what.clone(),
    }
}
