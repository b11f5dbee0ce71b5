//! Orders of values and labels, and quantiles of numbers.

use std::cmp::Ordering;

use chronolith_engine::labels::Labels;

/// The order of values in which NaN comes last, whatever the direction.
pub(crate) fn by_value(one: f64, two: f64, descending: bool) -> Ordering {
    match (one.is_nan(), two.is_nan()) {
        (false, false) => {
            let order = one.partial_cmp(&two).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
        (one, two) => one.cmp(&two),
    }
}

/// The order by some labels' values in natural order, then by all labels.
pub(crate) fn by_labels(one: Labels<'_>, two: Labels<'_>, names: &[&str]) -> Ordering {
    for name in names {
        let (left, right) = (one.value(name).unwrap_or(""), two.value(name).unwrap_or(""));
        let order = natural(left, right);
        if order != Ordering::Equal {
            return order;
        }
    }
    one.cmp(&two)
}

/// The order in which runs of digits compare by their numbers: `a2` before `a10`.
pub(crate) fn natural(one: &str, two: &str) -> Ordering {
    let (one_parts, two_parts) = (parts(one), parts(two));
    for (left, right) in one_parts.iter().zip(&two_parts) {
        let is_digits = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        let order = if is_digits(left) && is_digits(right) {
            let (left_number, right_number) =
                (left.trim_start_matches('0'), right.trim_start_matches('0'));
            let by_number = left_number.len().cmp(&right_number.len());
            // Equal numbers: the one with more zeros in front comes later.
            by_number
                .then(left_number.cmp(right_number))
                .then(left.len().cmp(&right.len()))
        } else {
            left.cmp(right)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    one_parts.len().cmp(&two_parts.len())
}

/// Runs of digits and runs of anything else.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for at in 1..=bytes.len() {
        let ends =
            at == bytes.len() || bytes[at].is_ascii_digit() != bytes[at - 1].is_ascii_digit();
        // Digits are single bytes, so a border between runs is a border between characters.
        if ends && start < at {
            parts.push(&text[start..at]);
            start = at;
        }
    }
    parts
}

/// The quantile of some values, which are put in order; NaN comes first, as in Prometheus.
pub(crate) fn quantile_of(q: f64, values: &mut [f64]) -> f64 {
    if (0.0..=1.0).contains(&q) {
        values.sort_by(sample_order);
    }
    quantile_of_sorted(q, values)
}

/// The order of values in which quantiles are taken: NaN comes first.
pub(crate) fn sample_order(one: &f64, two: &f64) -> Ordering {
    match (one.is_nan(), two.is_nan()) {
        (false, false) => one.partial_cmp(two).unwrap_or(Ordering::Equal),
        (one, two) => two.cmp(&one),
    }
}

/// The quantile of values in [`sample_order`].
pub(crate) fn quantile_of_sorted(q: f64, values: &[f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    #[expect(clippy::cast_precision_loss)] // There are fewer values than 2^53.
    let last = (values.len() - 1) as f64;
    let rank = q * last;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // From 0 to the last place.
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_compare_by_value() {
        let mut names = ["a10", "a2", "b", "a", "a02", "4", "10"];
        names.sort_by(|one, two| natural(one, two));
        assert_eq!(names, ["4", "10", "a", "a2", "a02", "a10", "b"]);
        assert_eq!(natural("ä1", "ä1"), Ordering::Equal);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let mut values = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(quantile_of(0.5, &mut values), 2.5);
        assert_eq!(quantile_of(1.0, &mut values), 4.0);
        assert_eq!(quantile_of(-1.0, &mut values), f64::NEG_INFINITY);
        assert!(quantile_of(0.5, &mut []).is_nan());
    }
}
