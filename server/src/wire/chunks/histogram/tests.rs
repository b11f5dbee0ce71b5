//! Chunks of histograms that come back, and those that have to begin anew.

use super::*;

fn decoded(bytes: &[u8], sort: Sort) -> Result<Vec<(i64, Histogram)>> {
    let mut found = Vec::new();
    decode(bytes, sort, |time, histogram| {
        found.push((time, histogram));
        Ok(())
    })?;
    Ok(found)
}

fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}

/// A counter whose buckets grow with its place.
fn integer(place: u64) -> Histogram {
    Histogram {
        schema: 3,
        reset_hint: if place == 0 {
            ResetHint::Unknown
        } else {
            ResetHint::NotReset
        },
        zero_threshold: f64::powi(2.0, -128),
        sum: 1.5 * place as f64,
        positive_spans: vec![span(-3, 2), span(4, 1)],
        negative_spans: vec![span(0, 1)],
        custom_values: Vec::new(),
        counts: Counts::Integer(BucketCounts {
            count: 14 + 10 * place * place,
            zero_count: 2 + place,
            positive: vec![5 + place, 1, 3 + 7 * place],
            negative: vec![3 + 10 * place * place - 9 * place],
        }),
    }
}

fn float(place: u64) -> Histogram {
    Histogram {
        schema: SCHEMA_CUSTOM,
        reset_hint: if place == 0 {
            ResetHint::Reset
        } else {
            ResetHint::NotReset
        },
        sum: 0.1 * place as f64,
        positive_spans: vec![span(0, 3)],
        custom_values: vec![0.005, 2.5, 1e9],
        counts: Counts::Float(BucketCounts {
            count: 4.5 + place as f64,
            zero_count: 0.0,
            positive: vec![1.5 + place as f64, 2.0, 1.0],
            negative: Vec::new(),
        }),
        ..Histogram::default()
    }
}

fn round_trip(histograms: &[Histogram]) {
    let times: Vec<i64> = (0..histograms.len() as i64)
        .map(|place| 1_000 + place * 15_000 + place % 3)
        .collect();
    let refs: Vec<&Histogram> = histograms.iter().collect();
    let bytes = encode(&times, &refs);
    let found = decoded(&bytes, sort(&histograms[0])).unwrap();
    let expected: Vec<(i64, Histogram)> = times
        .iter()
        .copied()
        .zip(histograms.iter().cloned())
        .collect();
    assert_eq!(found, expected);
    for length in 0..bytes.len() {
        assert!(
            decoded(&bytes[..length], sort(&histograms[0])).is_err(),
            "{length}"
        );
    }
}

#[test]
fn histograms_of_both_sorts_come_back() {
    round_trip(&(0..50).map(integer).collect::<Vec<_>>());
    round_trip(&(0..50).map(float).collect::<Vec<_>>());
    round_trip(&[Histogram::stale()]);
}

#[test]
fn thresholds_of_every_sort_come_back() {
    for threshold in [
        0.0,
        0.001,
        f64::powi(2.0, -243),
        1024.0,
        f64::powi(2.0, -244),
        2048.0,
    ] {
        let histogram = Histogram {
            zero_threshold: threshold,
            ..integer(0)
        };
        round_trip(&[histogram]);
    }
}

#[test]
fn a_reset_a_new_layout_and_a_stale_marker_begin_a_chunk() {
    assert!(joins(&integer(1), &integer(2)));
    assert!(!joins(&integer(2), &integer(1)));
    assert!(!joins(&integer(1), &float(2)));
    assert!(!joins(&integer(1), &Histogram::stale()));
    assert!(joins(&Histogram::stale(), &Histogram::stale()));
    let mut reset = integer(2);
    reset.reset_hint = ResetHint::Reset;
    assert!(!joins(&integer(1), &reset));
    let gauge = |place| Histogram {
        reset_hint: ResetHint::Gauge,
        ..integer(place)
    };
    assert!(joins(&gauge(2), &gauge(1)) && !joins(&integer(1), &gauge(2)));
}

#[test]
fn a_zero_threshold_takes_a_byte_where_it_is_a_power_of_two() {
    let of = |value: f64| {
        let mut writer = BitWriter::default();
        put_threshold(&mut writer, value);
        writer.into_bytes()
    };
    assert_eq!(of(0.0), [0]);
    assert_eq!(of(2f64.powi(-128)), [116]);
    assert_eq!(of(2f64.powi(-243)), [1]);
    assert_eq!(of(2f64.powi(10)), [254]);
    for other in [1e-128, 2f64.powi(11), 2f64.powi(-244), -1.0] {
        assert_eq!(of(other).len(), 9, "{other}");
    }
}
