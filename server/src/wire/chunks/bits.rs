//! Bits, the highest of each byte first, and the numbers of varying width that chunks are made of.

use crate::wire::bytes::{self, Result, zigzag};
use crate::wire::protobuf::{Malformed, unzigzag};

/// Widths of Prometheus' numbers of varying width; the last step has no smaller prefix.
const WIDTHS: [u32; 8] = [3, 6, 9, 12, 18, 25, 56, 64];

/// Reads bits from the front.
#[derive(Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// How many bits have been read.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    /// How many bits are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    pub(crate) fn bit(&mut self) -> Result<bool> {
        let byte = self.bytes.get(self.at / 8).ok_or_else(ends)?;
        let is_set = byte >> (7 - self.at % 8) & 1 == 1;
        self.at += 1;
        Ok(is_set)
    }

    /// At most 64 bits as a number.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u64> {
        debug_assert!(count <= 64, "a number has 64 bits at most");
        if count > 32 {
            let high = self.bits(count - 32)?;
            return Ok(high << 32 | self.bits(32)?);
        }
        if count as usize > self.left() {
            return Err(ends());
        }
        let (start, offset) = (self.at / 8, self.at % 8);
        let mut window = [0; 8];
        let end = self.bytes.len().min(start + 8);
        window[..end - start].copy_from_slice(&self.bytes[start..end]);
        self.at += count as usize;
        // No more than 32 bits behind an offset below 8: eight bytes always hold them.
        let shifted = u64::from_be_bytes(window) << offset;
        Ok(if count == 0 {
            0
        } else {
            shifted >> (64 - count)
        })
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.bits(8).map(|byte| byte as u8)
    }

    pub(crate) fn double(&mut self) -> Result<f64> {
        self.bits(64).map(f64::from_bits)
    }

    /// Go's varint, byte by byte.
    pub(crate) fn uvarint(&mut self) -> Result<u64> {
        bytes::uvarint(|| self.byte())
    }

    pub(crate) fn varint(&mut self) -> Result<i64> {
        self.uvarint().map(unzigzag)
    }

    /// A signed number of this width, of which the upper half is one longer than the lower.
    pub(crate) fn signed(&mut self, width: u32) -> Result<i64> {
        let bits = self.bits(width)?;
        if width < 64 && bits > 1 << (width - 1) {
            return Ok((bits as i64) - (1 << width));
        }
        Ok(bits as i64)
    }

    /// The width that a prefix of ones announces; 0 for the number zero.
    fn width(&mut self) -> Result<u32> {
        let mut ones = 0;
        while ones < WIDTHS.len() && self.bit()? {
            ones += 1;
        }
        Ok(if ones == 0 { 0 } else { WIDTHS[ones - 1] })
    }

    pub(crate) fn varbit_int(&mut self) -> Result<i64> {
        match self.width()? {
            0 => Ok(0),
            width => self.signed(width),
        }
    }

    pub(crate) fn varbit_uint(&mut self) -> Result<u64> {
        let width = self.width()?;
        self.bits(width)
    }

    /// A count of things of which each takes a bit at least.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = self.varbit_uint()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => Ok(count),
            _ => Err(Malformed::new(format!(
                "{count} things are announced in {} bits",
                self.left()
            ))),
        }
    }
}

fn ends() -> Malformed {
    Malformed::new("the chunk ends too early")
}

/// Writes bits behind each other.
#[derive(Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that are free in the last byte.
    free: u32,
}

impl BitWriter {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn bits(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = (number >> (left - taken)) as u8 & (0xffu16 >> (8 - taken)) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << (self.free - taken);
            }
            self.free -= taken;
            left -= taken;
        }
    }

    pub(crate) fn bit(&mut self, is_set: bool) {
        self.bits(u64::from(is_set), 1);
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bits(u64::from(byte), 8);
    }

    pub(crate) fn uvarint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    pub(crate) fn varint(&mut self, number: i64) {
        self.uvarint(zigzag(number));
    }

    fn prefixed(&mut self, place: usize, number: u64) {
        let ones = place as u32 + 1;
        self.bits((1 << ones) - 1, ones);
        // A zero ends the prefix, but for the longest one.
        if place + 1 < WIDTHS.len() {
            self.bit(false);
        }
        self.bits(number, WIDTHS[place]);
    }

    pub(crate) fn varbit_int(&mut self, number: i64) {
        if number == 0 {
            return self.bit(false);
        }
        let fits = |width: &u32| fits(number, *width);
        let place = WIDTHS.iter().position(fits).unwrap_or(WIDTHS.len() - 1);
        self.prefixed(place, number as u64);
    }

    pub(crate) fn varbit_uint(&mut self, number: u64) {
        if number == 0 {
            return self.bit(false);
        }
        let fits = |width: &u32| *width == 64 || number >> width == 0;
        let place = WIDTHS.iter().position(fits).unwrap_or(WIDTHS.len() - 1);
        self.prefixed(place, number);
    }
}

/// Whether a signed number can be written in this width, as [`BitReader::signed`] reads it.
pub(crate) fn fits(number: i64, width: u32) -> bool {
    width == 64 || (-((1 << (width - 1)) - 1)..=1 << (width - 1)).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back() {
        let mut numbers = vec![0i64, i64::MIN, i64::MAX];
        for shift in 0..63 {
            for around in -2..=2 {
                numbers.extend([(1i64 << shift) + around, -(1i64 << shift) + around]);
            }
        }
        let mut writer = BitWriter::default();
        writer.bits(0b101, 3);
        for number in &numbers {
            writer.varbit_int(*number);
            writer.varbit_uint(*number as u64);
            writer.varint(*number);
        }
        let bytes = writer.into_bytes();
        let mut reader = BitReader::new(&bytes);
        assert_eq!(reader.bits(3).unwrap(), 0b101);
        for number in &numbers {
            assert_eq!(reader.varbit_int().unwrap(), *number);
            assert_eq!(reader.varbit_uint().unwrap(), *number as u64);
            assert_eq!(reader.varint().unwrap(), *number);
        }
        assert!(reader.left() < 8);
        assert!(reader.bits(8).is_err());
    }

    #[test]
    fn bits_are_written_from_the_highest() {
        let mut writer = BitWriter::default();
        writer.byte(7);
        writer.bits(1, 1);
        writer.bits(0b0101, 4);
        writer.bits(0b111_0000_1111, 11);
        assert_eq!(writer.into_bytes(), [7, 0b1010_1111, 0b0000_1111]);
        let mut writer = BitWriter::default();
        writer.uvarint(300);
        assert_eq!(writer.into_bytes(), [0xac, 2]);
    }

    #[test]
    fn integers_take_the_width_that_holds_them() {
        let of = |write: &dyn Fn(&mut BitWriter)| {
            let mut writer = BitWriter::default();
            write(&mut writer);
            writer.into_bytes()
        };
        assert_eq!(of(&|writer| writer.varbit_int(0)), [0]);
        assert_eq!(of(&|writer| writer.varbit_int(4)), [0b1010_0000]);
        assert_eq!(of(&|writer| writer.varbit_int(-3)), [0b1010_1000]);
        assert_eq!(of(&|writer| writer.varbit_int(-4)), [0b1101_1110, 0]);
        assert_eq!(of(&|writer| writer.varbit_uint(7)), [0b1011_1000]);
        assert_eq!(of(&|writer| writer.varbit_uint(8)), [0b1100_0100, 0]);
        assert_eq!(of(&|writer| writer.varbit_uint(u64::MAX)), [0xff; 9]);
    }

    #[test]
    fn small_numbers_take_the_bits_that_prometheus_gives_them() {
        let length = |number| {
            let mut writer = BitWriter::default();
            writer.varbit_int(number);
            writer.bytes.len() * 8 - writer.free as usize
        };
        // Zero, then prefixes of 2 to 8 bits before 3, 6, 9, 12, 18, 25, 56 and 64 bits.
        let known = [
            (0, 1),
            (4, 5),
            (-4, 9),
            (33, 13),
            (257, 17),
            (2049, 24),
            (131_073, 32),
            (16_777_217, 64),
            (i64::MAX, 72),
        ];
        for (number, bits) in known {
            assert_eq!(length(number), bits, "{number}");
        }
    }
}
