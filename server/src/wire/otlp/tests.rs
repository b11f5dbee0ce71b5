//! Requests as OpenTelemetry's SDKs send them, and what becomes of them.

use std::sync::Mutex;

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::metrics::{Counts, STALE_NAN_BITS, SampleValue, Span};

use super::deltas::Deltas;
use super::*;
use crate::testing::Message;
use crate::testing::otlp::{SECOND, attribute, number, point, request};

/// What is made of a message with the default settings.
fn taken(message: &[u8]) -> Result<(Columns<'_>, Faults), Malformed> {
    let deltas = Mutex::new(Deltas::new(100));
    decode(message, Translation::default(), &mut Turn::new(&deltas))
}

/// Each float sample as its labels, its time in milliseconds, its start and its value.
fn floats(message: &[u8]) -> Vec<(LabelSet, i64, Option<i64>, f64)> {
    let (columns, _) = taken(message).unwrap();
    let mut found = Vec::new();
    for (place, sample) in columns.samples().iter().enumerate() {
        let SampleValue::Float(value) = sample.value else {
            panic!("histograms stand elsewhere");
        };
        let labels = Labels::from_bytes(columns.labels(place)).unwrap().to_set();
        found.push((
            labels,
            sample.time.0,
            sample.start.map(|start| start.0),
            value,
        ));
    }
    found
}

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

fn metric(name: &str, unit: &str, kind: u32, data: Message) -> Message {
    Message::new()
        .bytes(1, name)
        .bytes(2, "What it is.")
        .bytes(3, unit)
        .message(kind, data)
}

#[test]
fn a_counter_gets_its_unit_and_total_and_the_name_of_its_service() {
    let data = Message::new()
        .message(
            1,
            number(10 * SECOND, 60 * SECOND, 5.0).message(7, attribute("http.route", "/a")),
        )
        .integer(2, 2)
        .integer(3, 1);
    let resource = [
        ("service.name", "shop"),
        ("service.namespace", "eu"),
        ("service.instance.id", "i1"),
        ("host.name", "h"),
    ];
    let message = request(&resource, [metric("http.time", "s", SUM, data)]).into_bytes();
    let found = floats(&message);
    let labels = set(&[
        ("__name__", "http_time_seconds_total"),
        ("http_route", "/a"),
        ("instance", "i1"),
        ("job", "eu/shop"),
    ]);
    assert_eq!(found[0], (labels, 60_000, Some(10_000), 5.0));
    let info = set(&[
        ("__name__", "target_info"),
        ("host_name", "h"),
        ("instance", "i1"),
        ("job", "eu/shop"),
    ]);
    assert_eq!(found[1], (info, 60_000, None, 1.0));
    let (columns, faults) = taken(&message).unwrap();
    assert_eq!((columns.families()[0].kind, faults.count()), ("counter", 0));
    assert_eq!(&*columns.families()[0].family, b"http_time_seconds_total");
}

#[test]
fn gauges_take_integers_and_the_mark_of_no_value() {
    let data = Message::new()
        .message(1, point(SECOND).double(6, f64::from_bits(7)))
        .message(1, point(2 * SECOND).integer(8, 1));
    let message = request(&[], [metric("level", "1", GAUGE, data)]).into_bytes();
    let found = floats(&message);
    assert_eq!(
        found[0],
        (set(&[("__name__", "level_ratio")]), 1000, None, 7.0)
    );
    assert_eq!(found[1].3.to_bits(), STALE_NAN_BITS);
}

#[test]
fn a_histogram_becomes_the_series_of_a_classic_one() {
    let counts = [1u64, 2, 0, 4].map(f64::from_bits);
    let histogram = Message::new()
        .double(3, f64::from_bits(SECOND))
        .double(4, f64::from_bits(7))
        .double(5, 12.5)
        .packed_doubles(6, &counts)
        .packed_doubles(7, &[0.5, 1.0, 2.5]);
    let data = Message::new().message(1, histogram).integer(2, 2);
    let message = request(&[], [metric("size", "By", HISTOGRAM, data)]).into_bytes();
    let found: Vec<(LabelSet, f64)> = floats(&message)
        .into_iter()
        .map(|(labels, _, _, value)| (labels, value))
        .collect();
    let series =
        |suffix: &str, le: &str| set(&[("__name__", &format!("size_bytes{suffix}")), ("le", le)]);
    let expected = [
        (series("_sum", ""), 12.5),
        (series("_bucket", "0.5"), 1.0),
        (series("_bucket", "1"), 3.0),
        (series("_bucket", "2.5"), 3.0),
        (series("_bucket", "+Inf"), 7.0),
        (series("_count", ""), 7.0),
    ];
    assert_eq!(found, expected);
}

fn exponential(scale: i64, offset: i64, counts: &[u64]) -> Message {
    let total = counts.iter().sum::<u64>() + 3;
    let buckets = Message::new().zigzag(1, offset).packed(2, counts);
    Message::new()
        .double(3, f64::from_bits(SECOND))
        .double(4, f64::from_bits(total))
        .double(5, 9.0)
        .zigzag(6, scale)
        .double(7, f64::from_bits(3))
        .message(8, buckets)
}

#[test]
fn an_exponential_histogram_becomes_a_native_one() {
    let data = Message::new()
        .message(1, exponential(2, -2, &[1, 0, 0, 4, 5]))
        .integer(2, 2);
    let message = request(&[], [metric("size", "", EXPONENTIAL, data)]).into_bytes();
    let (columns, _) = taken(&message).unwrap();
    let histogram = &columns.histogram_at(0).histogram;
    histogram.validate().unwrap();
    let spans = [
        Span {
            offset: -1,
            length: 1,
        },
        Span {
            offset: 2,
            length: 2,
        },
    ];
    assert_eq!(
        (histogram.schema, &histogram.positive_spans[..]),
        (2, &spans[..])
    );
    let Counts::Integer(counts) = &histogram.counts else {
        panic!("integers were sent");
    };
    assert_eq!(
        (counts.count, counts.zero_count, &counts.positive[..]),
        (13, 3, &[1, 4, 5][..])
    );
}

#[test]
fn a_finer_one_than_can_be_stored_is_made_coarser() {
    // At scale 10, four buckets are one at scale 8: 0..4 and 4..8.
    let data = Message::new()
        .message(1, exponential(10, 0, &[1, 1, 1, 1, 2]))
        .integer(2, 2);
    let message = request(&[], [metric("size", "", EXPONENTIAL, data)]).into_bytes();
    let (columns, _) = taken(&message).unwrap();
    let histogram = &columns.histogram_at(0).histogram;
    histogram.validate().unwrap();
    assert_eq!(
        (histogram.schema, histogram.positive_spans[0].offset),
        (8, 1)
    );
    let Counts::Integer(counts) = &histogram.counts else {
        panic!("integers were sent");
    };
    assert_eq!(counts.positive, [4, 2]);
    let coarse = Message::new()
        .message(1, exponential(-5, 0, &[1]))
        .integer(2, 2);
    let message = request(&[], [metric("size", "", EXPONENTIAL, coarse)]).into_bytes();
    assert_eq!(taken(&message).unwrap().1.count(), 1);
}

#[test]
fn summaries_have_quantiles() {
    let quantile = Message::new().double(1, 0.5).double(2, 3.0);
    let summary = point(SECOND)
        .double(4, f64::from_bits(2))
        .double(5, 6.0)
        .message(6, quantile);
    let data = Message::new().message(1, summary);
    let message = request(&[], [metric("time", "s", SUMMARY, data)]).into_bytes();
    let names: Vec<LabelSet> = floats(&message).into_iter().map(|found| found.0).collect();
    let expected = [
        set(&[("__name__", "time_seconds_sum")]),
        set(&[("__name__", "time_seconds_count")]),
        set(&[("__name__", "time_seconds"), ("quantile", "0.5")]),
    ];
    assert_eq!(names, expected);
}

#[test]
fn differences_are_added_up_over_requests() {
    let data = Message::new()
        .message(1, number(0, SECOND, 1.0))
        .message(1, number(SECOND, 2 * SECOND, 2.5))
        .integer(2, 1)
        .integer(3, 1);
    let first = request(&[], [metric("count", "", SUM, data.clone())]).into_bytes();
    let later = Message::new()
        .message(1, number(2 * SECOND, 3 * SECOND, 4.0))
        .integer(2, 1)
        .integer(3, 1);
    let later = request(&[], [metric("count", "", SUM, later)]).into_bytes();
    let deltas = Mutex::new(Deltas::new(100));
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    for message in [&first, &later, &first] {
        let translation = Translation::default();
        let mut turn = Turn::new(&deltas);
        let (columns, faults) = decode(message, translation, &mut turn).unwrap();
        turn.commit();
        let of = |value: &SampleValue<'_>| match value {
            SampleValue::Float(value) => *value,
            _ => f64::NAN,
        };
        let samples = columns.samples().iter();
        values.push(samples.map(|sample| of(&sample.value)).collect::<Vec<_>>());
        counts.push(faults.count());
    }
    assert_eq!(values, [vec![1.0, 3.5], vec![7.5], vec![]]);
    assert_eq!(counts, [0, 0, 2]);
}

#[test]
fn exponential_histograms_of_differences_add_up_across_scales() {
    let sent = |time: u64, scale: i64, counts: &[u64]| {
        let point = exponential(scale, 0, counts).double(3, f64::from_bits(time * SECOND));
        let data = Message::new().message(1, point).integer(2, 1);
        request(&[], [metric("size", "", EXPONENTIAL, data)]).into_bytes()
    };
    let deltas = Mutex::new(Deltas::new(100));
    let mut told = Vec::new();
    // The same again is not after the one before.
    for (time, scale, counts) in [(1, 2, [1, 2]), (2, 1, [4, 8]), (2, 1, [4, 8])] {
        let message = sent(time, scale, &counts);
        let mut turn = Turn::new(&deltas);
        let (columns, faults) = decode(&message, Translation::default(), &mut turn).unwrap();
        turn.commit();
        told.push((columns.counts().1, faults.count()));
        if faults.count() == 0 {
            let found = &columns.histogram_at(0).histogram;
            let Counts::Integer(counts) = &found.counts else {
                panic!("counts are integers");
            };
            let expected = match time {
                1 => (2, vec![1, 2]),
                // Both buckets of scale 2 are the first one of scale 1.
                _ => (1, vec![7, 8]),
            };
            assert_eq!((found.schema, counts.positive.clone()), expected);
        }
    }
    assert_eq!(told, [(1, 0), (1, 0), (0, 1)]);
}

#[test]
fn who_has_no_points_of_differences_waits_for_nobody() {
    let data = |temporality| {
        let data = Message::new().message(1, number(SECOND, 2 * SECOND, 2.5));
        data.integer(2, temporality).integer(3, 1)
    };
    let message =
        |temporality| request(&[], [metric("count", "", SUM, data(temporality))]).into_bytes();
    let deltas = Mutex::new(Deltas::new(100));
    let (adding, plain) = (message(1), message(2));
    let mut turn = Turn::new(&deltas);
    decode(&adding, Translation::default(), &mut turn).unwrap();
    // The turn is held: another one would wait for ever.
    assert!(deltas.try_lock().is_err());
    let mut other = Turn::new(&deltas);
    let (columns, _) = decode(&plain, Translation::default(), &mut other).unwrap();
    assert_eq!(columns.counts().0, 1);
    drop(turn);
    assert!(deltas.try_lock().is_ok());
}

#[test]
fn exemplars_carry_their_trace() {
    let exemplar = Message::new()
        .double(2, f64::from_bits(SECOND))
        .double(3, 0.25)
        .bytes(4, [1, 2])
        .bytes(5, [0xab, 0xcd])
        .message(7, attribute("user", "u"));
    let data = Message::new()
        .message(1, number(0, SECOND, 1.0).message(5, exemplar))
        .integer(2, 2)
        .integer(3, 1);
    let message = request(&[], [metric("count", "", SUM, data)]).into_bytes();
    let (columns, _) = taken(&message).unwrap();
    let exemplar = &columns.exemplars()[0];
    assert_eq!(
        (exemplar.series, exemplar.time, exemplar.value),
        (0, 1000, 0.25)
    );
    let mut labels: Vec<(&[u8], &[u8])> = exemplar
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    labels.sort_unstable();
    let expected: [(&[u8], &[u8]); 3] = [
        (b"span_id", b"0102"),
        (b"trace_id", b"abcd"),
        (b"user", b"u"),
    ];
    assert_eq!(labels, expected);
}

#[test]
fn a_request_cut_anywhere_does_no_harm() {
    let data = Message::new()
        .message(1, exponential(2, -2, &[1, 0, 4]))
        .integer(2, 2);
    let message = request(&[("a", "b")], [metric("size", "", EXPONENTIAL, data)]).into_bytes();
    for cut in 1..message.len() {
        assert!(taken(&message[..cut]).is_err(), "cut at {cut}");
    }
}
