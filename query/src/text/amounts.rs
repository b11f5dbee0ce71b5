//! Numbers, durations and sizes as Go programs read them: `strconv.ParseFloat`,
//! `time.ParseDuration`, and sizes such as `1.5 MiB`. Errors are in Go's words, since people see
//! them in `__error_details__`.

use crate::text::quote::quote;

/// Reads a number.
pub(crate) fn float(text: &str) -> Result<f64, String> {
    let invalid = || {
        format!(
            "strconv.ParseFloat: parsing {}: invalid syntax",
            quote(text)
        )
    };
    // Rust takes a sign before `nan`, Go does not.
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned.len() < text.len() && unsigned.eq_ignore_ascii_case("nan") {
        return Err(invalid());
    }
    let value: f64 = text.parse().map_err(|_| invalid())?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        let quoted = quote(text);
        return Err(format!(
            "strconv.ParseFloat: parsing {quoted}: value out of range"
        ));
    }
    Ok(value)
}

/// Nanoseconds of each unit of durations.
const DURATION_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration such as `1h2m3.5s`, in nanoseconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let whole_digits = digits(rest);
        let (whole, behind) = rest.split_at(whole_digits);
        let (fraction, behind) = match behind.strip_prefix('.') {
            Some(behind) => behind.split_at(digits(behind)),
            None => ("", behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let letters = behind
            .find(|letter: char| letter == '.' || letter.is_ascii_digit())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        if unit.is_empty() {
            let quoted = quote(text);
            return Err(format!("time: missing unit in duration {quoted}"));
        }
        let known = DURATION_UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, unit_ns)) = known else {
            let (unit, quoted) = (quote(unit), quote(text));
            return Err(format!("time: unknown unit {unit} in duration {quoted}"));
        };
        let whole = match whole {
            "" => 0,
            _ => whole.parse::<u64>().map_err(|_| invalid())?,
        };
        let part = whole
            .checked_mul(*unit_ns)
            .and_then(|ns| ns.checked_add(fraction_of(fraction, *unit_ns)));
        total = part
            .and_then(|ns| total.checked_add(ns))
            .filter(|total| *total <= 1 << 63)
            .ok_or_else(invalid)?;
        rest = behind;
    }
    match is_negative {
        true => Ok(0i64.wrapping_sub_unsigned(total)),
        false => i64::try_from(total).map_err(|_| invalid()),
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// `0.<fraction>` of a unit, cut to whole nanoseconds.
fn fraction_of(fraction: &str, unit_ns: u64) -> u64 {
    let (mut value, mut scale) = (0u128, 1u128);
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    u64::try_from(value * u128::from(unit_ns) / scale).unwrap_or(0)
}

/// How many bytes a unit of sizes is.
fn size_unit(unit: &str) -> Option<f64> {
    let (letter, rest) = match unit.split_at_checked(1) {
        None => return Some(1.0),
        Some(parts) => parts,
    };
    let power = match letter {
        "b" if rest.is_empty() => return Some(1.0),
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return None,
    };
    match rest {
        "" | "b" => Some(1000f64.powi(power)),
        "i" | "ib" => Some(1024f64.powi(power)),
        _ => None,
    }
}

/// Reads a size such as `5.3MB`, `128 KiB` or `12`: in bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let in_number = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == ',';
    let end = text.find(|letter| !in_number(letter)).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let value = float(&number.replace(',', ""))?;
    let unit = unit.trim().to_lowercase();
    let size = size_unit(&unit).ok_or_else(|| format!("unhandled size name: {unit}"))?;
    let value = value * size;
    // The cast cuts the fraction; what does not fit has been refused.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match value < 18_446_744_073_709_551_616.0 {
        true => Ok(value as u64),
        false => Err(format!("too large: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let cases = [
            ("0", 0),
            ("1s", 1_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("1m7s", 67_000_000_000),
            ("250µs", 250_000),
            ("+.5ms", 500_000),
            ("1.s", 1_000_000_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("-2562047h47m16.854775808s", i64::MIN),
        ];
        for (text, ns) in cases {
            assert_eq!(duration(text), Ok(ns), "{text}");
        }
        let refused = [
            ("", "time: invalid duration \"\""),
            ("n/a", "time: invalid duration \"n/a\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("3", "time: missing unit in duration \"3\""),
            ("-", "time: invalid duration \"-\""),
            (".s", "time: invalid duration \".s\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
            (
                "12 parsecs",
                "time: unknown unit \" parsecs\" in duration \"12 parsecs\"",
            ),
        ];
        for (text, error) in refused {
            assert_eq!(duration(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        let cases = [
            ("12", 12),
            ("479B", 479),
            ("5.3MB", 5_300_000),
            ("3 MiB", 3 << 20),
            ("1,000 kb", 1_000_000),
            ("2k", 2000),
            ("1GiB", 1 << 30),
            ("1.5", 1),
        ];
        for (text, size) in cases {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        assert_eq!(bytes("12 x"), Err("unhandled size name: x".to_owned()));
        assert_eq!(bytes("99EiB"), Err("too large: 99EiB".to_owned()));
        assert!(bytes("unknown").unwrap_err().contains("parsing \"\""));
        assert!(bytes("-1B").is_err() && bytes("").is_err());
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        assert_eq!(float("1e3"), Ok(1000.0));
        assert_eq!(float("+Inf"), Ok(f64::INFINITY));
        assert!(float("NaN").unwrap().is_nan());
        for text in ["", "abc", "0x10", "-nan", "1_0", " 1"] {
            let error = format!("strconv.ParseFloat: parsing \"{text}\": invalid syntax");
            assert_eq!(float(text), Err(error), "{text}");
        }
        assert!(float("1e999").unwrap_err().ends_with("out of range"));
    }
}
