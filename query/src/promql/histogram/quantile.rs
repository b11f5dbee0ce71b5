//! Quantiles and fractions of native histograms.

use crate::promql::histogram::{Bucket, Histogram};

/// A quantile, and what NaN observations did to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantile {
    /// The value.
    Value(f64),
    /// There were NaN observations: the value lies too high.
    Skewed(f64),
    /// There were so many NaN observations that the quantile is one.
    Swamped,
}

/// The value below which the fraction `q` of the observations lies.
///
/// Inside a bucket it is interpolated: on a logarithmic scale between exponential borders, linearly
/// in the zero bucket and between listed borders.
pub(crate) fn quantile(q: f64, histogram: &Histogram) -> Quantile {
    if q < 0.0 {
        return Quantile::Value(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return Quantile::Value(f64::INFINITY);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return Quantile::Value(f64::NAN);
    }
    // NaN observations are counted but are in no bucket, so only the way up is right with them.
    let has_nan = histogram.sum.is_nan();
    let upwards = has_nan || q < 0.5;
    let mut buckets = histogram.all_buckets();
    // Infinite observations of both signs make the sum NaN as well, but they are in buckets.
    let in_buckets: f64 = buckets.iter().map(|bucket| bucket.count).sum();
    let mut rank = q * histogram.count;
    if !upwards {
        buckets.reverse();
        rank = (1.0 - q) * histogram.count;
    }
    let (mut bucket, mut count) = (None, 0.0);
    for candidate in buckets.into_iter().filter(|bucket| bucket.count != 0.0) {
        count += candidate.count;
        bucket = Some(candidate);
        if count >= rank {
            break;
        }
    }
    let Some(mut bucket) = bucket else {
        return if has_nan {
            Quantile::Swamped
        } else {
            Quantile::Value(0.0)
        };
    };
    clip_zero_bucket(histogram, &mut bucket);
    if histogram.is_custom() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return Quantile::Value(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return Quantile::Value(bucket.lower);
        }
    }
    let count = count.min(histogram.count);
    if count < rank {
        return match has_nan {
            true => Quantile::Swamped,
            false => Quantile::Value(bucket.upper),
        };
    }
    let rank = if upwards {
        rank - (count - bucket.count)
    } else {
        count - rank
    };
    let value = interpolate(histogram, &bucket, rank / bucket.count);
    match has_nan && in_buckets < histogram.count {
        true => Quantile::Skewed(value),
        false => Quantile::Value(value),
    }
}

/// The zero bucket of a histogram with one side only reaches to zero.
fn clip_zero_bucket(histogram: &Histogram, bucket: &mut Bucket) {
    if !histogram.is_custom() && bucket.lower <= 0.0 && bucket.upper >= 0.0 {
        clip(histogram, bucket);
    }
}

/// Moves a border of the bucket around zero to zero if there is nothing on its side.
fn clip(histogram: &Histogram, bucket: &mut Bucket) {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

fn interpolate(histogram: &Histogram, bucket: &Bucket, fraction: f64) -> f64 {
    if histogram.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        (lower + (upper - lower) * fraction).exp2()
    } else {
        -(upper + (lower - upper) * (1.0 - fraction)).exp2()
    }
}

/// A fraction, and whether there were NaN observations, which are in no fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fraction {
    pub(crate) value: f64,
    pub(crate) has_nan: bool,
}

/// The fraction of the observations between two values.
pub(crate) fn fraction(lower: f64, upper: f64, histogram: &Histogram) -> Fraction {
    let has_nan = histogram.sum.is_nan();
    let plain = |value| Fraction {
        value,
        has_nan: false,
    };
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return plain(f64::NAN);
    }
    if lower >= upper {
        return plain(0.0);
    }
    let buckets = histogram.all_buckets();
    let in_buckets: f64 = buckets.iter().map(|bucket| bucket.count).sum();
    let (mut rank, mut below_lower, mut below_upper) = (0.0, None, None);
    for mut bucket in buckets {
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero {
            clip(histogram, &mut bucket);
        }
        // Nothing is known inside of a bucket without a lower border, so all of it is taken to lie
        // below whatever begins or ends there.
        let is_open = bucket.lower == f64::NEG_INFINITY;
        for (value, below) in [(lower, &mut below_lower), (upper, &mut below_upper)] {
            if below.is_some() {
                continue;
            }
            if bucket.lower >= value {
                *below = Some(rank);
            } else if bucket.upper > value && is_open {
                *below = Some(bucket.count);
            } else if bucket.upper > value {
                let linear = histogram.is_custom() || is_zero;
                *below = Some(rank + bucket.count * part_below(&bucket, value, linear));
            }
        }
        if below_lower.is_some() && below_upper.is_some() {
            break;
        }
        rank += bucket.count;
    }
    // NaN observations are above every bucket, but not above infinity.
    let all = if has_nan { in_buckets } else { histogram.count };
    let clamp = |below: Option<f64>| below.map_or(all, |below| below.min(all));
    let value = (clamp(below_upper) - clamp(below_lower)) / histogram.count;
    Fraction {
        value,
        has_nan: has_nan && in_buckets < histogram.count,
    }
}

/// Which part of a bucket lies below a value inside of it.
fn part_below(bucket: &Bucket, value: f64, linear: bool) -> f64 {
    if linear {
        return (value - bucket.lower) / (bucket.upper - bucket.lower);
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    let place = value.abs().log2();
    if value > 0.0 {
        (place - lower) / (upper - lower)
    } else {
        1.0 - (place - upper) / (lower - upper)
    }
}
