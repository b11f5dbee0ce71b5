//! The UTC partitions that blocks lie inside: two hours, a day, eight days.
//!
//! Lengths divide each other, so borders never cross. Knows no kind: ticks come with how many of
//! them make a second.

use crate::time::{TickRange, Ticks};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// The lengths of partitions in seconds, each a multiple of the one before.
const LENGTHS: [i64; 3] = [2 * HOUR, DAY, 8 * DAY];

/// Entries older than this when they are frozen go to partitions of a day, or of eight days.
const DAYS_BEHIND: i64 = 2 * DAY;
const WEEKS_BEHIND: i64 = 32 * DAY;

/// How long a partition may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Span {
    /// Two hours: recent entries.
    Hours,
    /// A UTC day.
    Day,
    /// Eight days, counted from the epoch.
    Week,
}

impl Span {
    /// How long it is.
    pub(crate) fn seconds(self) -> i64 {
        LENGTHS[self as usize]
    }

    /// The partition of this length that a tick lies in.
    pub(crate) fn around(self, time: Ticks, ticks_per_second: i64) -> TickRange {
        let length = self.seconds() * ticks_per_second;
        // Wider than a tick: at the ends of time a partition is cut off, not moved.
        let start = i128::from(time.0.div_euclid(length)) * i128::from(length);
        let end = start + i128::from(length) - 1;
        TickRange {
            start: Ticks(i64::try_from(start).unwrap_or(i64::MIN)),
            end: Ticks(i64::try_from(end).unwrap_or(i64::MAX)),
        }
    }
}

/// The partition that a freeze puts an entry into: two hours if it is recent, a day or eight days
/// further back, so that a backfill of months does not end in thousands of blocks.
pub(crate) fn partition_of(time: Ticks, now: Ticks, ticks_per_second: i64) -> TickRange {
    let age = now.0.saturating_sub(time.0) / ticks_per_second;
    let span = match age {
        ..DAYS_BEHIND => Span::Hours,
        DAYS_BEHIND..WEEKS_BEHIND => Span::Day,
        _ => Span::Week,
    };
    span.around(time, ticks_per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Span; 3] = [Span::Hours, Span::Day, Span::Week];

    #[test]
    fn a_partition_lies_in_exactly_one_of_the_next_length() {
        for hours in -5_000..5_000 {
            let time = Ticks(hours * HOUR * 1_000 + 17);
            for pair in ALL.windows(2) {
                let (short, long) = (pair[0].around(time, 1_000), pair[1].around(time, 1_000));
                assert!(long.start <= short.start && short.end <= long.end);
                assert!(short.contains(time));
            }
        }
    }

    #[test]
    fn partitions_at_the_ends_of_time_are_cut_off() {
        for span in ALL {
            let (first, last) = (Ticks(i64::MIN), Ticks(i64::MAX));
            assert_eq!(span.around(first, 1_000).start, first);
            assert_eq!(span.around(last, 1_000).end, last);
        }
    }
}
