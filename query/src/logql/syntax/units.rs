//! Durations and amounts of bytes as LogQL's literals write them.
//!
//! A duration is read as Prometheus reads it, or else as Go does, with fractions and small units.

use crate::text::{amounts, duration};

/// Reads a duration, with or without a sign, in nanoseconds.
pub(super) fn duration_ns(text: &str) -> Option<i64> {
    let (sign, plain) = match text.strip_prefix('-') {
        Some(plain) => (-1, plain),
        None => (1, text),
    };
    let ns = match duration::parse(plain) {
        Ok(ms) => ms.checked_mul(1_000_000)?,
        Err(_) => amounts::duration(plain).ok()?,
    };
    // A number without a unit is a number.
    let has_unit = plain.ends_with(char::is_alphabetic);
    has_unit.then_some(sign * ns)
}

/// Reads an amount of bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let has_unit = text.ends_with(char::is_alphabetic);
    amounts::bytes(text).ok().filter(|_| has_unit)
}

/// Writes an amount of bytes as Loki does, with two digits and a decimal unit, where that says all.
pub(super) fn show_bytes(bytes: u64) -> String {
    let exact = format!("{bytes}B");
    let mut unit = 1_u64;
    for name in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        unit *= 1_000;
        let (whole, tenths) = (bytes / unit, bytes % unit * 10 / unit.max(1));
        let short = match whole {
            0 => return exact,
            1..10 => format!("{whole}.{tenths}{name}"),
            10..1_000 => format!("{whole}{name}"),
            _ => continue,
        };
        return match self::bytes(&short) == Some(bytes) {
            true => short,
            false => exact,
        };
    }
    exact
}

/// Writes a duration as Prometheus does where milliseconds say all, and else as Go does.
pub(crate) fn show_duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let size = ns.unsigned_abs();
    let ms = i64::try_from(size / 1_000_000).unwrap_or(i64::MAX);
    if size.is_multiple_of(1_000_000) {
        return format!("{sign}{}", duration::format(ms));
    }
    format!("{sign}{}", go(size))
}

/// Writes a duration as Go does: `1m30s`, `1.5ms`, `80µs`.
pub(crate) fn show_go_duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    format!("{sign}{}", go(ns.unsigned_abs()))
}

fn go(ns: u64) -> String {
    let small = |unit: u64, name: &str| fraction(ns / unit, ns % unit, unit) + name;
    match ns {
        0 => return "0s".to_owned(),
        1..1_000 => return small(1, "ns"),
        1_000..1_000_000 => return small(1_000, "µs"),
        1_000_000..1_000_000_000 => return small(1_000_000, "ms"),
        _ => {}
    }
    const SECOND: u64 = 1_000_000_000;
    let seconds = ns / SECOND;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut out = String::new();
    if hours > 0 {
        out += &format!("{hours}h");
    }
    if hours > 0 || minutes > 0 {
        out += &format!("{minutes}m");
    }
    out + &fraction(seconds % 60, ns % SECOND, SECOND) + "s"
}

/// A whole number and what is left of a unit, as a decimal without zeros at its end.
fn fraction(whole: u64, rest: u64, unit: u64) -> String {
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let rest = format!("{rest:0digits$}");
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus_or_go() {
        assert_eq!(duration_ns("1d"), Some(86_400_000_000_000));
        assert_eq!(duration_ns("1.5h"), Some(5_400_000_000_000));
        assert_eq!(duration_ns("80µs"), Some(80_000));
        assert_eq!(duration_ns("-5m"), Some(-300_000_000_000));
        assert_eq!(duration_ns("1h1h"), Some(7_200_000_000_000));
        assert_eq!(duration_ns("0.25s"), Some(250_000_000));
        assert_eq!(duration_ns("5"), None);
        assert_eq!(duration_ns("5x"), None);
        assert_eq!(duration_ns(""), None);
        assert_eq!(duration_ns("99999999999h"), None);
    }

    #[test]
    fn bytes_have_decimal_and_binary_units() {
        assert_eq!(bytes("9.5MB"), Some(9_500_000));
        assert_eq!(bytes("128KiB"), Some(131_072));
        assert_eq!(bytes("1kB"), Some(1_000));
        assert_eq!(bytes("7B"), Some(7));
        assert_eq!(bytes("7"), None);
        assert_eq!(bytes("99999999999PB"), None);
    }

    #[test]
    fn bytes_are_written_shortly_where_that_says_all() {
        let shown = [0, 999, 1_000, 9_500_000, 10_000, 15_500_000, 131_072];
        let texts = [
            "0B",
            "999B",
            "1.0kB",
            "9.5MB",
            "10kB",
            "15500000B",
            "131072B",
        ];
        assert_eq!(shown.map(show_bytes), texts);
        assert_eq!(show_bytes(u64::MAX), format!("{}B", u64::MAX));
        assert_eq!(show_bytes(5_000_000_000_000_000_000), "5.0EB");
    }

    #[test]
    fn durations_are_written_as_both_write_them() {
        assert_eq!(show_duration(5_400_000_000_000), "1h30m");
        assert_eq!(show_duration(-300_000_000_000), "-5m");
        assert_eq!(show_duration(1_500), "1.5µs");
        assert_eq!(show_go_duration(90_000_000_000), "1m30s");
        assert_eq!(show_go_duration(3_600_000_000_000), "1h0m0s");
        assert_eq!(show_go_duration(1_500_000), "1.5ms");
        assert_eq!(show_go_duration(0), "0s");
    }
}
