//! Durations as Prometheus writes them, such as `1h30m`: in milliseconds.

const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3600 * 1000),
    ("w", 7 * 24 * 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration: what nanoseconds of 64 bits hold.
const LONGEST_MS: i64 = i64::MAX / 1_000_000;

/// Reads a duration: each unit at most once, from years down to milliseconds.
pub fn parse(text: &str) -> Result<i64, String> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    let invalid = || format!("not a valid duration string: {text:?}");
    let (mut rest, mut total, mut units) = (text, 0i64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let place = units.iter().position(|(name, _)| *name == unit);
        let (Some(place), false) = (place, number.is_empty()) else {
            return Err(invalid());
        };
        let length = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(units[place].1))
            .and_then(|length| total.checked_add(length))
            .filter(|total| *total <= LONGEST_MS);
        total = length.ok_or_else(|| "duration out of range".to_owned())?;
        (rest, units) = (behind, &units[place + 1..]);
    }
    Ok(total)
}

/// Writes a duration that is not negative. Years and weeks are written only where nothing is left.
pub fn format(mut ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, length) in UNITS {
        let whole_only = matches!(unit, "y" | "w");
        let number = ms / length;
        if number > 0 && !(whole_only && ms % length != 0) {
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
    fn a_duration_names_its_units_in_order() {
        assert_eq!(parse("1h30m"), Ok(5_400_000));
        assert_eq!(parse("1y2w3d4h5m6s7ms"), Ok(33_019_506_007));
        assert_eq!(parse("0"), Ok(0));
        assert!(
            parse("30m1h")
                .unwrap_err()
                .starts_with("not a valid duration")
        );
        assert!(parse("5mm").is_err());
        assert_eq!(parse("9999999y").unwrap_err(), "duration out of range");
        assert!(parse("").is_err());
    }

    #[test]
    fn a_duration_is_written_with_the_fewest_units() {
        assert_eq!(format(5_400_000), "1h30m");
        assert_eq!(format(90 * 24 * 3600 * 1000), "90d");
        assert_eq!(format(14 * 24 * 3600 * 1000), "2w");
        assert_eq!(format(1), "1ms");
        assert_eq!(format(0), "0s");
    }
}
