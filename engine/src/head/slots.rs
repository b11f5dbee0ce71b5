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

/// A table by number in which far-apart numbers cost little: a hostile number sizes no allocation.
#[derive(Debug)]
pub(crate) struct Sparse<T> {
    pieces: Vec<Option<Box<[T]>>>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Sparse { pieces: Vec::new() }
    }
}

impl<T: Copy + Default> Sparse<T> {
    /// The entry of a number, the default where none was put.
    #[inline]
    pub(crate) fn at(&self, number: u32) -> T {
        let piece = self
            .pieces
            .get(number as usize / PIECE)
            .and_then(Option::as_ref);
        piece.map_or_else(T::default, |piece| piece[number as usize % PIECE])
    }

    pub(crate) fn put(&mut self, number: u32, value: T) {
        let place = number as usize / PIECE;
        if self.pieces.len() <= place {
            self.pieces.resize_with(place + 1, || None);
        }
        let fresh = || vec![T::default(); PIECE].into_boxed_slice();
        self.pieces[place].get_or_insert_with(fresh)[number as usize % PIECE] = value;
    }
}
