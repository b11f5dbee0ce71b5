//! Sealed integer columns: any i64s in, the smallest of a few exact encodings out.
//!
//! The tag comes first: constant, linear, or mini-blocks of the values, of their differences or of
//! the differences of those; a scaled column divides by a common factor and holds one of the others
//! inside. The count is not stored: whoever holds the column knows it. All arithmetic wraps.

use super::bytes::{Cursor, put_varint, put_varint_signed};
use super::miniblock::{self, BLOCK, Plan, signed_bytes, varint_bytes};
use crate::error::{Error, Result};

const TAG_CONSTANT: u8 = 0;
const TAG_LINEAR: u8 = 1;
const TAG_FRAME: u8 = 2;
const TAG_DELTA: u8 = 3;
const TAG_DELTA_OF_DELTA: u8 = 4;
const TAG_SCALED: u8 = 5;

/// Fewer values than this are not searched for a common factor.
const FACTOR_COUNT_MIN: usize = 8;
/// Appends the smallest encoding of the values.
pub(crate) fn encode(values: &[i64], out: &mut Vec<u8>) {
    Column::of(values).write(out);
}

/// Appends exactly `count` values to `out`. The caller has limited `count`: a constant column of
/// any count is a few bytes.
pub(crate) fn decode(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<i64>) -> Result<()> {
    let mut reader = Reader::open(cursor)?;
    let start = out.len();
    out.resize(start + count, 0);
    for block in out[start..].chunks_mut(BLOCK) {
        reader.read(cursor, block)?;
    }
    Ok(())
}

/// Goes on behind a column of `count` values without reading them.
pub(crate) fn skip(cursor: &mut Cursor<'_>, count: usize) -> Result<()> {
    let reader = Reader::open(cursor)?;
    if matches!(reader.tag, TAG_CONSTANT | TAG_LINEAR) {
        return Ok(());
    }
    for start in (0..count).step_by(BLOCK) {
        miniblock::skip(cursor, BLOCK.min(count - start))?;
    }
    Ok(())
}

/// An integer column that was planned and can be written; its size is known exactly.
pub(crate) struct Column {
    factor: Option<Factor>,
    form: Form,
}

enum Form {
    Constant(i64),
    Linear { first: i64, step: i64 },
    Blocks(Blocks),
}

/// Mini-blocks of transformed values, with what the transform starts from.
struct Blocks {
    tag: u8,
    start: i64,
    step: i64,
    values: Vec<i64>,
    plans: Vec<Plan>,
    size_bytes: usize,
}

/// Every value is `first` plus a multiple of `divisor`.
#[derive(Clone, Copy)]
struct Factor {
    first: i64,
    divisor: i64,
}

impl Column {
    /// Plans the smallest encoding that is found cheaply.
    pub(crate) fn of(values: &[i64]) -> Column {
        // A common factor saves bits of every value: where there is one, nothing else is tried.
        let Some(factor) = Factor::of(values) else {
            return Column {
                factor: None,
                form: Form::of(values),
            };
        };
        let multiples: Vec<i64> = values
            .iter()
            .map(|value| value.wrapping_sub(factor.first) / factor.divisor)
            .collect();
        let scaled = Form::of(&multiples);
        if matches!(scaled, Form::Blocks(_)) {
            return Column {
                factor: Some(factor),
                form: scaled,
            };
        }
        Column {
            factor: None,
            form: Form::of(values),
        }
    }

    /// Plans a column whose order says nothing: differences are not tried.
    pub(crate) fn unordered(values: &[i64]) -> Column {
        let first = values.first().copied().unwrap_or(0);
        let form = match values.iter().all(|&value| value == first) {
            true => Form::Constant(first),
            false => Form::Blocks(Blocks::frame(values).plan()),
        };
        Column { factor: None, form }
    }

    /// How many bytes [`Column::write`] appends.
    pub(crate) fn size_bytes(&self) -> usize {
        let factor_bytes = self.factor.map_or(0, |factor| {
            1 + signed_bytes(factor.first) + varint_bytes(factor.divisor as u64)
        });
        let form_bytes = match &self.form {
            Form::Constant(value) => 1 + signed_bytes(*value),
            Form::Linear { first, step } => 1 + signed_bytes(*first) + signed_bytes(*step),
            Form::Blocks(blocks) => blocks.size_bytes,
        };
        factor_bytes + form_bytes
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let before = out.len();
        if let Some(factor) = self.factor {
            out.push(TAG_SCALED);
            put_varint_signed(out, factor.first);
            put_varint(out, factor.divisor as u64);
        }
        match &self.form {
            Form::Constant(value) => {
                out.push(TAG_CONSTANT);
                put_varint_signed(out, *value);
            }
            Form::Linear { first, step } => {
                out.push(TAG_LINEAR);
                put_varint_signed(out, *first);
                put_varint_signed(out, *step);
            }
            Form::Blocks(blocks) => blocks.write(out),
        }
        debug_assert_eq!(out.len() - before, self.size_bytes());
    }
}

impl Form {
    fn of(values: &[i64]) -> Form {
        let first = values.first().copied().unwrap_or(0);
        if values.iter().all(|&value| value == first) {
            return Form::Constant(first);
        }
        let deltas = Blocks::deltas(values);
        let step = deltas.values[0];
        if deltas.values.iter().all(|&delta| delta == step) {
            return Form::Linear { first, step };
        }
        let second = Blocks::deltas_of_deltas(&deltas);
        // On a tie the one that is quicker to decode wins, hence this order.
        let candidates = [Blocks::frame(values), deltas, second];
        let smallest = candidates
            .into_iter()
            .map(Blocks::plan)
            .min_by_key(|b| b.size_bytes);
        Form::Blocks(smallest.expect("there are three candidates"))
    }
}

impl Blocks {
    fn frame(values: &[i64]) -> Blocks {
        Blocks::new(TAG_FRAME, 0, 0, values.to_vec())
    }

    /// Differences, as many as values: the first repeats the second, and the start is moved back by
    /// it, so that the mini-blocks of a column hold the same entries whatever the transform.
    fn deltas(values: &[i64]) -> Blocks {
        let mut deltas = Vec::with_capacity(values.len());
        deltas.push(0);
        deltas.extend(values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])));
        deltas[0] = deltas.get(1).copied().unwrap_or(0);
        let start = values[0].wrapping_sub(deltas[0]);
        Blocks::new(TAG_DELTA, start, 0, deltas)
    }

    /// The same once more; `step` is the difference before the first.
    fn deltas_of_deltas(deltas: &Blocks) -> Blocks {
        let inner = Blocks::deltas(&deltas.values);
        Blocks::new(TAG_DELTA_OF_DELTA, deltas.start, inner.start, inner.values)
    }

    fn new(tag: u8, start: i64, step: i64, values: Vec<i64>) -> Blocks {
        Blocks {
            tag,
            start,
            step,
            values,
            plans: Vec::new(),
            size_bytes: 0,
        }
    }

    fn plan(mut self) -> Blocks {
        self.plans = self.values.chunks(BLOCK).map(Plan::of).collect();
        self.size_bytes = self.plans.iter().map(|plan| plan.size_bytes).sum();
        self.size_bytes += match self.tag {
            TAG_FRAME => 1,
            TAG_DELTA => 1 + signed_bytes(self.start),
            _ => 1 + signed_bytes(self.start) + signed_bytes(self.step),
        };
        self
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.tag);
        if self.tag != TAG_FRAME {
            put_varint_signed(out, self.start);
        }
        if self.tag == TAG_DELTA_OF_DELTA {
            put_varint_signed(out, self.step);
        }
        for (plan, values) in self.plans.iter().zip(self.values.chunks(BLOCK)) {
            plan.write(values, out);
        }
    }
}

impl Factor {
    /// The largest common factor of all differences from the first value, if it is more than one.
    fn of(values: &[i64]) -> Option<Factor> {
        let first = *values
            .first()
            .filter(|_| values.len() >= FACTOR_COUNT_MIN)?;
        let mut divisor = 0u64;
        for value in values {
            let mut difference = value.wrapping_sub(first).unsigned_abs();
            while difference != 0 {
                (divisor, difference) = (difference, divisor % difference);
            }
            if divisor == 1 {
                return None;
            }
        }
        let divisor = i64::try_from(divisor).ok().filter(|&divisor| divisor > 1)?;
        Some(Factor { first, divisor })
    }
}

/// Reads a column mini-block by mini-block, so that a caller can turn each into something else
/// while it is hot.
pub(crate) struct Reader {
    factor: Option<Factor>,
    tag: u8,
    value: i64,
    step: i64,
}

impl Reader {
    /// Reads the column's head; the blocks follow at the cursor.
    #[inline]
    pub(crate) fn open(cursor: &mut Cursor<'_>) -> Result<Reader> {
        let mut tag = cursor.u8()?;
        let mut factor = None;
        if tag == TAG_SCALED {
            let first = cursor.varint_signed()?;
            let divisor = cursor.varint()?;
            let divisor = i64::try_from(divisor).ok().filter(|&divisor| divisor > 1);
            let Some(divisor) = divisor else {
                return Err(Error::corrupt(
                    "a common factor is not a positive number above one",
                ));
            };
            factor = Some(Factor { first, divisor });
            tag = cursor.u8()?;
        }
        if tag > TAG_DELTA_OF_DELTA {
            return Err(Error::corrupt(format!(
                "integer column tag {tag} is unknown here"
            )));
        }
        let value = if tag == TAG_FRAME {
            0
        } else {
            cursor.varint_signed()?
        };
        let stepped = tag == TAG_LINEAR || tag == TAG_DELTA_OF_DELTA;
        let step = if stepped { cursor.varint_signed()? } else { 0 };
        Ok(Reader {
            factor,
            tag,
            value,
            step,
        })
    }

    /// Fills `out` with the next values: [`BLOCK`] of them, or what is left of the column.
    #[inline]
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>, out: &mut [i64]) -> Result<()> {
        match self.tag {
            TAG_CONSTANT => out.fill(self.value),
            TAG_LINEAR => {
                out.fill(self.value);
                self.value = add_line(out, self.step);
            }
            TAG_FRAME => miniblock::read(cursor, out)?,
            TAG_DELTA => {
                miniblock::read(cursor, out)?;
                self.value = sum(out, self.value);
            }
            _ => {
                miniblock::read(cursor, out)?;
                self.step = sum(out, self.step);
                self.value = sum(out, self.value);
            }
        }
        if let Some(factor) = self.factor {
            for slot in out.iter_mut() {
                *slot = factor.first.wrapping_add(slot.wrapping_mul(factor.divisor));
            }
        }
        Ok(())
    }
}

/// Adds 0, `step`, twice `step` and so on to values that are all the same; returns what would come
/// next.
#[inline]
pub(crate) fn add_line(values: &mut [i64], step: i64) -> i64 {
    let mut next = values.first().copied().unwrap_or(0);
    for value in values {
        *value = next;
        next = next.wrapping_add(step);
    }
    next
}

/// Replaces differences by running sums from `start`, and returns the last sum.
#[inline]
fn sum(values: &mut [i64], start: i64) -> i64 {
    let mut total = start;
    for value in values {
        total = total.wrapping_add(*value);
        *value = total;
    }
    total
}

#[cfg(test)]
mod tests;
