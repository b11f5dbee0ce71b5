//! Layers: up to [`BLOCK`] numbers of which most are small, packed so that each pays for its own
//! size.
//!
//! Every number gives its lowest bits to the first layer. Those that have more are marked and give
//! their next bits to the second, and so on. A [`Plan`] is made from the lengths of the numbers
//! alone and knows its size exactly. A layer is a byte, width in the low six bits and what follows
//! in the others; the packed bits of its members; then nothing, a bitmap or a list of the members
//! that go on.

use super::bytes::Cursor;
use super::miniblock::BLOCK;
use super::pack::{self, WIDTH_MAX, bit_length, packed_bytes};
use crate::error::{Error, Result};

const WIDTH_MASK: u8 = 0x3f;
const LAST: u8 = 0;
/// A bit for each member of the layer, set for those that go on.
const BITMAP: u8 = 1 << 6;
/// A count less one, and a byte for each member that goes on: its place among the members.
const PLACES: u8 = 2 << 6;

/// More layers than these save next to nothing.
const LAYERS_MAX: usize = 4;
/// What a number in a further layer must save: reading it there takes as long as reading several
/// bits in the first.
const MEMBER_BITS: usize = 2;
/// Lengths of 64-bit numbers, and one that is put between so that no layer is too wide.
const LENGTHS: usize = 66;

/// How many numbers have each length in bits.
pub(crate) struct Lengths {
    counts: [u16; 65],
}

impl Lengths {
    /// Counts at most [`BLOCK`] numbers.
    #[inline]
    pub(crate) fn of(numbers: impl Iterator<Item = u64>) -> Self {
        let mut counts = [0u16; 65];
        for number in numbers {
            counts[bit_length(number) as usize] += 1;
        }
        Lengths { counts }
    }
}

/// Where each layer ends, in bits from the lowest, and how many bytes all of it takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    ends: [u8; LAYERS_MAX],
    layers: u8,
    pub(crate) size_bytes: usize,
    /// Size in bits with a price on the reader's time: what plans are compared by.
    pub(crate) cost: usize,
}

/// The cheapest way to go on from a length: its cost, and the place of the next end.
#[derive(Clone, Copy)]
struct Step {
    cost: usize,
    next: u8,
}

impl Plan {
    /// The cheapest layers for numbers of these lengths; at least one number.
    pub(crate) fn of(lengths: &Lengths) -> Plan {
        let (mut ends, mut above, mut found) = ([0u8; LENGTHS], [0u16; LENGTHS], 0);
        let total: u16 = lengths.counts.iter().sum();
        assert!(
            (1..=BLOCK).contains(&usize::from(total)),
            "layers hold 1 to {BLOCK} numbers"
        );
        let mut longer = total;
        for (length, &count) in (0u8..).zip(&lengths.counts) {
            longer -= count;
            // Nobody ends where no number ends, but for the widest layer's sake.
            if count > 0 || (u32::from(length) == WIDTH_MAX && longer > 0) {
                (ends[found], above[found]) = (length, longer);
                found += 1;
            }
        }
        Plan::cheapest(&ends[..found], &above[..found], total)
    }

    /// Goes backwards over the number of layers left: the way on from an end depends on nothing
    /// before it.
    fn cheapest(ends: &[u8], above: &[u16], total: u16) -> Plan {
        let mut onward = [[Step { cost: 0, next: 0 }; LENGTHS]; LAYERS_MAX];
        for left in 1..LAYERS_MAX {
            let (done, rest) = onward.split_at_mut(left);
            let after = &done[left - 1];
            for at in 0..ends.len().saturating_sub(1) {
                rest[0][at] =
                    best_step(ends, above, (ends[at], above[at]), after, left > 1, at + 1);
            }
        }
        let first = best_step(ends, above, (0, total), &onward[LAYERS_MAX - 1], true, 0);
        let mut plan = Plan {
            cost: first.cost,
            ..Plan::default()
        };
        let (mut step, mut from, mut members) = (first, 0, total);
        for left in (0..LAYERS_MAX).rev() {
            let at = usize::from(step.next);
            plan.ends[usize::from(plan.layers)] = ends[at];
            plan.layers += 1;
            plan.size_bytes += layer_bytes(members, ends[at] - from, above[at]);
            if above[at] == 0 {
                break;
            }
            (from, members, step) = (ends[at], above[at], onward[left][at]);
        }
        plan
    }

    /// Writes the numbers that the plan was made for.
    pub(crate) fn write(&self, numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
        let before = out.len();
        let (mut rest, mut count) = ([0u64; BLOCK], 0);
        for number in numbers {
            rest[count] = number;
            count += 1;
        }
        let mut from = 0;
        for (layer, &end) in self.ends[..usize::from(self.layers)].iter().enumerate() {
            let width = end - from;
            let members = &mut rest[..count];
            let (mask, goes_on) = (low_bits(width), |number: u64| number >> width != 0);
            let more = members.iter().filter(|number| goes_on(**number)).count();
            let follows = match more {
                0 => LAST,
                _ if more + 1 < count.div_ceil(8) => PLACES,
                _ => BITMAP,
            };
            assert_eq!(follows == LAST, layer + 1 == usize::from(self.layers));
            out.push(width | follows);
            pack::pack(
                members.iter().map(|number| number & mask),
                width.into(),
                out,
            );
            write_marks(follows, members, goes_on, out);
            let mut kept = 0;
            for place in 0..count {
                if goes_on(rest[place]) {
                    rest[kept] = rest[place] >> width;
                    kept += 1;
                }
            }
            (from, count) = (end, kept);
        }
        debug_assert_eq!(out.len() - before, self.size_bytes);
    }
}

/// The cheapest layer from `start` (an end and its members) to one of the ends from `first` on.
fn best_step(
    ends: &[u8],
    above: &[u16],
    start: (u8, u16),
    after: &[Step; LENGTHS],
    may_go_on: bool,
    first: usize,
) -> Step {
    let mut best = Step {
        cost: usize::MAX,
        next: 0,
    };
    for at in first..ends.len() {
        let (width, more) = (ends[at] - start.0, above[at]);
        if u32::from(width) > WIDTH_MAX || (more > 0 && !may_go_on) {
            continue;
        }
        let onward = match more {
            0 => 0,
            _ => after[at]
                .cost
                .saturating_add(usize::from(more) * MEMBER_BITS),
        };
        let cost = onward.saturating_add(layer_bytes(start.1, width, more) * 8);
        if cost < best.cost {
            best = Step {
                cost,
                next: at as u8,
            };
        }
    }
    best
}

/// Bytes of a layer of `members` with `more` of them going on.
fn layer_bytes(members: u16, width: u8, more: u16) -> usize {
    let (members, more) = (usize::from(members), usize::from(more));
    let marks = match more {
        0 => 0,
        _ => members.div_ceil(8).min(more + 1),
    };
    1 + packed_bytes(members, width.into()) + marks
}

fn low_bits(width: u8) -> u64 {
    (1u64 << width).wrapping_sub(1)
}

fn write_marks(follows: u8, members: &[u64], goes_on: impl Fn(u64) -> bool, out: &mut Vec<u8>) {
    match follows {
        BITMAP => {
            for eight in members.chunks(8) {
                let set = |(place, &number): (usize, &u64)| u8::from(goes_on(number)) << place;
                out.push(
                    eight
                        .iter()
                        .enumerate()
                        .map(set)
                        .fold(0, |byte, bit| byte | bit),
                );
            }
        }
        PLACES => {
            let count_at = out.len();
            out.push(0);
            let places = (0u8..=u8::MAX).zip(members);
            out.extend(
                places
                    .filter(|(_, number)| goes_on(**number))
                    .map(|(place, _)| place),
            );
            // Places are only listed where they are fewer than an eighth of the members.
            out[count_at] = (out.len() - count_at - 2) as u8;
        }
        _ => {}
    }
}

/// Where a tile is read; kept from tile to tile, since clearing it is dear.
pub(crate) struct Buffers {
    numbers: [i64; BLOCK],
    parts: [i64; BLOCK],
    members: Places,
    places: Places,
}

/// Places of members, with room behind for those that are written in advance.
type Places = [u8; BLOCK + PLACES_AT_ONCE];

impl Buffers {
    pub(crate) fn new() -> Self {
        Buffers {
            numbers: [0; BLOCK],
            parts: [0; BLOCK],
            members: [0; BLOCK + PLACES_AT_ONCE],
            places: [0; BLOCK + PLACES_AT_ONCE],
        }
    }
}

/// Reads `count` numbers, each plus `base`.
#[inline]
pub(crate) fn read<'b>(
    cursor: &mut Cursor<'_>,
    count: usize,
    base: i64,
    buffers: &'b mut Buffers,
) -> Result<&'b mut [i64]> {
    let head = cursor.u8()?;
    let width = head & WIDTH_MASK;
    read_packed(cursor, width, base, &mut buffers.numbers[..count])?;
    match head & !WIDTH_MASK {
        LAST => {}
        follows => read_further(cursor, (follows, width), count, buffers)?,
    }
    Ok(&mut buffers.numbers[..count])
}

#[inline]
fn read_packed(cursor: &mut Cursor<'_>, width: u8, base: i64, out: &mut [i64]) -> Result<()> {
    let width = u32::from(width);
    if width > WIDTH_MAX {
        return Err(Error::corrupt(format!(
            "a layer of {width} bits, at most {WIDTH_MAX}"
        )));
    }
    let rest = cursor.rest();
    cursor.take(packed_bytes(out.len(), width))?;
    pack::unpack(rest, width, base, out);
    Ok(())
}

/// Adds the bits of the layers behind the first, of which what follows it and its width are given.
fn read_further(
    cursor: &mut Cursor<'_>,
    (mut follows, width): (u8, u8),
    count: usize,
    buffers: &mut Buffers,
) -> Result<()> {
    let (mut members, mut places) = (&mut buffers.members, &mut buffers.places);
    let (parts, mut shift) = (&mut buffers.parts, u32::from(width));
    let mut count = read_marks(cursor, follows, count, members)?;
    loop {
        let head = cursor.u8()?;
        let width = head & WIDTH_MASK;
        if width == 0 || shift + u32::from(width) > u64::BITS {
            return Err(Error::corrupt(format!(
                "a layer of {width} bits above {shift} others"
            )));
        }
        read_packed(cursor, width, 0, &mut parts[..count])?;
        for (&member, &part) in members[..count].iter().zip(&parts[..count]) {
            let slot = &mut buffers.numbers[usize::from(member)];
            *slot = slot.wrapping_add(part << shift);
        }
        follows = head & !WIDTH_MASK;
        if follows == LAST {
            return Ok(());
        }
        shift += u32::from(width);
        count = read_marks(cursor, follows, count, places)?;
        for place in &mut places[..count] {
            *place = members[usize::from(*place)];
        }
        std::mem::swap(&mut members, &mut places);
    }
}

/// Puts the places of the marked among `count` members into `places`, and says how many they are.
fn read_marks(
    cursor: &mut Cursor<'_>,
    follows: u8,
    count: usize,
    places: &mut Places,
) -> Result<usize> {
    let (marked, last) = match follows {
        BITMAP => {
            let marked = read_bitmap(cursor.take(count.div_ceil(8))?, places);
            // Places of a bitmap ascend. One without a mark fails here like one with too many.
            (marked, places[..marked].last().copied().unwrap_or(u8::MAX))
        }
        PLACES => {
            let marked = usize::from(cursor.u8()?) + 1;
            let listed = cursor.take(marked)?;
            places[..marked].copy_from_slice(listed);
            (
                marked,
                listed.iter().fold(0, |last, &place| last.max(place)),
            )
        }
        _ => return Err(Error::corrupt("a layer is followed by nothing known")),
    };
    if marked == 0 || usize::from(last) >= count {
        return Err(Error::corrupt("a mark for no member of a layer"));
    }
    Ok(marked)
}

/// Places that one byte of a bitmap can mark.
const PLACES_AT_ONCE: usize = 8;

/// For each byte the places of its bits, from the lowest, a byte for each, and how many they are.
static PLACES_OF: [(u64, u8); 256] = {
    let mut table = [(0, 0); 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte].0 |= bit << (8 * table[byte].1);
                table[byte].1 += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// Eight places are written for each byte, and those that it does not mark written over: a branch
/// for each mark would be guessed wrong too often.
fn read_bitmap(bitmap: &[u8], places: &mut Places) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (mut marked, mut first) = (0, 0u64);
    for &byte in &bitmap[..bitmap.len().min(BLOCK / 8)] {
        let (eight, count) = PLACES_OF[usize::from(byte)];
        let eight = (eight + first * EACH).to_le_bytes();
        places[marked..marked + PLACES_AT_ONCE].copy_from_slice(&eight);
        marked += usize::from(count);
        first += PLACES_AT_ONCE as u64;
    }
    marked
}

#[cfg(test)]
mod tests;
