//! A checked cursor over bytes, and the little-endian and varint writers that match it.

use crate::error::{Error, Result};

/// The most bytes a 64-bit varint takes.
pub(crate) const VARINT_BYTES_MAX: usize = 10;

/// Reads forward through a byte slice; every read is checked against what is left.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor {
            rest: bytes,
            length: bytes.len(),
        }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The unread bytes.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.short(count)),
        }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.short(N)),
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// An unsigned LEB128 varint; more than ten bytes or bits beyond 64 are an error.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        // Most varints are one byte: keep that path short enough to inline.
        if let Some((&first, rest)) = self.rest.split_first()
            && first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(first));
        }
        self.varint_long()
    }

    fn varint_long(&mut self) -> Result<u64> {
        if let Some(window) = self.rest.first_chunk::<8>()
            && let Some((value, length)) = short_varint(u64::from_le_bytes(*window))
        {
            self.rest = &self.rest[length..];
            return Ok(value);
        }
        self.varint_by_byte()
    }

    /// For the last bytes of a slice and for the longest varints; the slow twin of the above.
    fn varint_by_byte(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().enumerate().take(VARINT_BYTES_MAX) {
            let bits = u64::from(byte & 0x7f);
            if index == VARINT_BYTES_MAX - 1 && bits > 1 {
                return Err(Error::corrupt("varint exceeds 64 bits"));
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < VARINT_BYTES_MAX {
            return Err(self.short(self.rest.len() + 1));
        }
        Err(Error::corrupt("varint is longer than ten bytes"))
    }

    /// A zigzag varint.
    #[inline]
    pub(crate) fn varint_signed(&mut self) -> Result<i64> {
        Ok(unzigzag(self.varint()?))
    }

    /// A varint that counts or measures something of which at most `max` can be valid.
    pub(crate) fn length(&mut self, max: usize, what: &str) -> Result<usize> {
        let value = self.varint()?;
        match usize::try_from(value) {
            Ok(length) if length <= max => Ok(length),
            _ => Err(Error::corrupt(format!(
                "{what} is {value}, at most {max} is valid here"
            ))),
        }
    }

    /// Bytes behind a varint length; the length cannot exceed what is left.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8]> {
        let length = self.length(self.rest.len(), "a length")?;
        self.take(length)
    }

    /// UTF-8 behind a varint length.
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.prefixed()?).map_err(|_| Error::corrupt("text is not UTF-8"))
    }

    fn short(&self, wanted: usize) -> Error {
        let (left, position) = (self.remaining(), self.position());
        Error::corrupt(format!("{wanted} bytes wanted, {left} left at {position}"))
    }
}

#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// The varint that begins a window of eight bytes, and its length, if it ends there: without a
/// branch for each byte.
#[inline]
fn short_varint(window: u64) -> Option<(u64, usize)> {
    let ends = !window & 0x8080_8080_8080_8080;
    if ends == 0 {
        return None;
    }
    // The lowest bit of `ends` is the top bit of the last byte; what lies above is not ours.
    let own = window & (ends ^ (ends - 1));
    // Seven bits of each byte move together: pairs of bytes, then of pairs, then of those.
    let groups = own & 0x7f7f_7f7f_7f7f_7f7f;
    let pairs = (groups & 0x007f_007f_007f_007f) | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let value = (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4;
    Some((value, ends.trailing_zeros() as usize / 8 + 1))
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_varint_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

pub(crate) fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn varints_round_trip_at_every_width() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                put_varint_signed(&mut out, value as i64);
                let mut cursor = Cursor::new(&out);
                assert_eq!(cursor.varint().unwrap(), value);
                assert_eq!(cursor.varint_signed().unwrap(), value as i64);
                assert!(cursor.is_empty());
            }
        }
    }

    #[test]
    fn a_varint_cut_short_or_too_long_is_an_error() {
        assert!(Cursor::new(&[]).varint().is_err());
        assert!(Cursor::new(&[0x80]).varint().is_err());
        assert!(Cursor::new(&[0xff; 11]).varint().is_err());
        let mut too_wide = [0xff; 10];
        too_wide[9] = 2;
        assert!(Cursor::new(&too_wide).varint().is_err());
    }

    proptest! {
        #[test]
        fn a_varint_reads_the_same_by_byte(bytes in prop::collection::vec(any::<u8>(), 1..12)) {
            let (mut quick, mut slow) = (Cursor::new(&bytes), Cursor::new(&bytes));
            let (read, by_byte) = (quick.varint(), slow.varint_by_byte());
            prop_assert_eq!(read.ok(), by_byte.ok());
            prop_assert_eq!(quick.position(), slow.position());
        }
    }

    #[test]
    fn a_prefixed_length_beyond_the_end_is_an_error() {
        assert!(Cursor::new(&[5, 1, 2]).prefixed().is_err());
        assert!(Cursor::new(&[2, 0xff, 0xfe]).text().is_err());
    }
}
