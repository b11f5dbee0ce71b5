//! Native histograms of every sort, and series that mix them with floats.

use chronolith_engine::metrics::{
    BucketCounts, Counts, Histogram, ResetHint, SCHEMA_CUSTOM, STALE_NAN_BITS, Sample, SampleValue,
    Span,
};
use chronolith_engine::time::Millis;

use super::bed::{Folder, PAST_MS, append_samples, at_every_stage, numbered, only, point_of};

fn integers(scale: u64) -> Histogram {
    Histogram {
        schema: 3,
        sum: scale as f64 * 1.5,
        zero_threshold: 1e-128,
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
        negative_spans: vec![Span {
            offset: 0,
            length: 1,
        }],
        counts: Counts::Integer(BucketCounts {
            count: 7 * scale,
            zero_count: scale,
            positive: vec![scale, 2 * scale, scale],
            negative: vec![2 * scale],
        }),
        ..Histogram::default()
    }
}

fn floats(scale: f64) -> Histogram {
    Histogram {
        schema: -4,
        sum: -0.0,
        reset_hint: ResetHint::Gauge,
        positive_spans: vec![Span {
            offset: 0,
            length: 2,
        }],
        counts: Counts::Float(BucketCounts {
            count: 3.25 * scale,
            zero_count: 0.0,
            positive: vec![0.25 * scale, 3.0 * scale],
            negative: vec![],
        }),
        ..Histogram::default()
    }
}

fn custom(scale: u64) -> Histogram {
    Histogram {
        schema: SCHEMA_CUSTOM,
        sum: scale as f64,
        custom_values: vec![0.005, 0.1, 2.5],
        positive_spans: vec![Span {
            offset: 0,
            length: 4,
        }],
        counts: Counts::Integer(BucketCounts {
            count: 10 * scale,
            zero_count: 0,
            positive: vec![scale, 2 * scale, 3 * scale, 4 * scale],
            negative: vec![],
        }),
        ..Histogram::default()
    }
}

/// Of every sort one after the other, so that each follows each.
fn histograms() -> Vec<Histogram> {
    let hints = [
        ResetHint::Unknown,
        ResetHint::Reset,
        ResetHint::NotReset,
        ResetHint::Gauge,
    ];
    let mut all = Vec::new();
    for round in 1..=40u64 {
        for hint in hints {
            all.push(Histogram {
                reset_hint: hint,
                ..integers(round)
            });
        }
        all.push(floats(round as f64));
        all.push(custom(round));
        all.push(Histogram::stale());
        all.push(Histogram::default());
        let nan = Histogram {
            sum: f64::from_bits(STALE_NAN_BITS + 7),
            ..integers(round)
        };
        all.push(nan);
    }
    all
}

fn sample(index: usize, histogram: &Histogram) -> Sample<'_> {
    let time = Millis(PAST_MS + index as i64 * 60_000);
    let start = index.is_multiple_of(3).then_some(Millis(PAST_MS - 1));
    Sample {
        time,
        start,
        value: SampleValue::Histogram(histogram),
    }
}

#[test]
fn histograms_of_every_sort_read_back_at_every_stage() {
    let folder = Folder::new();
    let histograms = histograms();
    let samples: Vec<_> = histograms
        .iter()
        .enumerate()
        .map(|(index, one)| sample(index, one))
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            let report = append_samples(&engine.metrics().unwrap(), &numbered(1), &samples);
            assert_eq!(report.refused, []);
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

#[test]
fn a_series_may_change_between_floats_and_histograms() {
    let folder = Folder::new();
    let histograms = histograms();
    let samples: Vec<_> = histograms
        .iter()
        .enumerate()
        .map(|(index, one)| match (index / 5) % 2 {
            0 => Sample::float(Millis(PAST_MS + index as i64 * 60_000), index as f64),
            _ => sample(index, one),
        })
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            append_samples(&engine.metrics().unwrap(), &numbered(1), &samples);
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

#[test]
fn late_histograms_and_floats_find_their_place() {
    let folder = Folder::new();
    let histograms = histograms();
    let samples: Vec<_> = histograms
        .iter()
        .enumerate()
        .map(|(index, one)| match index % 3 {
            0 => Sample::float(Millis(PAST_MS + index as i64 * 60_000), index as f64),
            _ => sample(index, one),
        })
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            let backwards: Vec<_> = samples.iter().rev().copied().collect();
            for part in backwards.chunks(50) {
                let report = append_samples(&metrics, &numbered(1), part);
                assert_eq!(report.refused, []);
            }
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

#[test]
fn an_invalid_histogram_is_refused_and_its_neighbours_are_kept() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let good = integers(1);
    let bad = Histogram {
        schema: 100,
        ..integers(1)
    };
    let samples = [sample(0, &good), sample(1, &bad), sample(2, &good)];
    let report = append_samples(&metrics, &numbered(1), &samples);
    assert_eq!((report.accepted, report.refused.len()), (2, 1));
    assert!(
        report
            .refusal(1)
            .unwrap()
            .to_string()
            .contains("schema 100")
    );
    assert_eq!(
        only(&metrics),
        [point_of(&samples[0]), point_of(&samples[2])]
    );
}

#[test]
fn the_same_histogram_again_is_fine_and_another_is_a_conflict() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let (one, two) = (integers(1), integers(2));
    assert_eq!(
        append_samples(&metrics, &numbered(1), &[sample(4, &one)]).accepted,
        1
    );
    let again = append_samples(&metrics, &numbered(1), &[sample(4, &one), sample(4, &two)]);
    assert_eq!(
        (again.accepted, again.duplicates, again.refused.len()),
        (0, 1, 1)
    );
    let float = Sample::float(sample(4, &one).time, 1.0);
    let report = append_samples(&metrics, &numbered(1), &[float]);
    assert_eq!(
        report.refusal(0),
        Some(&chronolith_engine::Refusal::Conflict)
    );
}
