//! Whether the types of a query fit together.
//!
//! Finds the first thing that is wrong, in the order in which Prometheus looks.

use crate::promql::signatures::{Arity, Signature, ValueType, signature};
use crate::promql::syntax::{
    Aggregate, AggregateOp, Binary, Call, Card, Expr, ExprKind, NAME, Selector, SyntaxError,
};
use crate::text::{Span, quote};

type Result<T> = std::result::Result<T, SyntaxError>;

/// Which parts of the language may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// Functions and aggregations that Prometheus has behind a switch.
    pub experimental: bool,
}

impl Default for Language {
    fn default() -> Self {
        Language { experimental: true }
    }
}

/// The type of a query, if all of it is well typed. `query` is the text that it was parsed from.
pub fn check(expr: &Expr, query: &str, language: Language) -> Result<ValueType> {
    Checker { query, language }.check(expr)
}

/// The type that an expression has, whatever is inside of it.
pub fn type_of(expr: &Expr) -> ValueType {
    match &expr.kind {
        ExprKind::Number(_) => ValueType::Scalar,
        ExprKind::Text(_) => ValueType::String,
        ExprKind::Selector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
        ExprKind::Range(_) | ExprKind::Subquery(_) => ValueType::Matrix,
        ExprKind::Paren(inside) | ExprKind::Unary(_, inside) => type_of(inside),
        ExprKind::Binary(binary) => {
            let sides = [type_of(&binary.left), type_of(&binary.right)];
            if sides == [ValueType::Scalar; 2] {
                ValueType::Scalar
            } else {
                ValueType::Vector
            }
        }
        ExprKind::Call(call) => signature(&call.name).map_or(ValueType::Vector, |f| f.returns),
    }
}

struct Checker<'a> {
    query: &'a str,
    language: Language,
}

fn wrong<T>(span: Span, message: impl Into<String>) -> Result<T> {
    Err(SyntaxError::new(span, message))
}

impl Checker<'_> {
    fn check(&self, expr: &Expr) -> Result<ValueType> {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Text(_) => {}
            ExprKind::Selector(selector) => check_selector(selector, expr.span)?,
            ExprKind::Range(range) => check_selector(&range.selector, range.selector_span)?,
            ExprKind::Subquery(subquery) => {
                let found = self.check(&subquery.expr)?;
                if found != ValueType::Vector {
                    let found = found.short_name();
                    let message =
                        format!("subquery is only allowed on instant vector, got {found} instead");
                    return wrong(expr.span, message);
                }
            }
            ExprKind::Paren(inside) => {
                self.check(inside)?;
            }
            ExprKind::Unary(_, inside) => {
                let found = self.check(inside)?;
                if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant \
                         vector, got {}",
                        quote::quote(found.name())
                    );
                    return wrong(expr.span, message);
                }
            }
            ExprKind::Binary(binary) => self.check_binary(binary, expr.span)?,
            ExprKind::Aggregate(aggregate) => self.check_aggregate(aggregate, expr.span)?,
            ExprKind::Call(call) => self.check_call(call, expr.span)?,
        }
        Ok(type_of(expr))
    }

    fn expect(&self, expr: &Expr, wanted: ValueType, context: &str) -> Result<()> {
        let found = self.check(expr)?;
        if found == wanted {
            return Ok(());
        }
        let (wanted, found) = (wanted.name(), found.name());
        wrong(
            expr.span,
            format!("expected type {wanted} in {context}, got {found}"),
        )
    }

    fn check_aggregate(&self, aggregate: &Aggregate, span: Span) -> Result<()> {
        if aggregate.op.is_experimental() && !self.language.experimental {
            let name = aggregate.op.name();
            return wrong(
                span,
                format!("{name}() is experimental and must be enabled"),
            );
        }
        self.expect(&aggregate.expr, ValueType::Vector, "aggregation expression")?;
        if let Some(param) = &aggregate.param {
            let wanted = match aggregate.op {
                AggregateOp::CountValues => ValueType::String,
                _ => ValueType::Scalar,
            };
            self.expect(param, wanted, "aggregation parameter")?;
        }
        Ok(())
    }

    /// Where the operator stands, without blanks around it.
    fn operator_span(&self, binary: &Binary) -> Span {
        let start = binary.left.span.end;
        let between = self.query.get(start..).unwrap_or("");
        let blanks = between.len() - between.trim_start().len();
        Span::new(start + blanks, binary.right.span.start)
    }

    fn check_binary(&self, binary: &Binary, span: Span) -> Result<()> {
        let sides = [self.check(&binary.left)?, self.check(&binary.right)?];
        let (op, matching) = (binary.op, &binary.matching);
        let operator = || self.operator_span(binary);
        if binary.returns_bool && !op.is_comparison() {
            let message = "bool modifier can only be used on comparison operators";
            return wrong(operator(), message);
        }
        let scalars = sides == [ValueType::Scalar; 2];
        if op.is_comparison() && !binary.returns_bool && scalars {
            return wrong(
                operator(),
                "comparisons between scalars must use BOOL modifier",
            );
        }
        let names = matching.labels.names();
        let is_on = matches!(matching.labels, crate::promql::syntax::Grouping::By(_));
        let both = names
            .iter()
            .find(|name| is_on && matching.include.contains(name));
        if let Some(name) = both {
            let name = quote::quote(name);
            let message = format!("label {name} must not occur in ON and GROUP clause at once");
            return wrong(operator(), message);
        }
        for (side, found) in [(&binary.left, sides[0]), (&binary.right, sides[1])] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return wrong(side.span, message);
            }
        }
        let fills = matching.fill.left.is_some() || matching.fill.right.is_some();
        if sides != [ValueType::Vector; 2] {
            if !names.is_empty() {
                return wrong(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                let message = "filling in missing series only allowed between instant vectors";
                return wrong(span, message);
            }
        } else if op.is_set() {
            let shown = quote::quote(op.symbol());
            if matching.card != Card::OneToOne {
                return wrong(span, format!("no grouping allowed for {shown} operation"));
            }
            if fills {
                return wrong(
                    span,
                    "filling in missing series not allowed for set operators",
                );
            }
        }
        if sides.contains(&ValueType::Scalar) && op.is_set() {
            let shown = quote::quote(op.symbol());
            let message = format!("set operator {shown} not allowed in binary scalar expression");
            return wrong(span, message);
        }
        Ok(())
    }

    fn check_call(&self, call: &Call, span: Span) -> Result<()> {
        let Some(function) = signature(&call.name) else {
            let shown = quote::quote(&call.name);
            return wrong(span, format!("unknown function with name {shown}"));
        };
        let shown = quote::quote(function.name);
        if function.is_experimental && !self.language.experimental {
            return wrong(span, format!("function {shown} is not enabled"));
        }
        check_arity(function, call.args.len(), span)?;
        for (index, arg) in call.args.iter().enumerate() {
            let Some(&wanted) = function.args.get(index).or(function.args.last()) else {
                break;
            };
            if function.name == "info" && index == 1 {
                check_info_selector(arg, span)?;
                continue;
            }
            self.expect(arg, wanted, &format!("call to function {shown}"))?;
        }
        Ok(())
    }
}

fn check_arity(function: &Signature, count: usize, span: Span) -> Result<()> {
    let (declared, shown) = (function.args.len(), quote::quote(function.name));
    let least = declared.saturating_sub(1);
    match function.arity {
        Arity::Fixed if count != declared => {
            let message =
                format!("expected {declared} argument(s) in call to {shown}, got {count}");
            wrong(span, message)
        }
        Arity::UpTo(_) | Arity::Any if count < least => {
            let message =
                format!("expected at least {least} argument(s) in call to {shown}, got {count}");
            wrong(span, message)
        }
        Arity::UpTo(more) if count > least + more => {
            let most = least + more;
            let message =
                format!("expected at most {most} argument(s) in call to {shown}, got {count}");
            wrong(span, message)
        }
        _ => Ok(()),
    }
}

/// The second argument of `info` is a selector of labels, and may select everything.
fn check_info_selector(arg: &Expr, span: Span) -> Result<()> {
    if type_of(arg) != ValueType::Vector {
        let (wanted, found) = (ValueType::Vector.name(), type_of(arg).name());
        let message = format!("expected type {wanted} in call to function \"info\", got {found}");
        return wrong(span, message);
    }
    match &arg.kind {
        ExprKind::Selector(selector) if selector.name.is_none() => Ok(()),
        ExprKind::Selector(_) => {
            let message = "expected label selectors only, got vector selector instead";
            wrong(arg.span, message)
        }
        _ => wrong(arg.span, "expected label selectors only"),
    }
}

fn check_selector(selector: &Selector, span: Span) -> Result<()> {
    let matchers = &selector.matchers;
    let Some(name) = &selector.name else {
        // At least one matcher must rule something out, or a typing error would select it all.
        if matchers.iter().all(|matcher| matcher.matches_empty()) {
            let message = "vector selector must contain at least one non-empty matcher";
            return wrong(span, message);
        }
        return Ok(());
    };
    let others = &matchers[..matchers.len().saturating_sub(1)];
    if let Some(other) = others.iter().find(|matcher| matcher.name() == NAME) {
        let (one, two) = (quote::quote(name), quote::quote(other.value()));
        return wrong(
            span,
            format!("metric name must not be set twice: {one} or {two}"),
        );
    }
    Ok(())
}
