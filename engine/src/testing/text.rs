//! Strips of texts for benches: the codec of sealed lines by itself.

use crate::codec::Sought;
use crate::codec::text::{self, Scratch, TextPacker};
use crate::error::{Error, Result};
use crate::index::filter::write_key_filter;

/// The codec with the buffers that it reuses.
pub struct TextCodec {
    packer: TextPacker,
    frames: zstd::bulk::Decompressor<'static>,
    scratch: Scratch,
}

impl TextCodec {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let frames = zstd::bulk::Decompressor::new();
        Ok(TextCodec {
            packer: TextPacker::new()?,
            frames: frames.map_err(|error| Error::invalid(error.to_string()))?,
            scratch: Scratch::default(),
        })
    }

    /// A strip of one chunk with these texts.
    pub fn strip(texts: &[&[u8]]) -> Vec<u8> {
        let mut strip = Vec::new();
        text::put_chunk(texts.iter().copied(), &mut strip);
        strip
    }

    /// The strip as it is stored, and the filter of its page.
    pub fn pack(&mut self, strip: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let packed = self.packer.pack(strip, Sought::ByContent)?;
        let mut filter = Vec::new();
        if let Some(keys) = &packed.keys {
            write_key_filter(keys, &mut filter);
        }
        Ok((packed.bytes.unwrap_or_else(|| strip.to_vec()), filter))
    }

    /// Whether what `pack` gave is shapes and columns.
    pub fn has_columns(packed: &[u8]) -> bool {
        packed.first() == Some(&text::TAG)
    }

    /// Fills `strip`, which has the length of what was packed.
    pub fn unpack(&mut self, packed: &[u8], strip: &mut [u8]) -> Result<()> {
        let frames = &mut self.frames;
        let mut frame = |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
        if Self::has_columns(packed) {
            return text::decode(packed, strip, &mut frame, &mut self.scratch);
        }
        let unpacked = frame(packed, strip).map_err(|error| Error::invalid(error.to_string()));
        unpacked.map(|_| ())
    }
}
