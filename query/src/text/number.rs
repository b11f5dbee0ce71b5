//! Numbers as Go reads and writes them.

/// Reads a number literal: an integer with Go's prefixes and octal zero, or else a float.
pub(crate) fn parse(literal: &str) -> Result<f64, String> {
    let plain = literal.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    if let Some(value) = integer(&lower) {
        return Ok(value);
    }
    match lower.as_str() {
        "inf" | "+inf" | "infinity" => return Ok(f64::INFINITY),
        "-inf" => return Ok(f64::NEG_INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    let is_decimal = !lower.is_empty() && !lower.contains(|c: char| c.is_alphabetic() && c != 'e');
    match lower.parse::<f64>() {
        Ok(value) if is_decimal && value.is_infinite() => Err(format!(
            "error parsing number: strconv.ParseFloat: parsing {literal:?}: value out of range"
        )),
        Ok(value) if is_decimal => Ok(value),
        _ => Err(format!(
            "error parsing number: strconv.ParseFloat: parsing {literal:?}: invalid syntax"
        )),
    }
}

/// An integer of 64 bits with an optional prefix.
#[expect(clippy::cast_precision_loss)] // As Go's conversion to a float does.
fn integer(lower: &str) -> Option<f64> {
    let (sign, digits) = match lower.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, lower.strip_prefix('+').unwrap_or(lower)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', rest @ ..] if !rest.is_empty() => (16, &digits[2..]),
        [b'0', b'b', rest @ ..] if !rest.is_empty() => (2, &digits[2..]),
        [b'0', b'o', rest @ ..] if !rest.is_empty() => (8, &digits[2..]),
        [b'0', rest @ ..] if !rest.is_empty() => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(digits, radix)
        .ok()
        .map(|value| sign * value as f64)
}

/// A float as Go's `%g` writes it: shortest, with an exponent below 1e-4 and from 1e6 on.
pub fn general(value: f64) -> String {
    match special(value) {
        Some(text) => text.to_owned(),
        None => with_exponent(&format!("{value:e}"), 6),
    }
}

/// A float as Go's `%.<digits>g` writes it.
pub(crate) fn general_rounded(value: f64, digits: usize) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    let limit = i32::try_from(digits).unwrap_or(i32::MAX);
    with_exponent(&format!("{mantissa}e{exponent}"), limit)
}

/// A float without an exponent, shortest, as Go's `FormatFloat(v, 'f', -1)` writes it.
pub(crate) fn plain(value: f64) -> String {
    special(value).map_or_else(|| value.to_string(), str::to_owned)
}

/// A float as the label of a quantile: always with a fraction or an exponent.
pub(crate) fn open_metrics(value: f64) -> String {
    let text = general(value);
    if text.contains(['.', 'e', 'N', 'I']) {
        text
    } else {
        text + ".0"
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// Rust's `1.5e7` in Go's clothes; plain where the exponent lies from -4 up to below `limit`.
fn with_exponent(scientific: &str, limit: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..limit).contains(&exponent) {
        let value: f64 = scientific.parse().unwrap_or(0.0);
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_every_kind_are_read() {
        let cases = [
            ("42", 42.0),
            (".5e3", 500.0),
            ("0x1F", 31.0),
            ("0755", 493.0),
            ("08", 8.0),
            ("1_000.5", 1000.5),
            ("0x1_F", 31.0),
            ("2.", 2.0),
            ("1e-7", 1e-7),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
        ];
        for (literal, value) in cases {
            assert_eq!(parse(literal), Ok(value), "{literal}");
        }
        assert!(parse("nAn").unwrap().is_nan());
        assert_eq!(parse("Inf"), Ok(f64::INFINITY));
        let refused = parse("0x").unwrap_err();
        assert!(
            refused.ends_with("parsing \"0x\": invalid syntax"),
            "{refused}"
        );
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        assert_eq!(general(0.5), "0.5");
        assert_eq!(general(123_456.5), "123456.5");
        assert_eq!(general(1_000_000.0), "1e+06");
        assert_eq!(general(1.5e-7), "1.5e-07");
        assert_eq!(general_rounded(360.0, 2), "3.6e+02");
        assert_eq!(general_rounded(100.0, 2), "1e+02");
        assert_eq!(general_rounded(0.25, 2), "0.25");
        assert_eq!(plain(f64::NEG_INFINITY), "-Inf");
        assert_eq!(open_metrics(1.0), "1.0");
        assert_eq!(open_metrics(0.9), "0.9");
    }
}
