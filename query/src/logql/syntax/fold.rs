//! Operators between literals, which are worked out while they are read, and the symbols of
//! operators.

use crate::logql::syntax::ast::{Binary, BinaryOp, CompareOp, MetricExpr, MetricKind};

/// The operator as an expression: a number where both sides are numbers.
pub(super) fn fold(binary: Binary) -> MetricExpr {
    let span = binary.left.span.to(binary.right.span);
    let kind = match (&binary.left.kind, &binary.right.kind) {
        (MetricKind::Number(left), MetricKind::Number(right)) => {
            MetricKind::Number(apply(binary.op, *left, *right))
        }
        _ => MetricKind::Binary(Box::new(binary)),
    };
    MetricExpr { span, kind }
}

/// An operator between two numbers: comparisons give 0 and 1, what is divided by zero is no number.
#[expect(clippy::float_cmp)] // Equality of floats is what was asked for.
fn apply(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div if right == 0.0 => f64::NAN,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Compare(op) => f64::from(u8::from(match op {
            CompareOp::Equal => left == right,
            CompareOp::NotEqual => left != right,
            CompareOp::Greater => left > right,
            CompareOp::GreaterOrEqual => left >= right,
            CompareOp::Less => left < right,
            CompareOp::LessOrEqual => left <= right,
        })),
        // Refused between literals before it comes to this.
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => f64::NAN,
    }
}

impl BinaryOp {
    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Compare(op) => op.symbol(),
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
        }
    }
}

impl CompareOp {
    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Greater => ">",
            CompareOp::GreaterOrEqual => ">=",
            CompareOp::Less => "<",
            CompareOp::LessOrEqual => "<=",
        }
    }
}
