//! Reads a strip of texts back: columns are rendered one by one, then texts are put together from
//! pieces by copying.

use crate::error::{Error, Result};

use super::assemble::Assembly;
use super::columns::Canvas;
use super::parse::{Parsed, Parser};
use super::sections::{Opened, Unsqueeze};
use super::span::Span;

/// What is rendered takes at most so many bytes for each of the strip's.
const CANVAS_FACTOR: usize = 32;

/// So much is granted to strips however short.
const SLACK_BYTES: usize = 4096;

/// Large buffers that decoding reuses from strip to strip.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(super) canvas: Vec<u8>,
    pub(super) spans: Vec<Span>,
}

impl Scratch {
    /// How much memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.canvas.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}

/// The sections of an encoded strip of so many bytes.
pub(super) fn open<'e>(
    encoded: &'e [u8],
    strip_bytes: usize,
    unsqueeze: &mut Unsqueeze<'_>,
) -> Result<Opened<'e>> {
    let Some((&super::TAG, stored)) = encoded.split_first() else {
        return Err(Error::corrupt("a strip of texts has another tag"));
    };
    let sections_max = strip_bytes.saturating_mul(4).saturating_add(SLACK_BYTES);
    Opened::read(stored, sections_max, unsqueeze)
}

/// Reads shapes and columns, and puts the section of texts on a canvas.
pub(super) fn parse<'o, 'u>(
    opened: &'o Opened<'_>,
    strip_bytes: usize,
    unsqueeze: &'u mut Unsqueeze<'_>,
    mut canvas: Vec<u8>,
) -> Result<(Parsed<'o>, Canvas<'u>)> {
    canvas.clear();
    canvas.extend_from_slice(&opened.texts);
    let reader = opened.reader();
    let parsed = Parser::new(reader, &mut *unsqueeze, opened.texts.len(), strip_bytes).parse()?;
    let rendered_max = strip_bytes.saturating_mul(CANVAS_FACTOR);
    Ok((parsed, Canvas::new(canvas, rendered_max, unsqueeze)))
}

/// Fills `strip` with what was encoded.
pub(super) fn decode(
    encoded: &[u8],
    strip: &mut [u8],
    unsqueeze: &mut Unsqueeze<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    let opened = open(encoded, strip.len(), unsqueeze)?;
    let canvas = std::mem::take(&mut scratch.canvas);
    let (parsed, mut canvas) = parse(&opened, strip.len(), unsqueeze, canvas)?;
    let mut spans = std::mem::take(&mut scratch.spans);
    spans.clear();
    let assembly = Assembly::of(&parsed.rows, &mut canvas, spans)?;
    let written = assembly.write_strip(&parsed.counts, &canvas.bytes, strip);
    *scratch = Scratch {
        canvas: canvas.bytes,
        spans: assembly.into_spans(),
    };
    written
}
