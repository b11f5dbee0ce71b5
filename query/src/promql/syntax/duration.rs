//! Arithmetic on durations inside brackets and behind `offset`.

use crate::promql::syntax::SyntaxError;
use crate::promql::syntax::ast::{BinaryOp, DurationExpr, Extent, Number};
use crate::promql::syntax::parser::{Parser, Result};
use crate::promql::syntax::token::{Keyword, Kind};
use crate::text::Span;

/// The most seconds that a duration may have: what nanoseconds of 64 bits hold.
const SECONDS_MAX: f64 = 9_223_372_036.854_775;

const OFFSET_WANTED: &str = "number, duration, step(), or range()";

impl Parser<'_> {
    /// Whether the current token can begin a duration.
    pub(super) fn starts_duration(&self) -> bool {
        match self.kind() {
            Kind::Number | Kind::Duration | Kind::LeftParen => true,
            Kind::Op(BinaryOp::Add | BinaryOp::Sub) => true,
            Kind::Keyword(Keyword::Step | Keyword::Range) => true,
            Kind::Identifier => self.is_choice(),
            _ => false,
        }
    }

    fn is_choice(&self) -> bool {
        let word = self.token().text;
        let is_name = ["min_of", "max_of"]
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name));
        is_name && self.kind_behind() == Kind::LeftParen
    }

    /// A duration above zero, as far as that can be told now.
    pub(super) fn positive_extent(&mut self) -> Result<Extent> {
        let start = self.token().span;
        let expr = self.duration_expr(0)?;
        if let DurationExpr::Number(number) = &expr
            && number.value <= 0.0
        {
            let span = Span::new(start.start, self.last_close);
            return Err(SyntaxError::new(span, "duration must be greater than 0"));
        }
        Ok(extent(expr))
    }

    /// What follows `offset`: a number, or a term with a sign; arithmetic stands in parentheses.
    pub(super) fn offset_extent(&mut self) -> Result<Extent> {
        let negative = self.kind() == Kind::Op(BinaryOp::Sub);
        if negative || self.kind() == Kind::Op(BinaryOp::Add) {
            self.advance();
        }
        if !self.starts_duration() {
            return Err(self.unexpected("offset", OFFSET_WANTED));
        }
        let term = self.duration_term()?;
        Ok(extent(if negative { negated(term) } else { term }))
    }

    fn duration_expr(&mut self, least: u8) -> Result<DurationExpr> {
        self.nested(|parser| parser.duration_operators(least))
    }

    fn duration_operators(&mut self, least: u8) -> Result<DurationExpr> {
        let mut left = self.duration_operand()?;
        while let Kind::Op(op) = self.kind() {
            use BinaryOp::{Add, Div, Mod, Mul, Pow, Sub};
            if op.precedence() < least || !matches!(op, Add | Sub | Mul | Div | Mod | Pow) {
                break;
            }
            let place = self.advance().span;
            let right = self.duration_expr(op.precedence() + u8::from(op != Pow))?;
            let by_zero = matches!(&right, DurationExpr::Number(number) if number.value == 0.0);
            match op {
                Div if by_zero => return Err(SyntaxError::new(place, "division by zero")),
                Mod if by_zero => return Err(SyntaxError::new(place, "modulo by zero")),
                _ => {}
            }
            left = DurationExpr::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn duration_operand(&mut self) -> Result<DurationExpr> {
        let negative = self.kind() == Kind::Op(BinaryOp::Sub);
        if !negative && self.kind() != Kind::Op(BinaryOp::Add) {
            return self.duration_term();
        }
        self.advance();
        let operand = self.duration_expr(BinaryOp::Pow.precedence())?;
        Ok(if negative { negated(operand) } else { operand })
    }

    fn duration_term(&mut self) -> Result<DurationExpr> {
        let token = self.token();
        match token.kind {
            Kind::Number | Kind::Duration => {
                let number = self.number()?;
                if number.value.abs() > SECONDS_MAX || number.value.is_nan() {
                    return Err(SyntaxError::new(token.span, "duration out of range"));
                }
                Ok(DurationExpr::Number(number))
            }
            Kind::LeftParen => {
                self.advance();
                let expr = self.duration_expr(0)?;
                self.expect(Kind::RightParen, "", "")?;
                // Parentheses around a number, and the second of two pairs, say nothing.
                Ok(match expr {
                    DurationExpr::Number(_) | DurationExpr::Paren(_) => expr,
                    other => DurationExpr::Paren(Box::new(other)),
                })
            }
            Kind::Keyword(keyword @ (Keyword::Step | Keyword::Range)) => {
                self.advance();
                self.expect(Kind::LeftParen, "", "")?;
                self.expect(Kind::RightParen, "", "")?;
                Ok(match keyword {
                    Keyword::Step => DurationExpr::Step,
                    _ => DurationExpr::Range,
                })
            }
            Kind::Identifier if self.is_choice() => {
                self.advance();
                self.advance();
                let left = Box::new(self.duration_expr(0)?);
                self.expect(Kind::Comma, "", "")?;
                let right = Box::new(self.duration_expr(0)?);
                self.expect(Kind::RightParen, "", "")?;
                Ok(match token.text.to_ascii_lowercase().as_str() {
                    "min_of" => DurationExpr::MinOf(left, right),
                    _ => DurationExpr::MaxOf(left, right),
                })
            }
            _ => Err(self.unexpected("", "")),
        }
    }
}

fn negated(expr: DurationExpr) -> DurationExpr {
    match expr {
        DurationExpr::Number(number) => DurationExpr::Number(Number {
            value: -number.value,
            ..number
        }),
        other => DurationExpr::Negative(Box::new(other)),
    }
}

/// A number is known now, in milliseconds.
fn extent(expr: DurationExpr) -> Extent {
    match expr {
        #[expect(clippy::cast_possible_truncation)] // Checked against SECONDS_MAX.
        DurationExpr::Number(number) => Extent::Literal((number.value * 1000.0).round() as i64),
        other => Extent::Computed(other),
    }
}
