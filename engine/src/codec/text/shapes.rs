//! Gathers texts by *shape*: what stands between their holes. What stands in a hole goes to the
//! column of all holes that follow the same text, whatever their shape.

use hashbrown::HashMap;

use crate::codec::tokens::{HASH_START, fold};

use super::lexer::{self, Grain};
use super::span::Span;

/// So much of the text before a hole tells what stands in it.
const CONTEXT_BYTES: usize = 12;
/// Less than this says nothing by itself: what stood before the hole before counts too.
const CONTEXT_BYTES_MIN: usize = 3;

/// More columns than this are put together, whatever stands in them.
const COLUMNS_MAX: usize = 2048;

/// See the file comment.
#[derive(Default)]
pub(super) struct Shapes {
    pub(super) shapes: Vec<Shape>,
    /// Texts that stood in holes, in order, by column.
    pub(super) columns: Vec<Vec<Span>>,
    /// The shape of each text.
    pub(super) ids: Vec<u32>,
    /// Holes of the first text of each shape, with their columns, one shape behind the other.
    holes: Vec<(Span, u32)>,
    /// By a hash of the pieces. Two shapes of one hash would be taken for one; such a strip does
    /// not come back when it is tried, and is not written.
    by_shape: HashMap<u64, u32, foldhash::fast::FixedState>,
    by_context: HashMap<u64, u32, foldhash::fast::FixedState>,
}

/// A shape, told by the first text that has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) text: Span,
    holes: (u32, u32),
}

impl Shapes {
    /// Gathers `texts`, or gives up where they have little in common: then `None`.
    pub(super) fn gather(bytes: &[u8], texts: &[Span], grain: Grain) -> Option<Shapes> {
        let mut gathered = Shapes::default();
        gathered.ids.reserve(texts.len());
        let mut holes = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            lexer::holes(bytes, *text, grain, &mut holes);
            let shape = gathered.shape_of(bytes, *text, &holes);
            gathered.ids.push(shape);
            let (start, _) = gathered.shapes[shape as usize].holes;
            for (hole, (_, column)) in holes.iter().zip(&gathered.holes[start as usize..]) {
                gathered.columns[*column as usize].push(*hole);
            }
            let few = place / 2 + 64;
            if gathered.shapes.len() > few {
                return None;
            }
        }
        Some(gathered)
    }

    pub(super) fn holes(&self, shape: &Shape) -> &[(Span, u32)] {
        &self.holes[shape.holes.0 as usize..shape.holes.1 as usize]
    }

    fn shape_of(&mut self, bytes: &[u8], text: Span, holes: &[Span]) -> u32 {
        let hash = hash_pieces(bytes, text, holes);
        if let Some(id) = self.by_shape.get(&hash) {
            return *id;
        }
        let id = self.shapes.len() as u32;
        let start = self.holes.len() as u32;
        let (mut from, mut context) = (text.start as usize, 0u64);
        for hole in holes {
            let before = &bytes[from..hole.start as usize];
            let near = &before[before.len().saturating_sub(CONTEXT_BYTES)..];
            context = match before.len() {
                ..CONTEXT_BYTES_MIN => hash_bytes(context | 1, near),
                _ => hash_bytes(0, near),
            };
            let column = self.column_of(context);
            self.holes.push((*hole, column));
            from = hole.end();
        }
        self.shapes.push(Shape {
            text,
            holes: (start, self.holes.len() as u32),
        });
        self.by_shape.insert(hash, id);
        id
    }

    fn column_of(&mut self, context: u64) -> u32 {
        if let Some(column) = self.by_context.get(&context) {
            return *column;
        }
        let column = match self.columns.len() {
            ..COLUMNS_MAX => {
                self.columns.push(Vec::new());
                self.columns.len() - 1
            }
            _ => context as usize % COLUMNS_MAX,
        };
        self.by_context.insert(context, column as u32);
        column as u32
    }
}

fn hash_pieces(bytes: &[u8], text: Span, holes: &[Span]) -> u64 {
    let (mut hash, mut from) = (holes.len() as u64, text.start as usize);
    for hole in holes {
        hash = hash_bytes(hash, &bytes[from..hole.start as usize]);
        from = hole.end();
    }
    hash_bytes(hash, &bytes[from..text.end()])
}

/// A hash of this process: nothing of it is stored.
#[inline]
pub(super) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = fold(seed ^ HASH_START ^ (bytes.len() as u64).rotate_left(32));
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word));
    }
    let last = tail
        .iter()
        .fold(0, |last, byte| last << 8 | u64::from(*byte));
    match tail.is_empty() {
        true => state,
        false => fold(state ^ last),
    }
}
