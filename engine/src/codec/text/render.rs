//! Numbers back to text, a column at a time.
//!
//! Texts are written at even distances into one buffer, eight digits by one multiplication chain;
//! what a slot holds behind its text is never looked at.

use crate::error::{Error, Result};

use super::span::Span;
use super::typed::{Case, DIGITS_MAX, UUID_DASHES};

const EIGHT_DIGITS: i64 = 100_000_000;
/// Room for any number of up to [`DIGITS_MAX`] digits and a point, written from a slot's start.
pub(super) const SLOT_BYTES: usize = 24;
const NUMBER_MAX: i64 = 10i64.pow(DIGITS_MAX as u32);

/// The eight decimal digits of a number below 10^8 as values, the highest in the lowest byte.
#[inline]
fn eight(number: u32) -> u64 {
    let number = u64::from(number);
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - 10 * tens) << 8)
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// All `DIGITS_MAX` digits of a number, leading zeros included.
fn all_digits(number: i64) -> [u8; 24] {
    let mut digits = [b'0'; 24];
    let (high, low) = (number / EIGHT_DIGITS, number % EIGHT_DIGITS);
    let (top, high) = (high / EIGHT_DIGITS, high % EIGHT_DIGITS);
    // Each part is below 10^8.
    for (part, place) in [(top, 0), (high, 8), (low, 16)] {
        digits[place..place + 8].copy_from_slice(&(eight(part as u32) | ZEROS).to_le_bytes());
    }
    digits
}

/// Whether all numbers have at most eight digits; none may have a sign, or more than a text's.
pub(super) fn check(numbers: &[i64]) -> Result<bool> {
    if numbers
        .iter()
        .any(|number| !(0..NUMBER_MAX).contains(number))
    {
        return Err(Error::corrupt(
            "a number in a text has a sign or too many digits",
        ));
    }
    Ok(numbers.iter().all(|number| *number < EIGHT_DIGITS))
}

pub(super) fn integers(numbers: &[i64], arena: &mut Vec<u8>, spans: &mut Vec<Span>) -> Result<()> {
    let short = check(numbers)?;
    let start = arena.len();
    if short {
        arena.resize(start + 8 * numbers.len(), 0);
        let (slots, _) = arena[start..].as_chunks_mut::<8>();
        for (place, (slot, number)) in slots.iter_mut().zip(numbers).enumerate() {
            // `check` saw that it is below 10^8.
            let digits = eight(*number as u32);
            let zeros = (digits.trailing_zeros() / 8).min(7);
            *slot = ((digits | ZEROS) >> (8 * zeros)).to_le_bytes();
            spans.push(Span {
                start: (start + 8 * place) as u32,
                length: 8 - zeros,
            });
        }
        return Ok(());
    }
    for number in numbers {
        let digits = all_digits(*number);
        let zeros = digits
            .iter()
            .take_while(|&&digit| digit == b'0')
            .count()
            .min(23);
        let from = arena.len();
        arena.extend_from_slice(&digits[zeros..]);
        spans.push(Span::between(from, arena.len()));
    }
    Ok(())
}

pub(super) fn decimals(
    places: u8,
    scaled: &[i64],
    arena: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<()> {
    let short = check(scaled)?;
    let places = usize::from(places);
    if !(1..DIGITS_MAX).contains(&places) {
        return Err(Error::corrupt(
            "a decimal has an impossible number of places",
        ));
    }
    if short && places < 8 {
        short_decimals(places, scaled, arena, spans);
        return Ok(());
    }
    for number in scaled {
        let digits = all_digits(*number);
        let whole = 24 - places;
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let from = arena.len();
        arena.extend_from_slice(&digits[zeros.min(whole - 1)..whole]);
        arena.push(b'.');
        arena.extend_from_slice(&digits[whole..]);
        spans.push(Span::between(from, arena.len()));
    }
    Ok(())
}

/// Numbers below 10^8 with at most seven places: in each slot the eight digits, the last ones moved
/// on by one for the point.
fn short_decimals(places: usize, scaled: &[i64], arena: &mut Vec<u8>, spans: &mut Vec<Span>) {
    let whole = 8 - places as u32;
    let start = arena.len();
    arena.resize(start + 16 * scaled.len(), 0);
    let (slots, _) = arena[start..].as_chunks_mut::<16>();
    let low = (1u128 << (8 * whole)) - 1;
    for (place, (slot, number)) in slots.iter_mut().zip(scaled).enumerate() {
        // `check` saw that it is below 10^8.
        let digits = eight(*number as u32);
        let zeros = (digits.trailing_zeros() / 8).min(whole - 1);
        let text = u128::from(digits | ZEROS);
        let pointed = (text & low) | (u128::from(b'.') << (8 * whole)) | ((text & !low) << 8);
        *slot = (pointed >> (8 * zeros)).to_le_bytes();
        spans.push(Span {
            start: (start + 16 * place) as u32,
            length: 9 - zeros,
        });
    }
}

/// Texts like `template` whose bytes at the places `varying` are the last digits of a number each.
pub(super) fn masked(
    template: Span,
    varying: &[u32],
    numbers: &[i64],
    arena: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<()> {
    let short = check(numbers)?;
    if varying.len() > DIGITS_MAX || varying.iter().any(|place| *place >= template.length) {
        return Err(Error::corrupt("a digit lies outside of its text"));
    }
    if template.length == 0 {
        return Err(Error::corrupt("an empty text has no digits"));
    }
    let length = template.length as usize;
    let start = arena.len();
    repeat(template, numbers.len(), arena);
    let slots = arena[start..].chunks_exact_mut(length);
    for (place, (slot, number)) in slots.zip(numbers).enumerate() {
        // Most have few digits: one step instead of three.
        let digits = match short && varying.len() <= 8 {
            true => &(eight(*number as u32) | ZEROS).to_le_bytes()[..],
            false => &all_digits(*number)[..],
        };
        let digits = &digits[digits.len() - varying.len()..];
        for (varying, digit) in varying.iter().zip(digits) {
            slot[*varying as usize] = *digit;
        }
        spans.push(Span::between(
            start + length * place,
            start + length * (place + 1),
        ));
    }
    Ok(())
}

/// Appends a piece of the arena so many times: what was appended is copied on, in few large steps.
fn repeat(piece: Span, times: usize, arena: &mut Vec<u8>) {
    let (start, length) = (arena.len(), piece.length as usize);
    let end = start + length * times;
    arena.reserve(length * times);
    if times > 0 {
        arena.extend_from_within(piece.start as usize..piece.end());
    }
    while arena.len() < end {
        let more = (arena.len() - start).min(end - arena.len());
        arena.extend_from_within(start..start + more);
    }
}

/// Eight hexadecimal digits of four bytes, in their order.
#[inline]
fn eight_hex(bytes: [u8; 4], case: Case) -> [u8; 8] {
    let word = u64::from(u32::from_be_bytes(bytes));
    // Spread the nibbles, the highest to the lowest byte.
    let word = (word >> 16) | ((word & 0xffff) << 32);
    let word = ((word >> 8) & 0x0000_00ff_0000_00ff) | ((word & 0x0000_00ff_0000_00ff) << 16);
    let nibbles = ((word >> 4) & 0x000f_000f_000f_000f) | ((word & 0x000f_000f_000f_000f) << 8);
    let letters = ((nibbles + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    let step = match case {
        Case::Lower => u64::from(b'a' - b'0' - 10),
        Case::Upper => u64::from(b'A' - b'0' - 10),
    };
    (nibbles + ZEROS + letters * step).to_le_bytes()
}

/// How many bytes `count` texts of so many digits are packed into, if that can be.
pub(super) fn hex_bytes(digits: u32, count: usize) -> Option<usize> {
    (digits as usize).div_ceil(2).checked_mul(count)
}

/// `packed` holds [`hex_bytes`] of so many digits for each text.
pub(super) fn hex(
    digits: u32,
    case: Case,
    packed: &[u8],
    arena: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) {
    let stride = (digits as usize).div_ceil(2);
    if stride == 0 {
        return;
    }
    // Slots are whole words, so that every word is written whole.
    let words = stride.div_ceil(4);
    let start = arena.len();
    arena.resize(start + 8 * words * (packed.len() / stride), 0);
    let slots = arena[start..].chunks_exact_mut(8 * words);
    for (place, (slot, packed)) in slots.zip(packed.chunks_exact(stride)).enumerate() {
        let (bytes, tail) = packed.as_chunks::<4>();
        let (out, _) = slot.as_chunks_mut::<8>();
        for (out, bytes) in out.iter_mut().zip(bytes) {
            *out = eight_hex(*bytes, case);
        }
        if !tail.is_empty() {
            let mut last = [0; 4];
            last[..tail.len()].copy_from_slice(tail);
            out[words - 1] = eight_hex(last, case);
        }
        spans.push(Span {
            start: (start + 8 * words * place) as u32,
            length: digits,
        });
    }
}

/// The bytes of one UUID in text, and of its slot.
pub(super) const UUID_BYTES: usize = 36;

/// `packed` holds sixteen bytes for each text.
pub(super) fn uuids(case: Case, packed: &[u8], arena: &mut Vec<u8>, spans: &mut Vec<Span>) {
    let start = arena.len();
    let (packed, _) = packed.as_chunks::<16>();
    arena.resize(start + UUID_BYTES * packed.len(), b'-');
    let (slots, _) = arena[start..].as_chunks_mut::<UUID_BYTES>();
    for (place, (slot, packed)) in slots.iter_mut().zip(packed).enumerate() {
        let mut digits = [0; 32];
        let (out, _) = digits.as_chunks_mut::<8>();
        for (out, bytes) in out.iter_mut().zip(packed.as_chunks::<4>().0) {
            *out = eight_hex(*bytes, case);
        }
        let [first, second, third, fourth] = UUID_DASHES;
        slot[..first].copy_from_slice(&digits[..8]);
        slot[first + 1..second].copy_from_slice(&digits[8..12]);
        slot[second + 1..third].copy_from_slice(&digits[12..16]);
        slot[third + 1..fourth].copy_from_slice(&digits[16..20]);
        slot[fourth + 1..].copy_from_slice(&digits[20..]);
        spans.push(Span {
            start: (start + UUID_BYTES * place) as u32,
            length: UUID_BYTES as u32,
        });
    }
}

/// Every octet with a point behind it, and how long both are.
const OCTETS: [([u8; 4], u8); 256] = {
    let mut table = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let (mut text, mut length) = ([b'.'; 4], 0);
        if octet >= 100 {
            text[length] = b'0' + (octet / 100) as u8;
            length += 1;
        }
        if octet >= 10 {
            text[length] = b'0' + (octet / 10 % 10) as u8;
            length += 1;
        }
        text[length] = b'0' + (octet % 10) as u8;
        table[octet] = (text, length as u8 + 2);
        octet += 1;
    }
    table
};

/// The planes are of one length.
pub(super) fn addresses(planes: [&[u8]; 4], arena: &mut Vec<u8>, spans: &mut Vec<Span>) {
    let [first, second, third, fourth] = planes;
    for (((first, second), third), fourth) in first.iter().zip(second).zip(third).zip(fourth) {
        let (mut slot, mut at) = ([0u8; SLOT_BYTES], 0);
        for octet in [first, second, third, fourth] {
            let (text, length) = OCTETS[usize::from(*octet)];
            slot[at..at + 4].copy_from_slice(&text);
            at += usize::from(length);
        }
        let from = arena.len();
        arena.extend_from_slice(&slot[..16]);
        spans.push(Span {
            start: from as u32,
            length: at as u32 - 1,
        });
    }
}

/// How long each of the texts is that [`addresses`] gives.
pub(super) fn address_lengths(planes: [&[u8]; 4]) -> Vec<u32> {
    let [first, second, third, fourth] = planes;
    let rows = first.iter().zip(second).zip(third).zip(fourth);
    let length = |octet: &u8| u32::from(OCTETS[usize::from(*octet)].1);
    rows.map(|(((first, second), third), fourth)| {
        length(first) + length(second) + length(third) + length(fourth) - 1
    })
    .collect()
}
