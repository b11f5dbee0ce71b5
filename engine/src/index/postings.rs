//! The series of one label value as bytes: alone, as a short list, or as a bitmap.
//!
//! An entry is a varint head whose low bits are the form, then the form's bytes:
//!
//! - [`FORM_ONE`]: the rest of the head is the ordinal. Most values of a label with many values are
//!   of one series.
//! - [`FORM_LIST`]: the rest is a byte length, then varints: the first ordinal, then gaps less one.
//! - [`FORM_BITMAP`]: the rest is a byte length, then a roaring bitmap in its portable
//!   serialisation.
//!
//! An entry is never empty. Reading checks that every ordinal is below the number of series. Which
//! value an entry belongs to is `symbols`' business.

use roaring::{MultiOps, RoaringBitmap};

use crate::codec::bytes::{Cursor, put_varint};
use crate::error::{Error, Result};

const FORM_BITS: u32 = 2;
const FORM_ONE: u64 = 0;
const FORM_LIST: u64 = 1;
const FORM_BITMAP: u64 = 2;

/// Beyond this many ordinals a list is not tried: a bitmap is then about as small and far faster.
const LIST_ORDINALS_MAX: usize = 64;

/// One entry, found but not yet decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Postings<'a> {
    One(u32),
    List(&'a [u8]),
    Bitmap(&'a [u8]),
}

/// Appends the entry of ascending, distinct `ordinals`, of which there is at least one.
pub(crate) fn write_postings(ordinals: &[u32], out: &mut Vec<u8>) {
    assert!(!ordinals.is_empty(), "a value without series has no entry");
    debug_assert!(ordinals.is_sorted_by(|left, right| left < right));
    if let [only] = ordinals {
        put_varint(out, u64::from(*only) << FORM_BITS | FORM_ONE);
        return;
    }
    let list = (ordinals.len() <= LIST_ORDINALS_MAX).then(|| list_bytes(ordinals));
    // A list is shorter than any bitmap of scattered ordinals, but a few runs beat it.
    if let Some(list) = &list
        && (list.len() <= 16 || list.len() <= bitmap_of(ordinals).serialized_size())
    {
        put_varint(out, (list.len() as u64) << FORM_BITS | FORM_LIST);
        out.extend_from_slice(list);
        return;
    }
    write_bitmap(bitmap_of(ordinals), out);
}

/// Appends a bitmap that is not empty as an entry of the bitmap form.
pub(crate) fn write_bitmap(mut bitmap: RoaringBitmap, out: &mut Vec<u8>) {
    assert!(!bitmap.is_empty(), "a value without series has no entry");
    bitmap.optimize();
    let length = bitmap.serialized_size();
    put_varint(out, (length as u64) << FORM_BITS | FORM_BITMAP);
    bitmap
        .serialize_into(&mut *out)
        .expect("writing to a vector cannot fail");
}

fn bitmap_of(ordinals: &[u32]) -> RoaringBitmap {
    let mut bitmap = RoaringBitmap::from_sorted_iter(ordinals.iter().copied())
        .expect("the ordinals ascend, which the caller promised");
    bitmap.optimize();
    bitmap
}

fn list_bytes(ordinals: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * ordinals.len());
    put_varint(&mut bytes, u64::from(ordinals[0]));
    for pair in ordinals.windows(2) {
        put_varint(&mut bytes, u64::from(pair[1] - pair[0] - 1));
    }
    bytes
}

/// Reads the next entry.
#[inline]
pub(crate) fn read_postings<'a>(cursor: &mut Cursor<'a>) -> Result<Postings<'a>> {
    let head = cursor.varint()?;
    let rest = head >> FORM_BITS;
    let mut body = || match usize::try_from(rest) {
        Ok(length) => cursor.take(length),
        Err(_) => Err(Error::corrupt(format!("postings claim {rest} bytes"))),
    };
    match head & ((1 << FORM_BITS) - 1) {
        FORM_ONE => match u32::try_from(rest) {
            Ok(ordinal) => Ok(Postings::One(ordinal)),
            Err(_) => Err(beyond(rest)),
        },
        FORM_LIST => Ok(Postings::List(body()?)),
        FORM_BITMAP => Ok(Postings::Bitmap(body()?)),
        form => Err(Error::corrupt(format!("postings have unknown form {form}"))),
    }
}

/// Steps over the next entry.
#[inline]
pub(crate) fn skip_postings(cursor: &mut Cursor<'_>) -> Result<()> {
    let head = cursor.varint()?;
    match head & ((1 << FORM_BITS) - 1) {
        FORM_ONE => Ok(()),
        _ => {
            let length = usize::try_from(head >> FORM_BITS).unwrap_or(usize::MAX);
            cursor.take(length).map(|_| ())
        }
    }
}

impl Postings<'_> {
    /// The ordinals as a bitmap; all of them must be below `series_count`.
    pub(crate) fn bitmap(&self, series_count: u32) -> Result<RoaringBitmap> {
        match self {
            Postings::Bitmap(bytes) => {
                let mut rest = *bytes;
                let bitmap = RoaringBitmap::deserialize_from(&mut rest)
                    .map_err(|error| Error::corrupt(format!("postings bitmap: {error}")))?;
                if !rest.is_empty() {
                    return Err(Error::corrupt("bytes left behind a postings bitmap"));
                }
                match bitmap.max() {
                    None => Err(Error::corrupt("postings bitmap is empty")),
                    Some(max) if max >= series_count => Err(beyond(u64::from(max))),
                    Some(_) => Ok(bitmap),
                }
            }
            _ => {
                let mut bitmap = RoaringBitmap::new();
                self.for_few(series_count, |ordinal| {
                    bitmap.insert(ordinal);
                })?;
                Ok(bitmap)
            }
        }
    }

    /// Whether any of the ordinals is in `set`.
    pub(crate) fn intersects(&self, set: &RoaringBitmap, series_count: u32) -> Result<bool> {
        match self {
            Postings::Bitmap(_) => Ok(!self.bitmap(series_count)?.is_disjoint(set)),
            _ => {
                let mut any = false;
                self.for_few(series_count, |ordinal| any |= set.contains(ordinal))?;
                Ok(any)
            }
        }
    }

    /// Calls `each` with the ordinals of the forms that are not bitmaps.
    fn for_few(&self, series_count: u32, mut each: impl FnMut(u32)) -> Result<()> {
        let check = |ordinal: u64| match u32::try_from(ordinal) {
            Ok(small) if small < series_count => Ok(small),
            _ => Err(beyond(ordinal)),
        };
        match self {
            Postings::One(ordinal) => each(check(u64::from(*ordinal))?),
            Postings::List(bytes) => {
                let mut cursor = Cursor::new(bytes);
                let mut ordinal = check(cursor.varint()?)?;
                each(ordinal);
                while !cursor.is_empty() {
                    let next = u64::from(ordinal) + 1;
                    ordinal = check(next.saturating_add(cursor.varint()?))?;
                    each(ordinal);
                }
            }
            Postings::Bitmap(_) => unreachable!("bitmaps are decoded as a whole"),
        }
        Ok(())
    }
}

fn beyond(ordinal: u64) -> Error {
    Error::corrupt(format!(
        "postings name series {ordinal}, beyond the last one"
    ))
}

/// Collects many entries into one set: single ordinals as plain bits, bitmaps by one multi-way
/// union.
pub(crate) struct Gather {
    series_count: u32,
    bits: Vec<u8>,
    bitmaps: Vec<RoaringBitmap>,
}

impl Gather {
    pub(crate) fn new(series_count: u32) -> Self {
        Gather {
            series_count,
            bits: Vec::new(),
            bitmaps: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, postings: Postings<'_>) -> Result<()> {
        match postings {
            Postings::One(ordinal) if ordinal < self.series_count => {
                self.put(ordinal);
                Ok(())
            }
            _ => self.add_many(postings),
        }
    }

    fn add_many(&mut self, postings: Postings<'_>) -> Result<()> {
        if matches!(postings, Postings::Bitmap(_)) {
            self.bitmaps.push(postings.bitmap(self.series_count)?);
            return Ok(());
        }
        postings.for_few(self.series_count, |ordinal| self.put(ordinal))
    }

    /// Adds an ordinal; one beyond the number of series is passed over.
    #[inline]
    pub(crate) fn put(&mut self, ordinal: u32) {
        if self.bits.is_empty() {
            self.bits = vec![0; self.series_count.div_ceil(8) as usize];
        }
        if let Some(byte) = self.bits.get_mut(ordinal as usize / 8) {
            *byte |= 1 << (ordinal % 8);
        }
    }

    /// Adds a set whose ordinals are below the number of series.
    pub(crate) fn add_bitmap(&mut self, bitmap: RoaringBitmap) {
        self.bitmaps.push(bitmap);
    }

    pub(crate) fn finish(mut self) -> RoaringBitmap {
        if !self.bits.is_empty() {
            self.bitmaps
                .push(RoaringBitmap::from_lsb0_bytes(0, &self.bits));
        }
        self.bitmaps.union()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(ordinals: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_postings(ordinals, &mut bytes);
        bytes
    }

    fn read(bytes: &[u8], series_count: u32) -> Result<Vec<u32>> {
        let mut cursor = Cursor::new(bytes);
        let postings = read_postings(&mut cursor)?;
        let ordinals: Vec<u32> = postings.bitmap(series_count)?.iter().collect();
        let mut gather = Gather::new(series_count);
        gather.add(postings)?;
        assert_eq!(gather.finish().iter().collect::<Vec<u32>>(), ordinals);
        match cursor.is_empty() {
            true => Ok(ordinals),
            false => Err(Error::corrupt("left over")),
        }
    }

    #[test]
    fn one_series_takes_a_varint_and_a_run_takes_a_few_bytes() {
        assert_eq!(written(&[7]), [28]);
        assert_eq!(written(&[1_000_000]).len(), 4);
        assert!(written(&(5_000..105_000).collect::<Vec<u32>>()).len() < 40);
    }

    #[test]
    fn the_bytes_of_each_form_are_pinned() {
        assert_eq!(written(&[0]), [0]);
        assert_eq!(written(&[1, 2, 5]), [3 << 2 | 1, 1, 0, 2]);
        let run: Vec<u32> = (0..100).collect();
        assert_eq!(
            written(&run),
            [
                15 << 2 | 2,
                0x3b,
                0x30,
                0,
                0,
                1,
                0,
                0,
                99,
                0,
                1,
                0,
                0,
                0,
                99,
                0
            ]
        );
    }

    #[test]
    fn ordinals_beyond_the_last_series_are_damage() {
        assert!(read(&written(&[7]), 7).is_err());
        assert!(read(&written(&[1, 7]), 7).is_err());
        assert!(read(&written(&(0..100).collect::<Vec<u32>>()), 99).is_err());
        assert!(read(&[3], 10).is_err());
        assert!(read(&[1], 10).is_err());
    }

    #[test]
    fn cuts_and_flips_never_panic() {
        for ordinals in [
            vec![9],
            vec![1, 5, 90],
            (0..90).collect(),
            (0..99).step_by(3).collect(),
        ] {
            let bytes = written(&ordinals);
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end], 100).is_err(), "cut at {end}");
            }
            for position in 0..bytes.len() {
                for bit in 0..8 {
                    let mut damaged = bytes.clone();
                    damaged[position] ^= 1 << bit;
                    if let Ok(ordinals) = read(&damaged, 100) {
                        assert!(ordinals.iter().all(|&ordinal| ordinal < 100));
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_set_round_trips(set in prop::collection::btree_set(0u32..200_000, 1..200)) {
            let ordinals: Vec<u32> = set.into_iter().collect();
            prop_assert_eq!(read(&written(&ordinals), 200_000).unwrap(), ordinals);
        }

        #[test]
        fn gathering_is_the_union(
            sets in prop::collection::vec(prop::collection::btree_set(0u32..500, 1..100), 0..8)
        ) {
            let mut gather = Gather::new(500);
            let mut expected = std::collections::BTreeSet::<u32>::new();
            for set in &sets {
                let bytes = written(&set.iter().copied().collect::<Vec<u32>>());
                gather.add(read_postings(&mut Cursor::new(&bytes)).unwrap()).unwrap();
                expected.extend(set);
            }
            prop_assert!(gather.finish().iter().eq(expected));
        }
    }
}
