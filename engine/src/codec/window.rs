//! The bit window that variable-width residuals are written through: open streams and sealed XOR
//! columns use it.
//!
//! A residual (an XOR of two bit patterns, or the difference of two integers) is written as the
//! bits between `shift` and `shift + width`. The window stays open as long as residuals fit, so
//! that most need no header; the writer alone decides when to open another, the reader only
//! follows.

use super::bits::{BitReader, sign_extend};

/// Bits of a window header: shift, width less one, and for differences the sign flag.
const SHIFT_BITS: u32 = 6;
const WIDTH_BITS: u32 = 6;
/// After so many residuals a window that was wider than any of them needed is narrowed.
const PATIENCE: u8 = 16;
/// Narrowing by less than this is not worth a header.
const NARROW_GAIN: u8 = 2;
/// A residual that leaves more bits of the window unused than this opens a narrow one at once: the
/// window was opened for an outlier such as a counter reset.
const OUTLIER_GAIN: u8 = 20;

/// What residuals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residual {
    /// The XOR of two bit patterns: no sign.
    Xor,
    /// The wrapping difference of two integers, two's complement.
    Difference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Sign {
    Never,
    Possible,
}

/// The open window; `width` 0 means that none is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    shift: u8,
    width: u8,
    sign: Sign,
    /// Residuals since the window was opened or last judged, and the most bits that any of them
    /// needed.
    seen: u8,
    peak: u8,
}

/// Bits to write: at most 64, lowest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) bits: u64,
    pub(crate) width: u32,
}

/// Whether a residual goes through the window as it is or through one that was opened for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Same,
    Opened,
}

impl Window {
    pub(crate) const CLOSED: Window = Window {
        shift: 0,
        width: 0,
        sign: Sign::Never,
        seen: 0,
        peak: 0,
    };

    /// Makes the window fit the residual, changing it where it must or where that pays.
    #[inline]
    pub(crate) fn fit(&mut self, residual: u64, kind: Residual) -> Fit {
        let top = top_bits(residual, self.sign);
        let low = residual.trailing_zeros().min(63) as u8;
        let negative = kind == Residual::Difference && (residual as i64) < 0;
        let fits = self.width > 0
            && low >= self.shift
            && top <= self.shift + self.width
            && !(negative && self.sign == Sign::Never);
        if !fits {
            self.widen(residual, low, negative);
            return Fit::Opened;
        }
        self.peak = self.peak.max(top);
        self.seen += 1;
        let spare = self.shift + self.width - top;
        if self.seen < PATIENCE && spare <= OUTLIER_GAIN {
            return Fit::Same;
        }
        self.judge(top)
    }

    /// The residual's bits in the window.
    #[inline]
    pub(crate) fn field(&self, residual: u64) -> Field {
        let width = u32::from(self.width);
        let bits = (residual >> self.shift) & (u64::MAX >> (64 - width));
        Field { bits, width }
    }

    /// The header that announces this window.
    #[inline]
    pub(crate) fn header(&self, kind: Residual) -> Field {
        let mut bits = u64::from(self.shift) | u64::from(self.width - 1) << SHIFT_BITS;
        let mut width = SHIFT_BITS + WIDTH_BITS;
        if kind == Residual::Difference {
            bits |= (self.sign as u64) << width;
            width += 1;
        }
        Field { bits, width }
    }

    /// Reads a header; any bits are a window.
    #[inline]
    pub(crate) fn read_header(reader: &mut BitReader<'_>, kind: Residual) -> Window {
        let shift = reader.read(SHIFT_BITS) as u8;
        let width = reader.read(WIDTH_BITS) as u8 + 1;
        let signed = kind == Residual::Difference && reader.read(1) == 1;
        let sign = if signed { Sign::Possible } else { Sign::Never };
        Window {
            shift,
            width,
            sign,
            seen: 0,
            peak: 0,
        }
    }

    /// Reads a residual through the open window, or a zero when none is open.
    #[inline]
    pub(crate) fn read(&self, reader: &mut BitReader<'_>) -> u64 {
        if self.width == 0 {
            return 0;
        }
        let width = u32::from(self.width);
        let mut value = reader.read(width);
        if self.sign == Sign::Possible {
            value = sign_extend(value, width);
        }
        value << self.shift
    }

    /// Opens a window over both the old one and the residual: alternating windows would cost a
    /// header each time.
    #[cold]
    fn widen(&mut self, residual: u64, low: u8, negative: bool) {
        let (mut shift, mut end) = (low, 0);
        if self.width > 0 {
            shift = shift.min(self.shift);
            end = self.shift + self.width;
        }
        if negative && self.sign == Sign::Never {
            self.sign = Sign::Possible;
            end = (end + 1).min(64);
        }
        end = end.max(top_bits(residual, self.sign)).max(shift + 1);
        self.open(shift, end);
    }

    /// Narrows a window that residuals have not filled for a while, or that was opened for an
    /// outlier.
    #[cold]
    fn judge(&mut self, top: u8) -> Fit {
        let end = self.shift + self.width;
        let wanted = if end - top > OUTLIER_GAIN {
            top
        } else {
            self.peak
        };
        if wanted + NARROW_GAIN <= end && self.width > NARROW_GAIN && wanted > self.shift {
            self.open(self.shift, wanted);
            return Fit::Opened;
        }
        self.seen = 0;
        self.peak = 0;
        Fit::Same
    }

    fn open(&mut self, shift: u8, end: u8) {
        debug_assert!(shift < end && end <= 64);
        self.shift = shift;
        self.width = end - shift;
        self.seen = 0;
        self.peak = 0;
    }
}

/// The place above the highest bit that must be kept.
#[inline]
fn top_bits(residual: u64, sign: Sign) -> u8 {
    let bits = match sign {
        Sign::Never => 64 - residual.leading_zeros(),
        Sign::Possible => {
            let magnitude = residual ^ (((residual as i64) >> 63) as u64);
            65 - magnitude.leading_zeros()
        }
    };
    bits as u8
}
