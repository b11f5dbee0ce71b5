//! Native histograms as both versions of remote write carry them.

use chronolith_engine::metrics::{
    BucketCounts, Counts, HISTOGRAM_BUCKETS_MAX, Histogram, ResetHint, Span,
};

use super::columns::TimedHistogram;
use super::protobuf::{Fields, Malformed, Value, unzigzag};

/// A histogram that is a message and no valid histogram.
#[derive(Debug)]
pub(crate) enum HistogramFault {
    /// Not even a message: the request is worth nothing.
    Malformed(Malformed),
    /// This entry cannot be taken.
    Invalid(String),
}

impl From<Malformed> for HistogramFault {
    fn from(malformed: Malformed) -> Self {
        HistogramFault::Malformed(malformed)
    }
}

/// The fields of the message. Their numbers are the same in both versions.
#[derive(Default)]
struct Wire {
    count: u64,
    float_count: Option<f64>,
    sum: f64,
    schema: i64,
    zero_threshold: f64,
    zero_count: u64,
    float_zero_count: f64,
    negative: Side,
    positive: Side,
    reset_hint: u64,
    time: i64,
    custom_values: Vec<f64>,
    start: i64,
}

#[derive(Default)]
struct Side {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl Side {
    fn span(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let (mut fields, mut span) = (Fields::new(message), Span::default());
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => {
                    span.offset = i32::try_from(value.zigzag()?)
                        .map_err(|_| Malformed::new("a span's offset is beyond 32 bits"))?;
                }
                2 => {
                    span.length = u32::try_from(value.unsigned()?)
                        .map_err(|_| Malformed::new("a span's length is beyond 32 bits"))?;
                }
                _ => {}
            }
        }
        push(&mut self.spans, span)
    }

    fn deltas(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        value.varints(|number| push(&mut self.deltas, unzigzag(number)))
    }

    fn counts(&mut self, value: Value<'_>) -> Result<(), Malformed> {
        value.doubles(|count| push(&mut self.counts, count))
    }

    /// Each bucket is told as the difference to the one before.
    fn absolute(&self) -> Result<Vec<u64>, HistogramFault> {
        let mut count = 0i64;
        let counts = self.deltas.iter().map(|delta| {
            count = count.checked_add(*delta)?;
            u64::try_from(count).ok()
        });
        let counts: Option<Vec<u64>> = counts.collect();
        counts.ok_or_else(|| HistogramFault::Invalid("a bucket has a negative count".to_owned()))
    }
}

/// No list of one histogram is longer than a histogram may have buckets.
fn push<T>(list: &mut Vec<T>, element: T) -> Result<(), Malformed> {
    if list.len() > HISTOGRAM_BUCKETS_MAX {
        return Err(Malformed::new(format!(
            "a native histogram may have {HISTOGRAM_BUCKETS_MAX} buckets"
        )));
    }
    list.push(element);
    Ok(())
}

/// Reads a histogram and its time; also how many numbers it is made of, which bounds its memory.
pub(crate) fn read(message: &[u8]) -> Result<(TimedHistogram, usize), HistogramFault> {
    let (mut fields, mut wire) = (Fields::new(message), Wire::default());
    while let Some((number, value)) = fields.next()? {
        wire.field(number, value)?;
    }
    wire.finish()
}

impl Wire {
    fn field(&mut self, number: u32, value: Value<'_>) -> Result<(), Malformed> {
        match number {
            1 => (self.count, self.float_count) = (value.unsigned()?, None),
            2 => self.float_count = Some(value.double()?),
            3 => self.sum = value.double()?,
            4 => self.schema = value.zigzag()?,
            5 => self.zero_threshold = value.double()?,
            6 => self.zero_count = value.unsigned()?,
            7 => self.float_zero_count = value.double()?,
            8 => self.negative.span(value.bytes()?)?,
            9 => self.negative.deltas(value)?,
            10 => self.negative.counts(value)?,
            11 => self.positive.span(value.bytes()?)?,
            12 => self.positive.deltas(value)?,
            13 => self.positive.counts(value)?,
            14 => self.reset_hint = value.unsigned()?,
            15 => self.time = value.signed()?,
            16 => value.doubles(|border| push(&mut self.custom_values, border))?,
            17 => self.start = value.signed()?,
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<(TimedHistogram, usize), HistogramFault> {
        let schema = i8::try_from(self.schema).map_err(|_| {
            HistogramFault::Invalid(format!("schema {} of a histogram is unknown", self.schema))
        })?;
        let counts = match self.float_count {
            Some(count) => Counts::Float(BucketCounts {
                count,
                zero_count: self.float_zero_count,
                positive: self.positive.counts,
                negative: self.negative.counts,
            }),
            None => Counts::Integer(BucketCounts {
                count: self.count,
                zero_count: self.zero_count,
                positive: self.positive.absolute()?,
                negative: self.negative.absolute()?,
            }),
        };
        let buckets = match &counts {
            Counts::Integer(counts) => counts.positive.len() + counts.negative.len(),
            Counts::Float(counts) => counts.positive.len() + counts.negative.len(),
        };
        let spans = self.positive.spans.len() + self.negative.spans.len();
        let numbers = buckets + spans + self.custom_values.len();
        let histogram = Histogram {
            schema,
            reset_hint: match self.reset_hint {
                1 => ResetHint::Reset,
                2 => ResetHint::NotReset,
                3 => ResetHint::Gauge,
                _ => ResetHint::Unknown,
            },
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans: self.positive.spans,
            negative_spans: self.negative.spans,
            custom_values: self.custom_values,
            counts,
        };
        let timed = TimedHistogram {
            time: self.time,
            start: self.start,
            histogram,
        };
        Ok((timed, numbers))
    }
}
