//! Parts of dates, in UTC.

/// The function of this name, if it gives a part of a date; it takes whole seconds.
pub(crate) fn part_of_date(name: &str) -> Option<fn(i128) -> f64> {
    Some(match name {
        "day_of_month" => |seconds| f64::from(Date::of(seconds).day),
        // The epoch was a Thursday.
        "day_of_week" => |seconds| small((days(seconds) + 4).rem_euclid(7)),
        "day_of_year" => |seconds| {
            let date = Date::of(seconds);
            small(days(seconds) - first_day(date.year) + 1)
        },
        "days_in_month" => |seconds| {
            let date = Date::of(seconds);
            f64::from(days_in_month(date.year, date.month))
        },
        "hour" => |seconds| small(second_of_day(seconds) / 3600),
        "minute" => |seconds| small(second_of_day(seconds) / 60 % 60),
        "month" => |seconds| f64::from(Date::of(seconds).month),
        "year" => |seconds| small(Date::of(seconds).year),
        _ => return None,
    })
}

/// A time as annotations show it.
pub(crate) fn rfc3339(ms: i64) -> String {
    let seconds = i128::from(ms.div_euclid(1000));
    let (date, rest) = (Date::of(seconds), second_of_day(seconds));
    let mut out = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year,
        date.month,
        date.day,
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    );
    let fraction = ms.rem_euclid(1000);
    if fraction != 0 {
        let digits = format!("{fraction:03}");
        out += ".";
        out += digits.trim_end_matches('0');
    }
    out + "Z"
}

const DAY: i64 = 24 * 3600;

struct Date {
    year: i64,
    month: u8,
    day: u8,
}

/// Seconds as Prometheus makes them of a number: one that an integer of 64 bits cannot hold, or
/// that is none, is 2^63.
pub(crate) fn whole_seconds(value: f64) -> i128 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation)] // Whole seconds are meant.
    let seconds = value as i128;
    if value > -LIMIT && value < LIMIT {
        seconds
    } else {
        1 << 63
    }
}

fn days(seconds: i128) -> i64 {
    // Seconds stay below 2^64, so days fit.
    i64::try_from(seconds.div_euclid(i128::from(DAY))).unwrap_or(0)
}

fn second_of_day(seconds: i128) -> i64 {
    i64::try_from(seconds.rem_euclid(i128::from(DAY))).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss)] // Years and parts of days are small.
fn small(value: i64) -> f64 {
    value as f64
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day on which a year begins, from the epoch.
fn first_day(year: i64) -> i64 {
    let before = year - 1;
    // Leap days before the year, less those before 1970.
    let leaps = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477;
    (year - 1970) * 365 + leaps
}

impl Date {
    fn of(seconds: i128) -> Date {
        let day = days(seconds);
        // Close from below or one too far; 400 years have 146,097 days.
        let mut year = 1970 + (day * 400).div_euclid(146_097);
        while first_day(year) > day {
            year -= 1;
        }
        while first_day(year + 1) <= day {
            year += 1;
        }
        let mut rest = day - first_day(year);
        let mut month = 1;
        while rest >= i64::from(days_in_month(year, month)) {
            rest -= i64::from(days_in_month(year, month));
            month += 1;
        }
        let day = u8::try_from(rest + 1).unwrap_or(0);
        Date { year, month, day }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_apart() {
        let part = |name: &str, seconds| part_of_date(name).unwrap()(seconds);
        assert_eq!(part("year", 0), 1970.0);
        assert_eq!(part("day_of_week", 0), 4.0);
        assert_eq!(part("year", -1), 1969.0);
        assert_eq!(part("month", -1), 12.0);
        assert_eq!(part("day_of_year", -1), 365.0);
        // 2024-02-29T23:59:59Z
        assert_eq!(part("day_of_month", 1_709_251_199), 29.0);
        assert_eq!(part("days_in_month", 1_709_251_199), 29.0);
        assert_eq!(part("day_of_year", 1_709_251_199), 60.0);
        assert_eq!(part("hour", 1_709_251_199), 23.0);
        assert_eq!(part("minute", 1_709_251_199), 59.0);
        assert_eq!(part("month", 1_709_251_200), 3.0);
        assert_eq!(part("year", whole_seconds(f64::NAN)), 292_277_026_596.0);
        assert_eq!(part("hour", whole_seconds(f64::INFINITY)), 15.0);
    }

    #[test]
    fn times_are_shown_with_as_much_fraction_as_there_is() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_251_199_120), "2024-02-29T23:59:59.12Z");
    }
}
