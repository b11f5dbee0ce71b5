//! `rate_counter`: the increase of a counter for each second, with resets added back.
//!
//! Loki means to extrapolate to the borders of the window as Prometheus does, but takes nanoseconds
//! for milliseconds, and a window that begins its length before the first sample: what is added is
//! one part in a million or so. Recorded answers show it, and it is kept to the digit.

/// What a window of samples gives, in order of time; fewer than two give 0.
#[expect(clippy::cast_precision_loss)] // Differences of times, where rounding does not matter.
pub(super) fn rate_counter(times: &[i64], values: &[f64], range_ns: i64) -> f64 {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return 0.0;
    };
    if times.len() < 2 {
        return 0.0;
    }
    let mut increase = values[values.len() - 1] - values[0];
    for pair in values.windows(2) {
        if pair[1] < pair[0] {
            increase += pair[0];
        }
    }
    let sampled = last.saturating_sub(*first) as f64 / 1e3;
    let mean_distance = sampled / (times.len() - 1) as f64;
    let mut to_start = range_ns as f64 / 1e9;
    if increase > 0.0 && values[0] >= 0.0 {
        // A counter does not fall below zero.
        to_start = to_start.min(sampled * (values[0] / increase));
    }
    if to_start >= mean_distance * 1.1 {
        to_start = mean_distance / 2.0;
    }
    let factor = (sampled + to_start) / sampled;
    increase * factor / (range_ns as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn resets_are_added_back_and_the_borders_add_next_to_nothing() {
        let times: Vec<i64> = (0..5).map(|n| n * 10 * SECOND).collect();
        let rate = rate_counter(&times, &[100.0, 110.0, 5.0, 15.0, 20.0], 60 * SECOND);
        let plain = 30.0 / 60.0;
        assert!(rate > plain && rate < plain * 1.000_01, "{rate}");
        assert_eq!(rate_counter(&times[..1], &[7.0], 60 * SECOND), 0.0);
        assert_eq!(rate_counter(&[], &[], 60 * SECOND), 0.0);
    }

    #[test]
    fn a_counter_that_begins_at_zero_has_nothing_before_it() {
        let times: Vec<i64> = (0..3).map(|n| n * 10 * SECOND).collect();
        assert_eq!(rate_counter(&times, &[0.0, 3.0, 6.0], 60 * SECOND), 0.1);
    }
}
