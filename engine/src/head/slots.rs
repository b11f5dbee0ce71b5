//! A vector that grows by fixed pieces, so that a million elements are never copied to a larger
//! place.

/// Elements of one piece.
const PIECE: usize = 1024;

/// A vector in pieces.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    pieces: Vec<Vec<T>>,
    length: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots {
            pieces: Vec::new(),
            length: 0,
        }
    }
}

impl<T> Slots<T> {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.length.is_multiple_of(PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        self.pieces[self.length / PIECE].push(value);
        self.length += 1;
    }
}

impl<T> std::ops::Index<u32> for Slots<T> {
    type Output = T;
    #[inline]
    fn index(&self, index: u32) -> &T {
        &self.pieces[index as usize / PIECE][index as usize % PIECE]
    }
}

impl<T> std::ops::IndexMut<u32> for Slots<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.pieces[index as usize / PIECE][index as usize % PIECE]
    }
}
