//! The three sections of an encoded strip: structure (what is there), texts (fixed texts, words,
//! what has no better form) and bodies (packed columns, one behind the other).

use std::borrow::Cow;

use crate::codec::bytes::{Cursor, put_varint};
use crate::codec::ints;
use crate::error::{Error, Result};

/// Texts are few and searched often: they may take a while.
const TEXTS_LEVEL: i32 = 7;
const NUMBERS_LEVEL: i32 = 3;

/// Fewer bytes than this are not worth a frame.
const FRAME_BYTES_MIN: usize = 48;

/// Decompresses the first buffer into the second and returns how many bytes came out.
pub(crate) type Unsqueeze<'a> = dyn FnMut(&[u8], &mut [u8]) -> std::io::Result<usize> + 'a;

/// The compressors that encoding uses.
pub(super) struct Squeeze {
    texts: zstd::bulk::Compressor<'static>,
    numbers: zstd::bulk::Compressor<'static>,
}

impl Squeeze {
    pub(super) fn new() -> Result<Self> {
        let made = |level| {
            zstd::bulk::Compressor::new(level).map_err(|error| {
                Error::invalid(format!("zstd level {level} cannot be used: {error}"))
            })
        };
        Ok(Squeeze {
            texts: made(TEXTS_LEVEL)?,
            numbers: made(NUMBERS_LEVEL)?,
        })
    }

    /// The bytes or their frame, whichever is smaller: a reader knows the raw length.
    pub(super) fn numbers(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        smaller(&mut self.numbers, bytes)
    }

    fn texts(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        smaller(&mut self.texts, bytes)
    }
}

fn smaller(squeeze: &mut zstd::bulk::Compressor<'static>, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.len() < FRAME_BYTES_MIN {
        return Ok(bytes);
    }
    let packed = squeeze
        .compress(&bytes)
        .map_err(|error| Error::invalid(format!("zstd cannot compress: {error}")))?;
    Ok(match packed.len() < bytes.len() {
        true => packed,
        false => bytes,
    })
}

#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) structure: Vec<u8>,
    pub(super) texts: Vec<u8>,
    pub(super) bodies: Vec<u8>,
}

impl Sections {
    /// Appends all three behind their lengths.
    pub(super) fn finish(self, squeeze: &mut Squeeze, out: &mut Vec<u8>) -> Result<()> {
        let lengths = [self.structure.len(), self.texts.len()];
        let packed = [squeeze.texts(self.structure)?, squeeze.texts(self.texts)?];
        for (raw, packed) in lengths.iter().zip(&packed) {
            put_varint(out, *raw as u64);
            put_varint(out, packed.len() as u64);
        }
        packed.iter().for_each(|bytes| out.extend_from_slice(bytes));
        out.extend_from_slice(&self.bodies);
        Ok(())
    }
}

/// Reads what [`Sections`] wrote.
pub(super) struct SectionsReader<'a> {
    pub(super) structure: Cursor<'a>,
    pub(super) bodies: Cursor<'a>,
}

/// A byte for each of so many texts, or the frame of those bytes.
#[derive(Clone)]
pub(super) struct Plane<'a> {
    stored: Cow<'a, [u8]>,
    count: usize,
}

impl Plane<'_> {
    /// The bytes.
    pub(super) fn open(&self, unsqueeze: &mut Unsqueeze<'_>) -> Result<Cow<'_, [u8]>> {
        expand(&self.stored, self.count, unsqueeze)
    }
}

/// The first two sections, decompressed.
pub(super) struct Opened<'a> {
    pub(super) structure: Cow<'a, [u8]>,
    pub(super) texts: Cow<'a, [u8]>,
    pub(super) bodies: &'a [u8],
}

impl<'a> Opened<'a> {
    /// No section may claim more than `bytes_max`.
    pub(super) fn read(
        stored: &'a [u8],
        bytes_max: usize,
        unsqueeze: &mut Unsqueeze<'_>,
    ) -> Result<Self> {
        let mut cursor = Cursor::new(stored);
        let mut lengths = [(0, 0); 2];
        for (raw, packed) in &mut lengths {
            *raw = cursor.length(bytes_max, "a section's length")?;
            *packed = cursor.length(*raw, "a section's stored length")?;
        }
        let [structure, texts] = lengths;
        Ok(Opened {
            structure: expand(cursor.take(structure.1)?, structure.0, unsqueeze)?,
            texts: expand(cursor.take(texts.1)?, texts.0, unsqueeze)?,
            bodies: cursor.rest(),
        })
    }

    pub(super) fn reader(&self) -> SectionsReader<'_> {
        SectionsReader {
            structure: Cursor::new(&self.structure),
            bodies: Cursor::new(self.bodies),
        }
    }
}

impl<'a> SectionsReader<'a> {
    /// Bytes of the bodies behind a stored length in the structure; `count` of them when expanded.
    pub(super) fn plane(&mut self, count: usize) -> Result<Plane<'a>> {
        let stored = self.structure.length(count, "a plane's stored length")?;
        let stored = Cow::Borrowed(self.bodies.take(stored)?);
        Ok(Plane { stored, count })
    }

    /// The bytes of an integer column of `count` numbers.
    pub(super) fn ints(&mut self, count: usize) -> Result<&'a [u8]> {
        let bytes = self.bodies.rest();
        let start = self.bodies.position();
        ints::skip(&mut self.bodies, count)?;
        Ok(&bytes[..self.bodies.position() - start])
    }
}

fn expand<'a>(
    packed: &'a [u8],
    raw: usize,
    unsqueeze: &mut Unsqueeze<'_>,
) -> Result<Cow<'a, [u8]>> {
    if packed.len() == raw {
        return Ok(Cow::Borrowed(packed));
    }
    let mut bytes = vec![0; raw];
    match unsqueeze(packed, &mut bytes) {
        Ok(length) if length == raw => Ok(Cow::Owned(bytes)),
        Ok(_) => Err(Error::corrupt("a frame is shorter than it says")),
        Err(_) => Err(Error::corrupt("a frame does not decompress")),
    }
}
