//! Days and dates of the Gregorian calendar, forwards and backwards without end.

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: u32,
    /// From 1.
    pub(super) day: u32,
}

/// Days of a cycle of 400 years.
const CYCLE_DAYS: i64 = 146_097;
/// Days from March 1st of the year 0 to January 1st of 1970.
const EPOCH_DAYS: i64 = 719_468;
/// Days in front of each month, in a year that begins with March.
const MONTH_DAYS: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

impl Date {
    /// The day that is so many days after January 1st of 1970.
    pub(super) fn from_days(days: i64) -> Date {
        let days = days + EPOCH_DAYS;
        let (cycle, day) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
        // The last day of a cycle is the leap day of its last year.
        let year = (day - day / 1460 + day / 36_524 - day / (CYCLE_DAYS - 1)) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = MONTH_DAYS.partition_point(|before| *before <= day) - 1;
        let number = u32::try_from(month).unwrap_or(0);
        let from_january = if number < 10 { number + 3 } else { number - 9 };
        Date {
            year: cycle * 400 + year + i64::from(from_january <= 2),
            month: from_january,
            day: u32::try_from(day - MONTH_DAYS[month] + 1).unwrap_or(1),
        }
    }

    /// How many days it is after January 1st of 1970.
    pub(super) fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
        let month = (self.month + 9) % 12;
        let day = MONTH_DAYS[month as usize] + i64::from(self.day) - 1;
        cycle * CYCLE_DAYS + year * 365 + year / 4 - year / 100 + day - EPOCH_DAYS
    }

    /// Whether there is such a day.
    pub(super) fn exists(self) -> bool {
        (1..=12).contains(&self.month) && self.day >= 1 && Date::from_days(self.days()) == self
    }

    /// Its number in its year, from 1.
    pub(super) fn day_of_year(self) -> i64 {
        let first = Date {
            month: 1,
            day: 1,
            ..self
        };
        self.days() - first.days() + 1
    }

    /// Its number in its week, from Sunday as 0.
    pub(super) fn weekday(self) -> usize {
        usize::try_from((self.days() + 4).rem_euclid(7)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_two_ways_to_say_the_same() {
        let date = |year, month, day| Date { year, month, day };
        let cases = [
            (0, date(1970, 1, 1), 4),
            (-1, date(1969, 12, 31), 3),
            (11_016, date(2000, 2, 29), 2),
            (20_468, date(2026, 1, 15), 4),
            (-719_162, date(1, 1, 1), 1),
        ];
        for (days, date, weekday) in cases {
            assert_eq!(Date::from_days(days), date);
            assert_eq!((date.days(), date.weekday()), (days, weekday));
        }
        for days in (-800_000..800_000).step_by(97) {
            assert_eq!(Date::from_days(days).days(), days);
        }
        assert!(!date(2026, 2, 29).exists() && !date(2026, 13, 1).exists());
        assert_eq!(date(2024, 12, 31).day_of_year(), 366);
    }
}
