//! A native histogram as a chunk of one sample: its layout and then itself, nothing compared with a
//! sample before.

use chronolith_engine::metrics::{BucketCounts, Counts, Histogram, ResetHint, Span};

use super::bits::Bits;

/// Encodings of chunks.
const INTEGER: i64 = 2;
const FLOAT: i64 = 3;

/// The schema of histograms whose borders are their own.
const CUSTOM: i8 = -53;

/// A zero threshold that follows in full.
const ANY_THRESHOLD: u64 = 255;

/// The encoding of the chunk, and the chunk.
pub(super) fn chunk(time: i64, histogram: &Histogram) -> (i64, Vec<u8>) {
    // One sample, and whether it begins to count anew.
    let head = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::NotReset => 0b0100_0000,
        ResetHint::Reset => 0b1000_0000,
        ResetHint::Gauge => 0b1100_0000,
    };
    let mut bits = Bits::after(vec![0, 1, head]);
    layout(&mut bits, histogram);
    bits.signed(time);
    let encoding = match &histogram.counts {
        Counts::Integer(counts) => integers(&mut bits, counts, histogram.sum),
        Counts::Float(counts) => floats(&mut bits, counts, histogram.sum),
    };
    (encoding, bits.into_bytes())
}

fn integers(bits: &mut Bits, counts: &BucketCounts<u64>, sum: f64) -> i64 {
    bits.unsigned(counts.count);
    bits.unsigned(counts.zero_count);
    bits.float(sum);
    for side in [&counts.positive, &counts.negative] {
        let mut before = 0u64;
        for count in side {
            bits.signed(count.wrapping_sub(before) as i64);
            before = *count;
        }
    }
    INTEGER
}

fn floats(bits: &mut Bits, counts: &BucketCounts<f64>, sum: f64) -> i64 {
    let heads = [counts.count, counts.zero_count, sum];
    let buckets = counts.positive.iter().chain(&counts.negative);
    for value in heads.iter().chain(buckets) {
        bits.float(*value);
    }
    FLOAT
}

fn layout(bits: &mut Bits, histogram: &Histogram) {
    threshold(bits, histogram.zero_threshold);
    bits.signed(i64::from(histogram.schema));
    spans(bits, &histogram.positive_spans);
    spans(bits, &histogram.negative_spans);
    if histogram.schema == CUSTOM {
        bits.unsigned(histogram.custom_values.len() as u64);
        for border in &histogram.custom_values {
            // Whole thousandths could be shorter; a zero says that the float follows.
            bits.push(0, 1);
            bits.float(*border);
        }
    }
}

fn spans(bits: &mut Bits, spans: &[Span]) {
    bits.unsigned(spans.len() as u64);
    for span in spans {
        bits.unsigned(u64::from(span.length));
        bits.signed(i64::from(span.offset));
    }
}

/// Nothing, a power of two by its exponent, or any float.
fn threshold(bits: &mut Bits, threshold: f64) {
    if threshold == 0.0 {
        return bits.push(0, 8);
    }
    let raw = threshold.to_bits();
    let (exponent, fraction) = (raw >> 52, raw & ((1 << 52) - 1));
    // 2^-243 is written as 1, and the bits of a float say 1023 for 2^0.
    match exponent.checked_sub(1023 - 244) {
        Some(power @ 1..=254) if fraction == 0 => bits.push(power, 8),
        _ => {
            bits.push(ANY_THRESHOLD, 8);
            bits.float(threshold);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_threshold_takes_a_byte_where_it_is_a_power_of_two() {
        let of = |value: f64| {
            let mut bits = Bits::default();
            threshold(&mut bits, value);
            bits.into_bytes()
        };
        assert_eq!(of(0.0), [0]);
        assert_eq!(of(2f64.powi(-128)), [116]);
        assert_eq!(of(2f64.powi(-243)), [1]);
        assert_eq!(of(2f64.powi(10)), [254]);
        for other in [1e-128, 2f64.powi(11), 2f64.powi(-244), -1.0] {
            assert_eq!(of(other).len(), 9, "{other}");
        }
    }
}
