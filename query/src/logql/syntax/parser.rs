//! The parser of whole queries: precedence climbing over what gives lines or numbers.
//!
//! Errors name the token that does not fit and, as Loki does, what would, where there are few such
//! things. Nesting is limited, so that neither the parser nor anyone who walks the tree can run out
//! of stack.

use chronolith_engine::labels::{Matcher, Re2};

use crate::logql::syntax::ast::{
    Binary, BinaryOp, CompareOp, Group, LabelReplace, LogQuery, Matching, MetricExpr, MetricKind,
    Query,
};
use crate::logql::syntax::cursor::Parser;
use crate::logql::syntax::error::{Place, Result, SyntaxError};
use crate::logql::syntax::fold::fold;
use crate::logql::syntax::selector::check_matchers;
use crate::logql::syntax::stages::Unwraps;
use crate::logql::syntax::token::Kind;
use crate::logql::syntax::walk::selectors;
use crate::text::number;

/// Parses a query, and looks whether its selectors select. Whether its stages compile is not looked
/// at.
pub fn parse(text: &str) -> Result<Query> {
    let query = parse_unchecked(text)?;
    for lines in selectors(&query) {
        check_matchers(&lines.matchers)?;
    }
    Ok(query)
}

/// Parses a selector alone, as `match[]` parameters hold it. It may select every stream there is.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>> {
    match parse_unchecked(text)? {
        Query::Lines(lines) if lines.stages.is_empty() => Ok(lines.matchers),
        _ => Err(SyntaxError {
            place: Place::Nowhere,
            message: "only label matchers are supported".to_owned(),
        }),
    }
}

fn parse_unchecked(text: &str) -> Result<Query> {
    let mut parser = Parser::new(text)?;
    let query = parser.expr(0)?;
    parser.finish()?;
    Ok(query)
}

/// How tightly an operator binds.
pub(super) fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Compare(_) => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 5,
        BinaryOp::Pow => 6,
    }
}

impl Parser<'_> {
    /// An expression whose operators bind at least as tightly as `least`.
    fn expr(&mut self, least: u8) -> Result<Query> {
        self.nested(|parser| parser.operators(least))
    }

    fn operators(&mut self, least: u8) -> Result<Query> {
        let mut left = self.operand()?;
        while let Some(op) = self.binary_op() {
            if precedence(op) < least {
                break;
            }
            self.count_operator()?;
            self.advance();
            let returns_bool = self.take("bool");
            let matching = self.matching()?;
            let right = self.expr(precedence(op) + u8::from(op != BinaryOp::Pow))?;
            let [left_side, right_side] = sides(op, left, right)?;
            let binary = Binary {
                op,
                left: left_side,
                right: right_side,
                returns_bool,
                matching,
            };
            left = Query::Metric(fold(binary));
        }
        Ok(left)
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        Some(match self.kind() {
            Kind::Fixed("or") => BinaryOp::Or,
            Kind::Fixed("and") => BinaryOp::And,
            Kind::Fixed("unless") => BinaryOp::Unless,
            Kind::Fixed("==") => BinaryOp::Compare(CompareOp::Equal),
            Kind::Fixed("!=") => BinaryOp::Compare(CompareOp::NotEqual),
            Kind::Fixed(">") => BinaryOp::Compare(CompareOp::Greater),
            Kind::Fixed(">=") => BinaryOp::Compare(CompareOp::GreaterOrEqual),
            Kind::Fixed("<") => BinaryOp::Compare(CompareOp::Less),
            Kind::Fixed("<=") => BinaryOp::Compare(CompareOp::LessOrEqual),
            Kind::Fixed("+") => BinaryOp::Add,
            Kind::Fixed("-") => BinaryOp::Sub,
            Kind::Fixed("*") => BinaryOp::Mul,
            Kind::Fixed("/") => BinaryOp::Div,
            Kind::Fixed("%") => BinaryOp::Mod,
            Kind::Fixed("^") => BinaryOp::Pow,
            _ => return None,
        })
    }

    fn matching(&mut self) -> Result<Option<Matching>> {
        let is_ignoring = self.is("ignoring");
        if !is_ignoring && !self.is("on") {
            return Ok(None);
        }
        self.advance();
        let labels = self.names()?;
        let is_left = self.is("group_left");
        let group = if is_left || self.is("group_right") {
            self.advance();
            let names_follow = self.is("(") && !self.operand_in_parentheses();
            let include = match names_follow {
                true => self.names()?,
                false => Vec::new(),
            };
            Some(Group { is_left, include })
        } else {
            None
        };
        Ok(Some(Matching {
            is_ignoring,
            labels,
            group,
        }))
    }

    /// Whether the parenthesis that comes next opens an operand and no list of names.
    fn operand_in_parentheses(&self) -> bool {
        !matches!(self.kind_behind(), Kind::Identifier | Kind::Fixed(")"))
    }

    fn operand(&mut self) -> Result<Query> {
        let start = self.token().start;
        match self.kind() {
            Kind::Fixed("{") => {
                let matchers = self.selector()?;
                let stages = self.pipeline(Unwraps::Refused)?.stages;
                let span = self.span_from(start);
                Ok(Query::Lines(LogQuery {
                    matchers,
                    stages,
                    span,
                }))
            }
            Kind::Fixed("(") => {
                self.advance();
                let query = self.expr(0)?;
                match self.take(")") {
                    true => Ok(query),
                    false => Err(self.unexpected(&[])),
                }
            }
            _ => {
                let kind = self.metric()?;
                let span = self.span_from(start);
                Ok(Query::Metric(MetricExpr { span, kind }))
            }
        }
    }

    fn metric(&mut self) -> Result<MetricKind> {
        match self.kind() {
            Kind::Number | Kind::Fixed("+" | "-") => Ok(MetricKind::Number(self.literal()?)),
            Kind::Fixed("vector") => {
                self.advance();
                self.expect("(")?;
                if self.kind() != Kind::Number {
                    return Err(self.unexpected(&["NUMBER"]));
                }
                let value = self.literal()?;
                self.expect(")")?;
                Ok(MetricKind::Vector(value))
            }
            Kind::Fixed("label_replace") => {
                let replace = self.label_replace()?;
                Ok(MetricKind::LabelReplace(Box::new(replace)))
            }
            Kind::Fixed(word) => self.aggregation(word),
            _ => Err(self.unexpected(&[])),
        }
    }

    /// A number with or without a sign.
    pub(super) fn literal(&mut self) -> Result<f64> {
        let is_negative = self.is("-");
        if is_negative || self.is("+") {
            self.advance();
        }
        if self.kind() != Kind::Number {
            return Err(self.unexpected(&["NUMBER"]));
        }
        let token = self.token();
        let decimal = match token.text.parse::<f64>() {
            Ok(value) if value.is_finite() => value,
            _ => number::parse(token.text).map_err(SyntaxError::new)?,
        };
        self.advance();
        Ok(if is_negative { -decimal } else { decimal })
    }

    /// An expression that gives numbers.
    pub(super) fn metric_expr(&mut self) -> Result<MetricExpr> {
        match self.expr(0)? {
            Query::Metric(expr) => Ok(expr),
            // Lines may be the side of an operator for Loki's grammar, which stumbles over what
            // comes next.
            Query::Lines(_) => Err(self.unexpected(&[])),
        }
    }

    fn label_replace(&mut self) -> Result<LabelReplace> {
        self.advance();
        self.expect("(")?;
        let expr = self.metric_expr()?;
        let mut texts = Vec::with_capacity(4);
        for _ in 0..4 {
            if !self.take(",") {
                let expected: &[&str] = if texts.is_empty() { &[] } else { &[","] };
                return Err(self.unexpected(expected));
            }
            texts.push(self.text()?);
        }
        self.expect(")")?;
        let mut texts = texts.into_iter();
        let mut next = || texts.next().unwrap_or_default();
        let (destination, replacement, source, regex) = (next(), next(), next(), next());
        check_regex(&regex)?;
        Ok(LabelReplace {
            expr,
            destination,
            replacement,
            source,
            regex,
        })
    }
}

/// Refuses a pattern of `label_replace` that is no regular expression.
fn check_regex(regex: &str) -> Result<()> {
    match Re2::compile(&format!("^(?:{regex})$")) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("invalid regex in label_replace: {error}");
            Err(SyntaxError::new(message))
        }
    }
}

/// The two sides of an operator, which must give numbers; those of a set operator series.
fn sides(op: BinaryOp, left: Query, right: Query) -> Result<[MetricExpr; 2]> {
    let is_set = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless);
    let sides = [("left", left), ("right", right)].map(|(name, side)| match side {
        Query::Metric(expr) => Ok((name, expr)),
        Query::Lines(lines) => {
            let sort = match lines.stages.is_empty() {
                true => "*syntax.MatchersExpr",
                false => "*syntax.PipelineExpr",
            };
            Err(SyntaxError::new(format!(
                "unexpected type for {name} leg of binary operation ({}): {sort}",
                op.symbol()
            )))
        }
    });
    let [left, right] = sides;
    let sides = [left?, right?];
    for (name, side) in &sides {
        if let (MetricKind::Number(value), true) = (&side.kind, is_set) {
            return Err(SyntaxError::new(format!(
                "unexpected literal for {name} leg of logical/set binary operation ({}): \
                 {value:.6}",
                op.symbol()
            )));
        }
    }
    Ok(sides.map(|(_, expr)| expr))
}
