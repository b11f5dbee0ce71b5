//! Sums and means of histograms.

use std::sync::Arc;

use chronolith_engine::metrics::ResetHint;

use crate::promql::annotations::{Notes, Operation};
use crate::promql::histogram::Histogram;
use crate::text::Span;

/// A sum or mean of histograms.
pub(crate) struct HistogramTotal {
    is_mean: bool,
    count: f64,
    sum: Option<Histogram>,
    lost: Option<Histogram>,
    /// Whether the mean itself is kept, since the sum would overflow.
    is_incremental: bool,
    is_incompatible: bool,
    saw_reset: bool,
    saw_no_reset: bool,
}

impl HistogramTotal {
    pub(crate) fn sum() -> Self {
        HistogramTotal {
            is_mean: false,
            count: 0.0,
            sum: None,
            lost: None,
            is_incremental: false,
            is_incompatible: false,
            saw_reset: false,
            saw_no_reset: false,
        }
    }

    pub(crate) fn mean() -> Self {
        HistogramTotal {
            is_mean: true,
            ..HistogramTotal::sum()
        }
    }

    pub(crate) fn add(&mut self, added: &Histogram, metric: &str, span: Span, notes: &Notes) {
        if self.is_incompatible {
            return;
        }
        self.saw_reset |= added.hint == ResetHint::Reset;
        self.saw_no_reset |= added.hint == ResetHint::NotReset;
        self.count += 1.0;
        let Some(sum) = &mut self.sum else {
            self.sum = Some(added.clone());
            return;
        };
        let count = self.count;
        if !self.is_incremental {
            let (mut next, mut lost) = (sum.clone(), self.lost.clone());
            let Ok(combined) = next.add_compensated(added, &mut lost) else {
                self.is_incompatible = true;
                notes.mixed_schemas(span, metric);
                return;
            };
            if combined.bounds_reconciled {
                notes.bounds_reconciled(span, Operation::Aggregation);
            }
            if !self.is_mean || !next.overflows() {
                (*sum, self.lost) = (next, lost);
                return;
            }
            self.is_incremental = true;
            sum.divide(count - 1.0);
            if let Some(lost) = &mut self.lost {
                lost.divide(count - 1.0);
            }
        }
        let kept = (count - 1.0) / count;
        sum.scale(kept);
        if let Some(lost) = &mut self.lost {
            lost.scale(kept);
        }
        let mut part = added.clone();
        part.divide(count);
        match sum.add_compensated(&part, &mut self.lost) {
            Ok(combined) if combined.bounds_reconciled => {
                notes.bounds_reconciled(span, Operation::Aggregation);
            }
            Ok(_) => {}
            Err(_) => {
                self.is_incompatible = true;
                notes.mixed_schemas(span, metric);
            }
        }
    }

    pub(crate) fn finish(self, span: Span, notes: &Notes) -> Option<Arc<Histogram>> {
        if self.is_incompatible {
            return None;
        }
        if self.saw_reset && self.saw_no_reset {
            notes.hints_collide(span, Operation::Aggregation);
        }
        let mut sum = self.sum?;
        let mut lost = self.lost;
        if self.is_mean && !self.is_incremental {
            sum.divide(self.count);
            if let Some(lost) = &mut lost {
                lost.divide(self.count);
            }
        }
        if let Some(mut lost) = lost {
            // Its hint is the sum's own, which must not collide with itself.
            lost.hint = sum.hint;
            // The two have one layout, so this cannot fail.
            let _ = sum.add(&lost);
        }
        sum.compact();
        Some(sum.into())
    }
}
