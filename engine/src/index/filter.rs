//! A small filter over token hashes: answers "surely not" or "maybe", never "surely not" wrongly.
//!
//! The layout is a binary fuse filter of 8-bit fingerprints. It is built by `xorf` and read by our
//! own few lines, so that the bytes on disk mean the same whatever that crate does next. What a
//! token is, and when a filter may be asked, is `tokens`' business.
//!
//! Bytes: one tag; for [`TAG_FUSE`] then `seed u64, log2 of the segment length u8, segment count
//! u32`, and one fingerprint byte for each of `(segment count + 2) x segment length` slots. For
//! [`TAG_KEYS`] a varint length, a filter of that length over words, and a bitmap over ids.

use xorf::BinaryFuse8;

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::codec::tokens::{Keys, Needle, bitmap_has};
use crate::error::{Error, Result};

/// No token at all: the answer is always no.
const TAG_NEVER: u8 = 0;
/// No filter could be built: the answer is always maybe.
const TAG_ALWAYS: u8 = 1;
/// Fingerprints follow.
const TAG_FUSE: u8 = 2;

/// A filter over words, then a bitmap over ids.
const TAG_KEYS: u8 = 3;

/// The longest segment that the construction makes.
const SEGMENT_LOG_MAX: u8 = 18;

/// A filter over borrowed bytes whose layout has been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filter<'a> {
    /// Over complete tokens.
    Tokens(Set<'a>),
    /// Over the keys of texts: words and their pieces, and a bit for each key of an id.
    Keys { words: Set<'a>, ids: &'a [u8] },
}

/// A set of hashes, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set<'a> {
    Empty,
    Unknown,
    Fuse(Fuse<'a>),
}

/// The geometry of a binary fuse filter, checked against its fingerprints: every slot it computes
/// exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuse<'a> {
    seed: u64,
    segment_length: u32,
    segments_length: u32,
    fingerprints: &'a [u8],
}

/// Appends a filter over distinct `hashes`. A set that no filter can be built for gets "always
/// maybe".
pub(crate) fn write_filter(hashes: &[u64], out: &mut Vec<u8>) {
    if hashes.is_empty() {
        out.push(TAG_NEVER);
        return;
    }
    let start = out.len();
    if let Ok(fuse) = BinaryFuse8::try_from(hashes) {
        let segment_length = fuse.descriptor.segment_length;
        let segments = fuse.descriptor.segment_count_length / segment_length.max(1);
        out.push(TAG_FUSE);
        out.extend_from_slice(&fuse.descriptor.seed.to_le_bytes());
        // A logarithm of 32 bits fits a byte.
        out.push(segment_length.trailing_zeros() as u8);
        out.extend_from_slice(&segments.to_le_bytes());
        out.extend_from_slice(&fuse.fingerprints);
        // A false "no" is a wrong answer to a query, so what is written is asked before it is
        // trusted.
        if let Ok(set) = Set::read(&out[start..])
            && set.may_contain_all(hashes)
        {
            return;
        }
    }
    out.truncate(start);
    out.push(TAG_ALWAYS);
}

/// Appends a filter over the keys of a page's texts.
pub(crate) fn write_key_filter(keys: &Keys, out: &mut Vec<u8>) {
    let mut words = Vec::new();
    match keys.words() {
        Some(keys) => write_filter(&keys, &mut words),
        None => words.push(TAG_ALWAYS),
    }
    out.push(TAG_KEYS);
    put_prefixed(out, &words);
    out.extend_from_slice(&keys.ids());
}

impl<'a> Filter<'a> {
    /// Checks the layout of all of `bytes`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        if bytes.first() != Some(&TAG_KEYS) {
            return Set::read(bytes).map(Filter::Tokens);
        }
        cursor.u8()?;
        let words = Set::read(cursor.prefixed()?)?;
        let ids = cursor.rest();
        if !ids.is_empty() && !ids.len().is_power_of_two() {
            return Err(Error::corrupt(format!(
                "a bitmap of {} bytes, powers of two are possible",
                ids.len()
            )));
        }
        Ok(Filter::Keys { words, ids })
    }

    /// Whether a text that contains the needle may be in the page.
    pub(crate) fn may_hold(&self, needle: &Needle) -> bool {
        match self {
            Filter::Tokens(tokens) => tokens.may_contain_all(&needle.tokens),
            Filter::Keys { words, ids } => {
                let id = |key: &u64| bitmap_has(ids, *key);
                needle.ids.iter().all(id) && words.may_contain_all(&needle.words)
            }
        }
    }
}

impl<'a> Set<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let set = match cursor.u8()? {
            TAG_NEVER => Set::Empty,
            TAG_ALWAYS => Set::Unknown,
            TAG_FUSE => Set::Fuse(Fuse::read(&mut cursor)?),
            tag => {
                return Err(Error::corrupt(format!(
                    "token filter has unknown tag {tag}"
                )));
            }
        };
        match cursor.is_empty() {
            true => Ok(set),
            false => Err(Error::corrupt("bytes left behind a token filter")),
        }
    }

    fn may_contain_all(&self, hashes: &[u64]) -> bool {
        match self {
            Set::Empty => hashes.is_empty(),
            Set::Unknown => true,
            Set::Fuse(fuse) => hashes.iter().all(|&hash| fuse.may_contain(hash)),
        }
    }
}

impl<'a> Fuse<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        let seed = cursor.u64()?;
        let segment_log = cursor.u8()?;
        let segments = cursor.u32()?;
        if segment_log > SEGMENT_LOG_MAX || segments == 0 {
            return Err(Error::corrupt(format!(
                "token filter with {segments} segments of 2^{segment_log} slots is not possible"
            )));
        }
        let segment_length = 1u32 << segment_log;
        let slots = (u64::from(segments) + 2) << segment_log;
        let Some(slots) = usize::try_from(slots)
            .ok()
            .filter(|_| slots <= u64::from(u32::MAX))
        else {
            return Err(Error::corrupt(format!("token filter claims {slots} slots")));
        };
        Ok(Fuse {
            seed,
            segment_length,
            segments_length: segments * segment_length,
            fingerprints: cursor.take(slots)?,
        })
    }

    fn may_contain(&self, hash: u64) -> bool {
        let mixed = mix(hash.wrapping_add(self.seed));
        let mask = self.segment_length - 1;
        // The casts below keep the low bits on purpose. The first slot lies in the first
        // `segments_length` slots, the other two in the two segments behind it: `read` checked that
        // all of them exist.
        let first = ((u128::from(mixed) * u128::from(self.segments_length)) >> 64) as u32;
        let second = (first + self.segment_length) ^ ((mixed >> 18) as u32 & mask);
        let third = (first + 2 * self.segment_length) ^ (mixed as u32 & mask);
        let fingerprint = (mixed ^ (mixed >> 32)) as u8;
        let slot = |index: u32| self.fingerprints[index as usize];
        fingerprint == slot(first) ^ slot(second) ^ slot(third)
    }
}

/// The finaliser of MurmurHash3, which the construction uses too.
fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tokens::token_hash;
    use proptest::prelude::*;

    fn written(hashes: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_filter(hashes, &mut bytes);
        bytes
    }

    fn holds_all(filter: &Filter<'_>, tokens: &[u64]) -> bool {
        filter.may_hold(&Needle {
            tokens: tokens.to_vec(),
            ..Needle::default()
        })
    }

    fn hashes(count: u64) -> Vec<u64> {
        (0..count)
            .map(|number| token_hash(&number.to_le_bytes()))
            .collect()
    }

    #[test]
    fn an_empty_set_contains_nothing_and_no_question_is_maybe() {
        let bytes = written(&[]);
        let filter = Filter::read(&bytes).unwrap();
        assert!(!holds_all(&filter, &[0]));
        assert!(holds_all(&filter, &[]));
    }

    #[test]
    fn sets_of_every_size_have_no_false_negatives_and_few_false_positives() {
        for count in (1..40).chain([100, 1_000, 5_000, 50_000]) {
            let present = hashes(count);
            let bytes = written(&present);
            assert_eq!(bytes[0], TAG_FUSE, "no filter for {count} tokens");
            let filter = Filter::read(&bytes).unwrap();
            assert!(holds_all(&filter, &present), "{count} tokens");
            let wrong = (0..10_000u64)
                .filter(|number| {
                    holds_all(&filter, &[token_hash(&(number + (1 << 40)).to_le_bytes())])
                })
                .count();
            assert!(
                wrong < 120,
                "{count} tokens: {wrong} of 10000 are wrongly maybe"
            );
            if count == 50_000 {
                assert!(bytes.len() * 8 < 10 * 50_000, "{} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn cuts_and_wrong_geometry_are_errors() {
        let bytes = written(&hashes(10));
        for end in 0..bytes.len() {
            assert!(Filter::read(&bytes[..end]).is_err(), "cut at {end}");
        }
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0xff;
            if let Ok(filter) = Filter::read(&damaged) {
                holds_all(&filter, &hashes(100));
            }
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Filter::read(&longer).is_err());
    }

    #[test]
    fn the_bytes_of_a_small_filter_are_pinned() {
        let hex: String = written(&[1, 2])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, GOLDEN);
    }

    #[test]
    fn a_filter_over_keys_finds_what_is_there_and_little_else() {
        let mut keys = Keys::default();
        let id = |number: u64| format!("{:015x}7", token_hash(&number.to_le_bytes()) >> 4);
        for number in 0..5_000 {
            keys.add_text(format!("request {} took {number} ms", id(number)).as_bytes());
        }
        let mut bytes = Vec::new();
        write_key_filter(&keys, &mut bytes);
        let filter = Filter::read(&bytes).unwrap();
        let holds = |text: &str| filter.may_hold(&Needle::new(text.as_bytes()));
        for number in 0..5_000 {
            assert!(holds(&id(number)) && holds(&id(number)[3..]), "{number}");
        }
        assert!(holds(" took ") && holds("eques") && holds(" 17 "));
        assert!(!holds("requested") && !holds(" tool ") && !holds("timed"));
        let wrong = (5_000..15_000).filter(|number| holds(&id(*number))).count();
        assert!(wrong < 300, "{wrong} of 10000 ids are wrongly maybe");
    }

    #[test]
    fn keys_of_a_text_without_words_or_ids_are_a_filter_too() {
        let mut bytes = Vec::new();
        write_key_filter(&Keys::default(), &mut bytes);
        let filter = Filter::read(&bytes).unwrap();
        let holds = |text: &str| filter.may_hold(&Needle::new(text.as_bytes()));
        assert!(holds("17") && !holds("word") && !holds("4bf92f3577b34da6"));
        assert!(Filter::read(&[TAG_KEYS, 1, TAG_KEYS]).is_err());
    }

    const GOLDEN: &str = "02c15c0289ec2d0a91020100000000ca0000000000bb00000000";

    proptest! {
        #[test]
        fn no_set_has_a_false_negative(mut set in prop::collection::vec(any::<u64>(), 0..300)) {
            set.sort_unstable();
            set.dedup();
            let bytes = written(&set);
            prop_assert!(holds_all(&Filter::read(&bytes).unwrap(), &set));
        }
    }
}
