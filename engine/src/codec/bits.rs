//! Single bits in bytes, least significant first: the append and the checked read that bit streams
//! share.
//!
//! A writer here is a byte vector and the number of bits used in its last byte, so that an open
//! stream can keep both without padding. A reader never fails while reading: beyond the end it sees
//! zeros, and [`BitReader::check`] says afterwards whether that happened. Knows nothing of what the
//! bits mean.

use crate::error::{Error, Result};

/// How many bits one [`BitReader::peek`] is sure to hold.
pub(crate) const PEEK_BITS: u32 = 57;

/// A mask of the `width` lowest bits.
#[inline]
pub(crate) fn low_mask(width: u32) -> u64 {
    debug_assert!(width <= 64);
    if width == 0 {
        0
    } else {
        u64::MAX >> (64 - width)
    }
}

/// Reads a two's complement number of `width` bits.
#[inline]
pub(crate) fn sign_extend(value: u64, width: u32) -> u64 {
    debug_assert!((1..=64).contains(&width));
    (((value << (64 - width)) as i64) >> (64 - width)) as u64
}

/// Appends the `width` low bits of `value`; `tail` is how many bits of the last byte are in use,
/// with 0 for "all of them", and the return value is the new tail. `value` must have no bits above
/// `width`.
#[inline]
pub(crate) fn push_bits(bytes: &mut Vec<u8>, tail: u8, value: u64, width: u32) -> u8 {
    debug_assert!(width <= 64 && value & !low_mask(width) == 0 && tail < 8);
    let (mut value, mut width) = (value, width);
    if tail > 0
        && let Some(last) = bytes.last_mut()
    {
        *last |= (value << tail) as u8;
        let room = 8 - u32::from(tail);
        if width <= room {
            return (tail + width as u8) & 7;
        }
        value >>= room;
        width -= room;
    }
    let (length, count) = (bytes.len(), width.div_ceil(8) as usize);
    let room = bytes.capacity() - length;
    // One store of fixed size and a new length are cheaper than a copy of unknown size.
    if room >= 8 {
        bytes.extend_from_slice(&value.to_le_bytes());
        bytes.truncate(length + count);
    } else if room >= 2 && count <= 2 {
        bytes.extend_from_slice(&(value as u16).to_le_bytes());
        bytes.truncate(length + count);
    } else {
        bytes.extend_from_slice(&value.to_le_bytes()[..count]);
    }
    (width & 7) as u8
}

/// Reads bits forward; beyond the end there are only zeros.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, position: 0 }
    }

    /// The next bits without consuming them, at least [`PEEK_BITS`] of them, the first in the
    /// lowest place.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        let (byte, shift) = (self.position >> 3, self.position & 7);
        let word = match self
            .bytes
            .get(byte..)
            .and_then(|rest| rest.first_chunk::<8>())
        {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => self.peek_at_end(byte),
        };
        word >> shift
    }

    #[cold]
    fn peek_at_end(&self, byte: usize) -> u64 {
        let mut chunk = [0u8; 8];
        if let Some(rest) = self.bytes.get(byte..) {
            let length = rest.len().min(8);
            chunk[..length].copy_from_slice(&rest[..length]);
        }
        u64::from_le_bytes(chunk)
    }

    #[inline]
    pub(crate) fn skip(&mut self, width: u32) {
        self.position += width as usize;
    }

    /// The next `width` bits, at most 64.
    #[inline]
    pub(crate) fn read(&mut self, width: u32) -> u64 {
        if width <= PEEK_BITS {
            let value = self.peek() & low_mask(width);
            self.skip(width);
            return value;
        }
        let low = self.peek() & low_mask(32);
        self.skip(32);
        let high = self.peek() & low_mask(width - 32);
        self.skip(width - 32);
        low | high << 32
    }

    /// An error once more bits have been read than there are.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        if self.position <= self.bytes.len() * 8 {
            Ok(())
        } else {
            Err(self.overrun())
        }
    }

    /// How many bytes the bits read so far take.
    pub(crate) fn bytes_used(&self) -> usize {
        self.position.div_ceil(8)
    }

    #[cold]
    fn overrun(&self) -> Error {
        Error::corrupt(format!(
            "bit {} wanted of a stream of {} bytes",
            self.position,
            self.bytes.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_every_width_come_back_at_every_alignment() {
        for lead in 0..8u32 {
            for width in 0..=64u32 {
                let value = 0xa5c3_9618_f00f_d2b4 & low_mask(width);
                let mut bytes = Vec::new();
                let mut tail = push_bits(&mut bytes, 0, low_mask(lead), lead);
                tail = push_bits(&mut bytes, tail, value, width);
                push_bits(&mut bytes, tail, 1, 1);
                let mut reader = BitReader::new(&bytes);
                assert_eq!(reader.read(lead), low_mask(lead));
                assert_eq!(reader.read(width), value, "lead {lead} width {width}");
                assert_eq!(reader.read(1), 1);
                assert!(reader.check().is_ok());
                assert_eq!(reader.bytes_used(), bytes.len());
            }
        }
    }

    #[test]
    fn reading_beyond_the_end_gives_zeros_and_then_an_error() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.read(8), 0xff);
        assert!(reader.check().is_ok());
        assert_eq!(reader.read(64), 0);
        assert!(reader.check().is_err());
    }

    #[test]
    fn signs_are_extended_from_any_width() {
        for width in 1..=64 {
            assert_eq!(sign_extend(low_mask(width), width), u64::MAX);
            assert_eq!(
                sign_extend(low_mask(width) >> 1, width),
                low_mask(width) >> 1
            );
        }
    }
}
