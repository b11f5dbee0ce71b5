//! One chunk as its encoding and its bytes, and the samples in it.

use chronolith_engine::metrics::Histogram;

use super::{histogram, xor};
use crate::wire::protobuf::Malformed;

/// Numbers of the encodings.
pub(crate) const XOR: u8 = 1;
pub(crate) const HISTOGRAM: u8 = 2;
pub(crate) const FLOAT_HISTOGRAM: u8 = 3;

/// The encoding of a chunk that holds such histograms.
pub(crate) fn encoding_of(histogram: &Histogram) -> u8 {
    match histogram::sort(histogram) {
        histogram::Sort::Integer => HISTOGRAM,
        histogram::Sort::Float => FLOAT_HISTOGRAM,
    }
}

/// The value of a sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Float(f64),
    Histogram(Box<Histogram>),
}

/// Hands on each sample of a chunk.
pub(crate) fn decode<E: From<Malformed>>(
    encoding: u8,
    bytes: &[u8],
    mut each: impl FnMut(i64, Value) -> Result<(), E>,
) -> Result<u64, E> {
    let sort = match encoding {
        XOR => return xor::decode(bytes, |time, value| each(time, Value::Float(value))),
        HISTOGRAM => histogram::Sort::Integer,
        FLOAT_HISTOGRAM => histogram::Sort::Float,
        other => {
            return Err(Malformed::new(format!(
                "chunk encoding {other} is unknown: 1 to 3 are read"
            ))
            .into());
        }
    };
    histogram::decode(bytes, sort, |time, histogram| {
        each(time, Value::Histogram(Box::new(histogram)))
    })
}
