//! Histograms: what is valid and what is not.

use super::*;
use proptest::prelude::*;

fn floats() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (0i32..1000).prop_map(f64::from),
        Just(f64::from_bits(crate::codec::exceptions::STALE_BITS)),
    ]
}

fn sides<T: std::fmt::Debug + Clone>(
    count: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = (Vec<Span>, Vec<T>)> {
    let span = (-9i32..99, 0u32..4).prop_map(|(offset, length)| Span { offset, length });
    (
        prop::collection::vec(span, 0..4),
        prop::collection::vec(count, 0..8),
    )
}

fn counts<T: std::fmt::Debug + Clone + 'static>(
    count: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = (Vec<Span>, Vec<Span>, BucketCounts<T>)> {
    (
        count.clone(),
        count.clone(),
        sides(count.clone()),
        sides(count),
    )
        .prop_map(
            |(count, zero_count, (positive_spans, positive), (negative_spans, negative))| {
                let counts = BucketCounts {
                    count,
                    zero_count,
                    positive,
                    negative,
                };
                (positive_spans, negative_spans, counts)
            },
        )
}

/// Any histograms, most of them not valid: bytes must bring back whatever they were given.
pub(in crate::codec) fn histograms() -> impl Strategy<Value = Histogram> {
    let whole = prop_oneof![any::<u64>(), 0u64..1000];
    let all = prop_oneof![
        counts(whole.boxed()).prop_map(|(p, n, counts)| (p, n, Counts::Integer(counts))),
        counts(floats().boxed()).prop_map(|(p, n, counts)| (p, n, Counts::Float(counts))),
    ];
    let hint = prop_oneof![
        Just(ResetHint::Unknown),
        Just(ResetHint::Reset),
        Just(ResetHint::NotReset),
        Just(ResetHint::Gauge),
    ];
    let customs = prop::collection::vec(floats(), 0..4);
    (any::<i8>(), hint, floats(), floats(), customs, all).prop_map(
        |(schema, reset_hint, zero_threshold, sum, custom_values, all)| Histogram {
            schema,
            reset_hint,
            zero_threshold,
            sum,
            positive_spans: all.0,
            negative_spans: all.1,
            custom_values,
            counts: all.2,
        },
    )
}

pub(in crate::codec) fn valid() -> Histogram {
    Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum: 18.4,
        positive_spans: vec![
            Span {
                offset: 0,
                length: 2,
            },
            Span {
                offset: 1,
                length: 2,
            },
        ],
        negative_spans: vec![Span {
            offset: -4,
            length: 1,
        }],
        counts: Counts::Integer(BucketCounts {
            count: 11,
            zero_count: 2,
            positive: vec![1, 2, 3, 1],
            negative: vec![2],
        }),
        ..Histogram::default()
    }
}

fn valid_custom() -> Histogram {
    Histogram {
        schema: SCHEMA_CUSTOM,
        sum: 5.0,
        positive_spans: vec![Span {
            offset: 1,
            length: 3,
        }],
        custom_values: vec![-1.0, 0.5, 10.0],
        counts: Counts::Integer(BucketCounts {
            count: 6,
            zero_count: 0,
            positive: vec![1, 2, 3],
            negative: vec![],
        }),
        ..Histogram::default()
    }
}

fn integers(histogram: &mut Histogram) -> &mut BucketCounts<u64> {
    match &mut histogram.counts {
        Counts::Integer(counts) => counts,
        Counts::Float(_) => panic!("these tests change integer histograms"),
    }
}

#[test]
fn valid_ones_pass_and_so_do_empty_and_stale_ones() {
    valid().validate().unwrap();
    valid_custom().validate().unwrap();
    Histogram::default().validate().unwrap();
    Histogram::stale().validate().unwrap();
    assert!(Histogram::stale().is_stale() && !valid().is_stale());
}

#[test]
fn each_broken_rule_is_named() {
    type Change = fn(&mut Histogram);
    let exponential: [(Change, &str); 7] = [
        (|h| h.schema = 9, "schema 9"),
        (|h| h.custom_values = vec![1.0], "custom values"),
        (|h| h.positive_spans[1].offset = -1, "backwards"),
        (|h| h.positive_spans[1].length = 3, "cover 5 buckets"),
        (|h| h.negative_spans.clear(), "cover 0 buckets"),
        (|h| integers(h).count = 12, "must equal"),
        (|h| h.positive_spans[0].offset = i32::MAX, "32 bits"),
    ];
    let custom: [(Change, &str); 8] = [
        (|h| h.custom_values[1] = -1.0, "rise"),
        (|h| h.custom_values[1] = f64::NAN, "not a number"),
        (|h| h.custom_values[2] = f64::INFINITY, "finite"),
        (|h| h.positive_spans[0].offset = -1, "negative offset"),
        (|h| h.positive_spans[0].offset = 2, "reach over 5"),
        (|h| h.zero_threshold = 0.1, "zero bucket"),
        (|h| integers(h).zero_count = 1, "zero bucket"),
        (
            |h| h.negative_spans = vec![Span::default()],
            "negative buckets",
        ),
    ];
    let exponential = exponential.map(|(change, text)| (valid(), change, text));
    let custom = custom.map(|(change, text)| (valid_custom(), change, text));
    for (mut histogram, change, text) in exponential.into_iter().chain(custom) {
        change(&mut histogram);
        let error = histogram.validate().unwrap_err().to_string();
        assert!(error.contains(text), "{error} should say {text}");
    }
}

#[test]
fn observations_of_nan_may_be_missing_from_the_buckets() {
    let mut histogram = valid();
    histogram.sum = f64::NAN;
    integers(&mut histogram).count = 12;
    histogram.validate().unwrap();
    integers(&mut histogram).count = 10;
    assert!(histogram.validate().is_err());
}

#[test]
fn float_counts_need_not_add_up_but_must_not_be_negative() {
    let mut counts = BucketCounts {
        count: 1.0,
        zero_count: 0.0,
        positive: vec![0.5, f64::NAN, 7.0, 1.0],
        negative: vec![2.0],
    };
    let float = |counts: &BucketCounts<f64>| Histogram {
        counts: Counts::Float(counts.clone()),
        ..valid()
    };
    float(&counts).validate().unwrap();
    counts.positive[0] = -0.5;
    assert!(float(&counts).validate().is_err());
}

#[test]
fn sums_of_buckets_beyond_64_bits_do_not_wrap_into_validity() {
    let mut histogram = valid();
    let counts = integers(&mut histogram);
    counts.positive = vec![u64::MAX, 1, 0, 0];
    counts.negative = vec![0];
    (counts.zero_count, counts.count) = (0, 0);
    assert!(histogram.validate().is_err());
}
