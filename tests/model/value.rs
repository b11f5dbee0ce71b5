//! What the model stores: values of both kinds as plain data, and how they are shown for
//! comparison.

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{BucketCounts, Counts, Histogram, ResetHint, Span};

/// The value of one entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A float's bits and the start timestamp.
    Float(u64, Option<i64>),
    /// A histogram made from a number, and the start timestamp.
    Histogram(u64, Option<i64>),
    /// A line, or an exemplar's bits in hexadecimal, with metadata.
    Line(String, LabelSet),
    /// A metric family's help text.
    Note(String),
}

impl Value {
    /// Everything that a reader can tell.
    pub fn show(&self) -> String {
        match self {
            Value::Float(bits, start) => show_float(*bits, *start),
            Value::Histogram(number, start) => show_histogram(&histogram(*number), *start),
            Value::Line(text, metadata) => format!("{text} {metadata:?}"),
            Value::Note(help) => help.clone(),
        }
    }

    /// What the store compares at one timestamp: all but the start timestamp.
    pub fn key(&self) -> String {
        match self {
            Value::Float(bits, _) => show_float(*bits, None),
            Value::Histogram(number, _) => show_histogram(&histogram(*number), None),
            Value::Line(..) | Value::Note(_) => self.show(),
        }
    }
}

/// How a float is shown: by its bits.
pub fn show_float(bits: u64, start: Option<i64>) -> String {
    format!("{bits:016x} since {start:?}")
}

/// How a histogram is shown.
pub fn show_histogram(histogram: &Histogram, start: Option<i64>) -> String {
    format!("{histogram:?} since {start:?}")
}

/// A valid histogram that differs with the number.
pub fn histogram(number: u64) -> Histogram {
    let positive = vec![number % 5, 1 + number % 3];
    let count = positive.iter().sum::<u64>() + 2;
    Histogram {
        schema: (number % 4) as i8,
        reset_hint: if number.is_multiple_of(2) {
            ResetHint::Unknown
        } else {
            ResetHint::Gauge
        },
        zero_threshold: 0.001,
        sum: number as f64 * 0.5,
        positive_spans: vec![Span {
            offset: -1,
            length: 2,
        }],
        counts: Counts::Integer(BucketCounts {
            count,
            zero_count: 2,
            positive,
            negative: Vec::new(),
        }),
        ..Histogram::default()
    }
}
