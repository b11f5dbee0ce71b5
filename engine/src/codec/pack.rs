//! Bit packing: numbers of one width, lowest bits first, without gaps between them.
//!
//! Unpacking is made once for each width, so that every shift and offset is a constant; it reads
//! eight bytes at a time and may look at, but never depends on, the bytes behind the packed ones.

/// The widest packed number; wider ones are stored as whole words, which unpack faster.
pub(crate) const WIDTH_MAX: u32 = 56;

/// How many numbers an unpacking step takes: they fill `width` whole bytes.
const GROUP: usize = 8;
/// How many bytes an unpacking step may look at.
const GROUP_BYTES_MAX: usize = WIDTH_MAX as usize + 8;

/// How many bytes `count` numbers of `width` bits take.
#[inline]
pub(crate) fn packed_bytes(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// How many bits the number needs.
#[inline]
pub(crate) fn bit_length(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// Appends numbers; each must fit `width`, which is at most [`WIDTH_MAX`].
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    debug_assert!(width <= WIDTH_MAX);
    let (mut word, mut used) = (0u64, 0u32);
    for value in values {
        debug_assert!(bit_length(value) <= width);
        word |= value << used;
        used += width;
        if used >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            word = if used == 0 {
                0
            } else {
                value >> (width - used)
            };
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..used.div_ceil(8) as usize]);
}

/// Fills `out` with `base` plus each packed number. `bytes` starts with the packed numbers and
/// should go on with whatever follows them: the tail is then as fast as the rest.
#[inline]
pub(crate) fn unpack(bytes: &[u8], width: u32, base: i64, out: &mut [i64]) {
    assert!(width <= WIDTH_MAX, "wider numbers are not packed");
    assert!(
        bytes.len() >= packed_bytes(out.len(), width),
        "the caller has checked the length"
    );
    UNPACKERS[width as usize](bytes, base, out);
}

type Unpacker = fn(&[u8], i64, &mut [i64]);

macro_rules! unpackers {
    ($($width:literal)*) => {
        [fill, $(unpack_width::<$width>),*]
    };
}

static UNPACKERS: [Unpacker; WIDTH_MAX as usize + 1] = unpackers!(
    1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
    29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56
);

fn fill(_: &[u8], base: i64, out: &mut [i64]) {
    out.fill(base);
}

fn unpack_width<const WIDTH: usize>(bytes: &[u8], base: i64, out: &mut [i64]) {
    let (mut rest, mut groups) = (bytes, out.chunks_exact_mut(GROUP));
    for group in &mut groups {
        if let Some(window) = rest.get(..WIDTH + 8) {
            unpack_group::<WIDTH>(window, base, group);
        } else {
            unpack_group::<WIDTH>(&padded(rest), base, group);
        }
        rest = rest.get(WIDTH..).unwrap_or_default();
    }
    let tail = groups.into_remainder();
    if !tail.is_empty() {
        let mut group = [0i64; GROUP];
        match rest.get(..WIDTH + 8) {
            Some(window) => unpack_group::<WIDTH>(window, base, &mut group),
            None => unpack_group::<WIDTH>(&padded(rest), base, &mut group),
        }
        tail.copy_from_slice(&group[..tail.len()]);
    }
}

#[inline(always)]
fn unpack_group<const WIDTH: usize>(window: &[u8], base: i64, group: &mut [i64]) {
    let window = &window[..WIDTH + 8];
    let group = &mut group[..GROUP];
    let mask = u64::MAX >> (64 - WIDTH);
    for (lane, slot) in group.iter_mut().enumerate() {
        let bit = lane * WIDTH;
        let mut word = [0u8; 8];
        word.copy_from_slice(&window[bit / 8..bit / 8 + 8]);
        let value = (u64::from_le_bytes(word) >> (bit % 8)) & mask;
        *slot = base.wrapping_add(value as i64);
    }
}

#[cold]
fn padded(bytes: &[u8]) -> [u8; GROUP_BYTES_MAX] {
    let mut buffer = [0u8; GROUP_BYTES_MAX];
    let length = bytes.len().min(GROUP_BYTES_MAX);
    buffer[..length].copy_from_slice(&bytes[..length]);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_and_count_come_back_with_and_without_bytes_behind() {
        for width in 0..=WIDTH_MAX {
            for count in [0, 1, 7, 8, 9, 63, 120, 255, 256] {
                let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
                let values: Vec<u64> = (0..count as u64)
                    .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask)
                    .collect();
                let mut bytes = Vec::new();
                pack(values.iter().copied(), width, &mut bytes);
                assert_eq!(bytes.len(), packed_bytes(count, width));
                for _ in 0..2 {
                    let mut out = vec![0; count];
                    unpack(&bytes, width, -5, &mut out);
                    let wanted: Vec<i64> = values
                        .iter()
                        .map(|&value| (value as i64).wrapping_sub(5))
                        .collect();
                    assert_eq!(out, wanted, "width {width} count {count}");
                    bytes.extend([0xff; 80]);
                }
            }
        }
    }
}
