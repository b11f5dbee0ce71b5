//! Native histograms as queries calculate with them: all counts are floats.
//!
//! Buckets are pairs of an index and a count in order of the index, without spans: operations are
//! merges of sorted lists. Buckets without observations may be listed; [`Histogram::compact`]
//! takes them out.

mod arithmetic;
mod buckets;
mod quantile;
mod reset;
mod show;
#[cfg(test)]
mod tests;
mod trim;

use std::sync::Arc;

use chronolith_engine::metrics::{
    BucketCounts, Counts, Histogram as Stored, ResetHint, SCHEMA_CUSTOM, STALE_NAN_BITS, Span,
};

pub use arithmetic::{Combined, Incompatible};
pub use buckets::{Bucket, Buckets};
pub(crate) use quantile::{Quantile, fraction, quantile};
pub(crate) use reset::ChunkHints;
pub(crate) use trim::{Trim, trim};

/// A native histogram of floats.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// What is known about a counter reset before it.
    pub hint: ResetHint,
    /// The resolution, or [`SCHEMA_CUSTOM`].
    pub schema: i32,
    /// The width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// Observations in all.
    pub count: f64,
    /// The sum of the observations.
    pub sum: f64,
    /// Buckets of positive observations, and all of a histogram with custom borders.
    pub positive: Buckets,
    /// Buckets of negative observations.
    pub negative: Buckets,
    /// Upper borders for [`SCHEMA_CUSTOM`].
    pub custom: Arc<[f64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            hint: ResetHint::Unknown,
            schema: 0,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive: Buckets::default(),
            negative: Buckets::default(),
            custom: Arc::new([]),
        }
    }
}

impl From<&Stored> for Histogram {
    fn from(stored: &Stored) -> Self {
        let (zero_count, count, positive, negative) = match &stored.counts {
            Counts::Float(counts) => (
                counts.zero_count,
                counts.count,
                counts.positive.clone(),
                counts.negative.clone(),
            ),
            Counts::Integer(counts) => (
                float(counts.zero_count),
                float(counts.count),
                counts.positive.iter().map(|&count| float(count)).collect(),
                counts.negative.iter().map(|&count| float(count)).collect(),
            ),
        };
        Histogram {
            hint: stored.reset_hint,
            schema: i32::from(stored.schema),
            zero_threshold: stored.zero_threshold,
            zero_count,
            count,
            sum: stored.sum,
            positive: Buckets::from_spans(&stored.positive_spans, &positive),
            negative: Buckets::from_spans(&stored.negative_spans, &negative),
            custom: stored.custom_values.as_slice().into(),
        }
    }
}

#[expect(clippy::cast_precision_loss)] // As in every system that calculates with them.
fn float(count: u64) -> f64 {
    count as f64
}

impl Histogram {
    /// Whether its borders are listed.
    pub fn is_custom(&self) -> bool {
        self.schema == i32::from(SCHEMA_CUSTOM)
    }

    /// Whether it marks the end of a series.
    pub fn is_stale(&self) -> bool {
        self.sum.to_bits() == STALE_NAN_BITS
    }

    /// Takes out buckets without observations.
    pub fn compact(&mut self) {
        self.positive.retain(|_, count| count != 0.0);
        self.negative.retain(|_, count| count != 0.0);
    }

    /// This with another hint.
    pub fn with_hint(mut self, hint: ResetHint) -> Histogram {
        self.hint = hint;
        self
    }

    /// Whether any count is beyond what floats hold.
    pub(crate) fn overflows(&self) -> bool {
        let sides = [&self.positive, &self.negative];
        let mut counts = sides.into_iter().flat_map(|side| side.iter());
        [self.count, self.sum, self.zero_count]
            .iter()
            .any(|value| value.is_infinite())
            || counts.any(|(_, count)| count.is_infinite())
    }

    /// Whether they are the same: borders, counts and sum, bit by bit.
    pub fn equals(&self, other: &Histogram) -> bool {
        let same = |one: f64, two: f64| one.to_bits() == two.to_bits();
        self.schema == other.schema
            && self.count == other.count
            && same(self.sum, other.sum)
            && self.zero_threshold == other.zero_threshold
            && self.zero_count == other.zero_count
            && (!self.is_custom() || self.custom == other.custom)
            && self.positive == other.positive
            && self.negative == other.negative
    }

    /// The buckets that have positive indexes, in order of the index.
    pub fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.positive
            .iter()
            .map(|(index, count)| self.bucket(index, count))
    }

    /// The buckets of negative observations, from the zero bucket outwards.
    pub fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        let mirror = |bucket: Bucket| Bucket {
            lower: -bucket.upper,
            upper: -bucket.lower,
            lower_inclusive: true,
            upper_inclusive: false,
            count: bucket.count,
        };
        self.negative
            .iter()
            .map(move |(index, count)| mirror(self.bucket(index, count)))
    }

    /// The zero bucket.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets from the lowest to the highest. Borders inside the zero bucket are moved to its
    /// border.
    pub fn all_buckets(&self) -> Vec<Bucket> {
        let mut all: Vec<Bucket> = self.negative_buckets().rev().collect();
        if self.zero_count > 0.0 {
            all.push(self.zero_bucket());
        }
        all.extend(self.positive_buckets());
        let zero = self.zero_threshold;
        for bucket in &mut all {
            if bucket.upper < 0.0 && bucket.upper > -zero {
                bucket.upper = -zero;
            } else if bucket.lower > 0.0 && bucket.lower < zero {
                bucket.lower = zero;
            }
        }
        all
    }

    fn bucket(&self, index: i32, count: f64) -> Bucket {
        let (lower, upper) = (self.bound(index - 1), self.bound(index));
        Bucket {
            lower,
            upper,
            lower_inclusive: self.is_custom() && index == 0,
            upper_inclusive: true,
            count,
        }
    }

    /// The upper border of a bucket on the positive side.
    fn bound(&self, index: i32) -> f64 {
        if !self.is_custom() {
            return buckets::exponential_bound(index, self.schema);
        }
        match usize::try_from(index) {
            Err(_) => f64::NEG_INFINITY,
            Ok(index) => self.custom.get(index).copied().unwrap_or(f64::INFINITY),
        }
    }

    /// As the engine stores it.
    pub fn to_stored(&self) -> Stored {
        let (positive_spans, positive) = self.positive.to_spans();
        let (negative_spans, negative): (Vec<Span>, _) = self.negative.to_spans();
        Stored {
            schema: i8::try_from(self.schema).unwrap_or(i8::MAX),
            reset_hint: self.hint,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans,
            negative_spans,
            custom_values: self.custom.to_vec(),
            counts: Counts::Float(BucketCounts {
                count: self.count,
                zero_count: self.zero_count,
                positive,
                negative,
            }),
        }
    }

    /// The variance of the observations, each taken to lie in the middle of its bucket.
    pub(crate) fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut total = crate::promql::sum::Kahan::default();
        for bucket in self.all_buckets() {
            if bucket.count == 0.0 {
                continue;
            }
            let middle = if self.is_custom() {
                f64::midpoint(bucket.upper, bucket.lower)
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let delta = middle - mean;
            total.add(bucket.count * delta * delta);
        }
        total.value() / self.count
    }
}
