//! [`Counts`]: lines and bytes counted in windows.
//!
//! A line enters at the first step that is not before it and leaves at the first one whose window
//! begins at or behind it. Only these two changes are noted, so a line costs the same however many
//! windows it is in. Counts are whole numbers, so nothing is lost when they are taken off again.

use crate::logql::eval::steps::TimeGrid;
use crate::promql::eval::Column;

/// The windows of an aggregation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Where they end, `offset` taken off.
    pub(super) grid: TimeGrid,
    /// How long they are.
    pub(super) range: i64,
}

impl Windows {
    /// The first time that any of them holds, and the last one.
    pub(super) fn span(&self) -> (i64, i64) {
        let start = self.grid.start.saturating_sub(self.range).saturating_add(1);
        (start, self.grid.end())
    }

    /// The step at which a time enters, and the one at which it leaves.
    fn steps(&self, time: i64) -> (usize, usize) {
        let leaves = time.saturating_add(self.range);
        (self.grid.first_from(time), self.grid.first_from(leaves))
    }
}

/// Tells at which steps times enter and leave, quickest where they come in order.
pub(super) struct Stepper {
    windows: Windows,
    /// What holds for the times from `from` to `until`.
    steps: (usize, usize),
    from: i64,
    until: i64,
}

impl Stepper {
    pub(super) fn new(windows: Windows) -> Stepper {
        Stepper {
            windows,
            steps: (0, 0),
            from: i64::MAX,
            until: i64::MIN,
        }
    }

    /// The step at which a time enters, and the one at which it leaves.
    pub(super) fn steps(&mut self, time: i64) -> (usize, usize) {
        if time < self.from || time > self.until {
            let Windows { grid, range } = self.windows;
            let (enters, leaves) = self.windows.steps(time);
            let last = |step: usize| match step < grid.count {
                true => grid.time(step),
                false => i64::MAX,
            };
            let leaving = last(leaves);
            let leaving = match leaving {
                i64::MAX => leaving,
                time => time.saturating_sub(range),
            };
            self.steps = (enters, leaves);
            (self.from, self.until) = (time, last(enters).min(leaving));
        }
        self.steps
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Lines,
    Bytes,
}

/// Changes of a series' count from step to step.
pub(super) struct Counts {
    lines: Vec<i64>,
    /// Empty where bytes are not counted.
    bytes: Vec<i64>,
}

impl Counts {
    pub(super) fn new(counted: Counted, steps: usize) -> Counts {
        Counts {
            lines: vec![0; steps],
            bytes: match counted {
                Counted::Lines => Vec::new(),
                Counted::Bytes => vec![0; steps],
            },
        }
    }

    /// Counts a line of so many bytes.
    pub(super) fn add(&mut self, (enters, leaves): (usize, usize), bytes: usize) {
        change(&mut self.lines, enters, leaves, 1);
        if !self.bytes.is_empty() {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            change(&mut self.bytes, enters, leaves, bytes);
        }
    }

    /// Counts lines of which only the times are known, and these are in order.
    pub(super) fn add_times(&mut self, stepper: &mut Stepper, times: &[i64]) {
        let mut rest = times;
        while let Some(first) = rest.first() {
            let (enters, leaves) = stepper.steps(*first);
            let same = run_length(rest, stepper.until);
            let count = i64::try_from(same).unwrap_or(i64::MAX);
            change(&mut self.lines, enters, leaves, count);
            rest = &rest[same..];
        }
    }

    /// Takes over what another one counted of the same series.
    pub(super) fn absorb(&mut self, other: &Counts) {
        let add = |sums: &mut [i64], others: &[i64]| {
            sums.iter_mut()
                .zip(others)
                .for_each(|(sum, other)| *sum += other);
        };
        add(&mut self.lines, &other.lines);
        add(&mut self.bytes, &other.bytes);
    }

    /// The counts as a column, each divided; nothing where no line is.
    #[expect(clippy::cast_precision_loss)] // Far below 2^53 bytes are counted.
    pub(super) fn column(&self, divisor: f64) -> Column {
        let mut column = Column::absent(self.lines.len());
        let (mut lines, mut bytes) = (0, 0);
        for step in 0..self.lines.len() {
            lines += self.lines[step];
            bytes += self.bytes.get(step).copied().unwrap_or(0);
            let counted = if self.bytes.is_empty() { lines } else { bytes };
            if lines > 0 {
                column.set_float(step, counted as f64 / divisor);
            }
        }
        column
    }
}

fn change(changes: &mut [i64], enters: usize, leaves: usize, count: i64) {
    if let Some(change) = changes.get_mut(enters) {
        *change += count;
    }
    if let Some(change) = changes.get_mut(leaves) {
        *change -= count;
    }
}

/// How many of the times, which are in order, are not behind `until`; the first is not.
fn run_length(times: &[i64], until: i64) -> usize {
    // Doubling steps, so that long runs are found quickly and short ones cost little.
    let (mut known, mut step) = (1, 1);
    while known + step <= times.len() && times[known + step - 1] <= until {
        known += step;
        step *= 2;
    }
    let end = (known + step).min(times.len());
    known + times[known..end].partition_point(|time| *time <= until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(range: i64) -> Windows {
        Windows {
            grid: TimeGrid {
                start: 100,
                step: 10,
                count: 6,
            },
            range,
        }
    }

    #[test]
    fn counts_are_those_of_counting_each_window_by_itself() {
        for range in [3, 10, 25, 200] {
            let windows = windows(range);
            let (start, end) = windows.span();
            for gap in [1, 2, 7, 40] {
                let times: Vec<i64> = (start..=end).filter(|time| time * 13 % gap == 0).collect();
                let mut singly = Counts::new(Counted::Bytes, 6);
                let mut together = Counts::new(Counted::Lines, 6);
                let mut stepper = Stepper::new(windows);
                for time in &times {
                    assert_eq!(stepper.steps(*time), windows.steps(*time));
                    singly.add(windows.steps(*time), 3);
                }
                together.add_times(&mut Stepper::new(windows), &times);
                for step in 0..6 {
                    let last = windows.grid.time(step);
                    let is_in = |time: &&i64| **time > last - range && **time <= last;
                    let count = times.iter().filter(is_in).count();
                    let expected = (count > 0).then_some(count as f64);
                    assert_eq!(together.column(1.0).float(step), expected, "{range} {gap}");
                    let bytes = singly.column(1.0).float(step);
                    assert_eq!(bytes, expected.map(|count| count * 3.0));
                }
            }
        }
    }
}
