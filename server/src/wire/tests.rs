//! The decoders of remote write against messages as senders write them, whole and broken.

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::metrics::{Counts, ResetHint, Sample, SampleValue, Samples, Span};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, BatchMode};

use super::columns::{Columns, EntrySort, HISTOGRAMS_MAX, WireMetadata};
use super::{write_v1, write_v2};
use crate::testing::{self, Message, custom_histogram, integer_histogram, v1, v2};

const UP: [(&str, &str); 2] = [("__name__", "up"), ("job", "node")];

fn labels<'c>(columns: &'c Columns<'_>, series: usize) -> Labels<'c> {
    Labels::from_bytes(columns.labels(series)).unwrap()
}

fn up() -> LabelSet {
    LabelSet::from_pairs(UP).unwrap()
}

fn batch_len(batch: &Batch<'_, Samples>) -> usize {
    batch.len()
}

#[test]
fn version_1_gives_back_series_and_samples() {
    let stale = f64::from_bits(chronolith_engine::metrics::STALE_NAN_BITS);
    let series = v1::series(&UP)
        .message(2, v1::sample(1000, 1.5))
        .message(2, v1::sample(-2000, stale));
    let other = v1::series(&[("job", "node"), ("__name__", "down")]).message(2, v1::sample(3, 0.0));
    let message = v1::request([series, other]).into_bytes();
    let columns = write_v1::decode(&message).unwrap();
    assert_eq!(labels(&columns, 0), up().as_labels());
    assert_eq!(labels(&columns, 1).value("__name__"), Some("down"));
    assert_eq!(columns.counts(), (3, 0));
    assert_eq!(
        columns.entries(),
        [
            (0, EntrySort::Float),
            (0, EntrySort::Float),
            (1, EntrySort::Float)
        ]
    );
    assert_eq!(batch_len(&columns.batch(BatchMode::AllOrNothing, &[0])), 1);
    assert_eq!(batch_len(&columns.batch(BatchMode::AllOrNothing, &[])), 3);
}

#[test]
fn version_1_leaves_out_series_whose_labels_make_none() {
    let nameless = v1::series(&[("job", "node")])
        .message(2, v1::sample(1, 1.0))
        .message(3, v1::exemplar(1, 1.0, &[("trace_id", "a")]))
        .message(4, integer_histogram(1));
    let twice =
        v1::series(&[("__name__", "up"), ("a", "1"), ("a", "2")]).message(2, v1::sample(1, 1.0));
    let good = v1::series(&UP).message(2, v1::sample(1, 1.0));
    let message = v1::request([nameless, good, twice]).into_bytes();
    let columns = write_v1::decode(&message).unwrap();
    assert_eq!((columns.skipped, columns.counts()), (2, (1, 0)));
    assert_eq!(columns.exemplars().len(), 0);
    assert_eq!(labels(&columns, 0), up().as_labels());
}

#[test]
fn fields_may_come_in_any_order_and_unknown_ones_are_passed_over() {
    let series = Message::new()
        .message(2, v1::sample(1, 1.0))
        .integer(77, 5)
        .message(1, v1::label("job", "node"))
        .message(1, v1::label("__name__", "up"));
    let message = v1::request([series]).bytes(99, "later").into_bytes();
    let columns = write_v1::decode(&message).unwrap();
    assert_eq!(labels(&columns, 0), up().as_labels());
    assert_eq!(columns.counts(), (1, 0));
}

#[test]
fn labels_are_read_however_they_are_written() {
    let long = "x".repeat(200);
    let label = |turned: bool, name: &str, value: &str| match turned {
        false => v1::label(name, value),
        true => Message::new().bytes(2, value).integer(9, 1).bytes(1, name),
    };
    for turned in [false, true] {
        let series = Message::new()
            .message(1, label(turned, "__name__", "up"))
            .message(1, label(turned, "long", &long))
            .message(1, label(turned, &long, "y"))
            .message(1, label(turned, "none", ""))
            .message(2, v1::sample(1, 1.0));
        let message = v1::request([series]).into_bytes();
        let columns = write_v1::decode(&message).unwrap();
        let pairs = [
            ("__name__", "up"),
            ("long", long.as_str()),
            (long.as_str(), "y"),
        ];
        assert_eq!(
            labels(&columns, 0),
            LabelSet::from_pairs(pairs).unwrap().as_labels()
        );
    }
}

#[test]
fn integer_histograms_come_out_with_absolute_counts() {
    let message = v1::request([v1::series(&UP).message(4, integer_histogram(7))]).into_bytes();
    let columns = write_v1::decode(&message).unwrap();
    let batch = columns.batch(BatchMode::Each, &[]);
    assert_eq!(batch_len(&batch), 1);
    let timed = &columns.histogram_at(0);
    assert_eq!(timed.time, 7);
    let histogram = &timed.histogram;
    histogram.validate().unwrap();
    assert_eq!(
        (histogram.schema, histogram.reset_hint),
        (1, ResetHint::NotReset)
    );
    assert_eq!(
        histogram.positive_spans,
        [Span {
            offset: -1,
            length: 2
        }]
    );
    let Counts::Integer(counts) = &histogram.counts else {
        panic!("integers were sent");
    };
    assert_eq!((counts.count, counts.zero_count), (10, 2));
    assert_eq!(counts.positive, [3, 5]);
}

#[test]
fn float_histograms_with_custom_borders_and_starts_come_out() {
    let mut symbols = v2::Symbols::default();
    let series = symbols.series(&UP).message(3, custom_histogram(9, 4));
    let message = symbols.request([series]).into_bytes();
    let columns = write_v2::decode(&message).unwrap();
    let timed = columns.histogram_at(0);
    assert_eq!((timed.time, timed.start), (9, 4));
    timed.histogram.validate().unwrap();
    assert_eq!(timed.histogram.custom_values, [0.5, 2.5]);
    let Counts::Float(counts) = &timed.histogram.counts else {
        panic!("floats were sent");
    };
    assert_eq!(
        (counts.count, counts.positive.as_slice()),
        (4.5, &[1.5, 2.0, 1.0][..])
    );
}

#[test]
fn a_histogram_with_a_negative_bucket_is_refused() {
    let negative = Message::new()
        .integer(1, 1)
        .message(11, Message::new().integer(2, 2))
        .packed_zigzag(12, &[1, -2])
        .integer(15, 1);
    let message = v1::request([v1::series(&UP).message(4, negative.clone())]).into_bytes();
    assert!(
        write_v1::decode(&message)
            .err()
            .unwrap()
            .to_string()
            .contains("negative")
    );
    let mut symbols = v2::Symbols::default();
    let series = symbols
        .series(&UP)
        .message(3, negative)
        .message(2, v2::sample(1, 0, 1.0));
    let message = symbols.request([series]).into_bytes();
    let columns = write_v2::decode(&message).unwrap();
    assert_eq!((columns.faults.count(), columns.counts()), (1, (1, 0)));
}

#[test]
fn version_2_gives_back_starts_of_samples_and_of_series() {
    let mut symbols = v2::Symbols::default();
    let series = symbols
        .series(&UP)
        .message(2, v2::sample(10, 3, 1.0))
        .message(2, Message::new().double(1, 2.0).integer(2, 20))
        .integer(6, 5);
    let message = symbols.request([series]).into_bytes();
    let columns = write_v2::decode(&message).unwrap();
    let sample = |time, start, value| Sample {
        time: Millis(time),
        start: Some(Millis(start)),
        value: SampleValue::Float(value),
    };
    assert_eq!(columns.samples(), [sample(10, 3, 1.0), sample(20, 5, 2.0)]);
}

#[test]
fn version_2_refuses_a_series_that_stands_wrong_and_keeps_the_others() {
    let mut symbols = v2::Symbols::default();
    let sample = || v2::sample(1, 0, 1.0);
    let good = symbols.series(&UP).message(2, sample());
    let wrong = [
        Message::new().packed(1, &[1, 2, 3]).message(2, sample()),
        Message::new().packed(1, &[1, 4_000]).message(2, sample()),
        Message::new()
            .packed(1, &[1, u64::MAX])
            .message(2, sample()),
        symbols.series(&[("job", "node")]).message(2, sample()),
        symbols
            .series(&[("__name__", "up"), ("a", "1"), ("a", "2")])
            .message(2, sample()),
        symbols
            .series(&UP)
            .message(4, symbols.clone().exemplar(1, 1.0, &[])),
    ];
    let count = wrong.len() as u64;
    let message = symbols
        .request(wrong.into_iter().chain([good]))
        .into_bytes();
    let columns = write_v2::decode(&message).unwrap();
    assert_eq!((columns.faults.count(), columns.counts()), (count, (1, 0)));
    assert_eq!(labels(&columns, 0), up().as_labels());
    let text = columns.faults.text();
    assert!(
        text.contains("pairs") && text.contains("symbol 4000"),
        "{text}"
    );
    assert!(
        text.contains("__name__") && text.contains("and 1 more"),
        "{text}"
    );
}

#[test]
fn version_2_wants_the_empty_string_first() {
    let message = Message::new().bytes(4, "x").into_bytes();
    assert!(
        write_v2::decode(&message)
            .err()
            .unwrap()
            .to_string()
            .contains("empty string")
    );
    assert!(write_v2::decode(&[]).is_ok());
}

#[test]
fn metadata_of_a_part_is_that_of_its_family() {
    let mut symbols = v2::Symbols::default();
    let series = |symbols: &mut v2::Symbols, name, kind| {
        let metadata = symbols.metadata(kind, "What it is.", "seconds");
        symbols
            .series(&[("__name__", name)])
            .message(2, v2::sample(1, 0, 1.0))
            .message(5, metadata)
    };
    let all = [
        series(&mut symbols, "latency_seconds_bucket", 3),
        series(&mut symbols, "latency_seconds_sum", 3),
        series(&mut symbols, "requests_count", 1),
    ];
    let message = symbols.request(all).into_bytes();
    let columns = write_v2::decode(&message).unwrap();
    let found = |family: &'static [u8], kind| WireMetadata {
        family: family.into(),
        kind,
        help: b"What it is.",
        unit: b"seconds",
    };
    let expected = [
        found(&b"latency_seconds"[..], "histogram"),
        found(b"requests_count", "counter"),
    ];
    assert_eq!(columns.families(), expected);
}

#[test]
fn version_1_metadata_is_read() {
    let message = Message::new()
        .message(3, v1::metadata(2, "temperature", "How warm.", "celsius"))
        .message(3, v1::metadata(1, "", "Of nothing.", ""))
        .into_bytes();
    let columns = write_v1::decode(&message).unwrap();
    let expected = WireMetadata {
        family: b"temperature"[..].into(),
        kind: "gauge",
        help: b"How warm.",
        unit: b"celsius",
    };
    assert_eq!(columns.families(), [expected]);
}

/// Where a top-level field of a message ends.
fn borders(message: &[u8]) -> Vec<usize> {
    let mut fields = super::protobuf::Fields::new(message);
    let mut borders = vec![0];
    while fields.next().unwrap().is_some() {
        borders.push(message.len() - fields.left());
    }
    borders
}

#[test]
fn a_message_cut_anywhere_but_between_fields_is_an_error() {
    type Decodes = fn(&[u8]) -> bool;
    let decoders: [(Decodes, Vec<Vec<u8>>); 2] = [
        (
            |bytes| write_v1::decode(bytes).is_ok(),
            testing::seeds_write_v1(),
        ),
        (
            |bytes| write_v2::decode(bytes).is_ok(),
            testing::seeds_write_v2(),
        ),
    ];
    for (is_ok, seeds) in decoders {
        for seed in seeds {
            let borders = borders(&seed);
            for cut in 0..seed.len() {
                assert_eq!(is_ok(&seed[..cut]), borders.contains(&cut), "cut at {cut}");
            }
        }
    }
}

#[test]
fn a_small_message_cannot_claim_much_memory() {
    let empty = v1::series(&UP);
    let many = (0..=HISTOGRAMS_MAX).fold(empty, |series, _| series.message(4, Message::new()));
    let message = v1::request([many]).into_bytes();
    assert!(
        write_v1::decode(&message)
            .err()
            .unwrap()
            .to_string()
            .contains("native histograms")
    );

    // One large value, referred to by many labels of many series.
    let mut symbols = v2::Symbols::default();
    let large = symbols.reference(&"x".repeat(1 << 20));
    let names: Vec<u64> = (0..200)
        .map(|n| symbols.reference(&format!("n{n}")))
        .collect();
    let name = [symbols.reference("__name__"), symbols.reference("up")];
    let references: Vec<u64> = name
        .into_iter()
        .chain(names.iter().flat_map(|name| [*name, large]))
        .collect();
    let series = Message::new()
        .packed(1, &references)
        .message(2, v2::sample(1, 0, 1.0));
    let message = symbols.request([series]).into_bytes();
    assert!(
        write_v2::decode(&message)
            .err()
            .unwrap()
            .to_string()
            .contains("bytes of labels")
    );

    let references = vec![0; 10_000];
    let series = Message::new().packed(1, &references);
    let message = v2::Symbols::default().request([series]).into_bytes();
    assert!(write_v2::decode(&message).is_err());
}
