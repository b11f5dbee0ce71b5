//! A mini-block: up to [`BLOCK`] integers near each other, as a base and packed differences from
//! it.
//!
//! A [`Plan`] is made first and knows its size in bytes exactly; columns compare plans and write
//! the smallest. The first byte is the layout in its two high bits and the packed width in the
//! others:
//! - plain: base, packed differences;
//! - patched: base, exceptions less one, packed, then the positions and the differences of the
//!   exceptions;
//! - sparse: the commonest value, base of the others, a bitmap of the others, the others packed;
//! - wide: eight bytes for each value.
//!
//! Base and commonest value are zigzag varints, as is each exception. All arithmetic wraps, so any
//! i64 is fine.

use super::bytes::{Cursor, put_varint_signed, zigzag};
use super::pack::{self, WIDTH_MAX, bit_length, packed_bytes};
use crate::error::{Error, Result};

/// The most values of a mini-block; positions in it fit a byte.
pub(crate) const BLOCK: usize = 256;

const WIDTH_MASK: u8 = 0x3f;
/// A commonest value of less than a quarter is not worth a bitmap.
const COMMON_SHARE: usize = 4;
/// So many marked values get by with a small buffer; clearing a full one is dear for a short block.
const FEW: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Layout {
    Plain = 0,
    Patched = 1 << 6,
    Sparse = 2 << 6,
    Wide = 3 << 6,
}

/// How a mini-block will be written, and how many bytes that takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    layout: Layout,
    width: u32,
    base: i64,
    /// The value that is not packed, in the sparse layout.
    common: i64,
    pub(crate) size_bytes: usize,
}

impl Plan {
    /// The smallest plan for 1 to [`BLOCK`] values.
    pub(crate) fn of(values: &[i64]) -> Plan {
        assert!(
            (1..=BLOCK).contains(&values.len()),
            "a mini-block holds 1 to {BLOCK} values"
        );
        let range = Range::of(values);
        let mut best = Plan::plain(&range, values.len());
        if best.width == 0 && best.layout == Layout::Plain {
            return best;
        }
        for plan in [
            Plan::patched(values, range.lows[0]),
            range
                .second_base()
                .and_then(|base| Plan::patched(values, base)),
            Plan::sparse(values),
        ] {
            match plan {
                Some(plan) if plan.size_bytes < best.size_bytes => best = plan,
                _ => {}
            }
        }
        best
    }

    fn plain(range: &Range, count: usize) -> Plan {
        let base = range.lows[0];
        let width = bit_length(range.high.wrapping_sub(base) as u64);
        let wide = Plan {
            layout: Layout::Wide,
            width: 0,
            base: 0,
            common: 0,
            size_bytes: 1 + 8 * count,
        };
        if width > WIDTH_MAX {
            return wide;
        }
        let size_bytes = 1 + signed_bytes(base) + packed_bytes(count, width);
        if size_bytes >= wide.size_bytes {
            return wide;
        }
        Plan {
            layout: Layout::Plain,
            width,
            base,
            common: 0,
            size_bytes,
        }
    }

    /// The best width for this base when wider differences become exceptions.
    fn patched(values: &[i64], base: i64) -> Option<Plan> {
        let mut lengths = [0u16; 65];
        for &value in values {
            lengths[bit_length(value.wrapping_sub(base) as u64) as usize] += 1;
        }
        let fixed = 2 + signed_bytes(base);
        let (mut best, mut exceptions_bytes) = (None, 0);
        let mut best_bytes = usize::MAX;
        let longest = lengths.iter().rposition(|&count| count > 0).unwrap_or(0);
        for length in (1..=longest as u32).rev() {
            let width = length - 1;
            // A difference with the highest bit set is a negative number near zero or far from it:
            // counting it as the longest varint keeps this an upper bound, and `size` below counts
            // exactly.
            let exception_bytes = 1 + (length as usize + 1).div_ceil(7);
            exceptions_bytes += usize::from(lengths[length as usize]) * exception_bytes;
            let bytes = fixed + packed_bytes(values.len(), width) + exceptions_bytes;
            if width <= WIDTH_MAX && bytes < best_bytes {
                (best, best_bytes) = (Some(width), bytes);
            }
            if exceptions_bytes > best_bytes {
                break;
            }
        }
        let width = best?;
        let exceptions: usize = values
            .iter()
            .map(|&value| value.wrapping_sub(base))
            .filter(|&difference| bit_length(difference as u64) > width)
            .map(|difference| 1 + signed_bytes(difference))
            .sum();
        (exceptions > 0).then(|| Plan {
            layout: Layout::Patched,
            width,
            base,
            common: 0,
            size_bytes: fixed + packed_bytes(values.len(), width) + exceptions,
        })
    }

    fn sparse(values: &[i64]) -> Option<Plan> {
        let common = commonest(values)?;
        let others = || values.iter().copied().filter(|&value| value != common);
        let (base, high) = (others().min()?, others().max()?);
        let width = bit_length(high.wrapping_sub(base) as u64);
        let fixed = 1 + signed_bytes(common) + signed_bytes(base) + values.len().div_ceil(8);
        (width <= WIDTH_MAX).then(|| Plan {
            layout: Layout::Sparse,
            width,
            base,
            common,
            size_bytes: fixed + packed_bytes(others().count(), width),
        })
    }

    /// Writes the values that the plan was made for.
    pub(crate) fn write(&self, values: &[i64], out: &mut Vec<u8>) {
        let start = out.len();
        out.push(self.layout as u8 | self.width as u8);
        let difference = |value: i64| value.wrapping_sub(self.base) as u64;
        match self.layout {
            Layout::Plain => {
                put_varint_signed(out, self.base);
                pack::pack(
                    values.iter().map(|&value| difference(value)),
                    self.width,
                    out,
                );
            }
            Layout::Patched => self.write_patched(values, out),
            Layout::Sparse => {
                put_varint_signed(out, self.common);
                put_varint_signed(out, self.base);
                for bits in values.chunks(8) {
                    let byte = bits.iter().enumerate().fold(0u8, |byte, (place, &value)| {
                        byte | u8::from(value != self.common) << place
                    });
                    out.push(byte);
                }
                let others = values.iter().filter(|&&value| value != self.common);
                pack::pack(others.map(|&value| difference(value)), self.width, out);
            }
            Layout::Wide => {
                for value in values {
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
        debug_assert_eq!(out.len() - start, self.size_bytes, "{self:?}");
    }

    fn write_patched(&self, values: &[i64], out: &mut Vec<u8>) {
        let difference = |value: i64| value.wrapping_sub(self.base);
        let exceeds = |value: i64| bit_length(difference(value) as u64) > self.width;
        put_varint_signed(out, self.base);
        let count_at = out.len();
        out.push(0);
        let kept = values.iter().map(|&value| {
            if exceeds(value) {
                0
            } else {
                difference(value) as u64
            }
        });
        pack::pack(kept, self.width, out);
        let first = out.len();
        for (position, &value) in values.iter().enumerate() {
            if exceeds(value) {
                out.push(position as u8);
            }
        }
        out[count_at] = (out.len() - first - 1) as u8;
        for &value in values {
            if exceeds(value) {
                put_varint_signed(out, difference(value));
            }
        }
    }
}

/// Reads a mini-block of exactly `out.len()` values, at most [`BLOCK`].
#[inline]
pub(crate) fn read(cursor: &mut Cursor<'_>, out: &mut [i64]) -> Result<()> {
    assert!(
        out.len() <= BLOCK,
        "a mini-block holds at most {BLOCK} values"
    );
    let first = cursor.u8()?;
    let width = u32::from(first & WIDTH_MASK);
    if width > WIDTH_MAX {
        return Err(Error::corrupt(format!(
            "a packed width of {width}, at most {WIDTH_MAX}"
        )));
    }
    match first & !WIDTH_MASK {
        layout if layout == Layout::Plain as u8 => {
            let base = cursor.varint_signed()?;
            read_packed(cursor, width, base, out)
        }
        layout if layout == Layout::Patched as u8 => read_patched(cursor, width, out),
        layout if layout == Layout::Sparse as u8 => read_sparse(cursor, width, out),
        _ => read_wide(cursor, width, out),
    }
}

/// Goes on behind a mini-block of `count` values, at most [`BLOCK`].
pub(crate) fn skip(cursor: &mut Cursor<'_>, count: usize) -> Result<()> {
    let first = cursor.u8()?;
    let width = u32::from(first & WIDTH_MASK);
    let bytes = match first & !WIDTH_MASK {
        layout if layout == Layout::Plain as u8 => {
            cursor.varint_signed()?;
            packed_bytes(count, width)
        }
        layout if layout == Layout::Patched as u8 => {
            cursor.varint_signed()?;
            let exceptions = usize::from(cursor.u8()?) + 1;
            cursor.take(packed_bytes(count, width) + exceptions)?;
            for _ in 0..exceptions {
                cursor.varint_signed()?;
            }
            0
        }
        layout if layout == Layout::Sparse as u8 => {
            cursor.varint_signed()?;
            cursor.varint_signed()?;
            let bitmap = cursor.take(count.div_ceil(8))?;
            let others = bitmap.iter().map(|byte| byte.count_ones() as usize).sum();
            packed_bytes(others, width)
        }
        _ => count * 8,
    };
    cursor.take(bytes)?;
    Ok(())
}

#[inline]
fn read_packed(cursor: &mut Cursor<'_>, width: u32, base: i64, out: &mut [i64]) -> Result<()> {
    let rest = cursor.rest();
    cursor.take(packed_bytes(out.len(), width))?;
    pack::unpack(rest, width, base, out);
    Ok(())
}

fn read_patched(cursor: &mut Cursor<'_>, width: u32, out: &mut [i64]) -> Result<()> {
    let base = cursor.varint_signed()?;
    let count = usize::from(cursor.u8()?) + 1;
    read_packed(cursor, width, base, out)?;
    for &position in cursor.take(count)? {
        let difference = cursor.varint_signed()?;
        match out.get_mut(usize::from(position)) {
            Some(slot) => *slot = base.wrapping_add(difference),
            None => {
                return Err(Error::corrupt(format!(
                    "an exception at {position} of {} values",
                    out.len()
                )));
            }
        }
    }
    Ok(())
}

fn read_sparse(cursor: &mut Cursor<'_>, width: u32, out: &mut [i64]) -> Result<()> {
    let common = cursor.varint_signed()?;
    let base = cursor.varint_signed()?;
    let bitmap = cursor.take(out.len().div_ceil(8))?;
    let count: usize = bitmap.iter().map(|byte| byte.count_ones() as usize).sum();
    if count > out.len() {
        return Err(Error::corrupt(format!(
            "{count} marks for {} values",
            out.len()
        )));
    }
    if count <= FEW {
        scatter(
            cursor,
            width,
            base,
            bitmap,
            &mut [0; FEW][..count],
            common,
            out,
        )
    } else {
        scatter(
            cursor,
            width,
            base,
            bitmap,
            &mut [0; BLOCK][..count],
            common,
            out,
        )
    }
}

fn scatter(
    cursor: &mut Cursor<'_>,
    width: u32,
    base: i64,
    bitmap: &[u8],
    others: &mut [i64],
    common: i64,
    out: &mut [i64],
) -> Result<()> {
    read_packed(cursor, width, base, others)?;
    out.fill(common);
    let mut others = others.iter();
    for (values, bytes) in out.chunks_mut(64).zip(bitmap.chunks(8)) {
        let mut word = [0u8; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let mut marks = u64::from_le_bytes(word);
        // One step for each mark: a branch for each value would be guessed wrong half of the time.
        while marks != 0 {
            let place = marks.trailing_zeros() as usize;
            marks &= marks - 1;
            match (values.get_mut(place), others.next()) {
                (Some(value), Some(&other)) => *value = other,
                _ => return Err(Error::corrupt("a mark behind the last value")),
            }
        }
    }
    Ok(())
}

fn read_wide(cursor: &mut Cursor<'_>, width: u32, out: &mut [i64]) -> Result<()> {
    if width != 0 {
        return Err(Error::corrupt(format!(
            "a width of {width} for whole words"
        )));
    }
    let (words, _) = cursor.take(out.len() * 8)?.as_chunks::<8>();
    for (value, word) in out.iter_mut().zip(words) {
        *value = i64::from_le_bytes(*word);
    }
    Ok(())
}

/// The three lowest values and the highest.
struct Range {
    lows: [i64; 3],
    high: i64,
}

impl Range {
    fn of(values: &[i64]) -> Range {
        let (mut lows, mut high) = ([i64::MAX; 3], i64::MIN);
        for &value in values {
            high = high.max(value);
            if value < lows[2] {
                lows[2] = value;
                lows.sort_unstable();
            }
        }
        Range { lows, high }
    }

    /// A base above one or two outliers, such as the drop of a counter that was reset.
    fn second_base(&self) -> Option<i64> {
        let gap = |from: i64, to: i64| to.wrapping_sub(from) as u64;
        let [first, second, third] = self.lows;
        let base = if gap(second, third) > gap(first, second) {
            third
        } else {
            second
        };
        (base < self.high && gap(first, base) >= gap(first, self.high) / 8 && base > first)
            .then_some(base)
    }
}

/// The value that more than half of all have if there is one, or zero, if it is common enough.
fn commonest(values: &[i64]) -> Option<i64> {
    let (mut majority, mut lead) = (0i64, 0usize);
    for &value in values {
        // Written as selections, since branches here would be guessed wrong half of the time.
        majority = if lead == 0 { value } else { majority };
        lead = if value == majority {
            lead + 1
        } else {
            lead - 1
        };
    }
    let (mut majorities, mut zeros) = (0usize, 0usize);
    for &value in values {
        majorities += usize::from(value == majority);
        zeros += usize::from(value == 0);
    }
    let (common, count) = if zeros > majorities {
        (0, zeros)
    } else {
        (majority, majorities)
    };
    (count * COMMON_SHARE >= values.len()).then_some(common)
}

/// How many bytes the zigzag varint of a number takes.
#[inline]
pub(crate) fn signed_bytes(value: i64) -> usize {
    varint_bytes(zigzag(value))
}

/// How many bytes the varint of a number takes.
#[inline]
pub(crate) fn varint_bytes(value: u64) -> usize {
    (bit_length(value).max(1) as usize).div_ceil(7)
}

#[cfg(test)]
mod tests;
