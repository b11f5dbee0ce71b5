//! Every limit is kept, and its message names it.

use chronolith_engine::metrics::{
    BucketCounts, Counts, Histogram, MetricMetadata, Sample, SampleValue, Span,
};
use chronolith_engine::time::Millis;
use chronolith_engine::{Engine, ErrorKind, Limits, Options, Refusal};

use super::bed::{
    Folder, all, append_samples, numbered, offer, offer_line, options, points, put, set,
    with_limits,
};

/// The message by which a series is refused.
fn refused_labels(engine: &Engine, pairs: &[(&str, &str)]) -> String {
    let refusal = offer(&engine.metrics().unwrap(), &set(pairs), 1, 1.0).unwrap_err();
    assert!(
        matches!(refusal, Refusal::Labels(_)),
        "{pairs:?}: {refusal:?}"
    );
    refusal.to_string()
}

#[test]
fn labels_over_a_limit_are_refused_by_name_of_the_limit() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| {
        limits.labels_max = 3;
        limits.label_name_bytes_max = 10;
        limits.label_value_bytes_max = 20;
    }));
    let metrics = engine.metrics().unwrap();
    let fits = set(&[
        ("abcdefghij", "01234567890123456789"),
        ("b", "1"),
        ("c", "1"),
    ]);
    assert_eq!(offer(&metrics, &fits, 1, 1.0), Ok(()));
    let many = refused_labels(&engine, &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
    assert_eq!(many, "4 labels, limits.labels_max is 3");
    let name = refused_labels(&engine, &[("abcdefghijk", "1")]);
    assert_eq!(
        name,
        "a label name has 11 bytes, limits.label_name_bytes_max is 10"
    );
    let value = refused_labels(&engine, &[("a", "012345678901234567890")]);
    assert_eq!(
        value,
        "label \"a\" has 21 bytes, limits.label_value_bytes_max is 20"
    );
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 1);
}

#[test]
fn a_histogram_with_too_many_buckets_is_refused() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.histogram_buckets_max = 5));
    let metrics = engine.metrics().unwrap();
    let of = |buckets: u32| Histogram {
        positive_spans: vec![Span {
            offset: 0,
            length: buckets,
        }],
        counts: Counts::Integer(BucketCounts {
            count: u64::from(buckets),
            zero_count: 0,
            positive: vec![1; buckets as usize],
            negative: vec![],
        }),
        ..Histogram::default()
    };
    let (five, six) = (of(5), of(6));
    let sample = |time, histogram: &'_ Histogram| {
        let value = SampleValue::Histogram(histogram);
        let sample = Sample {
            time: Millis(time),
            start: None,
            value,
        };
        append_samples(&metrics, &numbered(1), &[sample])
    };
    assert_eq!(sample(1, &five).accepted, 1);
    let text = sample(2, &six).refused[0].why.to_string();
    assert_eq!(
        text,
        "histogram has 6 buckets, limits.histogram_buckets_max is 5"
    );
}

#[test]
fn a_store_takes_as_many_series_as_its_limit_and_known_ones_go_on() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.series_max = 10));
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for number in 0..10 {
        put(&metrics, &numbered(number), 1, 1.0);
    }
    assert_eq!(
        offer(&metrics, &numbered(10), 1, 1.0),
        Err(Refusal::SeriesLimit)
    );
    assert_eq!(offer(&metrics, &numbered(9), 2, 1.0), Ok(()));
    assert!(
        Refusal::SeriesLimit
            .to_string()
            .contains("limit of active series")
    );
    // Logs and other tenants have a count of their own.
    assert_eq!(offer_line(&logs, &numbered(10), 1, "x"), Ok(()));
    let other = engine.tenant("other").unwrap().metrics().unwrap();
    assert_eq!(offer(&other, &numbered(10), 1, 1.0), Ok(()));
}

#[test]
fn all_stores_together_take_as_many_series_as_the_engine_allows() {
    let folder = Folder::new();
    let engine = folder.open_with(Options {
        series_max: 10,
        ..options()
    });
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for number in 0..6 {
        put(&metrics, &numbered(number), 1, 1.0);
    }
    for number in 0..4 {
        assert_eq!(offer_line(&logs, &numbered(number), 1, "x"), Ok(()));
    }
    assert_eq!(
        offer(&metrics, &numbered(10), 1, 1.0),
        Err(Refusal::SeriesLimit)
    );
    assert_eq!(
        offer_line(&logs, &numbered(10), 1, "x"),
        Err(Refusal::SeriesLimit)
    );
    assert_eq!(engine.stats().head_series, 10);
}

#[test]
fn series_of_which_nothing_was_accepted_take_no_room() {
    let folder = Folder::new();
    let mut options = with_limits(|limits| limits.series_max = 10);
    options.limits.future_max = Limits::default().future_max;
    let engine = folder.open_with(options);
    let metrics = engine.metrics().unwrap();
    for number in 0..100 {
        assert_eq!(
            offer(&metrics, &numbered(number), i64::MAX, 1.0),
            Err(Refusal::TooFarAhead)
        );
    }
    assert_eq!(metrics.stats().head_series, 0);
    for number in 100..110 {
        assert_eq!(offer(&metrics, &numbered(number), 1, 1.0), Ok(()));
    }
    // The labels of refused series are not seen either.
    assert_eq!(
        metrics
            .snapshot()
            .label_values("n", &all(), 1000)
            .unwrap()
            .len(),
        10
    );
}

#[test]
fn new_limits_hold_from_the_next_batch_on() {
    let folder = Folder::new();
    let engine = folder.open();
    let logs = engine.logs().unwrap();
    assert_eq!(offer_line(&logs, &numbered(1), 1, "12345"), Ok(()));
    logs.set_limits(Limits {
        line_bytes_max: 4,
        ..options().limits
    })
    .unwrap();
    assert!(matches!(
        offer_line(&logs, &numbered(1), 2, "12345"),
        Err(Refusal::Entry(_))
    ));
    let error = logs
        .set_limits(Limits {
            labels_max: 0,
            ..Limits::default()
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("limits.labels_max is 0"));
}

fn families(count: usize) -> Vec<(String, MetricMetadata)> {
    let metadata = MetricMetadata {
        kind: "gauge".into(),
        help: "What it is.".into(),
        unit: String::new(),
    };
    (0..count)
        .map(|number| (format!("family_{number}"), metadata.clone()))
        .collect()
}

fn borrowed(families: &[(String, MetricMetadata)]) -> Vec<(&str, MetricMetadata)> {
    families
        .iter()
        .map(|(name, metadata)| (&**name, metadata.clone()))
        .collect()
}

#[test]
fn metadata_is_kept_of_as_many_families_as_the_limit() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.metadata_families_max = 3));
    let tenant = engine.tenant("a").unwrap();
    let four = families(4);
    let error = tenant.set_metadata(&borrowed(&four)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(
        error
            .to_string()
            .contains("limits.metadata_families_max is 3"),
        "{error}"
    );
    assert!(
        tenant.metadata().unwrap().is_empty(),
        "a refused call stored something"
    );
    tenant.set_metadata(&borrowed(&four[..3])).unwrap();
    tenant.set_metadata(&borrowed(&four[1..3])).unwrap();
    assert!(tenant.set_metadata(&borrowed(&four[3..])).is_err());
    assert_eq!(tenant.metadata().unwrap().len(), 3);
    // The same family twice is one family.
    let more = Limits {
        metadata_families_max: 4,
        ..options().limits
    };
    tenant.metrics().unwrap().set_limits(more).unwrap();
    let twice = [&four[3..], &four[3..]].concat();
    tenant.set_metadata(&borrowed(&twice)).unwrap();
    assert_eq!(tenant.metadata().unwrap().len(), 4);
}

#[test]
fn metadata_that_is_too_long_is_refused_whole() {
    let folder = Folder::new();
    let engine = folder.open();
    let tenant = engine.tenant("a").unwrap();
    let mut two = families(2);
    two[1].1.help = "h".repeat(65 << 10);
    let error = tenant.set_metadata(&borrowed(&two)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("family_1"), "{error}");
    assert!(tenant.metadata().unwrap().is_empty());
}

#[test]
fn options_that_cannot_work_are_refused_by_name() {
    let folder = Folder::new();
    let fine = options();
    let cases = [
        (
            Options {
                wal_bytes_max: 1,
                ..fine.clone()
            },
            "wal_bytes_max is 1",
        ),
        (
            Options {
                head_bytes_max: 1,
                ..fine.clone()
            },
            "head_bytes_max is 1",
        ),
        (
            Options {
                series_max: 0,
                ..fine.clone()
            },
            "series_max is 0",
        ),
        (
            Options {
                threads: 5000,
                ..fine.clone()
            },
            "threads is 5000",
        ),
        (
            with_limits(|limits| limits.labels_max = 2000),
            "limits.labels_max is 2000",
        ),
        (
            with_limits(|limits| limits.line_bytes_max = 1 << 30),
            "limits.line_bytes_max is",
        ),
    ];
    for (options, text) in cases {
        let error = Engine::open(folder.path(), options)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn a_batch_too_large_for_the_log_is_refused_whole_and_the_next_is_fine() {
    let folder = Folder::new();
    let options = with_limits(|limits| limits.line_bytes_max = 16 << 20);
    let engine = folder.open_with(options.clone());
    let logs = engine.logs().unwrap();
    let text = "x".repeat(15 << 20);
    let stream = numbered(1);
    let mut batch = chronolith_engine::Batch::new();
    batch.series(stream.as_labels().as_bytes());
    for time in 0..5 {
        let time = chronolith_engine::time::Nanos(time);
        batch.entry(chronolith_engine::logs::Line::new(time, &text));
    }
    let error = logs.append(&batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(super::bed::texts(&logs).is_empty());
    assert_eq!(offer_line(&logs, &stream, 9, "small"), Ok(()));
    engine.close().unwrap();
    let engine = folder.open_with(options);
    assert_eq!(super::bed::texts(&engine.logs().unwrap()), ["small"]);
}
