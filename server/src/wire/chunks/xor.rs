//! [`XorChunk`]: times as differences of differences, floats as what differs from the one before.

use super::bits::{Bits, fits};

/// Samples of one chunk, as in Prometheus.
const SAMPLES_MAX: u16 = 120;

/// The widths of a difference of differences, each under a prefix one bit longer than the last.
const WIDTHS: [u32; 3] = [14, 17, 20];

/// A place for leading zeros is five bits wide.
const LEADING_MAX: u32 = 31;

/// A chunk while it is written.
pub(super) struct XorChunk {
    bits: Bits,
    count: u16,
    first: i64,
    time: i64,
    step: i64,
    value: u64,
    /// Zeros on either side of the bits that differed last.
    zeros: Option<(u32, u32)>,
}

impl Default for XorChunk {
    fn default() -> Self {
        XorChunk {
            // The count comes before the bits.
            bits: Bits::after(vec![0; 2]),
            count: 0,
            first: 0,
            time: 0,
            step: 0,
            value: 0,
            zeros: None,
        }
    }
}

impl XorChunk {
    pub(super) fn push(&mut self, time: i64, value: f64) {
        let value = value.to_bits();
        let step = time.wrapping_sub(self.time);
        match self.count {
            0 => {
                self.first = time;
                self.bits.varint((time << 1 ^ time >> 63) as u64);
                self.bits.push(value, 64);
            }
            1 => {
                self.bits.varint(step as u64);
                self.value(value);
                self.step = step;
            }
            _ => {
                self.difference(step.wrapping_sub(self.step));
                self.value(value);
                self.step = step;
            }
        }
        (self.time, self.value) = (time, value);
        self.count += 1;
    }

    fn difference(&mut self, difference: i64) {
        if difference == 0 {
            return self.bits.push(0, 1);
        }
        match WIDTHS.iter().position(|width| fits(difference, *width)) {
            Some(class) => {
                let ones = class as u32 + 1;
                self.bits.push((1 << (ones + 1)) - 2, ones + 1);
                self.bits.push(difference as u64, WIDTHS[class]);
            }
            None => {
                self.bits.push(0b1111, 4);
                self.bits.push(difference as u64, 64);
            }
        }
    }

    fn value(&mut self, value: u64) {
        let differs = value ^ self.value;
        if differs == 0 {
            return self.bits.push(0, 1);
        }
        self.bits.push(1, 1);
        let leading = differs.leading_zeros().min(LEADING_MAX);
        let trailing = differs.trailing_zeros();
        match self.zeros {
            Some((before, behind)) if leading >= before && trailing >= behind => {
                self.bits.push(0, 1);
                self.bits.push(differs >> behind, 64 - before - behind);
            }
            _ => {
                let width = 64 - leading - trailing;
                self.bits.push(1, 1);
                self.bits.push(u64::from(leading), 5);
                // 64 does not fit; it is written as 0, which cannot be.
                self.bits.push(u64::from(width), 6);
                self.bits.push(differs >> trailing, width);
                self.zeros = Some((leading, trailing));
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= SAMPLES_MAX
    }

    /// The times of the first and the last sample, and the chunk; nothing without samples.
    pub(super) fn finish(self) -> Option<((i64, i64), Vec<u8>)> {
        let mut bytes = self.bits.into_bytes();
        bytes[..2].copy_from_slice(&self.count.to_be_bytes());
        (self.count > 0).then_some(((self.first, self.time), bytes))
    }
}
