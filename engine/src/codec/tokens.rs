//! Splits log lines into tokens and hashes them, for filters that say "this page cannot hold that
//! word".
//!
//! A token is a longest run of ASCII letters, digits, `_` and bytes outside ASCII. The hash is part
//! of the block format: it is written out here, pinned by tests, and never changes. Case is kept.
//! What a filter does with the hashes is `filter`'s business.
//!
//! The promise that everything rests on: if a line contains a needle, the line's tokens include
//! every [`needle_tokens`] of that needle.

use hashbrown::HashSet;

/// Only this many leading bytes of a token are hashed. Two tokens that differ later look alike,
/// which costs a false "maybe" and never a false "no"; one pasted blob does not cost a megabyte of
/// hashing.
const TOKEN_BYTES_MAX: usize = 128;

const HASH_START: u64 = 0x9e37_79b9_7f4a_7c15;
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
fn fold(value: u64) -> u64 {
    let wide = u128::from(value) * u128::from(HASH_FOLD);
    // Both casts take one half each on purpose.
    (wide as u64) ^ ((wide >> 64) as u64) ^ value.rotate_left(29)
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

/// Calls `found` with the hash of each token, repetitions included.
pub(crate) fn for_each_token_hash(text: &[u8], mut found: impl FnMut(u64)) {
    for_each_token(text, |_, token| found(token_hash(token)));
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

    const GOLDEN: [u64; 3] = [
        0x66df_841f_913a_9972,
        0xc11f_ac7a_0ba9_7278,
        0x263b_61e4_c3fe_b16e,
    ];

    proptest! {
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
