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

/// Which sign the observations of a bucket have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Positive,
    Negative,
}

/// Removes the observations on the other side of `value`, interpolating inside its bucket. The sum
/// loses what the removed ones are estimated to add up to.
pub(crate) fn trim(histogram: &Histogram, value: f64, keep: Trim) -> Histogram {
    let mut trimmed = histogram.clone();
    let mut tally = Tally {
        custom: histogram.is_custom(),
        ..Tally::default()
    };
    let sides = [
        (Side::Positive, histogram.positive_buckets().collect::<Vec<_>>()),
        (Side::Negative, histogram.negative_buckets().collect()),
    ];
    for (side, buckets) in sides {
        let counts = match side {
            Side::Positive => &mut trimmed.positive,
            Side::Negative => &mut trimmed.negative,
        };
        for (bucket, count) in buckets.iter().zip(counts.counts_mut()) {
            if bucket.count != 0.0 {
                *count = tally.keep(bucket, value, keep, side);
            }
        }
    }
    if histogram.zero_count > 0.0 {
        let below = part_below(&histogram.zero_bucket(), value, Side::Positive, true);
        trimmed.zero_count = match keep {
            Trim::Below => below,
            Trim::Above => histogram.zero_count - below,
        };
        tally.kept += trimmed.zero_count;
    }
    trimmed.count = tally.kept;
    trimmed.sum = tally.sum(histogram.sum);
    trimmed.compact();
    trimmed
}

#[derive(Default)]
struct Tally {
    custom: bool,
    kept: f64,
    removed_sum: f64,
    has_positive: bool,
    has_negative: bool,
}

impl Tally {
    /// How many observations of a bucket stay.
    fn keep(&mut self, bucket: &Bucket, value: f64, keep: Trim, side: Side) -> f64 {
        self.note_side(bucket, side);
        let (stays, goes) = match keep {
            Trim::Below => (bucket.upper <= value, bucket.lower >= value),
            Trim::Above => (bucket.lower >= value, bucket.upper <= value),
        };
        if stays {
            self.kept += bucket.count;
            return bucket.count;
        }
        let (kept, middle) = split(bucket, value, keep, side, self.custom);
        if goes {
            let middle = match (self.custom, side) {
                (true, _) => middle,
                (false, Side::Positive) => (bucket.lower * bucket.upper).sqrt(),
                (false, Side::Negative) => -(bucket.lower * bucket.upper).sqrt(),
            };
            self.removed_sum += bucket.count * middle;
            return 0.0;
        }
        self.removed_sum += (bucket.count - kept) * middle;
        self.kept += kept;
        kept
    }

    fn note_side(&mut self, bucket: &Bucket, side: Side) {
        if !self.custom {
            self.has_positive |= side == Side::Positive;
            self.has_negative |= side == Side::Negative;
            return;
        }
        self.has_positive |= bucket.upper > 0.0;
        self.has_negative |= bucket.lower < 0.0 && bucket.lower != f64::NEG_INFINITY;
        self.has_negative |= bucket.upper <= 0.0;
    }

    fn sum(&self, before: f64) -> f64 {
        if self.kept == 0.0 {
            return 0.0;
        }
        let sum = before - self.removed_sum;
        let impossible =
            (!self.has_negative && sum < 0.0) || (!self.has_positive && sum > 0.0);
        if impossible { 0.0 } else { sum }
    }
}

/// How many observations of a bucket stay, and where those that go lie.
fn split(bucket: &Bucket, value: f64, keep: Trim, side: Side, linear: bool) -> (f64, f64) {
    if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return split_open(bucket, value, keep);
    }
    let below = part_below(bucket, value, side, linear);
    let (kept, edge) = match keep {
        Trim::Below => (below, (value, bucket.upper)),
        Trim::Above => (bucket.count - below, (bucket.lower, value)),
    };
    (kept, middle(edge, side, linear))
}

fn middle((one, two): (f64, f64), side: Side, linear: bool) -> f64 {
    if linear {
        return f64::midpoint(one, two);
    }
    let middle = (one.abs() * two.abs()).sqrt();
    match side {
        Side::Positive => middle,
        Side::Negative => -middle,
    }
}

/// The same for a bucket without a border on one side, whose distribution is not known.
fn split_open(bucket: &Bucket, value: f64, keep: Trim) -> (f64, f64) {
    if bucket.lower == f64::NEG_INFINITY {
        if keep == Trim::Below && value >= bucket.upper {
            return (bucket.count, 0.0);
        }
        // With a positive border the bucket is taken to begin at zero.
        let inside = value >= 0.0 && bucket.upper > value && bucket.upper != f64::INFINITY;
        return match (inside, keep) {
            (true, Trim::Below) => (
                bucket.count * value / bucket.upper,
                f64::midpoint(value, bucket.upper),
            ),
            (true, Trim::Above) => (bucket.count * (1.0 - value / bucket.upper), value / 2.0),
            (false, _) => (0.0, bucket.upper),
        };
    }
    if keep == Trim::Above && value <= bucket.lower {
        return (bucket.count, 0.0);
    }
    (0.0, bucket.lower)
}

/// How many observations of a bucket lie below a value.
fn part_below(bucket: &Bucket, value: f64, side: Side, linear: bool) -> f64 {
    if value <= bucket.lower {
        return 0.0;
    }
    if value >= bucket.upper {
        return bucket.count;
    }
    let fraction = if linear {
        (value - bucket.lower) / (bucket.upper - bucket.lower)
    } else {
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        let place = value.abs().log2();
        match side {
            Side::Positive => (place - lower) / (upper - lower),
            Side::Negative => 1.0 - (place - upper) / (lower - upper),
        }
    };
    bucket.count * fraction
}
