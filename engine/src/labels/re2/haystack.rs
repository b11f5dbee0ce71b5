//! Text to search, read as Go reads it: a byte that is not UTF-8 counts as one U+FFFD.
//!
//! The automata only know UTF-8. Text that is not is searched in a repaired copy, made once for any
//! number of searches, and the positions found are translated back; no approximation is involved.

use std::borrow::Cow;

use super::parse::REPLACEMENT;

/// Bytes to be searched, checked once.
pub struct Haystack<'h> {
    bytes: &'h [u8],
    text: Cow<'h, [u8]>,
    /// Positions in `bytes` of those that are not UTF-8.
    broken: Vec<usize>,
}

/// How many bytes longer a repaired byte is.
const GROWTH: usize = REPLACEMENT.len_utf8() - 1;

impl<'h> Haystack<'h> {
    /// Takes any bytes; those that are not UTF-8 are copied.
    pub fn new(bytes: &'h [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Haystack::from(text);
        }
        let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 4);
        let mut broken = Vec::new();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            text.extend_from_slice(chunk.valid().as_bytes());
            at += chunk.valid().len();
            // Go takes broken bytes one by one, even those that begin a character.
            for _ in chunk.invalid() {
                text.extend_from_slice(REPLACEMENT.encode_utf8(&mut [0; 4]).as_bytes());
                broken.push(at);
                at += 1;
            }
        }
        Haystack {
            bytes,
            text: Cow::Owned(text),
            broken,
        }
    }

    /// The bytes as given.
    pub fn bytes(&self) -> &'h [u8] {
        self.bytes
    }

    /// The text that the automata see.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The position after the character at `at`; past the end, one further.
    pub(super) fn next_character(&self, at: usize) -> usize {
        let text = self.text();
        let place = self.to_text(at);
        let width = text.get(place + 1..).map_or(0, |rest| {
            rest.iter().take_while(|byte| **byte & 0xc0 == 0x80).count()
        });
        if place < text.len() {
            self.to_bytes(place + 1 + width)
        } else {
            at + 1
        }
    }

    /// The place in the text of a position in the bytes.
    pub(super) fn to_text(&self, at: usize) -> usize {
        at + GROWTH * self.broken.partition_point(|broken| *broken < at)
    }

    /// The position in the bytes of a place in the text.
    pub(super) fn to_bytes(&self, place: usize) -> usize {
        if self.broken.is_empty() {
            return place;
        }
        // The n-th broken byte (from 0) stands at `broken + n * GROWTH` in the text.
        let (mut low, mut high) = (0, self.broken.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.broken[middle] + middle * GROWTH < place {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        place - low * GROWTH
    }
}

impl<'h> From<&'h str> for Haystack<'h> {
    fn from(text: &'h str) -> Self {
        let bytes = text.as_bytes();
        Haystack {
            bytes,
            text: Cow::Borrowed(bytes),
            broken: Vec::new(),
        }
    }
}
