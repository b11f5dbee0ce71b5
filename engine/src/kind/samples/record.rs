//! One sample in a log record: a time delta and the value, small for what is common.

use crate::codec::bytes::{Cursor, put_varint, put_varint_signed, zigzag};
use crate::codec::histogram::Histogram;
use crate::codec::histogram_value;
use crate::error::{Error, Result};
use crate::kind::RecordState;
use crate::kind::samples::{Sample, SampleValue};
use crate::time::Millis;

/// How the value follows: the low two bits of the time delta.
const INTEGER: u64 = 0;
const BITS: u64 = 1;
const RICH: u64 = 2;

/// Flags of a rich sample.
const WITH_START: u8 = 1;
const WITH_HISTOGRAM: u8 = 2;

/// Integers beyond this do not survive the way through `f64` and back.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

pub(crate) fn put(out: &mut Vec<u8>, sample: &Sample<'_>, state: &mut RecordState) {
    let delta = sample.time.0.wrapping_sub(state.time);
    state.time = sample.time.0;
    match (sample.start, sample.value) {
        (None, SampleValue::Float(value)) => match as_integer(value) {
            Some(integer) => {
                put_time(out, delta, INTEGER);
                put_varint_signed(out, integer);
            }
            None => {
                put_time(out, delta, BITS);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
        },
        _ => {
            put_time(out, delta, RICH);
            put_rich(out, sample);
        }
    }
}

/// The delta in zigzag, with the tag below it. A delta too wide for that is escaped.
fn put_time(out: &mut Vec<u8>, delta: i64, tag: u64) {
    let wide = zigzag(delta);
    match wide >> 61 {
        0 => put_varint(out, wide << 3 | tag << 1),
        _ => {
            put_varint(out, tag << 1 | 1);
            out.extend_from_slice(&delta.to_le_bytes());
        }
    }
}

fn read_time(cursor: &mut Cursor<'_>) -> Result<(i64, u64)> {
    let head = cursor.varint()?;
    let tag = head >> 1 & 3;
    match head & 1 {
        0 => Ok((crate::codec::bytes::unzigzag(head >> 3), tag)),
        _ => Ok((cursor.i64()?, tag)),
    }
}

/// The value as an integer, if the integer gives back the same bits.
#[inline]
fn as_integer(value: f64) -> Option<i64> {
    if value.abs() >= INTEGER_MAX {
        return None;
    }
    let integer = value as i64;
    ((integer as f64).to_bits() == value.to_bits()).then_some(integer)
}

/// Everything but the time: flags, start relative to the time, value.
pub(crate) fn put_rich(out: &mut Vec<u8>, sample: &Sample<'_>) {
    let with_start = if sample.start.is_some() {
        WITH_START
    } else {
        0
    };
    match sample.value {
        SampleValue::Float(_) => out.push(with_start),
        SampleValue::Histogram(_) => out.push(with_start | WITH_HISTOGRAM),
    }
    if let Some(start) = sample.start {
        put_varint_signed(out, sample.time.0.wrapping_sub(start.0));
    }
    match sample.value {
        SampleValue::Float(value) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
        SampleValue::Histogram(histogram) => histogram_value::encode(histogram, out),
    }
}

/// The value of a rich sample, owned.
pub(crate) enum RichValue {
    Float(f64),
    Histogram(Histogram),
}

impl RichValue {
    pub(crate) fn as_value(&self) -> SampleValue<'_> {
        match self {
            RichValue::Float(value) => SampleValue::Float(*value),
            RichValue::Histogram(histogram) => SampleValue::Histogram(histogram),
        }
    }
}

pub(crate) fn read_rich(cursor: &mut Cursor<'_>, time: i64) -> Result<(Option<Millis>, RichValue)> {
    let flags = cursor.u8()?;
    if flags & !(WITH_START | WITH_HISTOGRAM) != 0 {
        return Err(Error::corrupt(format!(
            "sample flags {flags:#x} are unknown"
        )));
    }
    let start = match flags & WITH_START {
        0 => None,
        _ => Some(Millis(time.wrapping_sub(cursor.varint_signed()?))),
    };
    let value = match flags & WITH_HISTOGRAM {
        0 => RichValue::Float(f64::from_bits(cursor.u64()?)),
        _ => RichValue::Histogram(histogram_value::decode(cursor)?),
    };
    Ok((start, value))
}

pub(crate) fn read(
    cursor: &mut Cursor<'_>,
    state: &mut RecordState,
    each: impl FnOnce(&Sample<'_>) -> Result<()>,
) -> Result<()> {
    let (delta, tag) = read_time(cursor)?;
    state.time = state.time.wrapping_add(delta);
    let time = Millis(state.time);
    match tag {
        INTEGER => each(&Sample::float(time, cursor.varint_signed()? as f64)),
        BITS => each(&Sample::float(time, f64::from_bits(cursor.u64()?))),
        RICH => {
            let (start, value) = read_rich(cursor, time.0)?;
            each(&Sample {
                time,
                start,
                value: value.as_value(),
            })
        }
        _ => Err(Error::corrupt(format!("sample tag {tag} is unknown"))),
    }
}

/// A fingerprint equal for histograms with equal encodings.
pub(crate) fn histogram_fingerprint(histogram: &Histogram) -> u64 {
    let mut bytes = Vec::new();
    histogram_value::encode(histogram, &mut bytes);
    let mut word = [0; 8];
    word.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_every_sort_round_trip() {
        let values = [
            0.0,
            -0.0,
            1.0,
            -7.0,
            0.1,
            1e300,
            f64::INFINITY,
            f64::MIN_POSITIVE / 8.0,
        ]
        .into_iter()
        .chain([
            f64::from_bits(crate::kind::samples::STALE_NAN_BITS),
            f64::NAN,
        ]);
        let times = [0, 15_000, 15_001, -4, i64::MAX, i64::MIN, 0, 1, 2, 3];
        let (mut out, mut state) = (Vec::new(), RecordState::default());
        let samples: Vec<_> = times
            .into_iter()
            .zip(values)
            .enumerate()
            .map(|(index, (time, value))| {
                let start = (index % 3 == 2).then_some(Millis(time.wrapping_sub(60_000)));
                Sample {
                    time: Millis(time),
                    start,
                    value: SampleValue::Float(value),
                }
            })
            .collect();
        for sample in &samples {
            put(&mut out, sample, &mut state);
        }
        let (mut cursor, mut state) = (Cursor::new(&out), RecordState::default());
        for expected in &samples {
            let mut seen = 0;
            read(&mut cursor, &mut state, |sample| {
                assert_eq!((sample.time, sample.start), (expected.time, expected.start));
                let (SampleValue::Float(a), SampleValue::Float(b)) = (sample.value, expected.value)
                else {
                    unreachable!("only floats were written")
                };
                assert_eq!(a.to_bits(), b.to_bits());
                seen += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, 1);
        }
        assert!(cursor.is_empty());
    }
}
