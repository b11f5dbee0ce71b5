//! Chunks of floats: times as differences of differences, values as what differs in their bits.

use super::bits::{BitReader, BitWriter, fits};
use crate::wire::bytes::Result;
use crate::wire::protobuf::Malformed;

/// Widths of a difference of differences, behind prefixes of one more bit each.
const TIME_WIDTHS: [u32; 4] = [14, 17, 20, 64];

/// A column of floats while it is read or written: the last value, and the window of bits in which
/// the last one differed.
#[derive(Clone, Copy, Default)]
pub(super) struct XorColumn {
    bits: u64,
    leading: u32,
    trailing: u32,
    /// Whether there is a window yet.
    has_window: bool,
}

impl XorColumn {
    /// A column whose first value stands somewhere else.
    pub(super) fn from(first: f64) -> Self {
        XorColumn {
            bits: first.to_bits(),
            ..XorColumn::default()
        }
    }

    pub(super) fn value(&self) -> f64 {
        f64::from_bits(self.bits)
    }

    pub(super) fn read(&mut self, reader: &mut BitReader<'_>) -> Result<f64> {
        if !reader.bit()? {
            return Ok(self.value());
        }
        if reader.bit()? {
            let leading = reader.bits(5)? as u32;
            let width = match reader.bits(6)? as u32 {
                // Sixty-four does not fit into six bits, and zero never happens.
                0 => 64,
                width => width,
            };
            if leading + width > 64 {
                return Err(Malformed::new("a value has more than 64 bits"));
            }
            (self.leading, self.trailing) = (leading, 64 - leading - width);
            self.has_window = true;
        } else if !self.has_window {
            return Err(Malformed::new(
                "a value refers to a window that was never given",
            ));
        }
        let width = 64 - self.leading - self.trailing;
        self.bits ^= reader.bits(width)? << self.trailing;
        Ok(self.value())
    }

    pub(super) fn write(&mut self, writer: &mut BitWriter, value: f64) {
        let changed = value.to_bits() ^ self.bits;
        self.bits = value.to_bits();
        if changed == 0 {
            return writer.bit(false);
        }
        writer.bit(true);
        // Five bits hold no more.
        let leading = changed.leading_zeros().min(31);
        let trailing = changed.trailing_zeros();
        if self.has_window && leading >= self.leading && trailing >= self.trailing {
            writer.bit(false);
            let width = 64 - self.leading - self.trailing;
            return writer.bits(changed >> self.trailing, width);
        }
        (self.leading, self.trailing, self.has_window) = (leading, trailing, true);
        let width = 64 - leading - trailing;
        writer.bit(true);
        writer.bits(u64::from(leading), 5);
        writer.bits(u64::from(width) & 63, 6);
        writer.bits(changed >> trailing, width);
    }
}

/// Hands on each sample of a chunk. `bytes` begin with the number of samples.
pub(crate) fn decode<E: From<Malformed>>(
    bytes: &[u8],
    mut each: impl FnMut(i64, f64) -> std::result::Result<(), E>,
) -> std::result::Result<u64, E> {
    let mut reader = BitReader::new(bytes);
    let count = reader.bits(16)?;
    if count == 0 {
        return Ok(0);
    }
    let mut time = reader.varint()?;
    let mut column = XorColumn::from(reader.double()?);
    each(time, column.value())?;
    let mut delta = 0i64;
    for place in 1..count {
        delta = match place {
            1 => reader.uvarint()? as i64,
            _ => delta.wrapping_add(second_difference(&mut reader)?),
        };
        time = time.wrapping_add(delta);
        each(time, column.read(&mut reader)?)?;
    }
    Ok(count)
}

fn second_difference(reader: &mut BitReader<'_>) -> Result<i64> {
    let mut ones = 0;
    while ones < TIME_WIDTHS.len() && reader.bit()? {
        ones += 1;
    }
    match ones {
        0 => Ok(0),
        ones => reader.signed(TIME_WIDTHS[ones - 1]),
    }
}

/// Writes a chunk. There are 1 to 65,535 samples, in time order.
pub(crate) fn encode(times: &[i64], values: &[f64]) -> Vec<u8> {
    assert!(!times.is_empty() && times.len() <= usize::from(u16::MAX));
    assert_eq!(times.len(), values.len());
    let mut writer = BitWriter::default();
    writer.bits(times.len() as u64, 16);
    writer.varint(times[0]);
    writer.bits(values[0].to_bits(), 64);
    let (mut delta, mut column) = (0, XorColumn::from(values[0]));
    for place in 1..times.len() {
        let next = times[place].wrapping_sub(times[place - 1]);
        match place {
            1 => writer.uvarint(next as u64),
            _ => put_second_difference(&mut writer, next.wrapping_sub(delta)),
        }
        delta = next;
        column.write(&mut writer, values[place]);
    }
    writer.into_bytes()
}

fn put_second_difference(writer: &mut BitWriter, number: i64) {
    if number == 0 {
        return writer.bit(false);
    }
    let place = TIME_WIDTHS.iter().position(|width| fits(number, *width));
    let place = place.unwrap_or(TIME_WIDTHS.len() - 1);
    let ones = place as u32 + 1;
    writer.bits((1 << ones) - 1, ones);
    if place + 1 < TIME_WIDTHS.len() {
        writer.bit(false);
    }
    writer.bits(number as u64, TIME_WIDTHS[place]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<(Vec<i64>, Vec<u64>)> {
        let (mut times, mut values) = (Vec::new(), Vec::new());
        decode(bytes, |time, value| {
            times.push(time);
            values.push(value.to_bits());
            Ok(())
        })?;
        Ok((times, values))
    }

    fn samples() -> (Vec<i64>, Vec<f64>) {
        let gaps = [0, 15_000, 15_000, 15_001, 1, 70_000, 600_000, 3_000_000_000];
        let mut time = -5i64;
        let (mut times, mut values) = (Vec::new(), Vec::new());
        let some = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, 1e-300, 42.0, 42.0];
        for round in 0..15 {
            for (gap, value) in gaps.iter().zip(some) {
                time += gap;
                times.push(time);
                values.push(value * f64::from(round));
            }
        }
        (times, values)
    }

    #[test]
    fn a_chunk_comes_back_bit_for_bit() {
        let (times, values) = samples();
        let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
        assert_eq!(decoded(&encode(&times, &values)).unwrap(), (times, bits));
    }

    #[test]
    fn a_chunk_that_ends_early_is_malformed() {
        let (times, values) = samples();
        let bytes = encode(&times, &values);
        for length in 0..bytes.len() {
            assert!(decoded(&bytes[..length]).is_err(), "{length}");
        }
    }
}
