//! [`Unwrapper`]: the number that a line gives to an aggregation.

use super::labels::LineLabels;
use crate::logql::Result;
use crate::logql::syntax::ast::Unwrap;

/// `| unwrap duration(label)` and the filters behind it, compiled.
pub struct Unwrapper {
    label: String,
}

/// What a line gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unwrapped {
    /// This number.
    Value(f64),
    /// Nothing: it lacks the label, or a filter behind `unwrap` dropped it.
    Skip,
    /// The label holds no such number: the line's `__error__` says so. The query fails, as it
    /// does for every line that comes this far with an error.
    Error,
}

impl Unwrapper {
    /// Compiles it.
    pub fn new(unwrap: &Unwrap) -> Result<Unwrapper> {
        Ok(Unwrapper {
            label: unwrap.label.clone(),
        })
    }

    /// The label that holds the number; series do not have it unless they are grouped by it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Which labels it looks at, beside what others want: add them to
    /// [`LabelsWanted::Names`](super::LabelsWanted).
    pub fn names(&self) -> Vec<String> {
        vec![self.label.clone()]
    }

    /// The number of a line.
    pub fn sample(&self, labels: &mut LineLabels<'_>) -> Unwrapped {
        match labels.value(&self.label) {
            Some(value) => value.parse().map_or(Unwrapped::Error, Unwrapped::Value),
            None => Unwrapped::Skip,
        }
    }
}
