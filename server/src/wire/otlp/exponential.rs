//! [`Exponential`]: an exponential histogram that can be added to another and becomes a native one.
//!
//! The buckets of OpenTelemetry are numbered by their lower border, those of Prometheus by the
//! upper; here they are Prometheus'.

use std::collections::BTreeMap;

use chronolith_engine::metrics::{
    BucketCounts, Counts, HISTOGRAM_BUCKETS_MAX, Histogram, SCHEMA_MAX, SCHEMA_MIN, Span,
};

/// Counts of one side by the number of the bucket; none is 0.
type Buckets = BTreeMap<i32, u64>;

/// An exponential histogram, as fine as Prometheus has them or coarser.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exponential {
    pub(super) schema: i8,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: u64,
    pub(super) count: u64,
    pub(super) sum: f64,
    positive: Buckets,
    negative: Buckets,
}

impl Exponential {
    /// Sets scale and buckets: for each side the number of its first one, and counts. False if they
    /// are out of range.
    #[must_use]
    pub(super) fn fill(&mut self, scale: i64, positive: &Side, negative: &Side) -> bool {
        let finest = i64::from(SCHEMA_MAX);
        let halvings = u32::try_from((scale - finest).max(0)).unwrap_or(u32::MAX);
        let schema = i8::try_from(scale.min(finest)).unwrap_or(i8::MIN);
        let sides = (positive.buckets(halvings), negative.buckets(halvings));
        let (Some(positive), Some(negative), true) = (sides.0, sides.1, schema >= SCHEMA_MIN)
        else {
            return false;
        };
        (self.schema, self.positive, self.negative) = (schema, positive, negative);
        true
    }

    /// How many buckets are filled.
    pub(super) fn len(&self) -> usize {
        self.positive.len() + self.negative.len()
    }

    /// Adds another one: as coarse as the coarser of them, with the wider zero bucket. None where a
    /// count or a bucket goes out of range.
    pub(super) fn plus(mut self, mut other: Exponential) -> Option<Exponential> {
        let schema = self.schema.min(other.schema);
        self.coarsen(schema)?;
        other.coarsen(schema)?;
        // Each widening may have to go on to the border of a bucket, which the other must follow.
        while self.zero_threshold != other.zero_threshold {
            let widest = self.zero_threshold.max(other.zero_threshold);
            self.widen(widest)?;
            other.widen(widest)?;
        }
        self.count = self.count.checked_add(other.count)?;
        self.zero_count = self.zero_count.checked_add(other.zero_count)?;
        self.sum += other.sum;
        for (buckets, more) in [
            (&mut self.positive, other.positive),
            (&mut self.negative, other.negative),
        ] {
            for (index, count) in more {
                let bucket = buckets.entry(index).or_default();
                *bucket = bucket.checked_add(count)?;
            }
        }
        while self.len() > HISTOGRAM_BUCKETS_MAX {
            self.coarsen(self.schema.checked_sub(1)?)?;
        }
        Some(self)
    }

    /// Puts buckets together until the schema is this one.
    fn coarsen(&mut self, schema: i8) -> Option<()> {
        if schema < SCHEMA_MIN {
            return None;
        }
        let halvings = u32::try_from(self.schema.checked_sub(schema)?).ok()?;
        for buckets in [&mut self.positive, &mut self.negative] {
            let mut coarse = Buckets::new();
            for (index, count) in std::mem::take(buckets) {
                let index = ((i64::from(index) - 1) >> halvings) + 1;
                let bucket = coarse.entry(i32::try_from(index).ok()?).or_default();
                *bucket = bucket.checked_add(count)?;
            }
            *buckets = coarse;
        }
        self.schema = schema;
        Some(())
    }

    /// Takes buckets into the zero bucket up to this threshold, or to the border of the bucket that
    /// it falls into.
    fn widen(&mut self, threshold: f64) -> Option<()> {
        let mut threshold = threshold.max(self.zero_threshold);
        let width = 2f64.powi(-i32::from(self.schema));
        let border = |index: i32| (f64::from(index) * width).exp2();
        for buckets in [&mut self.positive, &mut self.negative] {
            while let Some(first) = buckets.first_entry()
                && border(first.key().saturating_sub(1)) < threshold
            {
                threshold = threshold.max(border(*first.key()));
                self.zero_count = self.zero_count.checked_add(first.remove())?;
            }
        }
        self.zero_threshold = threshold;
        Some(())
    }

    /// The native histogram. None where a bucket is out of range.
    pub(super) fn into_histogram(self) -> Option<Histogram> {
        let (positive_spans, positive) = spans(self.positive)?;
        let (negative_spans, negative) = spans(self.negative)?;
        Some(Histogram {
            schema: self.schema,
            sum: self.sum,
            zero_threshold: self.zero_threshold,
            positive_spans,
            negative_spans,
            counts: Counts::Integer(BucketCounts {
                count: self.count,
                zero_count: self.zero_count,
                positive,
                negative,
            }),
            ..Histogram::default()
        })
    }
}

/// Buckets of one side as they are sent.
#[derive(Default)]
pub(super) struct Side {
    pub(super) offset: i64,
    pub(super) counts: Vec<u64>,
}

impl Side {
    /// The filled buckets, after halving the resolution so many times.
    fn buckets(&self, halvings: u32) -> Option<Buckets> {
        let (mut merged, halvings) = (Buckets::new(), halvings.min(63));
        for (place, count) in self.counts.iter().enumerate() {
            if *count == 0 {
                continue;
            }
            let index = self.offset.checked_add(i64::try_from(place).ok()?)?;
            let index = i32::try_from((index >> halvings).checked_add(1)?).ok()?;
            let bucket = merged.entry(index).or_default();
            *bucket = bucket.checked_add(*count)?;
        }
        Some(merged)
    }
}

fn spans(buckets: Buckets) -> Option<(Vec<Span>, Vec<u64>)> {
    let (mut spans, mut counts): (Vec<Span>, Vec<u64>) = Default::default();
    let mut next = None;
    for (index, count) in buckets {
        match (next, spans.last_mut()) {
            (Some(next), Some(span)) if next == index => span.length += 1,
            _ => spans.push(Span {
                offset: index.checked_sub(next.unwrap_or(0))?,
                length: 1,
            }),
        }
        counts.push(count);
        next = Some(index.checked_add(1)?);
    }
    Some((spans, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(scale: i64, offset: i64, counts: &[u64]) -> Exponential {
        let side = |offset, counts: &[u64]| Side {
            offset,
            counts: counts.to_vec(),
        };
        let mut made = Exponential {
            zero_threshold: 1e-128,
            zero_count: 1,
            count: 1 + counts.iter().sum::<u64>(),
            sum: 0.5,
            ..Exponential::default()
        };
        assert!(made.fill(scale, &side(offset, counts), &side(0, &[])));
        made
    }

    #[test]
    fn two_of_one_scale_add_up_bucket_by_bucket() {
        let sum = histogram(3, 4, &[1, 2])
            .plus(histogram(3, 5, &[10, 20]))
            .unwrap();
        assert_eq!((sum.count, sum.zero_count, sum.sum), (35, 2, 1.0));
        assert_eq!(sum.positive, Buckets::from([(5, 1), (6, 12), (7, 20)]));
    }

    #[test]
    fn the_finer_one_is_made_as_coarse_as_the_other() {
        let coarse = histogram(1, 0, &[100]);
        // At scale 3 the buckets 0 to 3 of OpenTelemetry are one at scale 1.
        let fine = histogram(3, -1, &[1, 2, 3, 4, 5, 6]);
        for sum in [coarse.clone().plus(fine.clone()), fine.plus(coarse)] {
            let sum = sum.unwrap();
            assert_eq!(sum.schema, 1);
            assert_eq!(sum.positive, Buckets::from([(0, 1), (1, 114), (2, 6)]));
        }
    }

    #[test]
    fn the_zero_bucket_is_as_wide_as_the_wider_and_ends_at_a_border() {
        let mut wide = histogram(0, 5, &[1]);
        wide.zero_threshold = 3.0;
        // Buckets (1, 2], (2, 4] and (4, 8]; the second holds 3, so the zero bucket ends at 4.
        let sum = histogram(0, 0, &[10, 20, 40]).plus(wide).unwrap();
        assert_eq!((sum.zero_threshold, sum.zero_count), (4.0, 32));
        assert_eq!(sum.positive, Buckets::from([(3, 40), (6, 1)]));
        assert_eq!(sum.count, 73);
    }

    #[test]
    fn counts_beyond_their_range_do_not_add_up() {
        assert!(
            histogram(0, 0, &[u64::MAX - 1])
                .plus(histogram(0, 0, &[1]))
                .is_none()
        );
    }

    #[test]
    fn too_many_buckets_are_put_together() {
        let most = HISTOGRAM_BUCKETS_MAX as i64;
        let left = histogram(2, 0, &vec![1; HISTOGRAM_BUCKETS_MAX]);
        let sum = left.plus(histogram(2, most, &[1, 1, 1, 1])).unwrap();
        assert_eq!(sum.schema, 1);
        assert!(sum.len() <= HISTOGRAM_BUCKETS_MAX && sum.count == most as u64 + 6);
    }
}
