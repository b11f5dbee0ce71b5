//! [`Grid`]: the times that a query is evaluated at, in the ticks of its language.

/// The times that a query is evaluated at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grid {
    /// The first one.
    pub(crate) start: i64,
    /// How far they are apart; at least 1.
    pub(crate) step: i64,
    /// How many there are.
    pub(crate) count: usize,
}

impl Grid {
    pub(crate) fn instant(time: i64) -> Grid {
        Grid {
            start: time,
            step: 1,
            count: 1,
        }
    }

    pub(crate) fn time(&self, index: usize) -> i64 {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        self.start.saturating_add(index.saturating_mul(self.step))
    }

    pub(crate) fn end(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    pub(crate) fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let grid = *self;
        (0..grid.count).map(move |index| grid.time(index))
    }
}
