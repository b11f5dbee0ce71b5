//! Rows against windows that are looked for one by one.

use super::*;

/// Each window that has samples: its step, where it begins and ends among them, and its end.
fn one_by_one(times: &[i64], windows: &Windows<'_>) -> Vec<(usize, usize, usize, i64)> {
    let mut found = Vec::new();
    for step in 0..windows.count {
        let behind = (step as i64).saturating_mul(windows.step);
        let end = windows.end.saturating_add(behind);
        let start = end.saturating_sub(windows.range);
        let low = times.partition_point(|time| *time <= start);
        let high = times.partition_point(|time| *time <= end);
        if low < high {
            found.push((step, low, high, end));
        }
    }
    found
}

fn in_rows(times: &[i64], windows: &Windows<'_>) -> (Vec<(usize, usize, usize, i64)>, usize) {
    let (mut found, mut longest) = (Vec::new(), 0);
    for row in windows.rows(times) {
        longest = longest.max(row.count);
        let inside = row.low..row.high;
        for place in 0..row.count {
            let (low, high) = (row.low + place * row.stride, row.high + place * row.stride);
            let distance = |at: usize| times[at] - times[if at < high { low } else { 0 }];
            let first = &times[inside.clone()];
            assert!(
                (low..high)
                    .zip(first)
                    .all(|(at, time)| distance(at) == time - first[0])
            );
            let end = row
                .end
                .saturating_add(windows.step.saturating_mul(place as i64));
            found.push((row.step + place, low, high, end));
        }
    }
    (found, longest)
}

/// The step of each window of a row, and its last sample.
fn lasts_of(row: Row) -> impl Iterator<Item = (usize, usize)> {
    (0..row.count).map(move |place| (row.step + place, row.high - 1 + place * row.stride))
}

#[test]
fn rows_are_the_windows_that_are_found_one_by_one() {
    let mut state = 20_261_126_u64;
    let mut below = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    let mut longest = 0;
    for round in 0..20_000 {
        let (mut times, mut time) = (Vec::new(), below(40) as i64 - 20);
        let (apart, unevenness) = (
            1 + below(6) as i64,
            [3, 20, 200, 100_000][below(4) as usize],
        );
        for _ in 0..below(120) {
            time += match below(unevenness) {
                0 => 1 + below(30) as i64,
                _ => apart,
            };
            times.push(time);
        }
        let windows = Windows {
            end: below(60) as i64 - 30,
            range: 1 + below(40) as i64,
            step: match below(4) {
                0 => below(20) as i64,
                _ => apart * below(5) as i64,
            },
            count: below(100) as usize,
            stopped: &|| false,
        };
        let (rows, row) = in_rows(&times, &windows);
        let shown = (windows.end, windows.range, windows.step, windows.count);
        assert_eq!(
            rows,
            one_by_one(&times, &windows),
            "round {round}: {times:?} {shown:?}"
        );
        longest = longest.max(row);
        let lasts: Vec<_> = windows.lasts(&times).flat_map(lasts_of).collect();
        let expected = one_by_one(&times, &windows).into_iter();
        let expected: Vec<_> = expected
            .map(|(step, _, high, _)| (step, high - 1))
            .collect();
        assert_eq!(lasts, expected, "round {round}: {times:?} {shown:?}");
    }
    assert!(longest > 50, "rows are long where times are even");
}

#[test]
fn rows_end_where_times_do() {
    for (first, end) in [(i64::MIN, i64::MIN + 40), (i64::MAX - 90, i64::MAX - 20)] {
        let times: Vec<i64> = (0..10).map(|place| first + place * 10).collect();
        for range in [10, 35, i64::MAX] {
            let (stopped, step, count) = (&|| false, 10, 20);
            let windows = Windows {
                end,
                range,
                step,
                count,
                stopped,
            };
            assert_eq!(in_rows(&times, &windows).0, one_by_one(&times, &windows));
        }
    }
}
