//! Exceptions of a column of floats: the places whose value is not what the body says, chiefly
//! stale markers.
//!
//! A varint count less one; for each a varint with the gap to the place after the one before in its
//! upper bits and "it is the stale marker" in the lowest, and, unless it is, the byte-swapped bits
//! as a varint. A list of none is not written: the column's first byte says so.

use super::bytes::{Cursor, put_varint};
use crate::error::{Error, Result};

/// The NaN that says "this series has ended here"; so common as a last value that its exception is
/// two bytes.
pub(crate) const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The places, in order, whose bits are exceptional.
pub(crate) fn places(values: &[f64], is_exception: impl Fn(u64) -> bool) -> Vec<usize> {
    let exceptional =
        |(place, value): (usize, &f64)| is_exception(value.to_bits()).then_some(place);
    values.iter().enumerate().filter_map(exceptional).collect()
}

/// The bits that all values have, stale markers aside.
pub(crate) fn constant(values: &[f64]) -> Option<u64> {
    let mut live = values
        .iter()
        .map(|value| value.to_bits())
        .filter(|&bits| bits != STALE_BITS);
    let Some(first) = live.next() else {
        return Some(if values.is_empty() { 0 } else { STALE_BITS });
    };
    live.all(|bits| bits == first).then_some(first)
}

/// Appends the list of these places and their values; nothing where there are none.
pub(crate) fn write(values: &[f64], places: &[usize], out: &mut Vec<u8>) {
    let Some(more) = places.len().checked_sub(1) else {
        return;
    };
    put_varint(out, more as u64);
    let mut next = 0;
    for &place in places {
        let bits = values[place].to_bits();
        let is_stale = bits == STALE_BITS;
        put_varint(out, ((place - next) as u64) << 1 | u64::from(is_stale));
        if !is_stale {
            put_varint(out, bits.swap_bytes());
        }
        next = place + 1;
    }
}

/// Calls `each` with the place and the value of every exception in a column of `total` values.
#[cold]
pub(crate) fn read(
    cursor: &mut Cursor<'_>,
    total: usize,
    mut each: impl FnMut(usize, f64),
) -> Result<()> {
    let count = cursor.length(total.saturating_sub(1), "a count of exceptions")? + 1;
    let mut next = 0usize;
    for _ in 0..count {
        let mark = cursor.varint()?;
        let place = usize::try_from(mark >> 1)
            .ok()
            .and_then(|gap| next.checked_add(gap))
            .filter(|&place| place < total);
        let Some(place) = place else {
            return Err(Error::corrupt(format!(
                "an exception behind the last of {total} floats"
            )));
        };
        let bits = if mark & 1 == 1 {
            STALE_BITS
        } else {
            cursor.varint()?.swap_bytes()
        };
        each(place, f64::from_bits(bits));
        next = place + 1;
    }
    Ok(())
}
