//! [`FloatStream`]: the open chunk of floats in the head, appended to entry by entry and readable
//! at any time.
//!
//! Written for a million of them alive at once: one struct of at most 64 bytes and a buffer that
//! grows gently. Whoever reads copies the bytes under the lock and decodes the copy outside. Any
//! times, any bit patterns.
//!
//! The bits, lowest first. The first entry's time is a zigzag varint of whole bytes, then its
//! value; the value before the first is 0.0, the step before the second is 0. Every further entry
//! is one of
//! - `0`: the same time step and the same value as before,
//! - `1 0` change: the same time step,
//! - `1 1` step value: the difference of the steps in 5, 9, 14, 20 or 64 bits behind `0`, `10`,
//!   `110`, `1110` or `1111`; value is `0` for the same, or `1` change.
//!
//! A change is `0` residual through the open [`Window`], `1 0` header residual, or `1 1` mode
//! header residual, where the mode is a decimal scale (the residual is the difference of scaled
//! integers) or `MODE_XOR`.

use super::bits::{BitReader, push_bits, sign_extend};
use super::bytes::{Cursor, put_varint_signed};
use super::decimal::{self, Form};
use super::window::{Fit, Residual, Window};
use crate::error::{Error, Result};

/// Widths of the step difference; the last one is the escape that holds anything.
const STEP_WIDTHS: [u32; 5] = [5, 9, 14, 20, 64];
const MODE_BITS: u32 = 4;
/// The mode in which the residual is the XOR with the value before; all lower modes are decimal
/// scales.
const MODE_XOR: u8 = 15;
/// The largest scale an open stream looks for: the nanoseconds of a time in seconds.
const STREAM_SCALE_MAX: u8 = 9;
/// In XOR mode every so-many entries are tried as decimals again.
const RETRY_EVERY: u32 = 8;
/// Buffers grow by the larger of a small step and an eighth, to sizes that allocators serve without
/// waste.
const GROW_STEP: usize = 16;
const GROW_FIRST: usize = 24;

/// An appendable chunk of (time, float) entries.
#[derive(Clone, Debug)]
pub(crate) struct FloatStream {
    bytes: Vec<u8>,
    last_time: i64,
    last_step: i64,
    last_bits: u64,
    count: u32,
    /// Bits in use in the last byte, 0 for all.
    tail: u8,
    mode: u8,
    window: Window,
}

const _: () = assert!(size_of::<FloatStream>() <= 64);

impl Default for FloatStream {
    fn default() -> Self {
        FloatStream::new()
    }
}

impl FloatStream {
    pub(crate) fn new() -> Self {
        FloatStream {
            bytes: Vec::new(),
            last_time: 0,
            last_step: 0,
            last_bits: 0,
            count: 0,
            tail: 0,
            mode: 0,
            window: Window::CLOSED,
        }
    }

    /// Appends an entry; times may go in any direction, the bits may be any.
    #[inline]
    pub(crate) fn append(&mut self, time: i64, bits: u64) {
        if self.count == 0 {
            self.bytes.reserve_exact(GROW_FIRST);
            put_varint_signed(&mut self.bytes, time);
            self.put_value(bits);
        } else {
            let step = time.wrapping_sub(self.last_time);
            let change = step.wrapping_sub(self.last_step);
            if change != 0 {
                self.put_step(change);
                self.put_value(bits);
            } else if bits == self.last_bits {
                self.put(0, 1);
            } else {
                self.put_change(bits, 0b01, 2);
            }
            self.last_step = step;
        }
        self.last_time = time;
        self.last_bits = bits;
        self.count = self
            .count
            .checked_add(1)
            .expect("a stream is sealed long before");
    }

    /// Keeps the first `count` entries only.
    pub(crate) fn truncate(&mut self, count: u32) {
        if count >= self.count {
            return;
        }
        let (mut times, mut values) = (Vec::new(), Vec::new());
        decode(&self.bytes, count, &mut times, &mut values)
            .expect("a stream reads what it has written");
        *self = FloatStream::new();
        for (time, value) in times.into_iter().zip(values) {
            self.append(time, value.to_bits());
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    pub(crate) fn first_time(&self) -> Option<i64> {
        Cursor::new(&self.bytes).varint_signed().ok()
    }

    pub(crate) fn last_time(&self) -> Option<i64> {
        (self.count > 0).then_some(self.last_time)
    }

    pub(crate) fn last_bits(&self) -> Option<u64> {
        (self.count > 0).then_some(self.last_bits)
    }

    /// The bytes of all entries so far, whole at every moment between appends.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that this stream holds beside its own struct.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    fn put(&mut self, bits: u64, width: u32) {
        let wanted = self.bytes.len() + width.div_ceil(8) as usize;
        if wanted > self.bytes.capacity() {
            self.grow(wanted);
        }
        self.tail = push_bits(&mut self.bytes, self.tail, bits, width);
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        let capacity = self.bytes.capacity();
        let step = GROW_STEP.max(capacity / 8).next_multiple_of(GROW_STEP);
        let target = wanted.max(GROW_FIRST).max(capacity + step);
        self.bytes.reserve_exact(target - self.bytes.len());
    }

    #[cold]
    fn put_step(&mut self, change: i64) {
        for (index, &width) in STEP_WIDTHS.iter().enumerate() {
            let bits = change as u64 & (u64::MAX >> (64 - width));
            if sign_extend(bits, width) != change as u64 {
                continue;
            }
            // Two ones for "another step", a one for each narrower width, and a zero unless none is
            // wider.
            let ones = 2 + index as u32;
            let prefix = (1 << ones) - 1;
            let prefix_width = ones + u32::from(index + 1 < STEP_WIDTHS.len());
            if prefix_width + width <= 64 {
                self.put(prefix | bits << prefix_width, prefix_width + width);
            } else {
                self.put(prefix, prefix_width);
                self.put(bits, width);
            }
            return;
        }
    }

    #[inline]
    fn put_value(&mut self, bits: u64) {
        if bits == self.last_bits {
            self.put(0, 1);
        } else {
            self.put_change(bits, 1, 1);
        }
    }

    /// Writes a value that differs from the last, behind `control` of `used` bits.
    #[inline]
    fn put_change(&mut self, bits: u64, control: u64, used: u32) {
        let (mode, residual) = self.residual(bits);
        let kind = residual_kind(mode);
        let (mut control, mut used) = (control, used);
        if mode != self.mode {
            self.mode = mode;
            self.window = Window::CLOSED;
            self.window.fit(residual, kind);
            control |= (0b11 | u64::from(mode) << 2) << used;
            used += 2 + MODE_BITS;
            let header = self.window.header(kind);
            control |= header.bits << used;
            used += header.width;
        } else if self.window.fit(residual, kind) == Fit::Opened {
            let header = self.window.header(kind);
            control |= (0b01 | header.bits << 2) << used;
            used += 2 + header.width;
        } else {
            used += 1;
        }
        let field = self.window.field(residual);
        if used + field.width <= 64 {
            self.put(control | field.bits << used, used + field.width);
        } else {
            self.put(control, used);
            self.put(field.bits, field.width);
        }
    }

    /// The mode to write these bits in, and what to write.
    #[inline]
    fn residual(&self, bits: u64) -> (u8, u64) {
        if self.mode != MODE_XOR {
            if let Some(integer) = decimal::exact(bits, self.mode, Form::Divided) {
                return (self.mode, self.difference(integer, self.mode));
            }
        } else if !self.count.is_multiple_of(RETRY_EVERY) {
            return (MODE_XOR, bits ^ self.last_bits);
        }
        self.residual_elsewhere(bits)
    }

    /// Looks for another scale; leaving XOR mode needs two decimals in a row, or chance finds would
    /// flap.
    #[cold]
    fn residual_elsewhere(&self, bits: u64) -> (u8, u64) {
        if let Some(scale) = decimal::scale_of(bits, Form::Divided, 0, STREAM_SCALE_MAX)
            && let Some(integer) = decimal::exact(bits, scale, Form::Divided)
        {
            let settled = decimal::scale_of(self.last_bits, Form::Divided, 0, STREAM_SCALE_MAX);
            if self.mode != MODE_XOR {
                return (scale, self.difference(integer, scale));
            } else if let Some(last_scale) = settled {
                let scale = scale.max(last_scale);
                if let Some(integer) = decimal::exact(bits, scale, Form::Divided) {
                    return (scale, self.difference(integer, scale));
                }
            }
        }
        (MODE_XOR, bits ^ self.last_bits)
    }

    #[inline]
    fn difference(&self, integer: i64, scale: u8) -> u64 {
        let last = decimal::nearest(f64::from_bits(self.last_bits), scale);
        integer.wrapping_sub(last) as u64
    }
}

#[inline]
fn residual_kind(mode: u8) -> Residual {
    if mode == MODE_XOR {
        Residual::Xor
    } else {
        Residual::Difference
    }
}

/// Decodes the first `count` entries of a stream's bytes, appending to `times` and `values`.
pub(crate) fn decode(
    bytes: &[u8],
    count: u32,
    times: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut cursor = Cursor::new(bytes);
    let time = cursor.varint_signed()?;
    let bits = BitReader::new(cursor.rest());
    // An entry takes a bit at least, so that a wrong count cannot ask for more memory than this.
    let room = (count as usize).min(cursor.remaining().saturating_mul(8));
    times.reserve(room);
    values.reserve(room);
    let mut decoder = Decoder {
        bits,
        time,
        step: 0,
        value: 0,
        mode: 0,
        window: Window::CLOSED,
    };
    decoder.value_bits()?;
    times.push(decoder.time);
    values.push(f64::from_bits(decoder.value));
    decoder.run(count as usize - 1, times, values)
}

struct Decoder<'a> {
    bits: BitReader<'a>,
    time: i64,
    step: i64,
    value: u64,
    mode: u8,
    window: Window,
}

impl Decoder<'_> {
    fn run(&mut self, count: usize, times: &mut Vec<i64>, values: &mut Vec<f64>) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let next = self.bits.peek();
            if next & 1 == 0 {
                // Idle series are mostly zeros: take a whole run of them at once.
                let run = (next.trailing_zeros().min(super::bits::PEEK_BITS) as usize).min(left);
                self.bits.skip(run as u32);
                self.bits.check()?;
                for _ in 0..run {
                    self.time = self.time.wrapping_add(self.step);
                    times.push(self.time);
                }
                values.resize(values.len() + run, f64::from_bits(self.value));
                left -= run;
                continue;
            }
            self.bits.skip(2);
            if next & 2 == 0 {
                self.change()?;
            } else {
                self.step_change()?;
                self.value_bits()?;
            }
            self.bits.check()?;
            self.time = self.time.wrapping_add(self.step);
            times.push(self.time);
            values.push(f64::from_bits(self.value));
            left -= 1;
        }
        Ok(())
    }

    fn step_change(&mut self) -> Result<()> {
        let index = (self.bits.peek().trailing_ones() as usize).min(STEP_WIDTHS.len() - 1);
        let prefix_width = (index as u32 + 1).min(STEP_WIDTHS.len() as u32 - 1);
        self.bits.skip(prefix_width);
        let width = STEP_WIDTHS[index];
        let change = sign_extend(self.bits.read(width), width) as i64;
        self.step = self.step.wrapping_add(change);
        Ok(())
    }

    #[inline]
    fn value_bits(&mut self) -> Result<()> {
        if self.bits.read(1) == 1 {
            self.change()?;
        }
        self.bits.check()
    }

    #[inline]
    fn change(&mut self) -> Result<()> {
        let control = self.bits.peek();
        if control & 1 == 0 {
            self.bits.skip(1);
        } else {
            self.bits.skip(2);
            if control & 2 != 0 {
                self.mode = self.bits.read(MODE_BITS) as u8;
                if self.mode > STREAM_SCALE_MAX && self.mode != MODE_XOR {
                    return Err(Error::corrupt(format!(
                        "stream mode {} is unknown",
                        self.mode
                    )));
                }
            }
            self.window = Window::read_header(&mut self.bits, residual_kind(self.mode));
        }
        let residual = self.window.read(&mut self.bits);
        if self.mode == MODE_XOR {
            self.value ^= residual;
        } else {
            let last = decimal::nearest(f64::from_bits(self.value), self.mode);
            let integer = last.wrapping_add(residual as i64);
            self.value = decimal::value(integer, self.mode, Form::Divided).to_bits();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
