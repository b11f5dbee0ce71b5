//! Chunks of native histograms, of integers and of floats.
//!
//! A chunk has one layout: schema, zero threshold, spans. What is behind a stale marker in it can
//! only be stale markers.

use chronolith_engine::metrics::{
    BucketCounts, Counts, HISTOGRAM_BUCKETS_MAX, Histogram, ResetHint, SCHEMA_CUSTOM, Span,
};

use super::bits::{BitReader, BitWriter};
use super::xor::XorColumn;
use crate::wire::bytes::Result;
use crate::wire::protobuf::Malformed;

/// Of the flags byte: what is known of a reset before the chunk.
const RESET: u8 = 0b1000_0000;
const NO_RESET: u8 = 0b0100_0000;
const GAUGE: u8 = RESET | NO_RESET;

/// Zero thresholds that are powers of two take one byte: their exponent above this.
const THRESHOLD_BIAS: i32 = 243;
/// Custom borders up to this, in thousandths, are written as integers.
const BORDER_MAX: f64 = 33_554_430.0;

/// Which counts a chunk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Integer,
    Float,
}

/// Hands on each histogram of a chunk. `bytes` begin with the number of samples.
pub(crate) fn decode<E: From<Malformed>>(
    bytes: &[u8],
    sort: Sort,
    mut each: impl FnMut(i64, Histogram) -> std::result::Result<(), E>,
) -> std::result::Result<u64, E> {
    let mut reader = BitReader::new(bytes);
    let (count, flags) = (reader.bits(16)?, reader.byte()? & GAUGE);
    if count == 0 {
        return Ok(0);
    }
    let mut layout = read_layout(&mut reader)?;
    let (positive, negative) = (
        buckets(&layout.positive_spans)?,
        buckets(&layout.negative_spans)?,
    );
    if positive + negative > reader.left() {
        return Err(Malformed::new("a histogram has more buckets than bits").into());
    }
    let mut columns = Columns::new(sort, positive, negative);
    let (mut time, mut delta) = (0i64, 0i64);
    for place in 0..count {
        let read = reader.varbit_int()?;
        match place {
            0 => time = read,
            _ => {
                delta = if place == 1 {
                    read
                } else {
                    delta.wrapping_add(read)
                };
                time = time.wrapping_add(delta);
            }
        }
        columns.read(&mut reader, place)?;
        layout.reset_hint = match (flags, place) {
            (GAUGE, _) => ResetHint::Gauge,
            (_, 1..) => ResetHint::NotReset,
            (RESET, _) => ResetHint::Reset,
            _ => ResetHint::Unknown,
        };
        each(time, columns.histogram(&layout)?)?;
    }
    Ok(count)
}

fn buckets(spans: &[Span]) -> Result<usize> {
    let covered: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    match usize::try_from(covered) {
        Ok(covered) if covered <= HISTOGRAM_BUCKETS_MAX => Ok(covered),
        _ => Err(Malformed::new(format!("a histogram has {covered} buckets"))),
    }
}

fn read_layout(reader: &mut BitReader<'_>) -> Result<Histogram> {
    let zero_threshold = match reader.byte()? {
        0 => 0.0,
        255 => reader.double()?,
        exponent => 0.5 * f64::powi(2.0, i32::from(exponent) - THRESHOLD_BIAS),
    };
    let schema = reader.varbit_int()?;
    let schema = i8::try_from(schema)
        .map_err(|_| Malformed::new(format!("schema {schema} of a histogram is unknown")))?;
    let positive_spans = read_spans(reader)?;
    let negative_spans = read_spans(reader)?;
    let mut custom_values = Vec::new();
    if schema == SCHEMA_CUSTOM {
        for _ in 0..reader.count()? {
            custom_values.push(match reader.varbit_uint()? {
                0 => reader.double()?,
                thousandths => (thousandths - 1) as f64 / 1000.0,
            });
        }
    }
    Ok(Histogram {
        schema,
        zero_threshold,
        positive_spans,
        negative_spans,
        custom_values,
        ..Histogram::default()
    })
}

fn read_spans(reader: &mut BitReader<'_>) -> Result<Vec<Span>> {
    let count = reader.count()?;
    let mut spans = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let (length, offset) = (reader.varbit_uint()?, reader.varbit_int()?);
        let wrong = || Malformed::new("a span is beyond 32 bits");
        spans.push(Span {
            offset: i32::try_from(offset).map_err(|_| wrong())?,
            length: u32::try_from(length).map_err(|_| wrong())?,
        });
    }
    Ok(spans)
}

/// The columns of a chunk while it is read or written: the count, the zero count, and the buckets
/// of both sides, the positive ones first.
enum Columns {
    Integer {
        /// Each with the last difference. Buckets are differences to the bucket before.
        numbers: Vec<(i64, i64)>,
        sum: XorColumn,
        positive: usize,
    },
    Float {
        numbers: Vec<XorColumn>,
        sum: XorColumn,
        positive: usize,
    },
}

impl Columns {
    fn new(sort: Sort, positive: usize, negative: usize) -> Self {
        let (count, sum) = (2 + positive + negative, XorColumn::default());
        match sort {
            Sort::Integer => Columns::Integer {
                numbers: vec![(0, 0); count],
                sum,
                positive,
            },
            Sort::Float => Columns::Float {
                numbers: vec![XorColumn::default(); count],
                sum,
                positive,
            },
        }
    }

    fn read(&mut self, reader: &mut BitReader<'_>, place: u64) -> Result<()> {
        match self {
            Columns::Integer { numbers, sum, .. } => {
                for (index, number) in numbers.iter_mut().enumerate() {
                    if index == 2 {
                        read_sum(sum, reader, place)?;
                        if is_stale(sum.value()) && place > 0 {
                            return Ok(());
                        }
                    }
                    // The two counts are unsigned where they stand whole.
                    let read = match (place, index) {
                        (0, 0 | 1) => reader.varbit_uint()? as i64,
                        _ => reader.varbit_int()?,
                    };
                    match place {
                        0 => number.0 = read,
                        1 => number.1 = read,
                        _ => number.1 = number.1.wrapping_add(read),
                    }
                    number.0 = number.0.wrapping_add(number.1);
                }
                if numbers.len() == 2 {
                    read_sum(sum, reader, place)?;
                }
            }
            Columns::Float { numbers, sum, .. } => {
                for (index, number) in numbers.iter_mut().enumerate() {
                    if index == 2 {
                        read_sum(sum, reader, place)?;
                        if is_stale(sum.value()) && place > 0 {
                            return Ok(());
                        }
                    }
                    read_sum(number, reader, place)?;
                }
                if numbers.len() == 2 {
                    read_sum(sum, reader, place)?;
                }
            }
        }
        Ok(())
    }

    /// The histogram that the columns hold.
    fn histogram(&self, layout: &Histogram) -> Result<Histogram> {
        let (sum, counts) = match self {
            Columns::Integer {
                numbers,
                sum,
                positive,
            } => {
                let buckets = &numbers[2..];
                let (positive, negative) = buckets.split_at(*positive);
                let counts = BucketCounts {
                    count: numbers[0].0 as u64,
                    zero_count: numbers[1].0 as u64,
                    positive: absolute(positive)?,
                    negative: absolute(negative)?,
                };
                (sum.value(), Counts::Integer(counts))
            }
            Columns::Float {
                numbers,
                sum,
                positive,
            } => {
                let values = |columns: &[XorColumn]| columns.iter().map(XorColumn::value).collect();
                let (positive, negative) = numbers[2..].split_at(*positive);
                let counts = BucketCounts {
                    count: numbers[0].value(),
                    zero_count: numbers[1].value(),
                    positive: values(positive),
                    negative: values(negative),
                };
                (sum.value(), Counts::Float(counts))
            }
        };
        if is_stale(sum) {
            return Ok(Histogram::stale());
        }
        Ok(Histogram {
            sum,
            counts,
            ..layout.clone()
        })
    }

    fn write(&mut self, writer: &mut BitWriter, place: usize, histogram: &Histogram) {
        match (self, &histogram.counts) {
            (Columns::Integer { numbers, sum, .. }, Counts::Integer(counts)) => {
                let both = [counts.count as i64, counts.zero_count as i64];
                let buckets = differences(&counts.positive).chain(differences(&counts.negative));
                let given = both.into_iter().chain(buckets);
                for (index, (column, number)) in numbers.iter_mut().zip(given).enumerate() {
                    if index == 2 {
                        write_sum(sum, writer, place, histogram.sum);
                    }
                    let delta = number.wrapping_sub(column.0);
                    match (place, index) {
                        (0, 0 | 1) => writer.varbit_uint(number as u64),
                        (0, _) => writer.varbit_int(number),
                        (1, _) => writer.varbit_int(delta),
                        _ => writer.varbit_int(delta.wrapping_sub(column.1)),
                    }
                    *column = (number, if place == 0 { 0 } else { delta });
                }
                if numbers.len() == 2 {
                    write_sum(sum, writer, place, histogram.sum);
                }
            }
            (Columns::Float { numbers, sum, .. }, Counts::Float(counts)) => {
                let buckets = counts.positive.iter().chain(&counts.negative);
                let given = [&counts.count, &counts.zero_count]
                    .into_iter()
                    .chain(buckets);
                for (index, (column, number)) in numbers.iter_mut().zip(given).enumerate() {
                    if index == 2 {
                        write_sum(sum, writer, place, histogram.sum);
                    }
                    write_sum(column, writer, place, *number);
                }
                if numbers.len() == 2 {
                    write_sum(sum, writer, place, histogram.sum);
                }
            }
            _ => unreachable!("a chunk holds one sort of counts; the caller asked `joins`"),
        }
    }
}

fn is_stale(sum: f64) -> bool {
    sum.to_bits() == chronolith_engine::metrics::STALE_NAN_BITS
}

fn read_sum(column: &mut XorColumn, reader: &mut BitReader<'_>, place: u64) -> Result<()> {
    match place {
        0 => *column = XorColumn::from(reader.double()?),
        _ => drop(column.read(reader)?),
    }
    Ok(())
}

fn write_sum(column: &mut XorColumn, writer: &mut BitWriter, place: usize, value: f64) {
    match place {
        0 => {
            writer.bits(value.to_bits(), 64);
            *column = XorColumn::from(value);
        }
        _ => column.write(writer, value),
    }
}

/// Counts from differences.
fn absolute(columns: &[(i64, i64)]) -> Result<Vec<u64>> {
    let mut count = 0i64;
    let counts = columns.iter().map(|(difference, _)| {
        count = count.checked_add(*difference)?;
        u64::try_from(count).ok()
    });
    let counts: Option<Vec<u64>> = counts.collect();
    counts.ok_or_else(|| Malformed::new("a bucket has a negative count"))
}

fn differences(counts: &[u64]) -> impl Iterator<Item = i64> {
    let mut before = 0;
    counts.iter().map(move |count| {
        let difference = (*count as i64).wrapping_sub(before);
        before = *count as i64;
        difference
    })
}

/// Writes a chunk of 1 to 65,535 histograms, each of which [`joins`] the one before.
pub(crate) fn encode(times: &[i64], histograms: &[&Histogram]) -> Vec<u8> {
    assert!(!times.is_empty() && times.len() <= usize::from(u16::MAX));
    assert_eq!(times.len(), histograms.len());
    let first = histograms[0];
    let mut writer = BitWriter::default();
    writer.bits(times.len() as u64, 16);
    writer.byte(match first.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => RESET,
        ResetHint::NotReset => NO_RESET,
        ResetHint::Gauge => GAUGE,
    });
    put_layout(&mut writer, first);
    let (positive, negative) = match &first.counts {
        Counts::Integer(counts) => (counts.positive.len(), counts.negative.len()),
        Counts::Float(counts) => (counts.positive.len(), counts.negative.len()),
    };
    let mut columns = Columns::new(sort(first), positive, negative);
    let mut delta = 0;
    for (place, histogram) in histograms.iter().enumerate() {
        let next = match place {
            0 => times[0],
            _ => times[place].wrapping_sub(times[place - 1]),
        };
        writer.varbit_int(if place < 2 {
            next
        } else {
            next.wrapping_sub(delta)
        });
        delta = next;
        columns.write(&mut writer, place, histogram);
    }
    writer.into_bytes()
}

/// Which counts a histogram has.
pub(crate) fn sort(histogram: &Histogram) -> Sort {
    match histogram.counts {
        Counts::Integer(_) => Sort::Integer,
        Counts::Float(_) => Sort::Float,
    }
}

/// Nothing, a power of two by its exponent, or any float.
fn put_threshold(writer: &mut BitWriter, threshold: f64) {
    let exponent = (threshold.to_bits() >> 52) as i32 - 1022;
    let is_power = threshold > 0.0 && threshold.to_bits() << 12 == 0;
    match threshold {
        0.0 => writer.byte(0),
        _ if is_power && (-242..=11).contains(&exponent) => {
            writer.byte((exponent + THRESHOLD_BIAS) as u8);
        }
        _ => {
            writer.byte(255);
            writer.bits(threshold.to_bits(), 64);
        }
    }
}

fn put_layout(writer: &mut BitWriter, histogram: &Histogram) {
    put_threshold(writer, histogram.zero_threshold);
    writer.varbit_int(i64::from(histogram.schema));
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        writer.varbit_uint(spans.len() as u64);
        for span in spans {
            writer.varbit_uint(u64::from(span.length));
            writer.varbit_int(i64::from(span.offset));
        }
    }
    if histogram.schema == SCHEMA_CUSTOM {
        writer.varbit_uint(histogram.custom_values.len() as u64);
        for border in &histogram.custom_values {
            let thousandths = border * 1000.0;
            let is_short = (0.0..=BORDER_MAX).contains(&thousandths)
                && thousandths.fract() == 0.0
                && thousandths / 1000.0 == *border;
            match is_short {
                true => writer.varbit_uint(thousandths as u64 + 1),
                false => {
                    writer.bit(false);
                    writer.bits(border.to_bits(), 64);
                }
            }
        }
    }
}

/// Whether a histogram may stand behind another one in a chunk: its reader takes it for one of the
/// same layout that comes without a reset.
pub(crate) fn joins(before: &Histogram, next: &Histogram) -> bool {
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    if before.is_stale() || next.is_stale() {
        return before.is_stale() && next.is_stale() && sort(before) == sort(next);
    }
    if !before.has_layout_of(next) || is_gauge(before) != is_gauge(next) {
        return false;
    }
    is_gauge(next) || (next.reset_hint != ResetHint::Reset && never_falls(before, next))
}

fn never_falls(before: &Histogram, next: &Histogram) -> bool {
    fn rises<T: PartialOrd + Copy>(before: &BucketCounts<T>, next: &BucketCounts<T>) -> bool {
        let all = |one: &[T], two: &[T]| one.iter().zip(two).all(|(one, two)| one <= two);
        before.count <= next.count
            && before.zero_count <= next.zero_count
            && all(&before.positive, &next.positive)
            && all(&before.negative, &next.negative)
    }
    match (&before.counts, &next.counts) {
        (Counts::Integer(before), Counts::Integer(next)) => rises(before, next),
        (Counts::Float(before), Counts::Float(next)) => rises(before, next),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
