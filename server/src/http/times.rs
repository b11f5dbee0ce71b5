//! Points in time and lengths of time as API parameters write them.

use std::time::Duration;

use crate::duration;

/// Days from the civil calendar's epoch in year 0 to 1970.
const DAYS_TO_1970: i64 = 719_468;

/// The first and the last time, as Prometheus writes them: clients send them for a range without
/// a start or an end. No other year may have more than four digits.
const ENDS_OF_TIME: [(&str, i64); 2] = [
    ("-292273086-05-16T16:47:06Z", -9_223_309_901_257_974_000),
    (
        "292277025-08-18T07:12:54.999999999Z",
        9_223_309_901_257_974_999,
    ),
];

/// Reads seconds since 1970, or RFC 3339, as milliseconds.
pub(crate) fn time(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => {
            // As Prometheus does it: of the fraction alone what is nearest in milliseconds, and
            // then down to what has begun. The casts saturate: an absurd time is the end of time.
            let thousandths = (seconds.fract() * 1000.0).round() / 1000.0;
            let nanos = (thousandths * SECOND as f64) as i64;
            let whole = (seconds.trunc() as i64).saturating_mul(1000);
            Some(whole.saturating_add(nanos.div_euclid(MILLI)))
        }
        Ok(_) => None,
        Err(_) => match rfc3339(text) {
            Some((seconds, nanos)) => Some(seconds * 1000 + nanos / MILLI),
            None => {
                let mut ends = ENDS_OF_TIME.iter();
                ends.find(|(end, _)| *end == text).map(|(_, ms)| *ms)
            }
        },
    }
}

/// Reads RFC 3339 as nanoseconds since 1970, which ends in 2262.
pub(crate) fn rfc3339_nanos(text: &str) -> Option<i64> {
    let (seconds, nanos) = rfc3339(text)?;
    seconds.checked_mul(SECOND)?.checked_add(nanos)
}

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// The window of this length, of those that follow each other from 1970 on, in which a whole range
/// lies with room on either side: its first and its last tick.
pub(crate) fn window_around((start, end): (i64, i64), length: i64) -> Option<(i64, i64)> {
    let first = start.div_euclid(length).checked_mul(length)?;
    let last = first.checked_add(length - 1)?;
    let is_inside = first < start && start <= end && end < last;
    is_inside.then_some((first, last))
}

/// Nanoseconds of a millisecond.
const MILLI: i64 = 1_000_000;

/// A length of time in milliseconds, or why it is none.
pub(crate) fn length_ms(text: &str) -> Result<i64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_nan() => {}
        Ok(seconds) if (seconds * SECOND as f64).abs() > i64::MAX as f64 => {
            return Err(format!(
                "cannot parse {text:?} to a valid duration. It overflows int64"
            ));
        }
        // Cut to nanoseconds first, as Prometheus does it: 8.2 seconds are a nanosecond less than
        // that, and so 8,199 milliseconds.
        Ok(seconds) => return Ok((seconds * SECOND as f64) as i64 / MILLI),
        Err(_) => {
            if let Some(duration) = duration::parse(text) {
                return Ok(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
            }
        }
    }
    Err(format!("cannot parse {text:?} to a valid duration"))
}

/// Reads RFC 3339 with any number of decimals behind a point or a comma, as seconds since 1970 and
/// the nanoseconds behind them. The letters are capitals, as Go wants them.
fn rfc3339(text: &str) -> Option<(i64, i64)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| digits.parse::<i64>().ok())?
    };
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if bytes.len() < 20 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    if bytes[10] != b'T' {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_valid || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, zone) = fraction(&text[19..])?;
    let offset = zone_seconds(zone)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some((seconds, nanos))
}

/// The nanoseconds in front of the zone, and the zone.
fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(decimals) = rest.strip_prefix(['.', ',']) else {
        return Some((0, rest));
    };
    let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let billionths: String = decimals[..digits]
        .chars()
        .chain("00000000".chars())
        .take(9)
        .collect();
    Some((billionths.parse().ok()?, &decimals[digits..]))
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970. Years begin in March here, so that the odd day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - DAYS_TO_1970
}

/// The time as RFC 3339 with milliseconds, in UTC.
pub(crate) fn rfc3339_text(since_1970: Duration) -> String {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(0);
    let ms = since_1970.subsec_millis();
    format!("{}.{ms:03}Z", civil(seconds))
}

/// Nanoseconds since 1970 as RFC 3339 with all of its digits, in UTC.
pub(crate) fn rfc3339_nanos_text(nanos: i64) -> String {
    let (seconds, rest) = (nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND));
    format!("{}.{rest:09}Z", civil(seconds))
}

/// Nanoseconds since 1970 as RFC 3339 with whole seconds, in UTC.
pub(crate) fn rfc3339_seconds(nanos: i64) -> String {
    format!("{}Z", civil(nanos.div_euclid(SECOND)))
}

/// Seconds since 1970 as a date and a time.
fn civil(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = day + DAYS_TO_1970;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_to_the_millisecond() {
        assert_eq!(time("1768476600"), Some(1_768_476_600_000));
        assert_eq!(time("1768476600.1234"), Some(1_768_476_600_123));
        assert_eq!(time("-1.5"), Some(-1500));
        // Milliseconds where seconds belong, as Grafana's probe sends them.
        assert_eq!(time("1795209387000"), Some(1_795_209_387_000_000));
        assert_eq!(time("1e300"), Some(i64::MAX));
        assert_eq!(time("-1e300"), Some(i64::MIN));
        for wrong in ["", "abc", "NaN", "Inf", "12:00"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_the_fraction_of_a_time_is_rounded_and_lengths_are_cut() {
        // As Prometheus 2.42 and 3.14 have it.
        assert_eq!(time("1768476600.0005"), Some(1_768_476_600_000));
        assert_eq!(time("1768476606.2645"), Some(1_768_476_606_264));
        assert_eq!(time("1768476600.9999"), Some(1_768_476_601_000));
        assert_eq!(time("-0.25"), Some(-250));
        assert_eq!(length_ms("8.2"), Ok(8_199));
        assert_eq!(length_ms("0.25"), Ok(250));
        assert_eq!(length_ms("-8.2"), Ok(-8_199));
    }

    #[test]
    fn the_ends_of_time_are_times() {
        let first = "-292273086-05-16T16:47:06Z";
        let last = "292277025-08-18T07:12:54.999999999Z";
        assert_eq!(time(first), Some(-9_223_309_901_257_974_000));
        assert_eq!(time(last), Some(9_223_309_901_257_974_999));
        assert_eq!(time("292277025-08-18T07:12:54Z"), None);
    }

    #[test]
    fn rfc3339_is_read_in_any_zone() {
        assert_eq!(time("2026-01-15T11:30:00Z"), Some(1_768_476_600_000));
        assert_eq!(time("2026-01-15T12:30:00.5+01:00"), Some(1_768_476_600_500));
        assert_eq!(
            time("2026-01-15T06:30:00.123456789-05:00"),
            Some(1_768_476_600_123)
        );
        assert_eq!(time("2026-01-15T11:30:00,25Z"), Some(1_768_476_600_250));
        assert_eq!(time("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(time("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
        for wrong in [
            "2026-01-15",
            "2026-01-15T11:30:00",
            "2026-13-15T11:30:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-15T24:30:00Z",
            "2026-01-15T11:30:00.Z",
            "2026-01-15t11:30:00Z",
            "2026-01-15T11:30:00z",
            "2026-01-15T11:30:00+1:00",
            "2026-01-15 11:30:00Z",
            "+026-01-15T11:30:00Z",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nanoseconds_are_read_and_seconds_written() {
        assert_eq!(
            rfc3339_nanos("2026-01-15T11:30:00.123456789Z"),
            Some(1_768_476_600_123_456_789)
        );
        assert_eq!(rfc3339_nanos("9999-01-01T00:00:00Z"), None);
        assert_eq!(
            rfc3339_seconds(1_768_476_600_999_999_999),
            "2026-01-15T11:30:00Z"
        );
        assert_eq!(rfc3339_seconds(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_written_is_the_time_that_is_read() {
        for ms in [0u64, 1_768_476_600_123, 951_782_400_000, 4_102_444_799_999] {
            let text = rfc3339_text(Duration::from_millis(ms));
            assert_eq!(time(&text), Some(ms as i64), "{text}");
        }
    }

    #[test]
    fn lengths_are_seconds_or_durations() {
        assert_eq!(length_ms("15"), Ok(15_000));
        assert_eq!(length_ms("0.5"), Ok(500));
        assert_eq!(length_ms("1h30m"), Ok(5_400_000));
        assert_eq!(
            length_ms("abc").unwrap_err(),
            "cannot parse \"abc\" to a valid duration"
        );
        assert!(
            length_ms("1e300")
                .unwrap_err()
                .ends_with("It overflows int64")
        );
        assert!(length_ms("").is_err());
    }
}
