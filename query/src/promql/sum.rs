//! Summation that keeps what rounding loses, after Kahan and Neumaier.

/// Adds `added` to a sum and its compensation.
pub(crate) fn kahan(added: f64, sum: f64, lost: f64) -> (f64, f64) {
    let total = sum + added;
    let is_larger = sum.abs() >= added.abs();
    let (large, small) = if is_larger {
        (sum, added)
    } else {
        (added, sum)
    };
    let kept = lost + ((large - total) + small);
    (total, if total.is_infinite() { 0.0 } else { kept })
}

/// A running sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kahan {
    sum: f64,
    lost: f64,
}

impl Kahan {
    /// The sum of some values.
    pub(crate) fn of(values: &[f64]) -> f64 {
        let mut sum = Kahan::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.value()
    }

    pub(crate) fn add(&mut self, added: f64) {
        (self.sum, self.lost) = kahan(added, self.sum, self.lost);
    }

    pub(crate) fn value(self) -> f64 {
        if self.sum.is_infinite() {
            self.sum
        } else {
            self.sum + self.lost
        }
    }
}

/// A running mean: a sum that is divided at the end, or a mean of its own once the sum would
/// overflow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    count: f64,
    /// The sum, or the mean once it is kept instead.
    value: f64,
    lost: f64,
    is_incremental: bool,
}

impl Mean {
    /// The mean of some values; NaN of none.
    pub(crate) fn over(values: &[f64]) -> f64 {
        let Some((first, rest)) = values.split_first() else {
            return f64::NAN;
        };
        let mut mean = Mean::of(*first);
        rest.iter().for_each(|value| mean.add(*value));
        mean.value()
    }

    pub(crate) fn of(first: f64) -> Mean {
        Mean::of_sum(1.0, first, 0.0)
    }

    /// The mean of so many values that have this sum, and its compensation.
    pub(crate) fn of_sum(count: f64, sum: f64, lost: f64) -> Mean {
        Mean {
            count,
            value: sum,
            lost,
            is_incremental: false,
        }
    }

    pub(crate) fn add(&mut self, added: f64) {
        self.count += 1.0;
        if !self.is_incremental {
            let (sum, lost) = kahan(added, self.value, self.lost);
            if !sum.is_infinite() {
                (self.value, self.lost) = (sum, lost);
                return;
            }
            self.is_incremental = true;
            self.value /= self.count - 1.0;
            self.lost /= self.count - 1.0;
        }
        let kept = (self.count - 1.0) / self.count;
        (self.value, self.lost) = kahan(added / self.count, kept * self.value, kept * self.lost);
    }

    pub(crate) fn value(self) -> f64 {
        if self.is_incremental {
            self.value + self.lost
        } else {
            self.value / self.count + self.lost / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_loses_is_kept() {
        let mut sum = Kahan::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.value(), 2.0);
    }

    #[test]
    fn a_mean_survives_an_overflow_of_its_sum() {
        let mut mean = Mean::of(f64::MAX);
        mean.add(f64::MAX);
        assert_eq!(mean.value(), f64::MAX);
    }
}
