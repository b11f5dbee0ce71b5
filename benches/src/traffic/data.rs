//! What the writers send: everything follows from the writer and the number of its push, so that
//! whatever is asked back can be compared without having been kept.

use chronolith_engine::labels::LabelSet;

use crate::compare::loki_push;
use crate::compare::remote_write::{Request, label_fields};
use crate::fleet::mix;
use crate::shipping;

/// Metrics that a writer's series share out among them, each once for every instance.
const METRICS: [&str; 5] = [
    "traffic_requests_total",
    "traffic_bytes_total",
    "traffic_errors_total",
    "traffic_heat",
    "traffic_queue_length",
];

/// Streams of one writer.
pub const STREAMS: usize = 4;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// What one writer sends.
pub struct Data {
    writer: usize,
    /// Label fields of its series, as they go into every request.
    series: Vec<Vec<u8>>,
    lines: usize,
}

impl Data {
    /// So many series in a push of samples, so many lines in a push of lines.
    ///
    /// Fails if labels cannot be made.
    pub fn new(
        writer: usize,
        series: usize,
        lines: usize,
    ) -> Result<Data, Box<dyn std::error::Error>> {
        let mut fields = Vec::with_capacity(series);
        for number in 0..series {
            let (writer, series) = (writer.to_string(), number.to_string());
            let instance = format!("10.0.{writer}.{}:9100", number / METRICS.len());
            let labels = LabelSet::from_pairs([
                ("__name__", METRICS[number % METRICS.len()]),
                ("instance", &instance),
                ("series", &series),
                ("writer", &writer),
            ])?;
            fields.push(label_fields(labels.as_labels()));
        }
        Ok(Data {
            writer,
            series: fields,
            lines,
        })
    }

    /// Series in a push of samples.
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// Lines in a push of lines.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Whether its lines are pushed before its samples.
    pub fn begins_with_lines(&self) -> bool {
        self.writer.is_multiple_of(2)
    }

    /// What selects one series.
    pub fn selector_of(&self, series: usize) -> String {
        let (name, writer) = (METRICS[series % METRICS.len()], self.writer);
        format!("{name}{{series=\"{series}\", writer=\"{writer}\"}}")
    }

    /// What selects all series, or all streams.
    pub fn selector(&self) -> String {
        format!("{{writer=\"{}\"}}", self.writer)
    }

    /// The stream of a line, as its labels and as what selects it.
    pub fn stream_of(&self, place: usize) -> String {
        let (stream, writer) = (place % STREAMS, self.writer);
        format!("{{app=\"traffic\", stream=\"{stream}\", writer=\"{writer}\"}}")
    }

    /// The value of a series in push `number`: counters rise, the others wander.
    pub fn value(&self, series: usize, number: u64) -> f64 {
        let mixed = mix(number, (self.writer << 32 | series) as u64);
        match series % METRICS.len() {
            0..3 => (number * (1 + series as u64 % 7)) as f64,
            3 => (mixed % 1_000) as f64 / 8.0,
            _ => (mixed % 50) as f64,
        }
    }

    /// The body of push `number` of samples, all of one time.
    pub fn samples_body(&self, number: u64, time_ms: i64) -> Vec<u8> {
        let mut request = Request::default();
        for (series, fields) in self.series.iter().enumerate() {
            let sample = (time_ms, self.value(series, number));
            request.series(fields, std::iter::once(sample));
        }
        request.compressed()
    }

    /// The time of a line: no two of a writer have the same.
    pub fn line_time_ns(&self, place: usize, time_ms: i64) -> u64 {
        time_ms.unsigned_abs() * NANOS_PER_MILLI + place as u64
    }

    /// A line of push `number`.
    pub fn line(&self, number: u64, place: usize) -> String {
        let random = mix(number, (self.writer << 32 | place) as u64);
        format!(
            "push={number} line={place} {}",
            shipping::line(random >> 16)
        )
    }

    /// The body of push `number` of lines.
    pub fn lines_body(&self, number: u64, time_ms: i64) -> Vec<u8> {
        let mut push = loki_push::Push::default();
        for stream in 0..STREAMS.min(self.lines) {
            let places = (stream..self.lines).step_by(STREAMS);
            let lines =
                places.map(|place| (self.line_time_ns(place, time_ms), self.line(number, place)));
            push.stream(&self.stream_of(stream), lines);
        }
        push.compressed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_the_same_each_time_and_differ_from_each_other() {
        let data = Data::new(1, 10, 8).unwrap();
        assert_eq!(data.samples_body(3, 1_000), data.samples_body(3, 1_000));
        assert_ne!(data.samples_body(3, 1_000), data.samples_body(4, 1_000));
        assert_eq!(data.lines_body(3, 1_000), data.lines_body(3, 1_000));
        assert_ne!(data.line(3, 0), data.line(3, 1));
        assert_ne!(data.line(3, 0), data.line(4, 0));
        assert!(data.line_time_ns(7, 1_000) < data.line_time_ns(0, 1_001));
    }
}
