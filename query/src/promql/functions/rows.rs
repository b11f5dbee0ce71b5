//! [`Windows`]: how windows lie over the samples of a series.
//!
//! Samples that are taken evenly repeat themselves from step to step, and so do the windows over
//! them. Such windows are a [`Row`], which is found by looking at each time once, and whose results
//! can be calculated for many steps at once. Where samples are uneven, a row is one window.

/// How windows lie over a column: each is behind the one before.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a> {
    /// Where the first one ends; that time is in it.
    pub(crate) end: i64,
    /// How far it reaches back; that time is not in it.
    pub(crate) range: i64,
    /// How far they are apart.
    pub(crate) step: i64,
    pub(crate) count: usize,
    /// Whether to go on no further; what is missing is then not looked at.
    pub(crate) stopped: &'a dyn Fn() -> bool,
}

/// Samples of windows after which it is asked whether to go on.
const SAMPLES_A_LOOK: usize = 1 << 20;

impl Windows<'_> {
    /// Tells of each window that has samples: its step, its first sample, the one behind its last,
    /// and where it ends.
    pub(super) fn each(&self, times: &[i64], mut seen: impl FnMut(usize, usize, usize, i64)) {
        let mut looked_at = 0;
        for row in self.rows(times) {
            let (mut low, mut high, mut end) = (row.low, row.high, row.end);
            for step in row.step..row.step + row.count {
                looked_at += high - low;
                if looked_at > SAMPLES_A_LOOK {
                    looked_at = 0;
                    if (self.stopped)() {
                        return;
                    }
                }
                seen(step, low, high, end);
                (low, high) = (low + row.stride, high + row.stride);
                end = end.saturating_add(self.step);
            }
        }
    }

    /// The windows that have samples, in rows.
    pub(crate) fn rows<'t>(&self, times: &'t [i64]) -> Rows<'t> {
        self.rows_over(times, Reach::Whole)
    }

    /// The same of no more than the last sample of each window, in longer rows: it does not matter
    /// where a window begins.
    pub(crate) fn lasts<'t>(&self, times: &'t [i64]) -> Rows<'t> {
        self.rows_over(times, Reach::Last)
    }

    fn rows_over<'t>(&self, times: &'t [i64], reach: Reach) -> Rows<'t> {
        Rows {
            times,
            reach,
            range: self.range,
            apart: self.step,
            steps: self.count,
            step: 0,
            end: self.end,
            low: 0,
            high: 0,
            repetition: Repetition::default(),
        }
    }
}

/// How much of a window is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Whole,
    Last,
}

/// Windows of steps that follow each other, each over its samples as the first one is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The step of the first window, and how many there are.
    pub(crate) step: usize,
    pub(crate) count: usize,
    /// The first sample of the first window, and the one behind its last.
    pub(crate) low: usize,
    pub(crate) high: usize,
    /// How many samples further on each window is than the one before.
    pub(crate) stride: usize,
    /// Where the first window ends.
    pub(crate) end: i64,
}

impl Row {
    /// Puts a sample of each window into `found`: of the first one that at `place`.
    pub(crate) fn gather(&self, values: &[f64], place: usize, found: &mut [f64]) {
        match self.stride {
            1 => found.copy_from_slice(&values[place..place + found.len()]),
            stride => {
                let values = values[place..].iter().step_by(stride.max(1));
                found
                    .iter_mut()
                    .zip(values)
                    .for_each(|(found, value)| *found = *value);
            }
        }
    }
}

/// Goes over windows row by row.
pub(crate) struct Rows<'t> {
    times: &'t [i64],
    reach: Reach,
    range: i64,
    apart: i64,
    steps: usize,
    step: usize,
    end: i64,
    low: usize,
    high: usize,
    repetition: Repetition,
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.step < self.steps {
            let start = self.end.saturating_sub(self.range);
            let times = self.times;
            while times.get(self.high).is_some_and(|time| *time <= self.end) {
                self.high += 1;
            }
            while self.low < self.high && times[self.low] <= start {
                self.low += 1;
            }
            if self.reach == Reach::Last && self.low < self.high {
                self.low = self.high - 1;
            }
            let row = Row {
                step: self.step,
                count: 1 + self.followers(),
                low: self.low,
                high: self.high,
                stride: self.repetition.stride,
                end: self.end,
            };
            self.pass(row);
            if row.low < row.high {
                return Some(row);
            }
        }
        None
    }
}

impl Rows<'_> {
    /// Goes on to what is behind a row.
    fn pass(&mut self, row: Row) {
        self.low += (row.count - 1) * row.stride;
        self.high += (row.count - 1) * row.stride;
        let count = i64::try_from(row.count).unwrap_or(i64::MAX);
        self.end = self.end.saturating_add(self.apart.saturating_mul(count));
        self.step += row.count;
    }

    /// How many windows behind this one lie over their samples as it does. What tells its borders
    /// are the sample in front of it and the one behind it, or that there is none behind.
    fn followers(&mut self) -> usize {
        let most = self.steps - self.step - 1;
        let (Some(before), 1..) = (self.low.checked_sub(1), self.apart) else {
            return 0;
        };
        if most == 0 || self.low == self.high || self.end.checked_sub(self.range).is_none() {
            return 0;
        }
        self.repetition.renew(self.times, before, self.apart);
        let Repetition { stride, end, .. } = self.repetition;
        // The window behind by `n` is alike if the sample behind the one in front of it, by
        // `n - 1`, is repeated: those inside are before it.
        let inside = match end.checked_sub(self.high) {
            Some(rest) => rest.div_ceil(stride),
            None => return 0,
        };
        // One more may end with the last sample of all.
        let next = self.high + (inside + 1) * stride;
        let last = usize::from(next == self.times.len() && next - stride <= end);
        let fits = (i64::MAX - self.end.max(0)) / self.apart;
        (inside + last)
            .min(most)
            .min(usize::try_from(fits).unwrap_or(usize::MAX))
    }
}

/// How far samples are repeated: from `from` up to before `end`, each has another one exactly a
/// step later, `stride` samples further on.
#[derive(Clone, Copy, Default)]
struct Repetition {
    from: usize,
    end: usize,
    stride: usize,
}

impl Repetition {
    /// Looks from a sample on, unless that is known. Places must not fall.
    fn renew(&mut self, times: &[i64], from: usize, apart: i64) {
        if self.stride > 0 && (self.from..self.end).contains(&from) {
            return;
        }
        let first = times[from];
        let is_near = |time: &&i64| time.wrapping_sub(first) < apart;
        self.from = from;
        self.stride = times[from..].iter().take_while(is_near).count().max(1);
        self.end = from + repeated(&times[from..], self.stride, apart);
    }
}

/// Times that are compared at once.
const AT_ONCE: usize = 16;

/// How many of the first times have another one exactly `apart` later, `stride` places further on.
fn repeated(times: &[i64], stride: usize, apart: i64) -> usize {
    let later = times.get(stride..).unwrap_or_default();
    let parts = times.chunks(AT_ONCE).zip(later.chunks(AT_ONCE));
    let mut count = 0;
    for (now, later) in parts {
        let pairs = now.iter().zip(later);
        // Times rise, so a difference that wraps around is never that of a step.
        let is_off = |(now, later): (&i64, &i64)| later.wrapping_sub(*now) ^ apart;
        if pairs.clone().fold(0, |off, pair| off | is_off(pair)) != 0 {
            return count + pairs.take_while(|pair| is_off(*pair) == 0).count();
        }
        count += later.len();
    }
    count
}

#[cfg(test)]
mod tests;
