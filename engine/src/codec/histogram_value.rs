//! One histogram as bytes, for logs and open chunks: a few varints, any histogram, bit for bit.
//!
//! A flags byte and the schema, then the layout (zero threshold, spans and bucket numbers of both
//! sides, custom values), then the values (count, zero count, sum, buckets). Floats are
//! byte-swapped bits as varints, short for round numbers; integer buckets are differences from the
//! one before. Whether a histogram is valid is not asked here: [`Histogram::validate`] was, at the
//! door.

use super::bytes::{Cursor, put_varint, put_varint_signed};
use super::histogram::{BucketCounts, Counts, HISTOGRAM_BUCKETS_MAX, Histogram, ResetHint, Span};
use crate::error::{Error, Result};

/// Of the flags byte: float counts, and the reset hint above that.
const HAS_FLOATS: u8 = 1;
const HINT_SHIFT: u32 = 1;
const FLAGS_MASK: u8 = 0x07;

/// Appends the bytes of a histogram.
pub(crate) fn encode(histogram: &Histogram, out: &mut Vec<u8>) {
    let hint = hint_number(histogram.reset_hint) << HINT_SHIFT;
    match &histogram.counts {
        Counts::Integer(counts) => {
            out.push(hint);
            put_layout(histogram, counts.positive.len(), counts.negative.len(), out);
            put_varint(out, counts.count);
            put_varint(out, counts.zero_count);
            out.extend_from_slice(&histogram.sum.to_bits().to_le_bytes());
            put_differences(&counts.positive, out);
            put_differences(&counts.negative, out);
        }
        Counts::Float(counts) => {
            out.push(hint | HAS_FLOATS);
            put_layout(histogram, counts.positive.len(), counts.negative.len(), out);
            put_float(out, counts.count);
            put_float(out, counts.zero_count);
            out.extend_from_slice(&histogram.sum.to_bits().to_le_bytes());
            for count in counts.positive.iter().chain(&counts.negative) {
                put_float(out, *count);
            }
        }
    }
}

/// Reads one histogram.
pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Result<Histogram> {
    let flags = cursor.u8()?;
    if flags & !FLAGS_MASK != 0 {
        return Err(Error::corrupt(format!(
            "histogram flags {flags} are unknown"
        )));
    }
    let (mut histogram, positive, negative) = read_layout(cursor)?;
    histogram.reset_hint = hint_of(flags >> HINT_SHIFT)?;
    // Every bucket takes a byte at least, so that no length can ask for more memory than there are
    // bytes.
    if positive + negative > cursor.remaining() {
        return Err(Error::corrupt("a histogram has more buckets than bytes"));
    }
    if flags & HAS_FLOATS == 0 {
        let count = cursor.varint()?;
        let zero_count = cursor.varint()?;
        histogram.sum = f64::from_bits(cursor.u64()?);
        histogram.counts = Counts::Integer(BucketCounts {
            count,
            zero_count,
            positive: read_differences(cursor, positive)?,
            negative: read_differences(cursor, negative)?,
        });
    } else {
        let count = read_float(cursor)?;
        let zero_count = read_float(cursor)?;
        histogram.sum = f64::from_bits(cursor.u64()?);
        histogram.counts = Counts::Float(BucketCounts {
            count,
            zero_count,
            positive: (0..positive)
                .map(|_| read_float(cursor))
                .collect::<Result<_>>()?,
            negative: (0..negative)
                .map(|_| read_float(cursor))
                .collect::<Result<_>>()?,
        });
    }
    Ok(histogram)
}

/// The part of a histogram that stays the same over many of a series; chunks write it once a run.
pub(crate) fn put_layout(
    histogram: &Histogram,
    positive: usize,
    negative: usize,
    out: &mut Vec<u8>,
) {
    out.push(histogram.schema as u8);
    put_float(out, histogram.zero_threshold);
    for (spans, buckets) in [
        (&histogram.positive_spans, positive),
        (&histogram.negative_spans, negative),
    ] {
        put_varint(out, spans.len() as u64);
        for span in spans {
            put_varint_signed(out, i64::from(span.offset));
            put_varint(out, u64::from(span.length));
        }
        put_varint(out, buckets as u64);
    }
    put_varint(out, histogram.custom_values.len() as u64);
    for value in &histogram.custom_values {
        put_float(out, *value);
    }
}

/// A histogram of the layout without counts, and how many positive and negative buckets belong to
/// it.
pub(crate) fn read_layout(cursor: &mut Cursor<'_>) -> Result<(Histogram, usize, usize)> {
    let mut histogram = Histogram {
        schema: cursor.u8()?.cast_signed(),
        zero_threshold: read_float(cursor)?,
        ..Histogram::default()
    };
    let (spans, positive) = read_side(cursor)?;
    histogram.positive_spans = spans;
    let (spans, negative) = read_side(cursor)?;
    histogram.negative_spans = spans;
    let customs = read_count(cursor, "a count of custom values")?;
    histogram.custom_values = (0..customs)
        .map(|_| read_float(cursor))
        .collect::<Result<_>>()?;
    Ok((histogram, positive, negative))
}

fn read_side(cursor: &mut Cursor<'_>) -> Result<(Vec<Span>, usize)> {
    let count = read_count(cursor, "a count of spans")?;
    let mut spans = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = cursor.varint_signed()?;
        let length = cursor.varint()?;
        match (i32::try_from(offset), u32::try_from(length)) {
            (Ok(offset), Ok(length)) => spans.push(Span { offset, length }),
            _ => return Err(Error::corrupt("a span is beyond 32 bits")),
        }
    }
    let buckets = cursor.length(HISTOGRAM_BUCKETS_MAX, "a count of buckets")?;
    Ok((spans, buckets))
}

/// A count of things that take a byte at least each.
fn read_count(cursor: &mut Cursor<'_>, what: &str) -> Result<usize> {
    let max = HISTOGRAM_BUCKETS_MAX.min(cursor.remaining());
    cursor.length(max, what)
}

fn put_differences(counts: &[u64], out: &mut Vec<u8>) {
    let mut last = 0u64;
    for &count in counts {
        put_varint_signed(out, count.wrapping_sub(last).cast_signed());
        last = count;
    }
}

fn read_differences(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<u64>> {
    let mut last = 0u64;
    (0..count)
        .map(|_| {
            last = last.wrapping_add(cursor.varint_signed()?.cast_unsigned());
            Ok(last)
        })
        .collect()
}

fn put_float(out: &mut Vec<u8>, value: f64) {
    put_varint(out, value.to_bits().swap_bytes());
}

fn read_float(cursor: &mut Cursor<'_>) -> Result<f64> {
    Ok(f64::from_bits(cursor.varint()?.swap_bytes()))
}

/// The number that stands for a hint in every format.
pub(crate) fn hint_number(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

pub(crate) fn hint_of(number: u8) -> Result<ResetHint> {
    match number {
        0 => Ok(ResetHint::Unknown),
        1 => Ok(ResetHint::Reset),
        2 => Ok(ResetHint::NotReset),
        3 => Ok(ResetHint::Gauge),
        _ => Err(Error::corrupt(format!("reset hint {number} is unknown"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::tests::histograms;
    use super::*;
    use proptest::prelude::*;

    fn encoded(histogram: &Histogram) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(histogram, &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn any_histogram_comes_back_bit_for_bit(histogram in histograms()) {
            let bytes = encoded(&histogram);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(&decode(&mut cursor).unwrap(), &histogram);
            prop_assert!(cursor.is_empty());
            for end in 0..bytes.len() {
                prop_assert!(decode(&mut Cursor::new(&bytes[..end])).is_err());
            }
        }

        #[test]
        fn decoding_arbitrary_bytes_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(&mut Cursor::new(&bytes));
        }
    }

    #[test]
    fn the_bytes_of_a_histogram_are_these() {
        let histogram = Histogram {
            schema: 3,
            reset_hint: ResetHint::NotReset,
            zero_threshold: 0.5,
            sum: 2.5,
            positive_spans: vec![
                Span {
                    offset: -2,
                    length: 2,
                },
                Span {
                    offset: 1,
                    length: 1,
                },
            ],
            counts: Counts::Integer(BucketCounts {
                count: 10,
                zero_count: 1,
                positive: vec![4, 3, 2],
                negative: vec![],
            }),
            ..Histogram::default()
        };
        let hex: String = encoded(&histogram)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "0403bfc0030203020201030000000a010000000000000440080101"
        );
        assert_eq!(encoded(&Histogram::stale()).len(), 18);
    }
}
