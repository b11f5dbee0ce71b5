//! Durations as people write them in flags and parameters, such as `15d` or `1h30m`.
//!
//! Reads what Prometheus reads; knows nothing of what a duration is for.

use std::time::Duration;

/// The units, largest first, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3600 * 1000),
    ("w", 7 * 24 * 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration: what nanoseconds of 64 bits hold.
const LONGEST_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Reads a duration: each unit at most once, from years down to milliseconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() {
        return None;
    }
    let (mut rest, mut total, mut units) = (text, 0u64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let place = units.iter().position(|(name, _)| *name == unit)?;
        let length = number.parse::<u64>().ok()?.checked_mul(units[place].1)?;
        total = total
            .checked_add(length)
            .filter(|total| *total <= LONGEST_MS)?;
        (rest, units) = (behind, &units[place + 1..]);
    }
    Some(Duration::from_millis(total))
}

/// Writes a duration as `parse` reads it.
pub(crate) fn format(duration: Duration) -> String {
    let mut ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, length) in UNITS {
        // Years and weeks are written only where nothing is left.
        let is_whole_only = matches!(unit, "y" | "w");
        let number = ms / length;
        if number > 0 && !(is_whole_only && ms % length != 0) {
            out.push_str(&format!("{number}{unit}"));
            ms %= length;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_names_each_unit_once_and_in_order() {
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        assert_eq!(
            parse("1y2w3d4h5m6s7ms"),
            Some(Duration::from_millis(33_019_506_007))
        );
        for wrong in [
            "",
            "5",
            "m",
            "30m1h",
            "1h1h",
            "-1h",
            "1.5h",
            "1x",
            "99999999y",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["0s", "15d", "1h30m", "2w", "1y", "7ms", "8d1h"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }
}
