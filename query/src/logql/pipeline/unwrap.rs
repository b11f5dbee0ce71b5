//! [`Unwrapper`]: the number that a line gives to an aggregation.

use std::collections::BTreeSet;

use super::filter::LabelTest;
use super::labels::LineLabels;
use crate::logql::Result;
use crate::logql::syntax::ast::{Conversion, Unwrap};
use crate::text::amounts;

/// What a line is whose label is no number.
const SAMPLE_ERROR: &str = "SampleExtractionErr";

/// `| unwrap duration(label)` and the filters behind it, compiled.
pub struct Unwrapper {
    label: String,
    conversion: Conversion,
    filters: Vec<LabelTest>,
}

/// What a line gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unwrapped {
    /// This number.
    Value(f64),
    /// Nothing: it lacks the label, or a filter behind `unwrap` dropped it.
    Skip,
    /// The line has an error, of an earlier stage or since the label holds no such number; its
    /// `__error__` says which. The query fails, as it does for every line that comes this far
    /// with an error.
    Error,
}

impl Unwrapper {
    /// Compiles it.
    pub fn new(unwrap: &Unwrap) -> Result<Unwrapper> {
        Ok(Unwrapper {
            label: unwrap.label.clone(),
            conversion: unwrap.conversion,
            filters: unwrap.filters.iter().map(LabelTest::new).collect(),
        })
    }

    /// The label that holds the number; series do not have it unless they are grouped by it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Which labels it looks at, beside what others want: add them to
    /// [`LabelsWanted::Names`](super::LabelsWanted).
    pub fn names(&self) -> Vec<String> {
        let mut names = BTreeSet::from([self.label.clone()]);
        for filter in &self.filters {
            filter.add_names(&mut names);
        }
        names.into_iter().collect()
    }

    /// The number of a line. The filters see the error that reading it may give.
    pub fn sample(&self, labels: &mut LineLabels<'_>) -> Unwrapped {
        let value = match labels.value(&self.label) {
            None | Some("") => return Unwrapped::Skip,
            Some(text) => convert(self.conversion, text),
        };
        if let Err(error) = &value {
            labels.fail(SAMPLE_ERROR, error);
        }
        if !self.filters.iter().all(|filter| filter.accepts(labels)) {
            return Unwrapped::Skip;
        }
        match (value, labels.error()) {
            (Ok(value), None) => Unwrapped::Value(value),
            _ => Unwrapped::Error,
        }
    }
}

#[expect(clippy::cast_precision_loss)] // Numbers of LogQL are floats.
fn convert(conversion: Conversion, text: &str) -> std::result::Result<f64, String> {
    match conversion {
        Conversion::Number => amounts::float(text),
        Conversion::Duration | Conversion::DurationSeconds => {
            amounts::duration(text).map(|ns| ns as f64 / 1e9)
        }
        Conversion::Bytes => amounts::bytes(text).map(|bytes| bytes as f64),
    }
}
