//! Bits in the order in which Prometheus' chunks have them: the highest of each byte first.

/// Widths of integers in chunks of histograms, each under a prefix one bit longer than the last.
const WIDTHS: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];

/// Bits as they are written.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl Bits {
    /// Bits after these bytes.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Bits { bytes, free: 0 }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes the `count` lowest bits of a number.
    pub(super) fn push(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = number >> (left - taken) & ((1 << taken) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << (self.free - taken);
            }
            self.free -= taken;
            left -= taken;
        }
    }

    /// Writes a float whole.
    pub(super) fn float(&mut self, value: f64) {
        self.push(value.to_bits(), 64);
    }

    /// Writes bytes of seven bits each, the lowest first, as protobuf has them.
    pub(super) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number & 0x7f | 0x80, 8);
            number >>= 7;
        }
        self.push(number, 8);
    }

    /// Writes a number that may be below zero in as few of the widths as hold it.
    pub(super) fn signed(&mut self, number: i64) {
        let class = WIDTHS.iter().position(|width| fits(number, *width));
        self.in_class(number as u64, number == 0, class);
    }

    /// Writes a number in as few of the widths as hold it.
    pub(super) fn unsigned(&mut self, number: u64) {
        let class = WIDTHS.iter().position(|width| number >> width == 0);
        self.in_class(number, number == 0, class);
    }

    fn in_class(&mut self, number: u64, is_zero: bool, class: Option<usize>) {
        match class {
            _ if is_zero => self.push(0, 1),
            Some(class) => {
                // As many ones as there are narrower widths, one more, and a zero.
                let ones = class as u32 + 1;
                self.push((1 << (ones + 1)) - 2, ones + 1);
                self.push(number, WIDTHS[class]);
            }
            None => {
                self.push(0xff, 8);
                self.push(number, 64);
            }
        }
    }
}

/// Whether a number is one of those that so many bits stand for: one more above zero than below.
pub(super) fn fits(number: i64, width: u32) -> bool {
    let half = 1i64 << (width - 1);
    (1 - half..=half).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_written_from_the_highest() {
        let mut bits = Bits::after(vec![7]);
        bits.push(1, 1);
        bits.push(0b0101, 4);
        bits.push(0b111_0000_1111, 11);
        assert_eq!(bits.into_bytes(), [7, 0b1010_1111, 0b0000_1111]);
        let mut bits = Bits::default();
        bits.varint(300);
        assert_eq!(bits.into_bytes(), [0xac, 2]);
    }

    #[test]
    fn integers_take_the_width_that_holds_them() {
        let of = |write: &dyn Fn(&mut Bits)| {
            let mut bits = Bits::default();
            write(&mut bits);
            bits.into_bytes()
        };
        assert_eq!(of(&|bits| bits.signed(0)), [0]);
        assert_eq!(of(&|bits| bits.signed(4)), [0b1010_0000]);
        assert_eq!(of(&|bits| bits.signed(-3)), [0b1010_1000]);
        assert_eq!(of(&|bits| bits.signed(-4)), [0b1101_1110, 0]);
        assert_eq!(of(&|bits| bits.unsigned(7)), [0b1011_1000]);
        assert_eq!(of(&|bits| bits.unsigned(8)), [0b1100_0100, 0]);
        assert_eq!(of(&|bits| bits.unsigned(u64::MAX)), [0xff; 9]);
    }
}
