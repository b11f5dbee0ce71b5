//! Selectors and what may follow an expression: ranges, subqueries, `offset`, `@`, `anchored`.

use chronolith_engine::labels::{MatchOp, Matcher};

use crate::promql::syntax::SyntaxError;
use crate::promql::syntax::ast::{
    At, BinaryOp, Edge, Expr, ExprKind, Extent, RangeSelector, Selector, Shift, Subquery,
};
use crate::promql::syntax::parser::{Parser, Result};
use crate::promql::syntax::token::{Keyword, Kind, Token};
use crate::text::{Span, number, quote};

const LABEL_MATCHING: &str = "label matching";

/// The label that holds the name of a metric.
pub(crate) const NAME: &str = "__name__";

impl<'a> Parser<'a> {
    /// A selector behind its name, if it has one.
    pub(super) fn selector(&mut self, name: Option<Token<'a>>) -> Result<(Selector, Span)> {
        let start = name.map_or(self.token().span, |name| name.span);
        let mut matchers = Vec::new();
        let mut span = start;
        if self.kind() == Kind::LeftBrace {
            let end = self.braces(&mut matchers)?;
            span = start.to(end);
        }
        let name = name.map(|name| name.text.to_owned());
        if let Some(name) = &name {
            matchers.push(matcher(MatchOp::Equal, NAME, name, span)?);
        }
        let selector = Selector {
            name,
            matchers,
            shift: None,
            at: None,
            edge: Edge::Plain,
        };
        Ok((selector, span))
    }

    fn braces(&mut self, matchers: &mut Vec<Matcher>) -> Result<Span> {
        self.advance();
        loop {
            if let Some(close) = self.take(Kind::RightBrace) {
                return Ok(close.span);
            }
            matchers.push(self.label_matcher()?);
            if self.take(Kind::Comma).is_none() {
                let wanted = "\",\" or \"}\"";
                let close = self.expect(Kind::RightBrace, LABEL_MATCHING, wanted)?;
                return Ok(close.span);
            }
        }
    }

    fn label_matcher(&mut self) -> Result<Matcher> {
        let name = match self.kind() {
            Kind::Identifier | Kind::Text => self.advance(),
            _ => return Err(self.unexpected(LABEL_MATCHING, "identifier or \"}\"")),
        };
        let label = match name.kind {
            Kind::Text => String::from_utf8_lossy(&quote::unquote(name.text)).into_owned(),
            _ => name.text.to_owned(),
        };
        let op = match self.kind() {
            Kind::Equal => MatchOp::Equal,
            Kind::Op(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::RegexEqual => MatchOp::Regex,
            Kind::RegexNotEqual => MatchOp::NotRegex,
            // A quoted string alone is the name of the metric.
            Kind::Comma | Kind::RightBrace if name.kind == Kind::Text => {
                return matcher(MatchOp::Equal, NAME, &label, name.span);
            }
            _ if name.kind == Kind::Text => {
                return Err(self.unexpected(LABEL_MATCHING, "\",\" or \"}\""));
            }
            _ => return Err(self.unexpected(LABEL_MATCHING, "label matching operator")),
        };
        self.advance();
        let value = self.expect(Kind::Text, LABEL_MATCHING, "string")?;
        let text = quote::unquote(value.text);
        let span = name.span.to(value.span);
        matcher(op, &label, &String::from_utf8_lossy(&text), span)
    }

    /// What follows an expression and binds tighter than any operator.
    pub(super) fn postfix(&mut self, mut expr: Expr) -> Result<Expr> {
        loop {
            match self.kind() {
                Kind::LeftBracket => {
                    self.count_operator()?;
                    expr = self.bracket(expr)?;
                }
                Kind::At => self.at_modifier(&mut expr)?,
                Kind::Keyword(Keyword::Offset) => self.offset(&mut expr)?,
                Kind::Keyword(Keyword::Anchored) => self.edge(&mut expr, Edge::Anchored)?,
                Kind::Keyword(Keyword::Smoothed) => self.edge(&mut expr, Edge::Smoothed)?,
                _ => return Ok(expr),
            }
        }
    }

    fn bracket(&mut self, expr: Expr) -> Result<Expr> {
        const WANTED: &str = "number, duration, step(), or range()";
        let open = self.advance();
        if !self.starts_duration() {
            return Err(self.unexpected("subquery or range selector", WANTED));
        }
        let range = self.positive_extent()?;
        if self.take(Kind::Colon).is_some() {
            let step = match self.kind() {
                Kind::RightBracket => None,
                _ if self.starts_duration() => Some(self.positive_extent()?),
                _ => {
                    let wanted = "number, duration, step(), range(), or \"]\"";
                    return Err(self.unexpected("subquery selector", wanted));
                }
            };
            let close = self.expect(Kind::RightBracket, "subquery selector", "\"]\"")?;
            let subquery = Subquery {
                range,
                step,
                shift: None,
                at: None,
                expr,
            };
            return Ok(Expr {
                span: subquery.expr.span.to(close.span),
                kind: ExprKind::Subquery(Box::new(subquery)),
            });
        }
        let close = self.expect(Kind::RightBracket, "subquery or range", "\":\" or \"]\"")?;
        let wrong = |message: &str| Err(SyntaxError::new(open.span.to(close.span), message));
        let selector = match expr.kind {
            ExprKind::Selector(selector) => selector,
            _ => return wrong("ranges only allowed for vector selectors"),
        };
        if selector.shift.is_some() {
            return wrong("no offset modifiers allowed before range");
        }
        if selector.at.is_some() {
            return wrong("no @ modifiers allowed before range");
        }
        let range = RangeSelector {
            selector,
            selector_span: expr.span,
            range,
        };
        Ok(Expr {
            span: expr.span.to(close.span),
            kind: ExprKind::Range(range),
        })
    }

    fn offset(&mut self, expr: &mut Expr) -> Result<()> {
        self.advance();
        let extent = self.offset_extent()?;
        let Some(parts) = time_parts(&mut expr.kind) else {
            let message = "offset modifier must be preceded by an instant vector selector or range \
                           vector selector or a subquery";
            return Err(SyntaxError::new(expr.span, message));
        };
        if parts.shift.is_some() {
            let message = "offset may not be set multiple times";
            return Err(SyntaxError::new(expr.span, message));
        }
        // An offset of nothing is none: it may be given again, and is not printed.
        if extent != Extent::Literal(0) {
            *parts.shift = Some(extent);
        }
        expr.span.end = self.last_close;
        Ok(())
    }

    fn at_modifier(&mut self, expr: &mut Expr) -> Result<()> {
        self.advance();
        let at = match self.kind() {
            Kind::Keyword(keyword @ (Keyword::Start | Keyword::End)) => {
                self.advance();
                self.expect(Kind::LeftParen, "@", "timestamp")?;
                self.expect(Kind::RightParen, "@", "timestamp")?;
                match keyword {
                    Keyword::Start => At::Start,
                    _ => At::End,
                }
            }
            _ => {
                let seconds = self.signed_number("@", "timestamp")?;
                At::Time(timestamp(seconds, expr.span)?)
            }
        };
        let Some(parts) = time_parts(&mut expr.kind) else {
            let message = "@ modifier must be preceded by an instant vector selector or range \
                           vector selector or a subquery";
            return Err(SyntaxError::new(expr.span, message));
        };
        if parts.at.is_some() {
            let message = "@ <timestamp> may not be set multiple times";
            return Err(SyntaxError::new(expr.span, message));
        }
        *parts.at = Some(at);
        expr.span.end = self.last_close;
        Ok(())
    }

    fn edge(&mut self, expr: &mut Expr, edge: Edge) -> Result<()> {
        self.advance();
        let word = match edge {
            Edge::Anchored => "anchored",
            _ => "smoothed",
        };
        let selector = match &mut expr.kind {
            ExprKind::Selector(selector) => selector,
            ExprKind::Range(range) => &mut range.selector,
            ExprKind::Subquery(_) => {
                let message = format!("{word} modifier is not supported for subqueries");
                return Err(SyntaxError::new(expr.span, message));
            }
            _ => {
                let message = format!("{word} modifier not implemented");
                return Err(SyntaxError::new(expr.span, message));
            }
        };
        if selector.edge != Edge::Plain && selector.edge != edge {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(SyntaxError::new(expr.span, message));
        }
        selector.edge = edge;
        Ok(())
    }
}

/// The parts of an expression that `offset` and `@` set.
struct TimeParts<'a> {
    shift: &'a mut Option<Shift>,
    at: &'a mut Option<At>,
}

fn time_parts(kind: &mut ExprKind) -> Option<TimeParts<'_>> {
    let (shift, at) = match kind {
        ExprKind::Selector(selector) => (&mut selector.shift, &mut selector.at),
        ExprKind::Range(range) => (&mut range.selector.shift, &mut range.selector.at),
        ExprKind::Subquery(subquery) => (&mut subquery.shift, &mut subquery.at),
        _ => return None,
    };
    Some(TimeParts { shift, at })
}

/// Seconds as milliseconds.
fn timestamp(seconds: f64, span: Span) -> Result<i64> {
    // 2^63 as a float; whole seconds up to it, as in Prometheus.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if !(seconds > -LIMIT && seconds < LIMIT) {
        let shown = match seconds.is_finite() {
            true => format!("{seconds:.6}"),
            false => number::plain(seconds),
        };
        let message = format!("timestamp out of bounds for @ modifier: {shown}");
        return Err(SyntaxError::new(span, message));
    }
    #[expect(clippy::cast_possible_truncation)] // Saturates, which is as far as times go.
    let ms = (seconds * 1000.0).round() as i64;
    Ok(ms)
}

fn matcher(op: MatchOp, name: &str, value: &str, span: Span) -> Result<Matcher> {
    Matcher::new(op, name, value).map_err(|error| {
        // The engine anchors patterns; the error shows what was written.
        let message = error.to_string().replace("`^(?s:", "`");
        SyntaxError::new(span, message.replace(")$`", "`"))
    })
}
