//! Quantiles and fractions of classic histograms, whose buckets are series of their own.

use crate::promql::annotations::Repairs;

/// A bucket: everything up to a border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClassicBucket {
    pub(crate) bound: f64,
    pub(crate) count: f64,
}

/// Counts that differ by less than this part of their sum are taken to be the same.
const TOLERANCE: f64 = 1e-12;

/// A quantile, and what had to be repaired to tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassicQuantile {
    pub(crate) value: f64,
    pub(crate) repairs: Option<Repairs>,
}

/// The value below which the fraction `q` of the observations lies, interpolated linearly inside
/// its bucket. The buckets are put in order and made monotonic.
pub(crate) fn quantile(q: f64, buckets: &mut Vec<ClassicBucket>, time: i64) -> ClassicQuantile {
    let plain = |value| ClassicQuantile {
        value,
        repairs: None,
    };
    if q.is_nan() {
        return plain(f64::NAN);
    }
    if q < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return plain(f64::INFINITY);
    }
    if !put_in_order(buckets) {
        return plain(f64::NAN);
    }
    let repairs = make_monotonic(buckets, time);
    let value = interpolated(q, buckets);
    match buckets.len() < 2 || buckets[buckets.len() - 1].count == 0.0 {
        true => plain(value),
        false => ClassicQuantile { value, repairs },
    }
}

fn interpolated(q: f64, buckets: &[ClassicBucket]) -> f64 {
    let [.., below_last, last] = buckets else {
        return f64::NAN;
    };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * last.count;
    let place = buckets[..buckets.len() - 1].partition_point(|bucket| bucket.count < rank);
    if place == buckets.len() - 1 || last.count.is_nan() {
        return below_last.bound;
    }
    if place == 0 && buckets[0].bound <= 0.0 {
        return buckets[0].bound;
    }
    let (mut start, mut count) = (0.0, buckets[place].count);
    if let Some(before) = place.checked_sub(1) {
        start = buckets[before].bound;
        count -= buckets[before].count;
        rank -= buckets[before].count;
    }
    start + (buckets[place].bound - start) * (rank / count)
}

/// Sorts the buckets and joins those with the same border; whether the last one reaches to
/// infinity.
fn put_in_order(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|one, two| one.bound.total_cmp(&two.bound));
    if buckets
        .last()
        .is_none_or(|last| last.bound != f64::INFINITY)
    {
        return false;
    }
    #[expect(clippy::float_cmp)] // The same border is the same float.
    buckets.dedup_by(|next, kept| {
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

#[expect(clippy::float_cmp)] // Exactly equal counts need no repair.
fn make_monotonic(buckets: &mut [ClassicBucket], time: i64) -> Option<Repairs> {
    let mut repairs: Option<Repairs> = None;
    let mut before = buckets.first()?.count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let (bound, difference) = (bucket.bound, before - count);
            let all = repairs.get_or_insert(Repairs {
                lowest: bound,
                highest: bound,
                difference,
                samples: 1,
                first: time,
                last: time,
            });
            all.lowest = all.lowest.min(bound);
            all.highest = all.highest.max(bound);
            all.difference = all.difference.max(difference);
        } else {
            before = count;
        }
    }
    repairs
}

fn almost_equal(one: f64, two: f64) -> bool {
    let (sum, difference) = (one.abs() + two.abs(), (one - two).abs());
    if one == 0.0 || two == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// The fraction of the observations between two values.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !put_in_order(buckets) {
        return f64::NAN;
    }
    let all = buckets[buckets.len() - 1].count;
    if all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let (mut rank, mut start) = (0.0, f64::NEG_INFINITY);
    let (mut below_lower, mut below_upper) = (None, None);
    for (index, bucket) in buckets.iter().enumerate() {
        if index == 0 && bucket.bound > 0.0 {
            start = 0.0;
        }
        for (value, below) in [(lower, &mut below_lower), (upper, &mut below_upper)] {
            if below.is_some() {
                continue;
            }
            if start >= value {
                *below = Some(rank);
            } else if bucket.bound > value && start == f64::NEG_INFINITY {
                // Nothing is known inside of a bucket without a lower border, so all of it is taken
                // to lie below whatever begins or ends there.
                *below = Some(bucket.count);
            } else if bucket.bound > value {
                let part = (bucket.count - rank) * (value - start) / (bucket.bound - start);
                *below = Some(rank + part);
            }
        }
        (rank, start) = (bucket.count, bucket.bound);
    }
    let clamp = |below: Option<f64>| below.map_or(all, |below: f64| below.min(all));
    (clamp(below_upper) - clamp(below_lower)) / all
}
