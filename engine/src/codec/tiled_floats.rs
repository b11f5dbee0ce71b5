//! Sealed columns of floats in tiles, for chunks that are kept for long: every bit pattern in, the
//! smallest of a few exact encodings out, and any tile can be read without the others.
//!
//! The first byte is the codec in bits 0-2, whether exceptions follow in bit 3, and the scale of a
//! decimal in the high four. A constant is followed by its value. Otherwise exceptions come first,
//! then a first integer and a divisor, the length of every tile but the last, and the tiles. An
//! integer of a tile times the divisor plus the first integer is a scaled one, or the bits of a
//! float.

use std::ops::Range;

use super::bytes::{Cursor, put_varint, put_varint_signed};
use super::decimal::{self, Form};
use super::exceptions::{self, STALE_BITS};
use super::miniblock::{signed_bytes, varint_bytes};
use super::scaled::{Near, Scaled};
use super::tiles::Integers;
use super::{tile, tiles};
use crate::error::{Error, Result};

const CODEC_MASK: u8 = 0x07;
const CONSTANT: u8 = 0;
const DIVIDED: u8 = 1;
const MULTIPLIED: u8 = 2;
const SPLIT: u8 = 3;
const BITS: u8 = 4;
/// Divided, and the tile of integers is followed by one of corrections.
const CORRECTED: u8 = 5;
const HAS_EXCEPTIONS: u8 = 0x08;
const SCALE_SHIFT: u32 = 4;

/// Decimals of at most so many bits a value are taken without trying anything else.
const GOOD_BITS: usize = 16;
/// Integers of a decimal's tiles lie within this on both sides of zero, so that a reader can turn
/// them into floats two at a time.
const INTEGER_MAX: u64 = 1 << 51;

/// A column that was planned and can be written; its size is known exactly.
pub(crate) struct Column<'v> {
    values: &'v [f64],
    body: Body,
    exceptions: Vec<usize>,
    exceptions_bytes: usize,
}

enum Body {
    Constant(u64),
    Tiles(Tiles),
}

/// Integers in tiles: each times the divisor plus the first is a scaled one, or bits.
struct Tiles {
    codec: u8,
    scale: u8,
    first: i64,
    divisor: i64,
    /// The integers, and for values near decimals the corrections.
    sequences: Vec<Integers>,
}

impl<'v> Column<'v> {
    /// Plans the smallest encoding that is found.
    pub(crate) fn of(values: &'v [f64]) -> Self {
        if let Some(bits) = exceptions::constant(values) {
            let is_stale = |value: u64| value == STALE_BITS && bits != STALE_BITS;
            let stale = exceptions::places(values, is_stale);
            return Column::new(values, Body::Constant(bits), stale);
        }
        let scaled = Scaled::candidates(values).into_iter();
        let mut found: Vec<Self> = scaled
            .filter_map(|scaled| Column::decimal(values, scaled))
            .collect();
        let good = |column: &Self| column.size_bytes() * 8 <= values.len() * GOOD_BITS;
        if !found.iter().any(good) {
            found.extend(Near::of(values).and_then(|near| Column::corrected(values, near)));
            found.push(Column::of_bits(values));
        }
        let smallest = found.into_iter().min_by_key(Column::size_bytes);
        smallest.expect("bits are among them where nothing good is")
    }

    fn decimal(values: &'v [f64], scaled: Scaled) -> Option<Self> {
        let scaled = scaled.in_form(Form::Multiplied).in_form(Form::Split);
        let codec = match scaled.form {
            Form::Divided => DIVIDED,
            Form::Multiplied => MULTIPLIED,
            Form::Split => SPLIT,
        };
        let tiles = Tiles::of(codec, scaled.scale, &scaled.integers);
        let body = Body::Tiles(tiles.convertible()?);
        Some(Column::new(values, body, scaled.exceptions))
    }

    fn corrected(values: &'v [f64], near: Near) -> Option<Self> {
        let tiles = Tiles::of(CORRECTED, near.scale, &near.integers);
        let mut tiles = tiles.convertible()?;
        tiles.sequences.push(Integers::plan(near.corrections));
        Some(Column::new(values, Body::Tiles(tiles), near.exceptions))
    }

    fn of_bits(values: &'v [f64]) -> Self {
        // A stale marker is far from everything else.
        let stale = exceptions::places(values, |bits| bits == STALE_BITS);
        let mut last = 0;
        let live = values.iter().map(|value| {
            let bits = value.to_bits();
            last = if bits == STALE_BITS {
                last
            } else {
                bits.cast_signed()
            };
            last
        });
        let tiles = Tiles::of(BITS, 0, &live.collect::<Vec<i64>>());
        Column::new(values, Body::Tiles(tiles), stale)
    }

    fn new(values: &'v [f64], body: Body, exceptions: Vec<usize>) -> Self {
        let mut written = Vec::new();
        exceptions::write(values, &exceptions, &mut written);
        Column {
            values,
            body,
            exceptions,
            exceptions_bytes: written.len(),
        }
    }

    /// Decimals as the integers of its tiles, if that is what they are and nothing else.
    pub(crate) fn decimals(&self) -> Option<(Decimal, &[i64])> {
        let Body::Tiles(tiles) = &self.body else {
            return None;
        };
        let [integers] = &tiles.sequences[..] else {
            return None;
        };
        let decimal = Decimal {
            codec: tiles.codec,
            scale: tiles.scale,
            first: tiles.first,
            divisor: tiles.divisor,
        };
        (tiles.codec != BITS).then_some((decimal, integers.values()))
    }

    pub(crate) fn values(&self) -> &'v [f64] {
        self.values
    }

    pub(crate) fn is_constant(&self) -> bool {
        matches!(self.body, Body::Constant(_))
    }

    /// The places whose values are not what the body says, in order.
    pub(crate) fn exceptions(&self) -> &[usize] {
        &self.exceptions
    }

    /// How many bytes [`Column::write`] appends.
    pub(crate) fn size_bytes(&self) -> usize {
        let body = match &self.body {
            Body::Constant(bits) => varint_bytes(bits.swap_bytes()),
            Body::Tiles(tiles) => tiles.size_bytes(),
        };
        1 + self.exceptions_bytes + body
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let before = out.len();
        let (codec, scale) = match &self.body {
            Body::Constant(_) => (CONSTANT, 0),
            Body::Tiles(tiles) => (tiles.codec, tiles.scale),
        };
        let flag = match self.exceptions.is_empty() {
            true => 0,
            false => HAS_EXCEPTIONS,
        };
        out.push(codec | flag | scale << SCALE_SHIFT);
        exceptions::write(self.values, &self.exceptions, out);
        match &self.body {
            Body::Constant(bits) => put_varint(out, bits.swap_bytes()),
            Body::Tiles(tiles) => tiles.write(out),
        }
        debug_assert_eq!(out.len() - before, self.size_bytes());
    }
}

impl Tiles {
    /// Distances from the first integer, divided by what is common to them.
    fn of(codec: u8, scale: u8, integers: &[i64]) -> Tiles {
        let first = integers.first().copied().unwrap_or(0);
        let divisor = common_divisor(integers, first);
        let distance = |&integer: &i64| integer.wrapping_sub(first) / divisor;
        Tiles {
            codec,
            scale,
            first,
            divisor,
            sequences: vec![Integers::plan(integers.iter().map(distance).collect())],
        }
    }

    /// Itself, if a reader can turn all of it into floats.
    fn convertible(self) -> Option<Self> {
        let fits = |integer: &i64| integer.unsigned_abs() < INTEGER_MAX;
        let mut integers = self.sequences.iter().flat_map(Integers::values);
        integers.all(fits).then_some(self)
    }

    fn size_bytes(&self) -> usize {
        signed_bytes(self.first)
            + varint_bytes(self.divisor.unsigned_abs())
            + tiles::size_bytes(&self.sequences)
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_varint_signed(out, self.first);
        put_varint(out, self.divisor.unsigned_abs());
        tiles::write(&self.sequences, out);
    }
}

/// How an integer of a tile becomes a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    codec: u8,
    scale: u8,
    first: i64,
    divisor: i64,
}

impl Decimal {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.codec | self.scale << SCALE_SHIFT);
        put_varint_signed(out, self.first);
        put_varint(out, self.divisor.unsigned_abs());
    }

    /// `tag` is the byte that [`Decimal::write`] begins with.
    pub(crate) fn read(tag: u8, cursor: &mut Cursor<'_>) -> Result<Decimal> {
        let (codec, scale) = (tag & CODEC_MASK, tag >> SCALE_SHIFT);
        if tag & HAS_EXCEPTIONS != 0 || !matches!(codec, DIVIDED | MULTIPLIED | SPLIT) {
            return Err(Error::corrupt(format!("tag {tag} is none of decimals")));
        }
        let (first, divisor) = read_line(cursor)?;
        Ok(Decimal {
            codec,
            scale,
            first,
            divisor,
        })
    }

    /// The float of an integer.
    pub(crate) fn value(&self, integer: i64) -> f64 {
        let scaled = float_of(integer) * self.divisor as f64 + self.first as f64;
        let power = decimal::POWERS[usize::from(self.scale)];
        match self.codec {
            _ if self.scale == 0 => scaled,
            DIVIDED => scaled / power,
            MULTIPLIED => scaled * (1.0 / power),
            _ => {
                let (high, low) = decimal::split_inverse(self.scale);
                scaled * high + scaled * low
            }
        }
    }

    /// The integer that an integer of a tile stands for, if decimals are whole numbers.
    pub(crate) fn whole(&self, integer: i64) -> Option<i128> {
        let product = i128::from(integer) * i128::from(self.divisor);
        (self.scale == 0).then_some(product + i128::from(self.first))
    }
}

/// The first integer and the divisor of tiles.
fn read_line(cursor: &mut Cursor<'_>) -> Result<(i64, i64)> {
    let first = cursor.varint_signed()?;
    let divisor = i64::try_from(cursor.varint()?)
        .ok()
        .filter(|&divisor| divisor > 0);
    let divisor = divisor.ok_or_else(|| Error::corrupt("a divisor is not a positive number"))?;
    Ok((first, divisor))
}

/// The largest common factor of all distances from the first; 1 where it does not fit an i64.
fn common_divisor(integers: &[i64], first: i64) -> i64 {
    let mut divisor = 0u64;
    for integer in integers {
        let mut distance = integer.wrapping_sub(first).unsigned_abs();
        while distance != 0 {
            (divisor, distance) = (distance, divisor % distance);
        }
        if divisor == 1 {
            return 1;
        }
    }
    i64::try_from(divisor).map_or(1, |divisor| divisor.max(1))
}

/// Appends the wanted values of a column of `count`, which are those of whole tiles. The caller has
/// limited the count to what a chunk holds.
pub(crate) fn decode(
    cursor: &mut Cursor<'_>,
    count: usize,
    wanted: Range<usize>,
    out: &mut Vec<f64>,
) -> Result<()> {
    let tag = cursor.u8()?;
    let (codec, scale) = (tag & CODEC_MASK, tag >> SCALE_SHIFT);
    if scale != 0 && matches!(codec, CONSTANT | BITS) {
        return Err(Error::corrupt(format!(
            "float column tag {tag} has a scale"
        )));
    }
    let mut exceptional = cursor.clone();
    if tag & HAS_EXCEPTIONS != 0 {
        exceptions::read(cursor, count, |_, _| ())?;
    }
    let before = out.len();
    out.reserve(wanted.len());
    if codec == CONSTANT {
        let value = f64::from_bits(cursor.varint()?.swap_bytes());
        out.resize(before + wanted.len(), value);
    } else {
        TileReader::open(cursor, count, wanted.clone())?.decode(codec, scale, out)?;
    }
    if tag & HAS_EXCEPTIONS != 0 {
        let values = &mut out[before..];
        exceptions::read(&mut exceptional, count, |place, value| {
            if wanted.contains(&place) {
                values[place - wanted.start] = value;
            }
        })?;
    }
    Ok(())
}

/// Reads the wanted tiles of a column.
struct TileReader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    count: usize,
    wanted: Range<usize>,
    first: i64,
    divisor: i64,
}

impl<'c, 'a> TileReader<'c, 'a> {
    fn open(cursor: &'c mut Cursor<'a>, count: usize, wanted: Range<usize>) -> Result<Self> {
        let (first, divisor) = read_line(cursor)?;
        Ok(TileReader {
            cursor,
            count,
            wanted,
            first,
            divisor,
        })
    }

    fn decode(self, codec: u8, scale: u8, out: &mut Vec<f64>) -> Result<()> {
        let (first, divisor) = (self.first as f64, self.divisor as f64);
        let scaled = move |integer: i64| float_of(integer) * divisor + first;
        let power = decimal::POWERS[usize::from(scale)];
        match codec {
            DIVIDED if scale == 0 => self.convert(out, scaled),
            DIVIDED => self.convert(out, |integer| scaled(integer) / power),
            MULTIPLIED => {
                let inverse = 1.0 / power;
                self.convert(out, |integer| scaled(integer) * inverse)
            }
            SPLIT => {
                let (high, low) = decimal::split_inverse(scale);
                self.convert(out, |integer| {
                    let float = scaled(integer);
                    float * high + float * low
                })
            }
            BITS => {
                let (first, divisor) = (self.first, self.divisor);
                self.convert(out, |integer| {
                    let bits = integer.wrapping_mul(divisor).wrapping_add(first);
                    f64::from_bits(bits.cast_unsigned())
                })
            }
            CORRECTED => self.correct(out, |integer| scaled(integer) / power),
            _ => Err(Error::corrupt(format!("float codec {codec} is unknown"))),
        }
    }

    /// Every tile is integers and nothing else.
    fn convert(self, out: &mut Vec<f64>, make: impl Fn(i64) -> f64) -> Result<()> {
        tiles::read_each(
            self.cursor,
            self.count,
            self.wanted,
            |cursor, count, buffers| {
                let integers = tile::read(cursor, count, buffers)?;
                out.extend(integers.iter().map(|&integer| make(integer)));
                Ok(())
            },
        )
    }

    /// Every tile is integers and then corrections of what they say.
    fn correct(self, out: &mut Vec<f64>, make: impl Fn(i64) -> f64) -> Result<()> {
        tiles::read_each(
            self.cursor,
            self.count,
            self.wanted,
            |cursor, count, buffers| {
                let before = out.len();
                let integers = tile::read(cursor, count, buffers)?;
                out.extend(integers.iter().map(|&integer| make(integer)));
                let corrections = tile::read(cursor, count, buffers)?;
                for (value, &above) in out[before..].iter_mut().zip(corrections) {
                    let bits = value.to_bits().cast_signed().wrapping_add(above);
                    *value = f64::from_bits(bits.cast_unsigned());
                }
                Ok(())
            },
        )
    }
}

/// The float of an integer within [`INTEGER_MAX`], by the bits of a large one: two at a time where
/// a machine can add so. Other integers give some float.
#[inline]
fn float_of(integer: i64) -> f64 {
    const LARGE: f64 = 6_755_399_441_055_744.0;
    let bits = LARGE.to_bits().wrapping_add(integer.cast_unsigned());
    f64::from_bits(bits) - LARGE
}

#[cfg(test)]
pub(crate) mod tests;
