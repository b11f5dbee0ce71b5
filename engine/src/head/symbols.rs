//! Interned label pairs: each (name, value) of the head once, as its canonical bytes, with its
//! postings.
//!
//! Pairs are numbered; a number is reused only after the pair has lost its last series. The bytes
//! of one name's pairs stand one behind the other in pieces, so that all values of a name are
//! searched as `values` does it. A piece whose pairs are mostly forgotten is emptied: what is left
//! moves to the name's last piece.

use hashbrown::{HashMap, HashTable};

use crate::head::postings::HeadPostings;
use crate::head::slots::Slots;

/// The number of an interned pair.
pub(crate) type PairId = u32;

/// Bytes of a name's first piece, and of one of many; each has twice those of the one before. A
/// longer pair gets a piece of its own.
const PIECE_BYTES_MIN: usize = 256;
const PIECE_BYTES_MAX: usize = 64 << 10;

/// The piece of a pair that was forgotten.
const NO_PIECE: u32 = u32::MAX;

/// One interned pair.
struct Pair {
    hash: u64,
    piece: u32,
    offset: u32,
    length: u32,
    name: u32,
    postings: HeadPostings,
}

/// One label name with its values.
pub(crate) struct Name {
    text: Box<str>,
    /// Where the pairs stand, in the order in which they came.
    pub(crate) pieces: Vec<u32>,
    /// Pairs that some series has.
    pub(crate) live: u32,
    /// How often pieces were emptied: who goes through them in several steps begins again then.
    pub(crate) moves: u64,
}

/// What stands in one piece, in order. Forgotten pairs are still in it.
#[derive(Default)]
pub(crate) struct Piece {
    pub(crate) entries: Vec<Entry>,
    dead_bytes: usize,
}

/// Where a pair stands in its piece.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) offset: u32,
    pub(crate) pair: PairId,
}

/// All pairs of one head.
#[derive(Default)]
pub(crate) struct Symbols {
    /// Canonical bytes by piece; apart from `pieces`, since whoever compares needs nothing else.
    texts: Vec<Vec<u8>>,
    pieces: Vec<Piece>,
    free_pieces: Vec<u32>,
    pairs: Slots<Pair>,
    free: Vec<PairId>,
    table: HashTable<PairId>,
    names: Vec<Name>,
    name_numbers: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    hasher: foldhash::fast::RandomState,
}

impl Symbols {
    /// The pair with these canonical bytes, if it is interned.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<PairId> {
        let hash = self.hash(bytes);
        self.table
            .find(hash, |id| self.bytes(*id) == bytes)
            .copied()
    }

    /// The canonical bytes of a pair: `varint length, name, varint length, value`.
    #[inline]
    pub(crate) fn bytes(&self, id: PairId) -> &[u8] {
        let pair = &self.pairs[id];
        let start = pair.offset as usize;
        &self.texts[pair.piece as usize][start..start + pair.length as usize]
    }

    /// The value of a pair.
    pub(crate) fn value(&self, id: PairId) -> &str {
        let mut cursor = crate::codec::bytes::Cursor::new(self.bytes(id));
        let _name = cursor.prefixed().expect("interned pairs are canonical");
        cursor.text().expect("interned pairs are canonical")
    }

    /// The number of a pair's name.
    pub(crate) fn name_of(&self, id: PairId) -> u32 {
        self.pairs[id].name
    }

    /// How many pair numbers have been given out.
    pub(crate) fn pair_slots(&self) -> usize {
        self.pairs.len()
    }

    /// Interns a pair and enters `series` into its postings. `hint` is a live pair that may well be
    /// the one.
    pub(crate) fn intern(
        &mut self,
        name: &[u8],
        bytes: &[u8],
        series: u32,
        hint: Option<PairId>,
    ) -> PairId {
        let id = match hint.filter(|hint| self.bytes(*hint) == bytes) {
            Some(id) => id,
            None => match self.find(bytes) {
                Some(id) => id,
                None => self.insert(name, bytes),
            },
        };
        self.pairs[id].postings.insert(series);
        id
    }

    /// Takes `series` out of a pair's postings. A pair without series is forgotten: then true.
    pub(crate) fn release(&mut self, id: PairId, series: u32) -> bool {
        self.pairs[id].postings.remove(series);
        let is_last = self.pairs[id].postings.is_empty();
        if is_last {
            self.forget(id);
        }
        is_last
    }

    pub(crate) fn postings(&self, id: PairId) -> &HeadPostings {
        &self.pairs[id].postings
    }

    /// The number of a label name that some series has or had.
    pub(crate) fn name_number(&self, name: &str) -> Option<u32> {
        self.name_numbers.get(name).copied()
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u32) -> &Name {
        &self.names[number as usize]
    }

    /// The bytes of a piece and what stands in it.
    pub(crate) fn piece(&self, number: u32) -> (&[u8], &Piece) {
        (&self.texts[number as usize], &self.pieces[number as usize])
    }

    /// Whether the pair that stands at this entry of a piece was not forgotten.
    #[inline]
    pub(crate) fn is_live(&self, piece: u32, entry: Entry) -> bool {
        let pair = &self.pairs[entry.pair];
        pair.piece == piece && pair.offset == entry.offset
    }

    /// The label names that some series has, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .filter(|name| name.live > 0)
            .map(|name| &*name.text)
    }

    fn insert(&mut self, name: &[u8], bytes: &[u8]) -> PairId {
        let hash = self.hash(bytes);
        let name = std::str::from_utf8(name).expect("labels are checked before they are interned");
        let number = self.number_for(name);
        let length = u32::try_from(bytes.len()).expect("limits keep a label below 4 GiB");
        let pair = Pair {
            hash,
            piece: NO_PIECE,
            offset: 0,
            length,
            name: number,
            postings: HeadPostings::default(),
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.pairs[id] = pair;
                id
            }
            None => {
                self.pairs.push(pair);
                (self.pairs.len() - 1) as PairId
            }
        };
        self.store(id, bytes);
        self.names[number as usize].live += 1;
        let pairs = &self.pairs;
        self.table.insert_unique(hash, id, |id| pairs[*id].hash);
        id
    }

    fn number_for(&mut self, name: &str) -> u32 {
        if let Some(number) = self.name_number(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(Name {
            text: name.into(),
            pieces: Vec::new(),
            live: 0,
            moves: 0,
        });
        self.name_numbers.insert(name.into(), number);
        number
    }

    /// Writes a pair's bytes behind the others of its name.
    fn store(&mut self, id: PairId, bytes: &[u8]) {
        let number = self.pairs[id].name;
        let last = self.names[number as usize].pieces.last().copied();
        let has_room = |piece: &u32| {
            let text = &self.texts[*piece as usize];
            text.capacity() - text.len() >= bytes.len()
        };
        let piece = match last.filter(has_room) {
            Some(piece) => piece,
            None => self.begin_piece(number, last, bytes.len()),
        };
        let text = &mut self.texts[piece as usize];
        let offset = text.len() as u32;
        text.extend_from_slice(bytes);
        let entry = Entry { offset, pair: id };
        self.pieces[piece as usize].entries.push(entry);
        (self.pairs[id].piece, self.pairs[id].offset) = (piece, offset);
    }

    /// Begins a piece of a name behind its last one, which takes no more pairs.
    fn begin_piece(&mut self, name: u32, last: Option<u32>, length: usize) -> u32 {
        let before = last.map_or(0, |last| {
            self.pieces[last as usize].entries.shrink_to_fit();
            self.texts[last as usize].capacity()
        });
        let capacity = (2 * before).clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
        let text = Vec::with_capacity(capacity.max(length));
        let piece = match self.free_pieces.pop() {
            Some(piece) => {
                self.texts[piece as usize] = text;
                piece
            }
            None => {
                self.texts.push(text);
                self.pieces.push(Piece::default());
                (self.texts.len() - 1) as u32
            }
        };
        self.names[name as usize].pieces.push(piece);
        piece
    }

    fn forget(&mut self, id: PairId) {
        let pair = &mut self.pairs[id];
        let (hash, name, length) = (pair.hash, pair.name, pair.length as usize);
        let piece = std::mem::replace(&mut pair.piece, NO_PIECE);
        if let Ok(entry) = self.table.find_entry(hash, |candidate| *candidate == id) {
            entry.remove();
        }
        self.free.push(id);
        self.names[name as usize].live -= 1;
        self.pieces[piece as usize].dead_bytes += length;
        if self.pieces[piece as usize].dead_bytes * 2 > self.texts[piece as usize].capacity() {
            self.empty_piece(name, piece);
        }
    }

    /// Moves the live pairs of a piece to the end of their name's pairs and gives its memory back.
    fn empty_piece(&mut self, name: u32, piece: u32) {
        let owner = &mut self.names[name as usize];
        owner.pieces.retain(|kept| *kept != piece);
        owner.moves += 1;
        let text = std::mem::take(&mut self.texts[piece as usize]);
        let left = std::mem::take(&mut self.pieces[piece as usize]);
        for entry in left.entries {
            if self.is_live(piece, entry) {
                let start = entry.offset as usize;
                let end = start + self.pairs[entry.pair].length as usize;
                self.store(entry.pair, &text[start..end]);
            }
        }
        // Free only now: a pair that has moved is never taken for one that is still in here.
        self.free_pieces.push(piece);
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::set::put_label;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;

    fn pair_bytes(name: u8, value: u32) -> (String, Vec<u8>) {
        let name = ["job", "pod"][usize::from(name) % 2].to_owned();
        let mut bytes = Vec::new();
        put_label(&mut bytes, &name, &format!("value-{value:06}"));
        (name, bytes)
    }

    /// Every live pair of the pieces, with its bytes.
    fn standing(symbols: &Symbols) -> BTreeMap<Vec<u8>, PairId> {
        let mut found = BTreeMap::new();
        for name in ["job", "pod"] {
            let Some(number) = symbols.name_number(name) else {
                continue;
            };
            let before = found.len();
            for piece in &symbols.name(number).pieces {
                let (text, entries) = symbols.piece(*piece);
                for entry in &entries.entries {
                    if symbols.is_live(*piece, *entry) {
                        let bytes = symbols.bytes(entry.pair);
                        assert!(text[entry.offset as usize..].starts_with(bytes));
                        assert!(found.insert(bytes.to_vec(), entry.pair).is_none());
                    }
                }
            }
            assert_eq!(found.len() - before, symbols.name(number).live as usize);
        }
        found
    }

    proptest! {
        #[test]
        fn pairs_of_any_history_are_found_and_stand_in_a_piece(
            steps in prop::collection::vec((0u8..2, 0u32..400, any::<bool>()), 1..600)
        ) {
            let (mut symbols, mut expected) = (Symbols::default(), BTreeMap::new());
            for (name, value, remove) in steps {
                let (name, bytes) = pair_bytes(name, value);
                match (remove, expected.entry(bytes)) {
                    (true, Entry::Occupied(found)) => {
                        prop_assert!(symbols.release(found.remove(), 7));
                    }
                    (false, Entry::Vacant(place)) => {
                        let id = symbols.intern(name.as_bytes(), place.key(), 7, None);
                        place.insert(id);
                    }
                    _ => {}
                }
            }
            for (bytes, id) in &expected {
                prop_assert_eq!(symbols.find(bytes), Some(*id));
            }
            prop_assert_eq!(standing(&symbols), expected);
        }
    }

    #[test]
    fn pairs_that_come_and_go_take_no_more_memory_than_those_that_are_there() {
        let mut symbols = Symbols::default();
        let intern = |symbols: &mut Symbols, value| {
            let (name, bytes) = pair_bytes(0, value);
            symbols.intern(name.as_bytes(), &bytes, 7, None)
        };
        let held = |symbols: &Symbols| symbols.texts.iter().map(Vec::capacity).sum::<usize>();
        // One of a hundred stays for ever.
        let (mut stayed, mut largest) = (0, 0);
        for generation in 0..20 {
            let pairs: Vec<PairId> = (0..10_000)
                .map(|value| intern(&mut symbols, generation * 10_000 + value))
                .collect();
            largest = largest.max(held(&symbols));
            for (place, pair) in pairs.into_iter().enumerate() {
                if place % 100 == 0 {
                    stayed += symbols.bytes(pair).len();
                } else {
                    symbols.release(pair, 7);
                }
            }
        }
        let generation_bytes = 10_000 * pair_bytes(0, 0).1.len();
        assert!(largest < generation_bytes + 3 * stayed + 4 * PIECE_BYTES_MAX);
        assert!(held(&symbols) < 3 * stayed + 4 * PIECE_BYTES_MAX);
        assert_eq!(standing(&symbols).len(), 2_000);
    }
}
