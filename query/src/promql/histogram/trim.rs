//! Cutting a histogram off above or below a value.

use crate::promql::histogram::{Bucket, Histogram};

/// Which observations stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trim {
    /// Those below the value: `</`.
    Below,
    /// Those above the value: `>/`.
    Above,
}

/// How the observations of a bucket are taken to lie between its borders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// Evenly: zero buckets, and buckets with listed borders.
    Linear,
    /// Evenly on a logarithmic scale.
    Logarithmic,
}

/// What stays of a bucket: how many observations, and the value they are taken to have.
#[derive(Clone, Copy)]
struct Kept {
    count: f64,
    value: f64,
}

impl Kept {
    const NOTHING: Kept = Kept {
        count: 0.0,
        value: 0.0,
    };
}

/// Removes the observations on the other side of `value`, interpolating inside its bucket. If any
/// go, the sum is estimated anew from the middles of what stays.
pub(crate) fn trim(histogram: &Histogram, value: f64, keep: Trim) -> Histogram {
    let mut trimmed = histogram.clone();
    let mut tally = Tally::default();
    let spread = match histogram.is_custom() {
        true => Spread::Linear,
        false => Spread::Logarithmic,
    };
    let sides = [
        (
            &mut trimmed.positive,
            histogram.positive_buckets().collect::<Vec<_>>(),
        ),
        (
            &mut trimmed.negative,
            histogram.negative_buckets().collect(),
        ),
    ];
    for (counts, buckets) in sides {
        for (count, bucket) in counts.counts_mut().zip(buckets) {
            if bucket.count != 0.0 {
                *count = tally.keep(&bucket, value, keep, spread);
            }
        }
    }
    if histogram.zero_count > 0.0 {
        let mut bucket = histogram.zero_bucket();
        match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
        trimmed.zero_count = tally.keep(&bucket, value, keep, Spread::Linear);
    }
    if !tally.has_removed {
        return histogram.clone();
    }
    trimmed.count = tally.count;
    trimmed.sum = tally.sum;
    trimmed.compact();
    trimmed
}

#[derive(Default)]
struct Tally {
    count: f64,
    sum: f64,
    has_removed: bool,
}

impl Tally {
    fn keep(&mut self, bucket: &Bucket, value: f64, keep: Trim, spread: Spread) -> f64 {
        let kept = match bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
            true => split_open(bucket, value, keep),
            false => split(bucket, value, keep, spread),
        };
        self.has_removed |= kept.count < bucket.count;
        if kept.count != 0.0 {
            self.count += kept.count;
            self.sum += kept.count * kept.value;
        }
        kept.count
    }
}

/// What stays of a bucket with two borders.
fn split(bucket: &Bucket, value: f64, keep: Trim, spread: Spread) -> Kept {
    let (lower, upper) = match keep {
        Trim::Below => (bucket.lower, bucket.upper.min(value)),
        Trim::Above => (bucket.lower.max(value), bucket.upper),
    };
    if value.is_nan() || lower >= upper {
        return Kept::NOTHING;
    }
    let whole = lower == bucket.lower && upper == bucket.upper;
    let part = match (whole, spread) {
        (true, _) => 1.0,
        (false, Spread::Linear) => (upper - lower) / (bucket.upper - bucket.lower),
        (false, Spread::Logarithmic) => {
            let log = |value: f64| value.abs().log2();
            (log(upper) - log(lower)) / (log(bucket.upper) - log(bucket.lower))
        }
    };
    let value = match spread {
        Spread::Linear => f64::midpoint(lower, upper),
        Spread::Logarithmic => (lower * upper).sqrt().copysign(upper),
    };
    Kept {
        count: bucket.count * part,
        value,
    }
}

/// What stays of a bucket without a border on one side, in which nothing is known of where the
/// observations lie.
fn split_open(bucket: &Bucket, value: f64, keep: Trim) -> Kept {
    let all_at = |value| Kept {
        count: bucket.count,
        value,
    };
    if bucket.upper == f64::INFINITY {
        let is_unbounded = bucket.lower == f64::NEG_INFINITY;
        return match keep {
            Trim::Below if value == f64::INFINITY => all_at(bucket.lower),
            Trim::Above if is_unbounded && value != f64::NEG_INFINITY => Kept::NOTHING,
            // They may all lie above the value, so they stay, as near to it as they can.
            Trim::Above if value < f64::INFINITY => all_at(bucket.lower.max(value)),
            _ => Kept::NOTHING,
        };
    }
    if bucket.upper > 0.0 && value >= 0.0 {
        // With a positive border the bucket is taken to begin at zero.
        let from_zero = Bucket {
            lower: 0.0,
            ..*bucket
        };
        return split(&from_zero, value, keep, Spread::Linear);
    }
    match keep {
        Trim::Below if bucket.upper <= 0.0 && value > f64::NEG_INFINITY => {
            all_at(bucket.upper.min(value))
        }
        Trim::Above if value == f64::NEG_INFINITY => all_at(bucket.upper),
        _ => Kept::NOTHING,
    }
}
