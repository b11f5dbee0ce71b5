//! The SeriesIds of a block, by ordinal and the other way round.
//!
//! Layout: an id of 16 bytes for each ordinal, then for each place in id order the ordinal as
//! `u32`. Ids are hashes, so a place is guessed from the first bytes of the id and the search
//! starts there.

#[cfg(any(test, feature = "testing"))]
use std::ops::Range;

use crate::error::{Error, Result};
use crate::labels::set::SeriesId;

const ID_BYTES: usize = 16;
const PLACE_BYTES: usize = 4;

/// What a series takes in the section.
pub(crate) const SERIES_BYTES: usize = ID_BYTES + PLACE_BYTES;

/// The section of some series' ids. Two series with one id are refused: merging could not tell them
/// apart.
pub(crate) fn write_ids(ids: &[SeriesId]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(ids.len() * (ID_BYTES + PLACE_BYTES));
    for id in ids {
        out.extend_from_slice(&id.0);
    }
    // Ordinals fit in 32 bits: the index builder counted them.
    let mut order: Vec<(u64, u32)> = ids
        .iter()
        .enumerate()
        .map(|(ordinal, id)| (head(&id.0), ordinal as u32))
        .collect();
    order.sort_unstable_by(|left, right| {
        let rest = || ids[left.1 as usize].cmp(&ids[right.1 as usize]);
        left.0.cmp(&right.0).then_with(rest)
    });
    let same = |pair: &[(u64, u32)]| ids[pair[0].1 as usize] == ids[pair[1].1 as usize];
    if let Some(pair) = order.windows(2).find(|pair| same(pair)) {
        return Err(Error::invalid(format!(
            "series {} and {} of a block have the same id",
            pair[0].1, pair[1].1
        )));
    }
    for (_, ordinal) in order {
        out.extend_from_slice(&ordinal.to_le_bytes());
    }
    Ok(out)
}

fn head(id: &[u8; ID_BYTES]) -> u64 {
    let [bytes @ .., _, _, _, _, _, _, _, _] = *id;
    u64::from_be_bytes(bytes)
}

/// Ids over borrowed bytes.
#[derive(Clone, Copy)]
pub(crate) struct Ids<'a> {
    ids: &'a [[u8; ID_BYTES]],
    places: &'a [[u8; PLACE_BYTES]],
}

impl<'a> Ids<'a> {
    pub(crate) fn read(section: &'a [u8], series: u32) -> Result<Self> {
        let split = series as usize * ID_BYTES;
        if section.len() != split + series as usize * PLACE_BYTES {
            return Err(Error::corrupt(
                "the series ids do not match the number of series",
            ));
        }
        let (ids, places) = section.split_at(split);
        Ok(Ids {
            ids: ids.as_chunks().0,
            places: places.as_chunks().0,
        })
    }

    /// The id of an ordinal; `None` beyond the last.
    pub(crate) fn id(&self, ordinal: u32) -> Option<SeriesId> {
        self.ids.get(ordinal as usize).map(|id| SeriesId(*id))
    }

    /// The ordinal of an id, if the block has the series.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn ordinal_of(&self, id: SeriesId) -> Result<Option<u32>> {
        let Range { mut start, mut end } = self.bracket(id)?;
        while start < end {
            let middle = start + (end - start) / 2;
            let (ordinal, found) = self.at(middle)?;
            match found.cmp(&id) {
                std::cmp::Ordering::Equal => return Ok(Some(ordinal)),
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        Ok(None)
    }

    /// Places around the guess that hold the id if any does, found in steps that double.
    #[cfg(any(test, feature = "testing"))]
    fn bracket(&self, id: SeriesId) -> Result<Range<usize>> {
        let count = self.places.len();
        if count == 0 {
            return Ok(0..0);
        }
        // The product of a head and a count shifted by 64 is below the count, so the cast cannot
        // lose.
        let guess = ((u128::from(head(&id.0)) * count as u128) >> 64) as usize;
        let mut step = 16;
        if self.at(guess)?.1 <= id {
            let mut start = guess;
            loop {
                let end = start.saturating_add(step).min(count);
                if end == count || self.at(end)?.1 > id {
                    return Ok(start..end);
                }
                (start, step) = (end, step * 2);
            }
        }
        let mut end = guess;
        loop {
            let start = end.saturating_sub(step);
            if start == 0 || self.at(start)?.1 <= id {
                return Ok(start..end);
            }
            (end, step) = (start, step * 2);
        }
    }

    fn at(&self, place: usize) -> Result<(u32, SeriesId)> {
        let ordinal = u32::from_le_bytes(self.places[place]);
        match self.id(ordinal) {
            Some(id) => Ok((ordinal, id)),
            None => Err(Error::corrupt(format!(
                "the order of series ids names series {ordinal}, beyond the last one"
            ))),
        }
    }

    /// The first place whose id is not above the one before, or that repeats an ordinal: `None` is
    /// as it should be.
    pub(crate) fn first_disorder(&self) -> Result<Option<usize>> {
        for place in 1..self.places.len() {
            if self.at(place - 1)?.1 >= self.at(place)?.1 {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_is_found_and_no_other(
            seeds in prop::collection::btree_set(any::<u16>(), 0..300),
            spread in any::<bool>(),
        ) {
            // Hashes as they should be, and ids that are nothing like hashes.
            let id = |seed: u16| {
                let mut bytes = [0; 16];
                bytes[14..].copy_from_slice(&seed.to_be_bytes());
                if spread {
                    let hash = blake3::hash(&bytes);
                    bytes.copy_from_slice(&hash.as_bytes()[..16]);
                }
                SeriesId(bytes)
            };
            let ids: Vec<SeriesId> = seeds.iter().rev().map(|&seed| id(seed)).collect();
            let bytes = write_ids(&ids).unwrap();
            let read = Ids::read(&bytes, ids.len() as u32).unwrap();
            for (ordinal, &id) in ids.iter().enumerate() {
                prop_assert_eq!(read.id(ordinal as u32), Some(id));
                prop_assert_eq!(read.ordinal_of(id).unwrap(), Some(ordinal as u32));
            }
            for seed in (0..=u16::MAX).step_by(97).filter(|seed| !seeds.contains(seed)) {
                prop_assert_eq!(read.ordinal_of(id(seed)).unwrap(), None);
            }
            prop_assert_eq!(read.first_disorder().unwrap(), None);
        }
    }

    #[test]
    fn two_series_with_one_id_are_refused() {
        assert!(write_ids(&[SeriesId([1; 16]), SeriesId([1; 16])]).is_err());
    }

    #[test]
    fn a_place_beyond_the_last_series_is_damage() {
        let mut bytes = write_ids(&[SeriesId([1; 16])]).unwrap();
        bytes[16] = 1;
        let read = Ids::read(&bytes, 1).unwrap();
        assert!(read.ordinal_of(SeriesId([1; 16])).is_err());
        assert!(Ids::read(&bytes, 2).is_err());
    }
}
