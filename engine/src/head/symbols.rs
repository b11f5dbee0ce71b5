//! Interned label pairs: each (name, value) of the head once, as its canonical bytes, with its
//! postings.
//!
//! Pairs are numbered; a number is reused only after the pair has lost its last series.

use hashbrown::{HashMap, HashTable};

use crate::head::postings::HeadPostings;
use crate::head::slots::Slots;

/// The number of an interned pair.
pub(crate) type PairId = u32;

/// Bytes of one piece of the arena; a longer pair gets a piece of its own.
const PIECE_BYTES: usize = 64 << 10;

/// One interned pair.
struct Pair {
    hash: u64,
    piece: u32,
    offset: u32,
    length: u32,
    /// The place of this pair among its name's values.
    place: u32,
    name: u32,
    postings: HeadPostings,
}

/// One label name with its values.
pub(crate) struct Name {
    text: Box<str>,
    pairs: Vec<PairId>,
}

/// All pairs of one head.
#[derive(Default)]
pub(crate) struct Symbols {
    pieces: Vec<Vec<u8>>,
    dead_bytes: usize,
    live_bytes: usize,
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
        &self.pieces[pair.piece as usize][start..start + pair.length as usize]
    }

    /// The value of a pair.
    pub(crate) fn value(&self, id: PairId) -> &str {
        let mut cursor = crate::codec::bytes::Cursor::new(self.bytes(id));
        let _name = cursor.prefixed().expect("interned pairs are canonical");
        cursor.text().expect("interned pairs are canonical")
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

    /// The pairs of a label name, in no order.
    pub(crate) fn pairs_of(&self, name: &str) -> &[PairId] {
        self.name_numbers
            .get(name)
            .map_or(&[], |number| &self.names[*number as usize].pairs)
    }

    /// The label names that some series has, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .filter(|name| !name.pairs.is_empty())
            .map(|name| &*name.text)
    }

    fn insert(&mut self, name: &[u8], bytes: &[u8]) -> PairId {
        let hash = self.hash(bytes);
        let name = std::str::from_utf8(name).expect("labels are checked before they are interned");
        let number = self.name_number(name);
        let (piece, offset) = self.store(bytes);
        let length = u32::try_from(bytes.len()).expect("limits keep a label below 4 GiB");
        let place = self.names[number as usize].pairs.len() as u32;
        let pair = Pair {
            hash,
            piece,
            offset,
            length,
            place,
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
        self.names[number as usize].pairs.push(id);
        let pairs = &self.pairs;
        self.table.insert_unique(hash, id, |id| pairs[*id].hash);
        id
    }

    fn name_number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.name_numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(Name {
            text: name.into(),
            pairs: Vec::new(),
        });
        self.name_numbers.insert(name.into(), number);
        number
    }

    fn store(&mut self, bytes: &[u8]) -> (u32, u32) {
        let fits = |piece: &Vec<u8>| piece.capacity() - piece.len() >= bytes.len();
        if !self.pieces.last().is_some_and(fits) {
            self.pieces
                .push(Vec::with_capacity(PIECE_BYTES.max(bytes.len())));
        }
        let index = self.pieces.len() - 1;
        let piece = &mut self.pieces[index];
        let offset = piece.len();
        piece.extend_from_slice(bytes);
        self.live_bytes += bytes.len();
        (index as u32, offset as u32)
    }

    fn forget(&mut self, id: PairId) {
        let pair = &self.pairs[id];
        let (hash, number, place) = (pair.hash, pair.name as usize, pair.place as usize);
        let length = pair.length as usize;
        if let Ok(entry) = self.table.find_entry(hash, |candidate| *candidate == id) {
            entry.remove();
        }
        let siblings = &mut self.names[number].pairs;
        siblings.swap_remove(place);
        if let Some(moved) = siblings.get(place).copied() {
            self.pairs[moved].place = place as u32;
        }
        self.free.push(id);
        self.live_bytes -= length;
        self.dead_bytes += length;
        if self.dead_bytes > self.live_bytes && self.dead_bytes > PIECE_BYTES {
            self.compact();
        }
    }

    /// Copies the live pairs into fresh pieces: the dead ones' bytes return to the allocator.
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.pieces);
        (self.live_bytes, self.dead_bytes) = (0, 0);
        let mut live: Vec<PairId> = self.table.iter().copied().collect();
        live.sort_unstable();
        for id in live {
            let pair = &self.pairs[id];
            let start = pair.offset as usize;
            let bytes = &old[pair.piece as usize][start..start + pair.length as usize];
            let (piece, offset) = self.store(bytes);
            let pair = &mut self.pairs[id];
            (pair.piece, pair.offset) = (piece, offset);
        }
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one(bytes)
    }
}
