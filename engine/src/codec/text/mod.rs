//! Strips of texts as shapes and columns: what lines have in common is stored once, what differs
//! goes to typed columns.
//!
//! Owns the bytes of such a strip (docs/format/lines.md) and gives every byte of it back. Knows no
//! kinds, pages or streams: a strip is lists of texts, chunk behind chunk.

mod abridge;
mod assemble;
mod columns;
mod decode;
mod encode;
mod filling;
mod lexer;
mod marks;
mod measure;
mod parse;
mod pick;
mod render;
mod search;
mod sections;
mod shapes;
mod span;
mod symbols;
mod typed;

pub(crate) use abridge::abridge;
pub(crate) use decode::Scratch;
pub use filling::{Abridge, Abridged, Filling};
pub(crate) use measure::measure;
pub(crate) use search::{Found, search};
pub(crate) use sections::Unsqueeze;

use crate::codec::Sought;
use crate::codec::bytes::Cursor;
use crate::codec::tokens::Keys;
use crate::error::{Error, Result};
use sections::Squeeze;
use span::Strip;

/// The first byte of an encoded strip. No zstd frame begins with it.
pub(crate) const TAG: u8 = 0x54;

const COLUMN_SMALL: u8 = 0;
const COLUMN_PLAIN: u8 = 1;
const COLUMN_DICTIONARY: u8 = 2;
const COLUMN_INTEGERS: u8 = 3;
const COLUMN_DECIMALS: u8 = 4;
const COLUMN_MASKED: u8 = 5;
const COLUMN_HEX: u8 = 6;
const COLUMN_UUIDS: u8 = 7;
const COLUMN_ADDRESSES: u8 = 8;
const COLUMN_AFFIXED: u8 = 9;
const COLUMN_SHAPES: u8 = 10;

/// Fewer texts or bytes than these have too little in common to pay for columns.
const TEXTS_MIN: usize = 24;
const BYTES_MIN: usize = 2048;

/// The zstd level of strips that have little in common.
const FRAME_LEVEL: i32 = 6;

/// Packs strips of texts, one after the other.
pub(crate) struct TextPacker {
    squeeze: Squeeze,
    whole: zstd::bulk::Compressor<'static>,
    frames: zstd::bulk::Decompressor<'static>,
    /// What is decoded to be compared.
    back: Vec<u8>,
    scratch: Scratch,
}

impl TextPacker {
    pub(crate) fn new() -> Result<Self> {
        let failed = |error| Error::invalid(format!("zstd cannot be used: {error}"));
        Ok(TextPacker {
            squeeze: Squeeze::new()?,
            whole: zstd::bulk::Compressor::new(FRAME_LEVEL).map_err(failed)?,
            frames: zstd::bulk::Decompressor::new().map_err(failed)?,
            back: Vec::new(),
            scratch: Scratch::default(),
        })
    }

    /// The strip as shapes and columns or as one frame, and the keys of its texts if `sought`
    /// wants them. What comes back was decoded again and compared.
    pub(crate) fn pack(&mut self, strip: &[u8], sought: Sought) -> Result<Packed> {
        let mut keys = match sought {
            Sought::ByContent => Some(Keys::default()),
            Sought::Never => None,
        };
        let texts = Strip::read(strip)?;
        let encoded = match texts.texts.len() < TEXTS_MIN || strip.len() < BYTES_MIN {
            true => None,
            false => encode::encode(strip, &texts, &mut self.squeeze, keys.as_mut())?,
        };
        if let Some(encoded) = encoded
            && encoded.len() < strip.len()
            && self.gives_back(&encoded, strip)
        {
            let bytes = Some(encoded);
            return Ok(Packed { bytes, keys });
        }
        let keys = match keys {
            Some(_) => Some(keys_of(strip)?),
            None => None,
        };
        let bytes = self.whole.compress(strip).ok();
        Ok(Packed { bytes, keys })
    }

    /// Whether the encoded bytes decode to the strip: all but surely, since shapes and words are
    /// told apart by hashes.
    fn gives_back(&mut self, encoded: &[u8], strip: &[u8]) -> bool {
        self.back.resize(strip.len(), 0);
        let frames = &mut self.frames;
        let unsqueeze =
            &mut |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
        decode(encoded, &mut self.back, unsqueeze, &mut self.scratch).is_ok() && self.back == strip
    }
}

/// A strip in other bytes, if there are any, and the keys of its texts, if they are wanted.
pub(crate) struct Packed {
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) keys: Option<Keys>,
}

/// Fills `strip` with what was encoded; its length is that of the strip.
pub(crate) fn decode(
    encoded: &[u8],
    strip: &mut [u8],
    unsqueeze: &mut Unsqueeze<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    decode::decode(encoded, strip, unsqueeze, scratch)
}

/// The keys of all texts of a strip.
pub(crate) fn keys_of(strip: &[u8]) -> Result<Keys> {
    let mut keys = Keys::default();
    for text in Strip::read(strip)?.texts {
        keys.add_text(text.of(strip));
    }
    Ok(keys)
}

/// Appends a chunk of texts to a strip: a `u32` count, that many `u32` lengths, the texts.
pub(crate) fn put_chunk<'t>(
    texts: impl ExactSizeIterator<Item = &'t [u8]> + Clone,
    out: &mut Vec<u8>,
) {
    let word = |length: usize| u32::try_from(length).expect("a chunk stays below 4 GiB");
    out.extend_from_slice(&word(texts.len()).to_le_bytes());
    for text in texts.clone() {
        out.extend_from_slice(&word(text.len()).to_le_bytes());
    }
    texts.for_each(|text| out.extend_from_slice(text));
}

/// Reads one chunk of a strip, of exactly `count` texts: where each ends, and all of them.
pub(crate) fn read_chunk(bytes: &[u8], count: usize) -> Result<(Vec<u32>, &[u8])> {
    let mut cursor = Cursor::new(bytes);
    if cursor.u32()? as usize != count {
        return Err(Error::corrupt(
            "a chunk has another number of texts than its index says",
        ));
    }
    let lengths = cursor.take(count.saturating_mul(4))?;
    let texts = cursor.rest();
    let (mut ends, mut end) = (Vec::with_capacity(count), 0u32);
    for length in lengths.as_chunks::<4>().0 {
        end = end
            .checked_add(u32::from_le_bytes(*length))
            .ok_or_else(|| Error::corrupt("a chunk beyond 4 GiB"))?;
        ends.push(end);
    }
    match end as usize == texts.len() {
        true => Ok((ends, texts)),
        false => Err(Error::corrupt(
            "the lengths of a chunk do not add up to its text",
        )),
    }
}

#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
