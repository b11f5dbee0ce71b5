//! The parser: precedence climbing over tokens, one function for each form.
//!
//! An error that is not told more precisely is `unexpected <token>`, and `... in aggregation`
//! inside the parentheses of an aggregation, as in Prometheus. Nesting is limited, so that neither
//! the parser nor anyone who walks the tree can run out of stack.

use chronolith_engine::labels::Matcher;

use crate::promql::signatures::signature;
use crate::promql::syntax::SyntaxError;
use crate::promql::syntax::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Card, Expr, ExprKind, Fill, Grouping, Matching,
    Number, Text, UnaryOp,
};
use crate::promql::syntax::lexer::scan;
use crate::promql::syntax::token::{Keyword, Kind, Token};
use crate::text::{Span, duration, number, quote};

/// How deep expressions may be nested: parentheses, calls, signs, right sides of operators.
pub const NESTING_MAX: usize = 100;

/// How many binary operators and brackets a query may have. A chain of them becomes a tree that
/// leans left, as deep as the chain is long, so this bounds the depth together with
/// [`NESTING_MAX`].
pub const OPERATORS_MAX: usize = 500;

/// The longest text that is read.
pub const QUERY_BYTES_MAX: usize = 1 << 20;

pub(super) type Result<T> = std::result::Result<T, SyntaxError>;

/// Parses a query. Whether its types fit together is not looked at.
pub fn parse(input: &str) -> Result<Expr> {
    let mut parser = Parser::new(input)?;
    if parser.kind() == Kind::End {
        let span = (!input.is_empty()).then(Span::default);
        let message = "no expression found in input".to_owned();
        return Err(SyntaxError { span, message });
    }
    let expr = parser.expr(0)?;
    parser.finish()?;
    Ok(expr)
}

/// Parses a selector alone, as `match[]` parameters hold it.
pub fn parse_selector(input: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser::new(input)?;
    let (selector, _) = match parser.kind() {
        Kind::LeftBrace => parser.selector(None)?,
        _ if parser.is_metric_name() => {
            let name = parser.advance();
            parser.selector(Some(name))?
        }
        _ => return Err(parser.unexpected("", "")),
    };
    parser.finish()?;
    Ok(selector.matchers)
}

pub(super) struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    lex_error: Option<String>,
    at: usize,
    depth: usize,
    operators: usize,
    /// The end of the last token that can close an expression.
    pub(super) last_close: usize,
}

impl<'a> Parser<'a> {
    fn new(input: &'a str) -> Result<Self> {
        if input.len() > QUERY_BYTES_MAX {
            let message = format!(
                "the query has {} bytes, at most {QUERY_BYTES_MAX} are read",
                input.len()
            );
            return Err(SyntaxError::new(Span::default(), message));
        }
        let (tokens, lex_error) = scan(input);
        Ok(Parser {
            tokens,
            lex_error,
            at: 0,
            depth: 0,
            operators: 0,
            last_close: 0,
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
        self.tokens
            .get(self.at + 1)
            .map_or(Kind::End, |token| token.kind)
    }

    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.token();
        use Kind::{Duration, Number, RightBrace, RightBracket, RightParen};
        if matches!(
            token.kind,
            RightBrace | RightParen | RightBracket | Duration | Number
        ) {
            self.last_close = token.span.end;
        }
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn take(&mut self, kind: Kind) -> Option<Token<'a>> {
        (self.kind() == kind).then(|| self.advance())
    }

    pub(super) fn take_keyword(&mut self, keyword: Keyword) -> bool {
        self.take(Kind::Keyword(keyword)).is_some()
    }

    pub(super) fn expect(&mut self, kind: Kind, context: &str, wanted: &str) -> Result<Token<'a>> {
        self.take(kind)
            .ok_or_else(|| self.unexpected(context, wanted))
    }

    /// The error that names the current token.
    pub(super) fn unexpected(&self, context: &str, wanted: &str) -> SyntaxError {
        let token = self.token();
        if let (Kind::Error, Some(message)) = (token.kind, &self.lex_error) {
            return SyntaxError::new(token.span, message.clone());
        }
        let mut message = format!("unexpected {}", token.describe());
        for (word, text) in [(" in ", context), (", expected ", wanted)] {
            if !text.is_empty() {
                message += word;
                message += text;
            }
        }
        SyntaxError::new(token.span, message)
    }

    fn finish(&mut self) -> Result<()> {
        match self.kind() {
            Kind::End => Ok(()),
            _ => Err(self.unexpected("", "")),
        }
    }

    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let message = format!("the query is nested too deeply: at most {NESTING_MAX} levels");
            return Err(SyntaxError::new(self.token().span, message));
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
        Err(SyntaxError::new(self.token().span, message))
    }

    /// An expression whose operators bind at least as tightly as `least`.
    pub(super) fn expr(&mut self, least: u8) -> Result<Expr> {
        self.nested(|parser| parser.operators(least))
    }

    fn operators(&mut self, least: u8) -> Result<Expr> {
        let mut left = self.operand()?;
        while let Kind::Op(op) = self.kind() {
            if op.precedence() < least {
                break;
            }
            self.count_operator()?;
            self.advance();
            let (returns_bool, matching) = self.modifiers()?;
            let tighter = op.precedence() + u8::from(op != BinaryOp::Pow);
            let right = self.expr(tighter)?;
            let span = left.span.to(right.span);
            let binary = Binary {
                op,
                returns_bool,
                matching,
                left,
                right,
            };
            left = Expr {
                span,
                kind: ExprKind::Binary(Box::new(binary)),
            };
        }
        Ok(left)
    }

    /// What stands between an operator and its right side.
    fn modifiers(&mut self) -> Result<(bool, Matching)> {
        let returns_bool = self.take_keyword(Keyword::Bool);
        let mut matching = Matching::default();
        if self.take_keyword(Keyword::On) {
            matching.labels = Grouping::By(self.grouping_labels()?);
        } else if self.take_keyword(Keyword::Ignoring) {
            matching.labels = Grouping::Without(self.grouping_labels()?);
        } else {
            matching.fill = self.fill()?;
            return Ok((returns_bool, matching));
        }
        for (keyword, card) in [
            (Keyword::GroupLeft, Card::ManyToOne),
            (Keyword::GroupRight, Card::OneToMany),
        ] {
            if self.take_keyword(keyword) {
                matching.card = card;
                if self.kind() == Kind::LeftParen {
                    matching.include = self.grouping_labels()?;
                } else if !self.starts_operand() && !self.fills() {
                    return Err(self.unexpected("grouping opts", "\"(\""));
                }
                break;
            }
        }
        matching.fill = self.fill()?;
        Ok((returns_bool, matching))
    }

    fn fill(&mut self) -> Result<Fill> {
        let mut fill = Fill::default();
        if self.take_keyword(Keyword::Fill) {
            let value = self.fill_value()?;
            fill = Fill {
                left: Some(value),
                right: Some(value),
            };
            return Ok(fill);
        }
        loop {
            if fill.left.is_none() && self.take_keyword(Keyword::FillLeft) {
                fill.left = Some(self.fill_value()?);
            } else if fill.right.is_none() && self.take_keyword(Keyword::FillRight) {
                fill.right = Some(self.fill_value()?);
            } else {
                return Ok(fill);
            }
        }
    }

    fn fill_value(&mut self) -> Result<f64> {
        self.expect(Kind::LeftParen, "", "")?;
        let value = self.signed_number("", "")?;
        self.expect(Kind::RightParen, "", "")?;
        Ok(value)
    }

    /// A number, or a duration's seconds, perhaps with a sign.
    pub(super) fn signed_number(&mut self, context: &str, wanted: &str) -> Result<f64> {
        let sign = match self.kind() {
            Kind::Op(BinaryOp::Sub) => -1.0,
            _ => 1.0,
        };
        if matches!(self.kind(), Kind::Op(BinaryOp::Sub | BinaryOp::Add)) {
            self.advance();
        }
        match self.kind() {
            Kind::Number | Kind::Duration => Ok(sign * self.number()?.value),
            _ => Err(self.unexpected(context, wanted)),
        }
    }

    /// A number or duration; the current token is one.
    pub(super) fn number(&mut self) -> Result<Number> {
        let token = self.advance();
        let wrong = |message| SyntaxError::new(token.span, message);
        if token.kind == Kind::Duration {
            let ms = duration::parse(token.text).map_err(wrong)?;
            #[expect(clippy::cast_precision_loss)] // Durations stay far below 2^53 milliseconds.
            let value = ms as f64 / 1000.0;
            return Ok(Number {
                value,
                is_duration: true,
            });
        }
        let value = number::parse(token.text).map_err(wrong)?;
        Ok(Number {
            value,
            is_duration: false,
        })
    }

    fn operand(&mut self) -> Result<Expr> {
        let sign = match self.kind() {
            Kind::Op(BinaryOp::Add) => UnaryOp::Plus,
            Kind::Op(BinaryOp::Sub) => UnaryOp::Minus,
            _ => {
                let expr = self.primary()?;
                return self.postfix(expr);
            }
        };
        let start = self.advance().span;
        let mut expr = self.expr(BinaryOp::Pow.precedence())?;
        let span = start.to(expr.span);
        if let ExprKind::Number(number) = &mut expr.kind {
            if sign == UnaryOp::Minus {
                number.value = -number.value;
            }
            return Ok(Expr { span, ..expr });
        }
        Ok(Expr {
            span,
            kind: ExprKind::Unary(sign, Box::new(expr)),
        })
    }

    fn primary(&mut self) -> Result<Expr> {
        let token = self.token();
        let called = self.kind_behind() == Kind::LeftParen;
        let kind = match token.kind {
            Kind::Number | Kind::Duration => ExprKind::Number(self.number()?),
            Kind::Text => ExprKind::Text(self.text()),
            Kind::LeftParen => {
                self.advance();
                let expr = self.expr(0)?;
                self.expect(Kind::RightParen, "", "")?;
                ExprKind::Paren(Box::new(expr))
            }
            Kind::LeftBrace => {
                let (selector, span) = self.selector(None)?;
                let kind = ExprKind::Selector(selector);
                return Ok(Expr { span, kind });
            }
            Kind::Aggregate(op) if called || self.groups_behind() => {
                return self.aggregate(op);
            }
            Kind::Identifier if called => self.call()?,
            Kind::Keyword(keyword) if keyword.is_context() && called => self.call()?,
            _ if self.is_metric_name() => {
                let name = self.advance();
                let (selector, span) = self.selector(Some(name))?;
                let kind = ExprKind::Selector(selector);
                return Ok(Expr { span, kind });
            }
            _ => return Err(self.unexpected("", "")),
        };
        let end = self.tokens[self.at.saturating_sub(1)].span;
        Ok(Expr {
            span: token.span.to(end),
            kind,
        })
    }

    /// Whether the current token may begin an operand.
    fn starts_operand(&self) -> bool {
        use Kind::{Duration, LeftBrace, LeftParen, Number, Op, Text};
        let begins = matches!(
            self.kind(),
            Number | Duration | Text | LeftParen | LeftBrace | Op(BinaryOp::Add | BinaryOp::Sub)
        );
        begins || self.is_metric_name()
    }

    /// Whether the current token names a value for series without a partner.
    fn fills(&self) -> bool {
        matches!(self.kind(), Kind::Keyword(keyword) if keyword.is_fill())
    }

    fn groups_behind(&self) -> bool {
        matches!(
            self.kind_behind(),
            Kind::Keyword(Keyword::By | Keyword::Without)
        )
    }

    /// Whether the current token may be the name of a metric.
    fn is_metric_name(&self) -> bool {
        match self.kind() {
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) => true,
            Kind::Op(op) => op.is_set(),
            Kind::Keyword(keyword) => {
                use Keyword::{Anchored, By, Offset, Smoothed, Without};
                matches!(keyword, By | Without | Offset | Anchored | Smoothed)
                    || keyword.is_context()
            }
            _ => false,
        }
    }

    /// A string; the current token is one.
    fn text(&mut self) -> Text {
        let bytes = quote::unquote(self.advance().text);
        match String::from_utf8(bytes) {
            Ok(value) => Text { value, bytes: None },
            Err(error) => Text {
                value: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                bytes: Some(error.into_bytes()),
            },
        }
    }

    /// A call; the current token is a name and a parenthesis follows.
    fn call(&mut self) -> Result<ExprKind> {
        let name = self.advance();
        let args = self.args()?;
        if signature(name.text).is_none() {
            let shown = quote::quote(name.text);
            let message = format!("unknown function with name {shown}");
            return Err(SyntaxError::new(name.span, message));
        }
        let name = name.text.to_owned();
        Ok(ExprKind::Call(Call { name, args }))
    }

    fn args(&mut self) -> Result<Vec<Expr>> {
        self.expect(Kind::LeftParen, "", "")?;
        let mut args = Vec::new();
        if self.take(Kind::RightParen).is_some() {
            return Ok(args);
        }
        loop {
            args.push(self.expr(0)?);
            let Some(comma) = self.take(Kind::Comma) else {
                break;
            };
            if !self.starts_operand() && self.kind() != Kind::Error {
                let message = "trailing commas not allowed in function call args";
                return Err(SyntaxError::new(comma.span, message));
            }
        }
        self.expect(Kind::RightParen, "", "")?;
        Ok(args)
    }

    fn aggregate(&mut self, op: AggregateOp) -> Result<Expr> {
        let start = self.advance().span;
        let (grouping, args) = self.aggregate_body().map_err(in_aggregation)?;
        let span = Span::new(start.start, self.last_close);
        let wrong = |message: String| Err(SyntaxError::new(span, message));
        let wanted = 1 + usize::from(op.takes_param());
        let count = args.len();
        let mut args = args.into_iter();
        let (param, expr) = match (op.takes_param(), args.next(), args.next()) {
            (_, None, _) => {
                return wrong("no arguments for aggregate expression provided".to_owned());
            }
            (true, param, Some(expr)) if count == wanted => (param, expr),
            (false, Some(expr), None) => (None, expr),
            _ => {
                return wrong(format!(
                    "wrong number of arguments for aggregate expression provided, expected \
                     {wanted}, got {count}"
                ));
            }
        };
        let aggregate = Aggregate {
            op,
            grouping: grouping.unwrap_or(Grouping::By(Vec::new())),
            param,
            expr,
        };
        Ok(Expr {
            span,
            kind: ExprKind::Aggregate(Box::new(aggregate)),
        })
    }

    fn aggregate_body(&mut self) -> Result<(Option<Grouping>, Vec<Expr>)> {
        let before = self.grouping()?;
        let args = self.args()?;
        match before {
            Some(_) => Ok((before, args)),
            None => Ok((self.grouping()?, args)),
        }
    }

    fn grouping(&mut self) -> Result<Option<Grouping>> {
        if self.take_keyword(Keyword::By) {
            Ok(Some(Grouping::By(self.grouping_labels()?)))
        } else if self.take_keyword(Keyword::Without) {
            Ok(Some(Grouping::Without(self.grouping_labels()?)))
        } else {
            Ok(None)
        }
    }

    fn grouping_labels(&mut self) -> Result<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(Kind::LeftParen, CONTEXT, "\"(\"")?;
        let mut names = Vec::new();
        while self.take(Kind::RightParen).is_none() {
            if self.kind() == Kind::Text {
                names.push(self.text().value);
            } else {
                let token = self.token();
                let is_word = token
                    .text
                    .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                let is_label = is_word && !token.text.contains(':');
                if !is_label || matches!(token.kind, Kind::Number | Kind::Error) {
                    return Err(self.unexpected(CONTEXT, "label"));
                }
                names.push(self.advance().text.to_owned());
            }
            if self.take(Kind::Comma).is_none() {
                self.expect(Kind::RightParen, CONTEXT, "\",\" or \")\"")?;
                break;
            }
        }
        Ok(names)
    }
}

/// Adds the context that Prometheus' grammar adds where nothing more precise is known.
fn in_aggregation(mut error: SyntaxError) -> SyntaxError {
    if error.message.starts_with("unexpected ") && is_bare(&error.message) {
        error.message += " in aggregation";
    }
    error
}

/// Whether the message names a token and nothing else.
fn is_bare(message: &str) -> bool {
    let described = [
        "identifier ",
        "metric identifier ",
        "number ",
        "duration ",
        "string ",
    ];
    let rest = message.trim_start_matches("unexpected ");
    let token = described
        .iter()
        .find_map(|word| rest.strip_prefix(word))
        .unwrap_or(rest);
    let quoted = token.starts_with('"') && (token.ends_with('"') || token.ends_with("\"..."));
    let closed = quoted && !token.contains("\" in ");
    closed || rest == "end of input" || (rest.starts_with('<') && rest.ends_with('>'))
}
