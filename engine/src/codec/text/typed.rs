//! Recognises columns whose texts are all of one make: numbers, hexadecimal, UUIDs, addresses, or
//! digits at fixed places.
//!
//! A column is typed only if every one of its texts is exactly what the renderer writes for the
//! number that is kept.

use crate::codec::ints::Column;
use crate::error::{Error, Result};

use super::span::Span;

/// The most digits of a number that is kept: any such number fits an i64.
pub(super) const DIGITS_MAX: usize = 18;

/// What all texts of a column are.
pub(super) enum Make {
    /// Decimal integers without leading zeros.
    Integers(Column),
    /// Decimals with this many digits behind the point; the numbers are scaled.
    Decimals { places: u8, scaled: Column },
    /// Texts of one length that differ in digits at some places only; the numbers are those digits.
    Masked { varying: Vec<u32>, numbers: Column },
    /// Hexadecimal of one length and case, four bits a digit.
    Hex {
        digits: u32,
        case: Case,
        packed: Vec<u8>,
    },
    /// UUIDs of one case, sixteen bytes each.
    Uuids { case: Case, packed: Vec<u8> },
    /// IPv4 addresses: four planes of bytes.
    Addresses([Vec<u8>; 4]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
}

impl Case {
    pub(super) fn tag(self) -> u8 {
        match self {
            Case::Lower => 0,
            Case::Upper => 1,
        }
    }

    pub(super) fn read(tag: u8) -> Result<Case> {
        match tag {
            0 => Ok(Case::Lower),
            1 => Ok(Case::Upper),
            _ => Err(Error::corrupt(format!("letter case {tag} is unknown"))),
        }
    }
}

const DIGIT: u8 = 1;
const LOWER: u8 = 2;
const UPPER: u8 = 4;
const POINT: u8 = 8;
const DASH: u8 = 16;
const OTHER: u8 = 32;

const CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => LOWER,
            b'A'..=b'F' => UPPER,
            b'.' => POINT,
            b'-' => DASH,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};

/// The sorts of bytes that occur; all of them unless one is [`OTHER`].
fn survey(bytes: &[u8], texts: &[Span]) -> u8 {
    let mut seen = 0;
    for text in texts {
        for byte in text.of(bytes) {
            seen |= CLASS[usize::from(*byte)];
        }
        if seen & OTHER != 0 {
            break;
        }
    }
    seen
}

/// So many neighbours are compared to see whether a column has an order.
const NEIGHBOURS: usize = 64;

/// Plans a column of numbers. Differences are only tried where neighbours are near each other.
pub(super) fn planned(numbers: &[i64]) -> Column {
    let step = numbers.len() / NEIGHBOURS + 1;
    let pairs = numbers.windows(2).step_by(step);
    let (mut low, mut high, mut apart, mut count) = (i64::MAX, i64::MIN, 0u64, 1);
    for pair in pairs {
        (low, high) = (low.min(pair[0]), high.max(pair[0]));
        apart = apart.saturating_add(pair[0].abs_diff(pair[1]));
        count += 1;
    }
    // Of numbers without an order, neighbours are a third of the range apart.
    match (apart / count).saturating_mul(8) > high.abs_diff(low) {
        true => Column::unordered(numbers),
        false => Column::of(numbers),
    }
}

/// What the texts are, if all are of one make. None of them is empty.
pub(super) fn make_of(bytes: &[u8], texts: &[Span]) -> Option<Make> {
    let first = texts.first()?.of(bytes);
    let seen = survey(bytes, texts);
    let even = texts.iter().all(|text| text.length == texts[0].length);
    if seen == DIGIT
        && let Some(numbers) = integers(bytes, texts)
    {
        return Some(Make::Integers(planned(&numbers)));
    }
    if seen == DIGIT | POINT {
        if let Some(make) = decimals(bytes, texts) {
            return Some(make);
        }
        if let Some(planes) = addresses(bytes, texts) {
            return Some(Make::Addresses(planes));
        }
    }
    if !even {
        return None;
    }
    let case = match seen & (LOWER | UPPER) {
        LOWER => Some(Case::Lower),
        UPPER => Some(Case::Upper),
        _ => None,
    };
    if let Some(case) = case {
        if seen & !(DIGIT | LOWER | UPPER) == 0 && first.len() >= 2 {
            let packed = hex(bytes, texts);
            let digits = texts[0].length;
            return Some(Make::Hex {
                digits,
                case,
                packed,
            });
        }
        if seen & (POINT | OTHER) == 0 && first.len() == UUID_BYTES {
            let packed = uuids(bytes, texts)?;
            return Some(Make::Uuids { case, packed });
        }
    }
    masked(bytes, texts)
}

#[inline]
fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |number, digit| {
        number * 10 + i64::from(digit.wrapping_sub(b'0'))
    })
}

/// Whether digits, known to be nothing else, are written without leading zeros.
fn is_plain(digits: &[u8]) -> bool {
    (1..=DIGITS_MAX).contains(&digits.len()) && (digits[0] != b'0' || digits.len() == 1)
}

fn integers(bytes: &[u8], texts: &[Span]) -> Option<Vec<i64>> {
    let mut numbers = Vec::with_capacity(texts.len());
    for text in texts {
        let digits = text.of(bytes);
        if !is_plain(digits) {
            return None;
        }
        numbers.push(number(digits));
    }
    Some(numbers)
}

/// Texts of digits and points.
fn decimals(bytes: &[u8], texts: &[Span]) -> Option<Make> {
    let first = texts[0].of(bytes);
    let places = first.len() - 1 - first.iter().position(|byte| *byte == b'.')?;
    if places == 0 {
        return None;
    }
    let mut scaled = Vec::with_capacity(texts.len());
    for text in texts {
        let text = text.of(bytes);
        let point = text.len().checked_sub(places + 1)?;
        let (whole, fraction) = (&text[..point], &text[point + 1..]);
        let has_points = |digits: &[u8]| digits.contains(&b'.');
        if text[point] != b'.' || has_points(whole) || has_points(fraction) {
            return None;
        }
        if !is_plain(whole) || whole.len() + places > DIGITS_MAX {
            return None;
        }
        scaled.push(number(whole) * 10i64.pow(places as u32) + number(fraction));
    }
    Some(Make::Decimals {
        places: places as u8,
        scaled: planned(&scaled),
    })
}

fn addresses(bytes: &[u8], texts: &[Span]) -> Option<[Vec<u8>; 4]> {
    let mut planes: [Vec<u8>; 4] = Default::default();
    for text in texts {
        let mut octets = text.of(bytes).split(|byte| *byte == b'.');
        for plane in &mut planes {
            let digits = octets.next().filter(|digits| is_plain(digits))?;
            plane.push(
                u8::try_from(number(digits))
                    .ok()
                    .filter(|_| digits.len() <= 3)?,
            );
        }
        if octets.next().is_some() {
            return None;
        }
    }
    Some(planes)
}

/// Four bytes of eight hexadecimal digits of either case.
#[inline]
fn four(digits: [u8; 8]) -> [u8; 4] {
    let digits = u64::from_le_bytes(digits);
    let letters = (digits >> 6) & 0x0101_0101_0101_0101;
    let nibbles = (digits & 0x0f0f_0f0f_0f0f_0f0f) + 9 * letters;
    let pairs = ((nibbles << 4) | (nibbles >> 8)) & 0x00ff_00ff_00ff_00ff;
    let words = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    // The cast keeps the lower half on purpose.
    ((words | (words >> 16)) as u32).to_le_bytes()
}

/// Appends digits by pairs; an odd one ends with a zero.
fn put_hex(digits: &[u8], packed: &mut Vec<u8>) {
    let (words, tail) = digits.as_chunks::<8>();
    for word in words {
        packed.extend_from_slice(&four(*word));
    }
    if !tail.is_empty() {
        let mut last = [b'0'; 8];
        last[..tail.len()].copy_from_slice(tail);
        packed.extend_from_slice(&four(last)[..tail.len().div_ceil(2)]);
    }
}

fn hex(bytes: &[u8], texts: &[Span]) -> Vec<u8> {
    let each = texts[0].of(bytes).len().div_ceil(2);
    let mut packed = Vec::with_capacity(each * texts.len());
    for text in texts {
        put_hex(text.of(bytes), &mut packed);
    }
    packed
}

const UUID_BYTES: usize = 36;
pub(super) const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

fn uuids(bytes: &[u8], texts: &[Span]) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(16 * texts.len());
    let mut digits = [0; 32];
    for text in texts {
        let text = text.of(bytes);
        if UUID_DASHES.iter().any(|dash| text[*dash] != b'-') {
            return None;
        }
        let mut filled = 0;
        for part in [
            &text[..8],
            &text[9..13],
            &text[14..18],
            &text[19..23],
            &text[24..],
        ] {
            digits[filled..filled + part.len()].copy_from_slice(part);
            filled += part.len();
        }
        if digits.contains(&b'-') {
            return None;
        }
        put_hex(&digits, &mut packed);
    }
    Some(packed)
}

/// Texts of one length.
fn masked(bytes: &[u8], texts: &[Span]) -> Option<Make> {
    let first = texts[0].of(bytes);
    let mut differs = vec![0u8; first.len()];
    for text in texts {
        for ((differs, byte), expected) in differs.iter_mut().zip(text.of(bytes)).zip(first) {
            *differs |= byte ^ expected;
        }
    }
    let places: Vec<usize> = (0..first.len())
        .filter(|place| differs[*place] != 0)
        .collect();
    if places.is_empty() || places.len() > DIGITS_MAX {
        return None;
    }
    let mut numbers = Vec::with_capacity(texts.len());
    for text in texts {
        let text = text.of(bytes);
        let mut number = 0;
        for place in &places {
            let digit = text[*place].wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + i64::from(digit);
        }
        numbers.push(number);
    }
    let varying = places.iter().map(|place| *place as u32).collect();
    let numbers = planned(&numbers);
    Some(Make::Masked { varying, numbers })
}
