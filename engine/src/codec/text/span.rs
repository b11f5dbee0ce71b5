//! Spans: pieces of one buffer, told by place.

use crate::codec::bytes::Cursor;
use crate::error::{Error, Result};

/// A piece of a buffer that stays below 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl Span {
    /// From `start` up to `end`, both within a buffer below 4 GiB.
    #[inline]
    pub(super) fn between(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && u32::try_from(end).is_ok());
        // Strips are bounded far below 32 bits by whoever makes them.
        Span {
            start: start as u32,
            length: (end - start) as u32,
        }
    }

    #[inline]
    pub(super) fn end(self) -> usize {
        self.start as usize + self.length as usize
    }

    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end()]
    }
}

/// Where the texts of a strip lie, and how many each chunk has. A strip is chunk behind chunk, each
/// a `u32` count, that many `u32` lengths, and the texts.
#[derive(Debug, Default)]
pub(super) struct Strip {
    pub(super) counts: Vec<u32>,
    pub(super) texts: Vec<Span>,
}

impl Strip {
    pub(super) fn read(bytes: &[u8]) -> Result<Strip> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(Error::corrupt("a strip of texts exceeds 4 GiB"));
        }
        let mut strip = Strip::default();
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_empty() {
            let count = cursor.u32()?;
            let lengths = cursor.take((count as usize).saturating_mul(4))?;
            strip.counts.push(count);
            for length in lengths.as_chunks::<4>().0 {
                let start = cursor.position();
                cursor.take(u32::from_le_bytes(*length) as usize)?;
                strip.texts.push(Span::between(start, cursor.position()));
            }
        }
        Ok(strip)
    }
}
