//! Splits log lines into tokens and hashes them, for filters that say "this page cannot hold that
//! word".
//!
//! A token is a longest run of ASCII letters, digits, `_` and bytes outside ASCII. The hash is part
//! of the block format: it is written out here, pinned by tests, and never changes. Case is kept.
//! What a filter does with the hashes is `filter`'s business.
//!
//! Tells two sorts of facts about texts. *Tokens*: the hashes of all complete ones; what a needle
//! says about them is [`needle_tokens`]. *Keys*: complete words, pieces of words, and pieces of
//! ids, so that a part of a token is found missing too. A [`Needle`] asks for both.
//!
//! The promise that everything rests on: if a text contains a needle, the text's tokens and keys
//! include all that the needle asks for.

use hashbrown::HashSet;

/// Only this many leading bytes of a token are hashed. Two tokens that differ later look alike,
/// which costs a false "maybe" and never a false "no"; one pasted blob does not cost a megabyte of
/// hashing.
const TOKEN_BYTES_MAX: usize = 128;

pub(crate) const HASH_START: u64 = 0x9e37_79b9_7f4a_7c15;
const HASH_FOLD: u64 = 0xd6e8_feb8_6659_fd93;

/// Whether a byte belongs to tokens rather than between them.
const TOKEN_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        // The cast cannot lose: the loop ends at 256.
        let value = byte as u8;
        table[byte] = value.is_ascii_alphanumeric() || value == b'_' || value >= 0x80;
        byte += 1;
    }
    table
};

/// The stable 64-bit hash of one token.
pub(crate) fn token_hash(token: &[u8]) -> u64 {
    let token = &token[..token.len().min(TOKEN_BYTES_MAX)];
    let mut state = HASH_START ^ (token.len() as u64).wrapping_mul(HASH_FOLD);
    let (words, tail) = token.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    state = fold(state ^ u64::from_le_bytes(last));
    fold(state ^ HASH_START)
}

/// Multiplies into 128 bits and folds the halves, so that every input bit reaches every output bit.
#[inline]
pub(crate) fn fold(value: u64) -> u64 {
    let wide = u128::from(value) * u128::from(HASH_FOLD);
    // Both casts take one half each on purpose.
    (wide as u64) ^ ((wide >> 64) as u64) ^ value.rotate_left(29)
}

/// A token with a digit is an *id* from this length on; shorter ones are numbers that every page
/// has, and no filter knows them.
pub(crate) const ID_BYTES_MIN: usize = 8;
/// A shorter id is told as a whole too: it has few pieces.
const SHORT_ID_BYTES_MAX: usize = 16;
/// Whole ids are told by so many keys.
const SHORT_ID_KEYS: u64 = 3;
/// The length of the pieces of words: all that have no digit are keys.
const WORD_PIECE_BYTES: usize = 4;
/// The length of the pieces of ids: all are keys.
const ID_PIECE_BYTES: usize = 6;

/// A page of more words and pieces is not told about: one pasted blob of letters does not cost a
/// hundred megabytes of hashes.
const WORDS_MAX: usize = 1 << 17;

/// Bits of the bitmap of ids while a page is filled; what is kept is folded to fewer.
const ID_BITS: usize = 1 << 20;

/// The key of a piece of a word: four bytes without a digit.
fn word_piece_key(piece: [u8; WORD_PIECE_BYTES]) -> u64 {
    fold(u64::from(u32::from_le_bytes(piece)) ^ HASH_START)
}

/// The key of a piece of an id.
#[inline]
fn id_piece_key(piece: [u8; ID_PIECE_BYTES]) -> u64 {
    let [a, b, c, d, e, f] = piece;
    fold(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) ^ HASH_START)
}

fn short_id_keys(hash: u64) -> impl Iterator<Item = u64> {
    (1..=SHORT_ID_KEYS).map(move |number| fold(hash ^ number))
}

/// Calls `found` with the keys of all pieces of a word or an id that have no digit.
#[inline]
fn for_each_word_piece(token: &[u8], mut found: impl FnMut(u64)) {
    let mut plain = 0;
    for (place, byte) in token.iter().enumerate() {
        plain = if byte.is_ascii_digit() { 0 } else { plain + 1 };
        if plain >= WORD_PIECE_BYTES
            && let Some(piece) = token[..=place].last_chunk()
        {
            found(word_piece_key(*piece));
        }
    }
}

/// The keys of the texts of a page.
#[derive(Default)]
pub(crate) struct Keys {
    /// Words, and pieces of words and ids without a digit.
    words: HashSet<u64, foldhash::fast::FixedState>,
    /// A bit for each piece of an id and each short id; empty while there is none.
    ids: Vec<u64>,
}

impl Keys {
    /// Adds every token of a text. Tokens end where the text ends.
    pub(crate) fn add_text(&mut self, text: &[u8]) {
        for_each_token(text, |_, token| self.add_token(token));
    }

    /// Adds a token, which is a whole one of its text.
    pub(crate) fn add_token(&mut self, token: &[u8]) {
        let is_word = !token.iter().any(u8::is_ascii_digit);
        // Pieces of a word that was there before are there as well. A long one is known by its
        // first bytes only.
        let is_new = !is_word || self.words.insert(token_hash(token));
        if is_new || token.len() > TOKEN_BYTES_MAX {
            for_each_word_piece(token, |key| {
                if self.words.len() <= WORDS_MAX {
                    self.words.insert(key);
                }
            });
        }
        if is_word {
            return;
        }
        if token.len() >= ID_BYTES_MIN {
            self.ids.resize(ID_BITS / 64, 0);
            let ids = &mut self.ids[..ID_BITS / 64];
            let mut set = |key: u64| {
                let place = key as usize % ID_BITS;
                ids[place / 64] |= 1 << (place % 64);
            };
            for piece in token.array_windows() {
                set(id_piece_key(*piece));
            }
            if token.len() < SHORT_ID_BYTES_MAX {
                short_id_keys(token_hash(token)).for_each(set);
            }
        }
    }

    /// Words and pieces of words, distinct and in order; none where they are too many to tell.
    pub(crate) fn words(&self) -> Option<Vec<u64>> {
        let mut words: Vec<u64> = self.words.iter().copied().collect();
        words.sort_unstable();
        (words.len() <= WORDS_MAX).then_some(words)
    }

    /// The bitmap of ids: a key's bit is the one of its lowest bits. It has as many bits as half of
    /// them are set, or so, and none if there is no id.
    pub(crate) fn ids(&self) -> Vec<u8> {
        let set: usize = self.ids.iter().map(|word| word.count_ones() as usize).sum();
        if set == 0 {
            return Vec::new();
        }
        // About one bit a key: two thirds of that or four thirds, whichever is a power of two.
        let bits = (set * 2 / 3).next_power_of_two().clamp(64, ID_BITS);
        let mut folded = vec![0u64; bits / 64];
        for words in self.ids.chunks_exact(folded.len()) {
            for (kept, word) in folded.iter_mut().zip(words) {
                *kept |= word;
            }
        }
        folded.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Whether the bit of a key is set in a bitmap of ids, whose length is a power of two or nothing.
pub(crate) fn bitmap_has(bitmap: &[u8], key: u64) -> bool {
    let Some(last) = bitmap.len().checked_sub(1) else {
        return false;
    };
    // The lowest bits of the key, as many as there are places.
    bitmap[(key >> 3) as usize & last] & (1 << (key & 7)) != 0
}

/// What a page must have if one of its texts contains a needle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needle {
    pub(crate) text: Vec<u8>,
    /// Hashes of complete tokens: [`needle_tokens`].
    pub(crate) tokens: Vec<u64>,
    /// Among the words and their pieces.
    pub(crate) words: Vec<u64>,
    /// Among the ids and their pieces.
    pub(crate) ids: Vec<u64>,
}

impl Needle {
    pub(crate) fn new(needle: &[u8]) -> Self {
        let mut asked = Needle {
            text: needle.to_vec(),
            tokens: needle_tokens(needle),
            ..Needle::default()
        };
        for_each_token(needle, |start, token| {
            let complete = start > 0 && start + token.len() < needle.len();
            asked.add_token(token, complete);
        });
        asked
    }

    fn add_token(&mut self, token: &[u8], complete: bool) {
        // Whatever token of the text this one is in, its pieces without digits are pieces of that.
        for_each_word_piece(token, |key| self.words.push(key));
        if !token.iter().any(u8::is_ascii_digit) {
            if complete {
                self.words.push(token_hash(token));
            }
        } else if token.len() >= ID_BYTES_MIN {
            // A token of the text that has this one in it is an id as well.
            let pieces = token.array_windows();
            self.ids.extend(pieces.map(|piece| id_piece_key(*piece)));
            if complete && token.len() < SHORT_ID_BYTES_MAX {
                self.ids.extend(short_id_keys(token_hash(token)));
            }
        }
    }

    /// Whether a filter can tell nothing about a text that contains it.
    pub(crate) fn is_silent(&self) -> bool {
        self.tokens.is_empty() && self.words.is_empty() && self.ids.is_empty()
    }
}

/// Calls `found` with each token and its place in `text`.
fn for_each_token(text: &[u8], mut found: impl FnMut(usize, &[u8])) {
    let mut position = 0;
    while position < text.len() {
        if !TOKEN_BYTE[usize::from(text[position])] {
            position += 1;
            continue;
        }
        let rest = &text[position..];
        let length = rest
            .iter()
            .position(|&byte| !TOKEN_BYTE[usize::from(byte)])
            .unwrap_or(rest.len());
        found(position, &rest[..length]);
        position += length;
    }
}

/// The distinct token hashes of a page or a chunk.
#[derive(Default)]
pub(crate) struct TokenSet {
    hashes: HashSet<u64, foldhash::fast::RandomState>,
}

impl TokenSet {
    pub(crate) fn new() -> Self {
        TokenSet::default()
    }

    /// Adds every token of a line.
    #[cfg(test)]
    pub(crate) fn add_line(&mut self, line: &[u8]) {
        for_each_token(line, |_, token| {
            self.hashes.insert(token_hash(token));
        });
    }

    /// Adds hashes that were made elsewhere.
    pub(crate) fn add_hashes(&mut self, hashes: &[u64]) {
        self.hashes.extend(hashes);
    }

    /// Forgets the tokens and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.hashes.clear();
    }

    /// The hashes in ascending order, so that equal sets give equal files.
    pub(crate) fn sorted(&self) -> Vec<u64> {
        let mut hashes: Vec<u64> = self.hashes.iter().copied().collect();
        hashes.sort_unstable();
        hashes
    }
}

/// The hashes of the tokens that any text containing `needle` must have.
///
/// A token that touches either end of the needle may be part of a longer token of the text, so it
/// says nothing.
pub(crate) fn needle_tokens(needle: &[u8]) -> Vec<u64> {
    let mut hashes = Vec::new();
    for_each_token(needle, |start, token| {
        if start > 0 && start + token.len() < needle.len() {
            hashes.push(token_hash(token));
        }
    });
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        for_each_token(text.as_bytes(), |_, token| {
            out.push(String::from_utf8(token.to_vec()).unwrap());
        });
        out
    }

    #[test]
    fn lines_split_at_ascii_punctuation_and_space_only() {
        assert_eq!(
            tokens("level=info msg=\"größe_1 ok\" 10.0.0.1"),
            ["level", "info", "msg", "größe_1", "ok", "10", "0", "0", "1"]
        );
        assert!(tokens("").is_empty());
        assert!(tokens(" .,-").is_empty());
        assert_eq!(tokens("x"), ["x"]);
    }

    #[test]
    fn only_complete_tokens_inside_a_needle_count() {
        assert!(needle_tokens(b"error").is_empty());
        assert!(needle_tokens(b"error code").is_empty());
        assert_eq!(needle_tokens(b"r code=5"), [token_hash(b"code")]);
        assert_eq!(needle_tokens(b" error "), [token_hash(b"error")]);
        assert!(needle_tokens(b"").is_empty());
    }

    #[test]
    fn the_hash_is_the_one_in_the_format_page() {
        assert_eq!(token_hash(b""), GOLDEN[0]);
        assert_eq!(token_hash(b"error"), GOLDEN[1]);
        assert_eq!(token_hash(b"0123456789abcdef"), GOLDEN[2]);
        assert_eq!(
            token_hash(&[b'x'; 1_000]),
            token_hash(&[b'x'; TOKEN_BYTES_MAX])
        );
    }

    #[test]
    fn the_keys_are_those_in_the_format_page() {
        assert_eq!(word_piece_key(*b"time"), 0x6fb4_a42d_870e_f04c);
        let first = short_id_keys(token_hash(b"12345678")).next();
        assert_eq!(first, Some(0x86f0_9b21_d8aa_b9dc));
        assert_eq!(id_piece_key(*b"4bf92f"), 0x0ea0_b019_1c5e_e355);
    }

    const GOLDEN: [u64; 3] = [
        0x66df_841f_913a_9972,
        0xc11f_ac7a_0ba9_7278,
        0x263b_61e4_c3fe_b16e,
    ];

    #[test]
    fn a_part_of_a_word_or_of_an_id_asks_for_what_its_page_must_have() {
        let mut keys = Keys::default();
        keys.add_text(b"upstream timed out trace=4bf92f3577b34da6a3ce929d0e0e4736 order 12345678");
        let (words, ids) = (keys.words().unwrap(), keys.ids());
        let has_word = |key: &u64| words.binary_search(key).is_ok();
        let may = |needle: &[u8]| {
            let needle = Needle::new(needle);
            needle.words.iter().all(has_word) && needle.ids.iter().all(|key| bitmap_has(&ids, *key))
        };
        for present in [
            &b"pstrea"[..],
            b"timed out",
            b" out ",
            b"92f3577b34da6a3ce9",
            b" 12345678",
            b"45678",
            b"=4bf92f3577b34da6a3ce929d0e0e4736 ",
        ] {
            assert!(may(present), "{present:?}");
        }
        for absent in [
            &b"pstreet"[..],
            b" time ",
            b"92f3577b34da6a3ce8",
            b" 12345679 ",
            b"=4bf92f35 ",
        ] {
            assert!(!may(absent), "{absent:?}");
        }
        assert!(Needle::new(b"503").is_silent());
    }

    #[test]
    fn long_words_that_begin_alike_are_told_apart() {
        let begin = "x".repeat(TOKEN_BYTES_MAX);
        let mut keys = Keys::default();
        keys.add_text(format!("{begin}first {begin}second").as_bytes());
        let words = keys.words().unwrap();
        for part in ["first", "econd"] {
            let needle = Needle::new(part.as_bytes());
            let has = |key: &u64| words.binary_search(key).is_ok();
            assert!(
                !needle.words.is_empty() && needle.words.iter().all(has),
                "{part}"
            );
        }
    }

    #[test]
    fn a_page_of_too_many_words_tells_none() {
        let mut keys = Keys::default();
        let mut blob = Vec::new();
        for number in 0..WORDS_MAX as u64 / 4 {
            let random = token_hash(&number.to_le_bytes()).to_le_bytes();
            blob.extend(random.map(|byte| b'a' + byte % 26));
        }
        keys.add_text(&blob[..1_000]);
        assert!(keys.words().is_some_and(|words| words.len() > 900));
        keys.add_text(&blob);
        assert!(keys.words().is_none());
    }

    proptest! {
        #[test]
        fn a_text_that_contains_a_needle_has_all_of_its_keys(
            line in "[a-c0-9_ .=é]{0,80}",
            from in 0usize..80,
            length in 0usize..50,
        ) {
            let line = line.as_bytes();
            let from = from.min(line.len());
            let needle = Needle::new(&line[from..(from + length).min(line.len())]);
            let mut keys = Keys::default();
            keys.add_text(line);
            let words = keys.words().unwrap();
            prop_assert!(needle.words.iter().all(|key| words.binary_search(key).is_ok()));
            let ids = keys.ids();
            prop_assert!(needle.ids.iter().all(|key| bitmap_has(&ids, *key)));
        }

        #[test]
        fn a_line_that_contains_a_needle_has_all_of_its_tokens(
            line in "[a-c_ .=é]{0,60}",
            from in 0usize..60,
            length in 0usize..30,
        ) {
            // Cut by bytes, so that needles also start and end inside a multi-byte character.
            let line = line.as_bytes();
            let from = from.min(line.len());
            let needle = &line[from..(from + length).min(line.len())];
            let mut set = TokenSet::new();
            set.add_line(line);
            let sorted = set.sorted();
            for hash in needle_tokens(needle) {
                prop_assert!(sorted.binary_search(&hash).is_ok());
            }
        }
    }
}
