//! Histograms: what arithmetic does to layouts, and what quantiles do at edges.

use super::*;

fn exponential(schema: i32, offset: i32, counts: &[f64]) -> Histogram {
    Histogram {
        schema,
        count: counts.iter().sum(),
        sum: 1.0,
        positive: Buckets::dense(offset, counts),
        ..Histogram::default()
    }
}

fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
    Histogram {
        schema: i32::from(SCHEMA_CUSTOM),
        custom: bounds.into(),
        ..exponential(0, 0, counts)
    }
}

#[test]
fn addition_goes_to_the_lower_resolution() {
    let mut one = exponential(0, 0, &[1.0, 2.0]);
    let two = exponential(1, 0, &[1.0, 1.0, 1.0, 1.0]);
    one.add(&two).unwrap();
    assert_eq!(one.schema, 0);
    let counts: Vec<_> = one.positive.iter().collect();
    assert_eq!(counts, [(0, 2.0), (1, 4.0), (2, 1.0)]);
    assert_eq!(one.count, 7.0);
}

#[test]
fn addition_widens_the_zero_bucket() {
    let mut one = exponential(0, 0, &[1.0, 2.0, 4.0]);
    let two = Histogram {
        zero_threshold: 1.5,
        zero_count: 3.0,
        count: 3.0,
        ..Histogram::default()
    };
    one.add(&two).unwrap();
    // 1.5 cuts through (1, 2], which has observations.
    assert_eq!(one.zero_threshold, 2.0);
    assert_eq!(one.zero_count, 6.0);
    assert_eq!(one.positive.iter().collect::<Vec<_>>(), [(2, 4.0)]);
}

#[test]
fn listed_borders_are_reconciled_to_those_that_both_have() {
    let mut one = custom(&[1.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
    let two = custom(&[1.0, 3.0, 4.0], &[1.0, 1.0, 1.0, 1.0]);
    let combined = one.add(&two).unwrap();
    assert!(combined.bounds_reconciled);
    assert_eq!(&*one.custom, [1.0, 4.0]);
    assert_eq!(
        one.positive.iter().collect::<Vec<_>>(),
        [(0, 2.0), (1, 7.0), (2, 5.0)]
    );
    assert_eq!(one.add(&exponential(0, 0, &[1.0])), Err(Incompatible));
}

#[test]
fn compensated_addition_gives_back_what_rounding_lost() {
    let (mut sum, mut lost) = (exponential(0, 0, &[1e100]), None);
    for _ in 0..10 {
        sum.add_compensated(&exponential(0, 0, &[1.0]), &mut lost)
            .unwrap();
    }
    sum.add_compensated(&exponential(0, 0, &[-1e100]), &mut lost)
        .unwrap();
    sum.add(&lost.unwrap()).unwrap();
    assert_eq!(sum.positive.count(0), 10.0);
    assert_eq!(sum.count, 10.0);
}

#[test]
fn hints_decide_what_a_sum_is() {
    let hinted = |hint| exponential(0, 0, &[1.0]).with_hint(hint);
    use ResetHint::{Gauge, NotReset, Reset, Unknown};
    for (one, two, wanted, collide) in [
        (Gauge, Reset, Gauge, false),
        (Unknown, Gauge, Gauge, false),
        (Unknown, Reset, Unknown, false),
        (NotReset, Unknown, Unknown, false),
        (Reset, NotReset, Unknown, true),
        (Reset, Reset, Reset, false),
        (NotReset, Gauge, Gauge, false),
    ] {
        let mut sum = hinted(one);
        let combined = sum.add(&hinted(two)).unwrap();
        assert_eq!(
            (sum.hint, combined.hints_collide),
            (wanted, collide),
            "{one:?} {two:?}"
        );
    }
}

#[test]
fn a_fallen_bucket_is_a_reset() {
    let before = exponential(0, 0, &[1.0, 2.0]);
    assert!(exponential(0, 0, &[2.0, 1.0]).is_reset_from(&before));
    assert!(!exponential(0, 0, &[1.0, 3.0]).is_reset_from(&before));
    assert!(exponential(1, 0, &[9.0, 9.0]).is_reset_from(&before));
    assert!(!exponential(-1, 0, &[1.0, 2.0]).is_reset_from(&before));
}

#[test]
fn quantiles_are_interpolated_on_the_scale_of_the_borders() {
    let histogram = exponential(0, 1, &[4.0]);
    let Quantile::Value(median) = quantile(0.5, &histogram) else {
        panic!("no NaN was observed");
    };
    assert!((median - 2f64.sqrt()).abs() < 1e-12);
    let histogram = custom(&[1.0, 2.0], &[0.0, 4.0, 0.0]);
    assert_eq!(quantile(0.5, &histogram), Quantile::Value(1.5));
    assert_eq!(quantile(2.0, &histogram), Quantile::Value(f64::INFINITY));
    assert_eq!(fraction(1.0, 1.5, &histogram).value, 0.5);
}

#[test]
fn spans_survive_being_turned_into_buckets_and_back() {
    let stored = Stored {
        positive_spans: vec![
            Span {
                offset: -2,
                length: 2,
            },
            Span {
                offset: 3,
                length: 1,
            },
        ],
        counts: Counts::Integer(BucketCounts {
            count: 6,
            zero_count: 0,
            positive: vec![1, 2, 3],
            negative: vec![],
        }),
        ..Stored::default()
    };
    let histogram = Histogram::from(&stored);
    let indexes: Vec<_> = histogram.positive.iter().collect();
    assert_eq!(indexes, [(-2, 1.0), (-1, 2.0), (3, 3.0)]);
    assert_eq!(histogram.to_stored().positive_spans, stored.positive_spans);
    assert_eq!(
        histogram.to_string(),
        "{count:6, sum:0, (0.125,0.25]:1, (0.25,0.5]:2, (4,8]:3}"
    );
}
