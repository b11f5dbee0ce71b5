//! Sums, differences, products and quotients of histograms.
//!
//! Two histograms are first brought to one layout: the lower resolution, the wider zero bucket, or
//! the borders that both have.

use std::cmp::Ordering;
use std::sync::Arc;

use chronolith_engine::metrics::ResetHint;

use crate::promql::histogram::{Buckets, Histogram};
use crate::promql::sum::kahan;

/// One has listed borders, the other has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incompatible;

/// What was noticed while two histograms were combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combined {
    /// One said that there was a counter reset, the other that there was none.
    pub hints_collide: bool,
    /// The listed borders differed.
    pub bounds_reconciled: bool,
}

impl Histogram {
    /// Multiplies all counts and the sum.
    pub fn scale(&mut self, factor: f64) {
        self.for_each_count(|count| *count *= factor);
        if factor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. Division by zero leaves no buckets.
    pub fn divide(&mut self, divisor: f64) {
        self.for_each_count(|count| *count /= divisor);
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        if divisor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    fn for_each_count(&mut self, mut change: impl FnMut(&mut f64)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive.counts_mut().for_each(&mut change);
        self.negative.counts_mut().for_each(&mut change);
    }

    /// Adds another histogram.
    pub fn add(&mut self, other: &Histogram) -> Result<Combined, Incompatible> {
        self.combine(other, 1.0)
    }

    /// Takes another histogram away.
    pub fn subtract(&mut self, other: &Histogram) -> Result<Combined, Incompatible> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Histogram, sign: f64) -> Result<Combined, Incompatible> {
        let (aligned, combined) = self.align(other, None)?;
        self.zero_count += sign * aligned.zero_count;
        self.count += sign * aligned.count;
        self.sum += sign * aligned.sum;
        let merged = |one: &Buckets, two: &Buckets| {
            let mut entries = Vec::with_capacity(one.len().max(two.len()));
            one.pair(two, |index, left, right| {
                entries.push((index, left + sign * right))
            });
            Buckets::from_sorted(entries)
        };
        self.positive = merged(&self.positive, &aligned.positive);
        self.negative = merged(&self.negative, &aligned.negative);
        Ok(combined)
    }

    /// Adds another histogram, and what rounding loses to `lost`, which keeps this one's layout.
    pub fn add_compensated(
        &mut self,
        other: &Histogram,
        lost: &mut Option<Histogram>,
    ) -> Result<Combined, Incompatible> {
        let mut rest = lost.take().unwrap_or_else(|| Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            custom: Arc::clone(&self.custom),
            hint: self.hint,
            ..Histogram::default()
        });
        let (aligned, combined) = self.align(other, Some(&mut rest))?;
        let step = |value: &mut f64, lost: &mut f64, added: f64| {
            (*value, *lost) = kahan(added, *value, *lost);
        };
        step(
            &mut self.zero_count,
            &mut rest.zero_count,
            aligned.zero_count,
        );
        step(&mut self.count, &mut rest.count, aligned.count);
        step(&mut self.sum, &mut rest.sum, aligned.sum);
        let merge = |one: &mut Buckets, lost: &mut Buckets, two: &Buckets| {
            let (mut sums, mut rests) = (Vec::new(), Vec::new());
            one.pair(two, |index, left, right| {
                let (sum, rest) = kahan(right, left, lost.count(index));
                sums.push((index, sum));
                rests.push((index, rest));
            });
            *one = Buckets::from_sorted(sums);
            *lost = Buckets::from_sorted(rests);
        };
        merge(&mut self.positive, &mut rest.positive, &aligned.positive);
        merge(&mut self.negative, &mut rest.negative, &aligned.negative);
        *lost = Some(rest);
        Ok(combined)
    }

    /// Brings this, and `beside`, to a layout that `other` can be brought to, and gives `other` in
    /// it.
    fn align(
        &mut self,
        other: &Histogram,
        mut beside: Option<&mut Histogram>,
    ) -> Result<(Histogram, Combined), Incompatible> {
        if self.is_custom() != other.is_custom() {
            return Err(Incompatible);
        }
        let hints_collide = self.adjust_hint(other);
        let mut aligned = other.clone();
        let mut bounds_reconciled = false;
        if self.is_custom() {
            if self.custom != other.custom {
                bounds_reconciled = true;
                let bounds = intersection(&self.custom, &other.custom);
                aligned.rebound(&bounds);
                self.rebound(&bounds);
                if let Some(beside) = &mut beside {
                    beside.rebound(&bounds);
                }
            }
        } else {
            let threshold = self.common_zero_threshold(other);
            let schema = self.schema.min(other.schema);
            let sides = [Some(&mut aligned), Some(self), beside];
            for histogram in sides.into_iter().flatten() {
                histogram.widen_zero(threshold);
                histogram.reduce(schema);
            }
            // After the reduction a bucket may end inside of the zero bucket.
            aligned.drop_below(threshold);
        }
        let combined = Combined {
            hints_collide,
            bounds_reconciled,
        };
        Ok((aligned, combined))
    }

    /// Takes the other's hint into account; whether the two exclude each other.
    fn adjust_hint(&mut self, other: &Histogram) -> bool {
        use ResetHint::{Gauge, Unknown};
        match (self.hint, other.hint) {
            (mine, theirs) if mine == theirs => false,
            (Gauge | Unknown, theirs) if self.hint == Gauge || theirs != Gauge => false,
            (_, Gauge) => {
                self.hint = Gauge;
                false
            }
            (_, Unknown) => {
                self.hint = Unknown;
                false
            }
            _ => {
                self.hint = Unknown;
                true
            }
        }
    }

    /// A copy at a lower resolution.
    pub(crate) fn at_schema(&self, schema: i32) -> Histogram {
        let mut copy = self.clone();
        copy.reduce(schema);
        copy
    }

    fn reduce(&mut self, schema: i32) {
        if schema < self.schema && !self.is_custom() {
            self.positive = self.positive.reduced(self.schema, schema);
            self.negative = self.negative.reduced(self.schema, schema);
            self.schema = schema;
        }
    }

    /// The least threshold that holds both zero buckets and cuts through no bucket with
    /// observations of either.
    fn common_zero_threshold(&self, other: &Histogram) -> f64 {
        let (mut mine, mut theirs) = (self.zero_threshold, other.zero_threshold);
        while mine != theirs {
            if mine > theirs {
                theirs = other.raised_threshold(mine).1;
            }
            if theirs > mine {
                mine = self.raised_threshold(theirs).1;
            }
            if mine.is_nan() || theirs.is_nan() {
                return mine.max(theirs);
            }
        }
        mine
    }

    /// The zero count under a wider threshold, and that threshold raised to the end of the bucket
    /// that it would cut through.
    pub(super) fn raised_threshold(&self, wanted: f64) -> (f64, f64) {
        let mut threshold = wanted;
        if threshold == self.zero_threshold {
            return (self.zero_count, threshold);
        }
        'again: loop {
            let mut count = self.zero_count;
            for bucket in self.positive_buckets() {
                if bucket.lower >= threshold {
                    break;
                }
                count += bucket.count;
                if bucket.upper > threshold {
                    if bucket.count != 0.0 {
                        threshold = bucket.upper;
                    }
                    break;
                }
            }
            for bucket in self.negative_buckets() {
                if bucket.upper <= -threshold {
                    break;
                }
                count += bucket.count;
                if bucket.lower < -threshold {
                    if bucket.count != 0.0 {
                        threshold = -bucket.lower;
                        continue 'again;
                    }
                    break;
                }
            }
            return (count, threshold);
        }
    }

    /// Moves the buckets below `threshold` into the zero bucket.
    fn widen_zero(&mut self, threshold: f64) {
        if threshold == self.zero_threshold {
            return;
        }
        let schema = self.schema;
        let inside = |index: i32| super::buckets::exponential_bound(index - 1, schema) < threshold;
        for side in [&mut self.positive, &mut self.negative] {
            let moved: f64 = side
                .iter()
                .filter(|(index, _)| inside(*index))
                .map(|(_, count)| count)
                .sum();
            self.zero_count += moved;
            side.retain(|index, count| !inside(index) && count != 0.0);
        }
        self.zero_threshold = threshold;
    }

    fn drop_below(&mut self, threshold: f64) {
        let schema = self.schema;
        let inside = |index: i32| super::buckets::exponential_bound(index, schema) <= threshold;
        self.positive.retain(|index, _| !inside(index));
        self.negative.retain(|index, _| !inside(index));
    }

    /// Merges the buckets between other borders, which must be among the present ones.
    pub(super) fn rebound(&mut self, bounds: &Arc<[f64]>) {
        let old = Arc::clone(&self.custom);
        self.positive = self.positive.mapped(|index| target(index, &old, bounds));
        self.custom = Arc::clone(bounds);
    }
}

/// The bucket between `bounds` that holds a bucket between `old`.
fn target(index: i32, old: &[f64], bounds: &[f64]) -> i32 {
    let upper = usize::try_from(index).ok().and_then(|index| old.get(index));
    let place = match upper {
        Some(upper) => bounds.partition_point(|bound| bound < upper),
        None => bounds.len(),
    };
    i32::try_from(place).unwrap_or(i32::MAX)
}

/// The borders that both lists have.
pub(super) fn intersection(one: &[f64], two: &[f64]) -> Arc<[f64]> {
    let (mut left, mut right, mut both) = (0, 0, Vec::new());
    while left < one.len() && right < two.len() {
        match one[left].total_cmp(&two[right]) {
            Ordering::Less => left += 1,
            Ordering::Greater => right += 1,
            Ordering::Equal => {
                both.push(one[left]);
                (left, right) = (left + 1, right + 1);
            }
        }
    }
    both.into()
}
