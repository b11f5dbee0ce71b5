//! Counter resets between histograms.

use chronolith_engine::metrics::ResetHint;

use crate::promql::histogram::arithmetic::intersection;
use crate::promql::histogram::{Buckets, Histogram};

impl Histogram {
    /// Whether a counter was reset between `previous` and this: a bucket, the zero bucket or the
    /// count has fallen, or the layout has changed as it only does at a reset. A hint decides at
    /// once.
    pub fn is_reset_from(&self, previous: &Histogram) -> bool {
        match self.hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.is_custom() {
            if !previous.is_custom() {
                return true;
            }
            if self.custom != previous.custom {
                let bounds = intersection(&self.custom, &previous.custom);
                let (mut now, mut then) = (self.clone(), previous.clone());
                now.rebound(&bounds);
                then.rebound(&bounds);
                return has_fallen(&now.positive, &then.positive);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        if self.is_custom() != previous.is_custom() {
            return true;
        }
        if self.is_custom() {
            return has_fallen(&self.positive, &previous.positive);
        }
        let (zero_count, threshold) = previous.raised_threshold(self.zero_threshold);
        if threshold != self.zero_threshold || self.zero_count < zero_count {
            return true;
        }
        let then = previous.at_schema(self.schema);
        let outside = |side: &Buckets| {
            let mut side = side.clone();
            side.retain(|index, _| {
                super::buckets::exponential_bound(index, self.schema) > self.zero_threshold
            });
            side
        };
        has_fallen(&outside(&self.positive), &outside(&then.positive))
            || has_fallen(&outside(&self.negative), &outside(&then.negative))
    }
}

/// Whether a bucket has fewer observations than before.
fn has_fallen(now: &Buckets, then: &Buckets) -> bool {
    let mut fallen = false;
    then.pair(now, |_, then, now| fallen |= now < then);
    fallen
}

/// The hints that Prometheus' storage gives out: it keeps one for each chunk, and begins a chunk
/// where a counter was reset or the layout changes.
#[derive(Debug, Default)]
pub(crate) struct ChunkHints {
    previous: Option<Histogram>,
}

impl ChunkHints {
    /// The hint that the next histogram of a series has when it is read.
    pub(crate) fn next(&mut self, histogram: &Histogram) -> ResetHint {
        let previous = self.previous.replace(histogram.clone());
        if histogram.hint == ResetHint::Gauge {
            return ResetHint::Gauge;
        }
        let Some(previous) = previous.filter(|previous| previous.hint != ResetHint::Gauge) else {
            return match histogram.hint {
                ResetHint::Reset => ResetHint::Reset,
                _ => ResetHint::Unknown,
            };
        };
        if histogram.is_stale() {
            return ResetHint::NotReset;
        }
        if previous.is_stale() {
            return match histogram.hint {
                ResetHint::Reset => ResetHint::Reset,
                _ => ResetHint::Unknown,
            };
        }
        if histogram.hint == ResetHint::Reset {
            return ResetHint::Reset;
        }
        let same_layout = histogram.schema == previous.schema
            && histogram.zero_threshold == previous.zero_threshold
            && (!histogram.is_custom() || histogram.custom == previous.custom);
        if !same_layout {
            return ResetHint::Unknown;
        }
        let unhinted = histogram.clone().with_hint(ResetHint::Unknown);
        // Prometheus begins a chunk at a reset that it finds, and says nothing of its first one.
        if unhinted.is_reset_from(&previous) {
            ResetHint::Unknown
        } else {
            ResetHint::NotReset
        }
    }
}
