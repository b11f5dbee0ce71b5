//! Integers in tiles, with a directory of their lengths, so that any tile is found without reading
//! the others.
//!
//! The length of every tile but the last comes first, then the tiles. A tile may hold several
//! integers for each entry of the column, one sequence behind the other. The count of entries is
//! known to whoever holds the column, and the last tile ends where the column does.

use std::ops::Range;

use super::bytes::{Cursor, put_varint};
use super::layers::Buffers;
use super::miniblock::{BLOCK, varint_bytes};
use super::{CHUNK_ENTRIES_MAX, tile};
use crate::error::{Error, Result};

/// Entries of a tile; the last one of a column has what is left.
pub(crate) const TILE: usize = BLOCK;
/// The most tiles of a column.
const TILES_MAX: usize = CHUNK_ENTRIES_MAX / TILE;

/// A planned sequence of integers.
pub(crate) struct Integers {
    values: Vec<i64>,
    plans: Vec<tile::Plan>,
}

impl Integers {
    /// Plans every tile.
    pub(crate) fn plan(values: Vec<i64>) -> Integers {
        let plans = values.chunks(TILE).map(tile::Plan::of).collect();
        Integers { values, plans }
    }

    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }
}

/// How many bytes [`write`] appends for these sequences, which have as many integers each.
pub(crate) fn size_bytes(sequences: &[Integers]) -> usize {
    let count = sequences.first().map_or(0, |first| first.plans.len());
    let size = |at: usize| {
        let length = length_of(sequences, at);
        let directory = if at + 1 < count {
            varint_bytes(length as u64)
        } else {
            0
        };
        directory + length
    };
    (0..count).map(size).sum()
}

/// Appends directory and tiles.
pub(crate) fn write(sequences: &[Integers], out: &mut Vec<u8>) {
    let count = sequences.first().map_or(0, |first| first.plans.len());
    for at in 0..count.saturating_sub(1) {
        put_varint(out, length_of(sequences, at) as u64);
    }
    for at in 0..count {
        for sequence in sequences {
            let values = &sequence.values[at * TILE..];
            sequence.plans[at].write(&values[..values.len().min(TILE)], out);
        }
    }
}

fn length_of(sequences: &[Integers], at: usize) -> usize {
    sequences
        .iter()
        .map(|sequence| sequence.plans[at].size_bytes)
        .sum()
}

/// The tiles that hold these entries of a column of `count`, as a range of entries.
pub(crate) fn around(entries: Range<usize>, count: usize) -> Range<usize> {
    if entries.is_empty() {
        return 0..0;
    }
    entries.start / TILE * TILE..count.min(entries.end.next_multiple_of(TILE))
}

/// Calls `read` for each tile that holds the wanted entries, with the number of its entries. These
/// must begin and end with tiles, as [`around`] gives them.
pub(crate) fn read_each<'a>(
    cursor: &mut Cursor<'a>,
    count: usize,
    wanted: Range<usize>,
    mut read: impl FnMut(&mut Cursor<'a>, usize, &mut Buffers) -> Result<()>,
) -> Result<()> {
    assert!(
        count <= CHUNK_ENTRIES_MAX,
        "the caller has limited the count"
    );
    assert_eq!(
        around(wanted.clone(), count),
        wanted,
        "whole tiles are read"
    );
    // Lengths of the wanted tiles; that of the column's last tile is not said and stays 0.
    let (mut lengths, mut skipped) = ([0u32; TILES_MAX], 0);
    for tile in 0..count.div_ceil(TILE).saturating_sub(1) {
        let length = cursor.length(cursor.remaining(), "the length of a tile")?;
        match tile.checked_sub(wanted.start / TILE) {
            // A chunk is far below 4 GiB.
            Some(place) => lengths[place] = length as u32,
            None => skipped += length,
        }
    }
    cursor.take(skipped)?;
    let mut buffers = Buffers::new();
    for (start, said) in wanted.clone().step_by(TILE).zip(lengths) {
        let before = cursor.position();
        read(cursor, TILE.min(wanted.end - start), &mut buffers)?;
        let length = cursor.position() - before;
        if start + TILE < count && length != said as usize {
            return Err(Error::corrupt(format!(
                "a tile of {length} bytes, its column says {said}"
            )));
        }
    }
    Ok(())
}
