//! Binary operators between two samples.

use std::sync::Arc;

use crate::promql::annotations::{Notes, Operation};
use crate::promql::eval::column::{Cell, Sample};
use crate::promql::eval::{Dialect, Evaluator};
use crate::promql::histogram::{Combined, Histogram, Incompatible, Trim, trim};
use crate::promql::syntax::BinaryOp;
use crate::text::Span;

/// What an operator gives: a sample, and for comparisons whether they hold.
pub(super) struct Outcome {
    pub(super) sample: Sample,
    pub(super) holds: bool,
}

/// An operator between two numbers; comparisons give 0 and 1.
pub(super) fn numbers(op: BinaryOp, left: f64, right: f64, dialect: Dialect) -> f64 {
    match compare(op, left, right) {
        Some(holds) => f64::from(u8::from(holds)),
        None => arithmetic(op, left, right, dialect).unwrap_or(f64::NAN),
    }
}

/// An operator between two numbers that is no comparison.
pub(super) fn arithmetic(op: BinaryOp, left: f64, right: f64, dialect: Dialect) -> Option<f64> {
    Some(match op {
        BinaryOp::Div if right == 0.0 && dialect == Dialect::Loki => f64::NAN,
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => return None,
    })
}

/// Whether a comparison holds, if it is one.
#[expect(clippy::float_cmp)] // Equality of floats is what was asked for.
pub(super) fn compare(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        _ => return None,
    })
}

/// An operator between two samples; nothing where it has no meaning for them, which is noted.
pub(super) fn samples(
    op: BinaryOp,
    left: Cell<'_>,
    right: Cell<'_>,
    span: Span,
    evaluator: &Evaluator<'_>,
) -> Option<Outcome> {
    let notes = &evaluator.notes;
    let outcome = match (left, right) {
        (Cell::Float(left), Cell::Float(right)) => floats(op, left, right, evaluator.dialect),
        (Cell::Float(left), Cell::Histogram(right)) if op == BinaryOp::Mul => {
            Some(scaled(right, |histogram| histogram.scale(left)))
        }
        (Cell::Histogram(left), Cell::Float(right)) => match op {
            BinaryOp::Mul => Some(scaled(left, |histogram| histogram.scale(right))),
            BinaryOp::Div => Some(scaled(left, |histogram| histogram.divide(right))),
            BinaryOp::TrimUpper => Some(of_histogram(trim(left, right, Trim::Below))),
            BinaryOp::TrimLower => Some(of_histogram(trim(left, right, Trim::Above))),
            _ => None,
        },
        (Cell::Histogram(left), Cell::Histogram(right)) => match op {
            BinaryOp::Add | BinaryOp::Sub => return histograms(op, left, right, span, notes),
            BinaryOp::Equal | BinaryOp::NotEqual => Some(Outcome {
                sample: Sample::Histogram(Arc::clone(left)),
                holds: left.equals(right) == (op == BinaryOp::Equal),
            }),
            _ => None,
        },
        _ => None,
    };
    if outcome.is_none() {
        notes.incompatible_types(span, sort(left), op.symbol(), sort(right));
    }
    outcome
}

fn floats(op: BinaryOp, left: f64, right: f64, dialect: Dialect) -> Option<Outcome> {
    if let Some(holds) = compare(op, left, right) {
        let sample = Sample::Float(left);
        return Some(Outcome { sample, holds });
    }
    let value = arithmetic(op, left, right, dialect)?;
    Some(Outcome {
        sample: Sample::Float(value),
        holds: true,
    })
}

fn of_histogram(histogram: Histogram) -> Outcome {
    Outcome {
        sample: Sample::Histogram(histogram.into()),
        holds: true,
    }
}

fn scaled(histogram: &Histogram, scale: impl FnOnce(&mut Histogram)) -> Outcome {
    let mut histogram = histogram.clone();
    scale(&mut histogram);
    histogram.compact();
    of_histogram(histogram)
}

fn histograms(
    op: BinaryOp,
    left: &Histogram,
    right: &Histogram,
    span: Span,
    notes: &Notes,
) -> Option<Outcome> {
    let mut result = left.clone();
    let (combined, operation): (Result<Combined, Incompatible>, _) = match op {
        BinaryOp::Add => (result.add(right), Operation::Addition),
        _ => (result.subtract(right), Operation::Subtraction),
    };
    let Ok(combined) = combined else {
        notes.incompatible_layout(span, op.symbol());
        return None;
    };
    if op == BinaryOp::Sub {
        result.hint = chronolith_engine::metrics::ResetHint::Gauge;
    }
    notes.combined(span, combined, operation);
    result.compact();
    Some(of_histogram(result))
}

fn sort(cell: Cell<'_>) -> &'static str {
    match cell {
        Cell::Float(_) => "float",
        Cell::Histogram(_) => "histogram",
    }
}
