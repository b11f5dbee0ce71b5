//! Remote read in streamed chunks, taken apart by a reader that shares nothing with the writer.

mod unchunk;

use chronolith_server::testing::{Message, custom_histogram, integer_histogram, snappy, v1};

use super::bed::{Bed, NOON, Reply};
use unchunk::{Point, Series, frames};

const STREAMED: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

fn query(start: i64, end: i64, op: i64, value: &str) -> Message {
    let matcher = Message::new()
        .integer(1, op)
        .bytes(2, "__name__")
        .bytes(3, value);
    Message::new()
        .integer(1, start)
        .integer(2, end)
        .message(3, matcher)
}

fn read(bed: &Bed, request: Message) -> Reply {
    let headers = [
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
    ];
    let body = snappy(&request.into_bytes());
    bed.ask("POST", "/api/v1/read", &headers, &body)
}

/// The series of each query, in frames as they came.
fn streamed(bed: &Bed, queries: &[Message]) -> Vec<Series> {
    let request = queries.iter().fold(Message::new(), |request, query| {
        request.message(1, query.clone())
    });
    let reply = read(bed, request.packed(2, &[1]));
    assert_eq!(reply.code, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some(STREAMED));
    assert_eq!(reply.header("content-encoding"), None);
    frames(&reply.body)
}

fn floats(series: &[Series]) -> Vec<(i64, u64)> {
    let points = series.iter().flat_map(|series| &series.points);
    let floats = points.map(|point| match point {
        Point::Float(time, value) => (*time, value.to_bits()),
        Point::Histogram(..) => unreachable!("there are floats only"),
    });
    floats.collect()
}

/// Times and values that take every path of the encoding.
fn wild() -> Vec<(i64, f64)> {
    let mut seed = 7u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut time, mut points) = (NOON - 3_000_000_000, Vec::new());
    for index in 0..1000 {
        let value = match index % 7 {
            0 => f64::from_bits(next()),
            1 => 1.5,
            2 => 1.5,
            3 => f64::NAN,
            4 => index as f64,
            5 => -0.0,
            _ => f64::INFINITY,
        };
        points.push((time, value));
        // Steps whose differences need 0, 14, 17, 20 and 64 bits.
        let widths = [1, 1, 1 << 12, 1 << 15, 1 << 18, 1 << 23];
        let step = widths[index / 10 % 6];
        time += 1 + if index % 10 < 3 {
            step
        } else {
            (next() % step as u64) as i64
        };
    }
    points
}

#[test]
fn floats_come_back_bit_for_bit_in_chunks_of_120() {
    let bed = Bed::new();
    let points = wild();
    let series = points.iter().fold(
        v1::series(&[("__name__", "wild"), ("job", "a")]),
        |series, point| series.message(2, v1::sample(point.0, point.1)),
    );
    assert_eq!(bed.write(v1::request([series])).code, 204);
    let expected: Vec<(i64, u64)> = points
        .iter()
        .map(|(time, value)| (*time, value.to_bits()))
        .collect();
    for path in ["", "/api/v1/admin/tsdb/flush"] {
        if !path.is_empty() {
            assert_eq!(bed.ask("POST", path, &[], b"").code, 204);
        }
        let found = streamed(&bed, &[query(0, i64::MAX, 0, "wild")]);
        assert_eq!(floats(&found), expected);
        assert_eq!(found.len(), 1);
        let labels = [("__name__", "wild"), ("job", "a")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found[0].labels, labels);
        assert_eq!(
            found[0].chunk_lengths,
            [120, 120, 120, 120, 120, 120, 120, 120, 40]
        );
    }
    let part = streamed(&bed, &[query(points[200].0, points[210].0, 0, "wild")]);
    assert_eq!(floats(&part), expected[200..=210]);
}

#[test]
fn queries_are_told_apart_and_series_come_in_order() {
    let bed = Bed::new();
    let names: Vec<String> = (0..300).map(|number| format!("m{number:03}")).collect();
    let series: Vec<[(&str, &str); 1]> = names
        .iter()
        .map(|name| [("__name__", name.as_str())])
        .collect();
    let series: Vec<&[(&str, &str)]> = series.iter().map(|each| &each[..]).collect();
    bed.fill(&series);
    let queries = [
        query(NOON, NOON, 2, "m00."),
        query(0, 1, 0, "m000"),
        query(NOON, NOON, 0, "m123"),
    ];
    let found = streamed(&bed, &queries);
    let told: Vec<(u64, String)> = found
        .iter()
        .map(|series| (series.query, series.labels[0].1.clone()))
        .collect();
    let mut expected: Vec<(u64, String)> =
        (0..10).map(|number| (0, format!("m00{number}"))).collect();
    expected.push((2, "m123".to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn native_histograms_come_back_as_they_were_sent() {
    let bed = Bed::new();
    let series = v1::series(&[("__name__", "mixed")])
        .message(2, v1::sample(NOON - 1, 1.0))
        .message(4, integer_histogram(NOON))
        .message(4, custom_histogram(NOON + 1, 0));
    assert_eq!(bed.write(v1::request([series])).code, 204);
    let found = streamed(&bed, &[query(NOON - 1, NOON + 1, 0, "mixed")]);
    assert_eq!(found.len(), 1);
    let points = &found[0].points;
    let Point::Float(time, value) = &points[0] else {
        unreachable!("a float comes first");
    };
    assert_eq!((*time, *value), (NOON - 1, 1.0));
    // The answer in samples tells what there should be.
    let request = Message::new().message(1, query(NOON - 1, NOON + 1, 0, "mixed"));
    let expected = unchunk::histograms_of_samples(&read(&bed, request).body);
    let histograms: Vec<_> = points[1..]
        .iter()
        .map(|point| match point {
            Point::Histogram(time, histogram) => (*time, (**histogram).clone()),
            Point::Float(..) => unreachable!("histograms follow"),
        })
        .collect();
    assert_eq!(histograms, expected);
    assert_eq!(histograms.len(), 2);
}

#[test]
fn a_series_of_many_samples_takes_several_frames() {
    let bed = Bed::new();
    let mut bits = 88u64;
    let sent: Vec<(i64, f64)> = (0..250_000)
        .map(|index| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (NOON + index, f64::from_bits(bits >> 2))
        })
        .collect();
    for part in sent.chunks(50_000) {
        let series = part
            .iter()
            .fold(v1::series(&[("__name__", "long")]), |series, point| {
                series.message(2, v1::sample(point.0, point.1))
            });
        assert_eq!(bed.write(v1::request([series])).code, 204);
    }
    let found = streamed(&bed, &[query(0, i64::MAX, 0, "long")]);
    let expected: Vec<(i64, u64)> = sent
        .iter()
        .map(|(time, value)| (*time, value.to_bits()))
        .collect();
    assert!(floats(&found) == expected);
    assert!(found.len() > 1, "{} frames", found.len());
}

#[test]
fn the_form_is_the_first_that_is_known_and_counted() {
    let bed = Bed::new();
    bed.fill(&[&[("__name__", "up")]]);
    let asked = |named: &[u64]| {
        let request = Message::new().message(1, query(NOON, NOON, 0, "up"));
        read(&bed, request.packed(2, named))
    };
    assert_eq!(asked(&[1, 0]).header("content-type"), Some(STREAMED));
    assert_eq!(
        asked(&[0, 1]).header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(
        asked(&[]).header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(asked(&[9]).code, 400);
    let text = bed.get("/metrics").text();
    for counted in ["{form=\"samples\"} 2", "{form=\"chunks\"} 1"] {
        assert!(text.contains(counted), "{counted}");
    }
}
