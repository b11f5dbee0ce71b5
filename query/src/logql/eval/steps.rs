//! [`TimeGrid`]: the times that a query is evaluated at, in nanoseconds, and which of them a line
//! counts for.

/// The times that a query is evaluated at, in nanoseconds.
pub(crate) use crate::grid::Grid as TimeGrid;

impl TimeGrid {
    /// The grid as windows see it that lie `offset` earlier.
    pub(super) fn earlier(self, offset: i64) -> TimeGrid {
        TimeGrid {
            start: self.start.saturating_sub(offset),
            ..self
        }
    }

    /// The first step that is not before a time; the count of steps where there is none.
    pub(super) fn first_from(&self, time: i64) -> usize {
        if time <= self.start {
            return 0;
        }
        let distance = time.abs_diff(self.start);
        let step = distance.div_ceil(self.step.unsigned_abs());
        usize::try_from(step).map_or(self.count, |step| step.min(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_belongs_to_the_first_step_that_is_not_before_it() {
        let grid = TimeGrid {
            start: 100,
            step: 10,
            count: 3,
        };
        let steps = [i64::MIN, 99, 100, 101, 110, 111, 120, 121, i64::MAX];
        let found = steps.map(|time| grid.first_from(time));
        assert_eq!(found, [0, 0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!((grid.end(), grid.earlier(7).start), (120, 93));
    }
}
