//! Hidden ranges and lines against the obvious way to take them out.

use super::*;
use crate::io::sim::Dice;
use crate::kind::lines::Line;
use crate::kind::lines::filter::LineOp;
use crate::kind::lines::run::LineRun;
use crate::kind::samples::Sample;
use crate::kind::samples::run::SampleRun;
use crate::time::{Millis, Nanos};

/// Ranges by their ends.
type Ranges = &'static [(i64, i64)];

fn range(start: i64, end: i64) -> TickRange {
    TickRange::new(Ticks(start), Ticks(end))
}

fn hiding(ranges: &[(i64, i64)]) -> Hidden {
    let mut hidden = Hidden::default();
    for (start, end) in ranges {
        hidden.add(range(*start, *end), &Arc::from([]));
    }
    hidden
}

#[test]
fn ranges_that_meet_become_one_in_whatever_order_they_come() {
    let cases: [(Ranges, Ranges); 6] = [
        (&[(1, 2), (5, 6)], &[(1, 2), (5, 6)]),
        (&[(5, 6), (1, 2), (3, 4)], &[(1, 6)]),
        (&[(1, 9), (3, 4)], &[(1, 9)]),
        (&[(3, 4), (1, 9)], &[(1, 9)]),
        (&[(1, 2), (8, 9), (4, 6)], &[(1, 2), (4, 6), (8, 9)]),
        (
            &[(i64::MIN, 0), (i64::MAX, i64::MAX), (1, 1)],
            &[(i64::MIN, 1), (i64::MAX, i64::MAX)],
        ),
    ];
    for (added, expected) in cases {
        let expected: Vec<TickRange> = expected.iter().map(|(s, e)| range(*s, *e)).collect();
        assert_eq!(hiding(added).ranges, expected, "{added:?}");
    }
}

#[test]
fn what_is_covered_and_what_is_met() {
    let hidden = hiding(&[(10, 20), (30, 40)]);
    assert!(hidden.covers(&range(10, 20)) && hidden.covers(&range(31, 31)));
    assert!(!hidden.covers(&range(9, 20)) && !hidden.covers(&range(15, 35)));
    assert!(hidden.meets(&range(20, 25)) && !hidden.meets(&range(21, 29)));
    assert!(!Hidden::default().covers(&range(0, 0)));
    assert!(Hidden::default().is_empty());
}

#[test]
fn samples_are_cut_as_one_by_one() {
    let mut dice = Dice::new(7);
    for round in 0..500 {
        let mut run = SampleRun::of_sort(&Sample::float(Millis(0), 0.0));
        for time in 0..dice.below(30) as i64 {
            run.push(&Sample::float(Millis(time * 3), time as f64));
        }
        let ranges: Vec<(i64, i64)> = (0..dice.below(5))
            .map(|_| {
                let start = dice.below(100) as i64 - 5;
                (start, start + dice.below(30) as i64)
            })
            .collect();
        let is_left = |time: &i64| !ranges.iter().any(|(s, e)| s <= time && time <= e);
        let expected: Vec<i64> = run.times.iter().copied().filter(is_left).collect();
        let left = hiding(&ranges).cut(vec![run]);
        let times: Vec<i64> = left.iter().flat_map(|run| run.times.clone()).collect();
        assert_eq!(times, expected, "round {round}: {ranges:?}");
        assert!(left.iter().all(|run| {
            let values = run.floats().unwrap();
            run.times
                .iter()
                .zip(values)
                .all(|(time, value)| *time == *value as i64 * 3)
        }));
    }
}

#[test]
fn lines_go_only_within_the_range_and_only_if_all_filters_let_them_through() {
    let mut run = LineRun::default();
    for (time, text) in [
        (1, "a b"),
        (2, "a"),
        (2, "a b"),
        (3, "b"),
        (4, "a b"),
        (9, "a b"),
    ] {
        run.push(&Line::new(Nanos(time), text));
    }
    let filter = |text| LineFilter::new(LineOp::Contains, text).unwrap();
    let mut hidden = Hidden::default();
    hidden.add(range(2, 4), &Arc::from([filter("a"), filter("b")]));
    hidden.add(range(9, 9), &Arc::from([]));
    assert!(!hidden.covers(&range(2, 4)) && hidden.meets(&range(4, 4)));
    let left = hidden.cut(vec![run]);
    let texts: Vec<(i64, &[u8])> = left
        .iter()
        .flat_map(|run| (0..run.len()).map(|index| (run.times[index], run.line(index))))
        .collect();
    assert_eq!(texts, [(1, &b"a b"[..]), (2, b"a"), (3, b"b")]);
}
