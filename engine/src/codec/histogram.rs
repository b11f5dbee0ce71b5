//! [`Histogram`]: one native histogram, and what makes one valid.
//!
//! The shape is Prometheus' own, except that integer buckets hold absolute counts: whoever speaks a
//! wire format with deltas converts at the door. Equality is of bits, so that a NaN equals itself
//! and 0.0 is not -0.0: it answers "is this the same value again", which is what a store asks.
//! Knows nothing of bytes.

use crate::error::{Error, Result};

/// The schema of histograms whose bucket borders are listed in [`Histogram::custom_values`].
pub const SCHEMA_CUSTOM: i8 = -53;
/// The coarsest exponential schema: borders are powers of 65,536.
pub const SCHEMA_MIN: i8 = -4;
/// The finest exponential schema: 256 buckets for each power of two.
pub const SCHEMA_MAX: i8 = 8;
/// The most buckets, spans or custom values that a histogram may have, on each side.
pub const HISTOGRAM_BUCKETS_MAX: usize = 65_536;

/// A run of buckets with consecutive indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The gap to the end of the span before, or for the first one the index of its first bucket.
    pub offset: i32,
    /// How many buckets follow each other.
    pub length: u32,
}

/// What is known about a counter reset between the histogram before and this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResetHint {
    /// Nothing: a reader has to compare the two.
    #[default]
    Unknown,
    /// There was a reset.
    Reset,
    /// There was none.
    NotReset,
    /// It is a gauge, for which resets have no meaning.
    Gauge,
}

/// The counts of a histogram, all integers or all floats.
#[derive(Clone, Debug)]
pub enum Counts {
    /// Observations that were counted.
    Integer(BucketCounts<u64>),
    /// Results of calculations.
    Float(BucketCounts<f64>),
}

/// How many observations there are in all and in each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketCounts<T> {
    /// Observations in all.
    pub count: T,
    /// Observations within the zero threshold.
    pub zero_count: T,
    /// Observations in each bucket of the positive spans.
    pub positive: Vec<T>,
    /// Observations in each bucket of the negative spans.
    pub negative: Vec<T>,
}

/// A native histogram.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The resolution: [`SCHEMA_MIN`] to [`SCHEMA_MAX`], or [`SCHEMA_CUSTOM`].
    pub schema: i8,
    /// What is known about a counter reset before this histogram.
    pub reset_hint: ResetHint,
    /// The width of the zero bucket.
    pub zero_threshold: f64,
    /// The sum of the observations; a stale marker here says that the series has ended.
    pub sum: f64,
    /// Where the positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets are.
    pub negative_spans: Vec<Span>,
    /// The upper borders of the buckets for [`SCHEMA_CUSTOM`], empty otherwise.
    pub custom_values: Vec<f64>,
    /// How many observations there are.
    pub counts: Counts,
}

impl Default for Histogram {
    /// A histogram without observations.
    fn default() -> Self {
        Histogram {
            schema: 0,
            reset_hint: ResetHint::Unknown,
            zero_threshold: 0.0,
            sum: 0.0,
            positive_spans: Vec::new(),
            negative_spans: Vec::new(),
            custom_values: Vec::new(),
            counts: Counts::Integer(BucketCounts::default()),
        }
    }
}

impl Histogram {
    /// The marker that a series of histograms has ended.
    pub fn stale() -> Histogram {
        Histogram {
            sum: f64::from_bits(super::exceptions::STALE_BITS),
            ..Histogram::default()
        }
    }

    /// Whether this is the marker that a series has ended.
    pub fn is_stale(&self) -> bool {
        self.sum.to_bits() == super::exceptions::STALE_BITS
    }

    /// Whether the two have the same buckets, so that their counts can be compared one by one.
    pub fn has_layout_of(&self, other: &Histogram) -> bool {
        self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && same_bits(&self.custom_values, &other.custom_values)
            && match (&self.counts, &other.counts) {
                (Counts::Integer(one), Counts::Integer(two)) => one.has_lengths_of(two),
                (Counts::Float(one), Counts::Float(two)) => one.has_lengths_of(two),
                _ => false,
            }
    }

    /// Checks what Prometheus checks: spans match buckets, counts are not negative and add up,
    /// borders rise.
    pub fn validate(&self) -> Result<()> {
        self.validate_sizes()?;
        match self.schema {
            SCHEMA_CUSTOM => self.validate_custom()?,
            SCHEMA_MIN..=SCHEMA_MAX if self.custom_values.is_empty() => {}
            SCHEMA_MIN..=SCHEMA_MAX => {
                return Err(invalid("custom values belong to the custom schema only"));
            }
            schema => {
                return Err(invalid(format!(
                    "schema {schema} is unknown, valid are {SCHEMA_MIN} to {SCHEMA_MAX} and \
                     {SCHEMA_CUSTOM}"
                )));
            }
        }
        let (positive, negative) = match &self.counts {
            Counts::Integer(counts) => (counts.positive.len(), counts.negative.len()),
            Counts::Float(counts) => (counts.positive.len(), counts.negative.len()),
        };
        validate_spans(&self.positive_spans, positive, "positive")?;
        validate_spans(&self.negative_spans, negative, "negative")?;
        match &self.counts {
            Counts::Integer(counts) => self.validate_integers(counts),
            Counts::Float(counts) => validate_floats(counts),
        }
    }

    fn validate_sizes(&self) -> Result<()> {
        let (positive, negative) = match &self.counts {
            Counts::Integer(counts) => (counts.positive.len(), counts.negative.len()),
            Counts::Float(counts) => (counts.positive.len(), counts.negative.len()),
        };
        for (what, size) in [
            ("positive buckets", positive),
            ("negative buckets", negative),
            ("positive spans", self.positive_spans.len()),
            ("negative spans", self.negative_spans.len()),
            ("custom values", self.custom_values.len()),
        ] {
            if size > HISTOGRAM_BUCKETS_MAX {
                return Err(Error::limit(format!(
                    "a histogram has {size} {what}, at most {HISTOGRAM_BUCKETS_MAX} are valid"
                )));
            }
        }
        Ok(())
    }

    fn validate_custom(&self) -> Result<()> {
        let rises = |pair: &[f64]| pair[0] < pair[1];
        if self.custom_values.iter().any(|border| border.is_nan()) {
            return Err(invalid("a custom value is not a number"));
        }
        if !self.custom_values.windows(2).all(rises) {
            return Err(invalid("custom values must rise strictly"));
        }
        if self.custom_values.last() == Some(&f64::INFINITY) {
            return Err(invalid(
                "the last custom value must be finite: the bucket above is implied",
            ));
        }
        let zero_is_empty = match &self.counts {
            Counts::Integer(counts) => counts.zero_count == 0 && counts.negative.is_empty(),
            Counts::Float(counts) => counts.zero_count == 0.0 && counts.negative.is_empty(),
        };
        if !zero_is_empty || self.zero_threshold != 0.0 || !self.negative_spans.is_empty() {
            return Err(invalid(
                "the custom schema has no zero bucket and no negative buckets",
            ));
        }
        if self.positive_spans.iter().any(|span| span.offset < 0) {
            return Err(invalid("a span of the custom schema has a negative offset"));
        }
        let reach: u64 = self
            .positive_spans
            .iter()
            .map(|span| u64::from(span.offset.unsigned_abs()) + u64::from(span.length))
            .sum();
        if reach > self.custom_values.len() as u64 + 1 {
            return Err(invalid(format!(
                "the spans reach over {reach} buckets, {} custom values make one more than that \
                 many",
                self.custom_values.len()
            )));
        }
        Ok(())
    }

    fn validate_integers(&self, counts: &BucketCounts<u64>) -> Result<()> {
        let buckets = counts
            .positive
            .iter()
            .chain(&counts.negative)
            .chain([&counts.zero_count]);
        let total = buckets.map(|&count| u128::from(count)).sum::<u128>();
        let count = u128::from(counts.count);
        if self.sum.is_nan() {
            // Observations of NaN are counted but are in no bucket.
            if total > count {
                return Err(invalid(format!(
                    "{total} observations in buckets, the count says {count}"
                )));
            }
        } else if total != count {
            return Err(invalid(format!(
                "{total} observations in buckets must equal the count, {count}"
            )));
        }
        Ok(())
    }
}

impl<T> BucketCounts<T> {
    fn has_lengths_of(&self, other: &BucketCounts<T>) -> bool {
        self.positive.len() == other.positive.len() && self.negative.len() == other.negative.len()
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.has_layout_of(other)
            && self.reset_hint == other.reset_hint
            && self.sum.to_bits() == other.sum.to_bits()
            && match (&self.counts, &other.counts) {
                (Counts::Integer(one), Counts::Integer(two)) => one == two,
                (Counts::Float(one), Counts::Float(two)) => {
                    one.count.to_bits() == two.count.to_bits()
                        && one.zero_count.to_bits() == two.zero_count.to_bits()
                        && same_bits(&one.positive, &two.positive)
                        && same_bits(&one.negative, &two.negative)
                }
                _ => false,
            }
    }
}

impl Eq for Histogram {}

fn same_bits(one: &[f64], two: &[f64]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn validate_spans(spans: &[Span], buckets: usize, side: &str) -> Result<()> {
    if spans.iter().skip(1).any(|span| span.offset < 0) {
        return Err(invalid(format!(
            "a {side} span goes backwards: its offset is negative"
        )));
    }
    let covered: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if covered != buckets as u64 {
        return Err(invalid(format!(
            "{side} spans cover {covered} buckets, there are {buckets}"
        )));
    }
    let mut index = 0i64;
    for span in spans {
        index += i64::from(span.offset) + i64::from(span.length);
        if i32::try_from(index).is_err() {
            return Err(invalid(format!("{side} bucket {index} is beyond 32 bits")));
        }
    }
    Ok(())
}

/// Sums are not compared with the count: rounding would make valid results fail.
fn validate_floats(counts: &BucketCounts<f64>) -> Result<()> {
    let buckets = counts.positive.iter().chain(&counts.negative);
    let mut all = buckets.chain([&counts.count, &counts.zero_count]);
    match all.find(|&&count| count < 0.0) {
        Some(count) => Err(invalid(format!(
            "a count is {count}, it must not be negative"
        ))),
        None => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(message).context("histogram")
}

#[cfg(test)]
pub(in crate::codec) mod tests;
