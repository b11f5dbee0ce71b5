//! [`Deltas`]: points that say how much came since the point before, added up to how much came at
//! all.
//!
//! What has been added up is in memory only: after a restart counters begin anew, which rates take
//! for what it is. A request that could not be stored is taken back, so that it can be sent again.

use std::collections::HashMap;

/// A series whose newest point is so much older than the newest of all may be forgotten to make
/// room.
const IDLE_MS: i64 = 60 * 60 * 1000;

/// What has been added up, series by series.
#[derive(Debug)]
pub(crate) struct Deltas {
    sums: HashMap<Box<[u8]>, Sum>,
    /// What there was before the request at hand.
    before: Vec<(Box<[u8]>, Option<Sum>)>,
    series_max: usize,
    newest: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    total: f64,
    start: i64,
    time: i64,
}

impl Deltas {
    /// Nothing yet, for at most so many series.
    pub(crate) fn new(series_max: usize) -> Self {
        Deltas {
            sums: HashMap::new(),
            before: Vec::new(),
            series_max,
            newest: i64::MIN,
        }
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Adds a point: the total, and since when it counts. Or why the point cannot be added.
    pub(super) fn add(
        &mut self,
        series: &[u8],
        (time, start): (i64, i64),
        value: f64,
    ) -> Result<(f64, i64), String> {
        let held = self.sums.get(series).copied();
        if let Some(held) = held.filter(|held| time <= held.time) {
            return Err(format!(
                "a point of delta temporality at {time} ms is not after the one before, at {} ms",
                held.time
            ));
        }
        if held.is_none() {
            self.make_room()?;
        }
        self.newest = self.newest.max(time);
        let (total, start) = held.map_or((value, start), |held| (held.total + value, held.start));
        let sum = Sum { total, start, time };
        self.sums.insert(series.into(), sum);
        self.before.push((series.into(), held));
        Ok((total, start))
    }

    fn make_room(&mut self) -> Result<(), String> {
        if self.sums.len() >= self.series_max && self.before.is_empty() {
            let oldest = self.newest.saturating_sub(IDLE_MS);
            self.sums.retain(|_, sum| sum.time >= oldest);
        }
        match self.sums.len() < self.series_max {
            true => Ok(()),
            false => Err(format!(
                "there are {} series of delta temporality, the most that are added up: raise \
                 --otlp-delta-series-max or send cumulative points",
                self.series_max
            )),
        }
    }

    /// Whether something was added since the last commit.
    pub(crate) fn is_adding(&self) -> bool {
        !self.before.is_empty()
    }

    /// What was added is stored.
    pub(crate) fn commit(&mut self) {
        self.before.clear();
    }

    /// Takes back what was added since the last commit.
    pub(crate) fn roll_back(&mut self) {
        for (series, held) in self.before.drain(..).rev() {
            match held {
                Some(held) => self.sums.insert(series, held),
                None => self.sums.remove(&series),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_add_up_and_keep_their_first_start() {
        let mut deltas = Deltas::new(10);
        assert_eq!(deltas.add(b"a", (10, 5), 2.0), Ok((2.0, 5)));
        assert_eq!(deltas.add(b"b", (10, 6), 7.0), Ok((7.0, 6)));
        assert_eq!(deltas.add(b"a", (20, 10), 3.0), Ok((5.0, 5)));
        let again = deltas.add(b"a", (20, 10), 3.0).unwrap_err();
        assert!(
            again.contains("not after the one before, at 20 ms"),
            "{again}"
        );
    }

    #[test]
    fn what_could_not_be_stored_can_be_sent_again() {
        let mut deltas = Deltas::new(10);
        deltas.add(b"a", (10, 0), 2.0).unwrap();
        deltas.commit();
        deltas.add(b"a", (20, 0), 3.0).unwrap();
        deltas.add(b"a", (30, 0), 4.0).unwrap();
        deltas.add(b"b", (30, 0), 4.0).unwrap();
        deltas.roll_back();
        assert_eq!(deltas.len(), 1);
        assert_eq!(deltas.add(b"a", (20, 0), 3.0), Ok((5.0, 0)));
    }

    #[test]
    fn series_are_bounded_and_idle_ones_make_room() {
        let mut deltas = Deltas::new(2);
        deltas.add(b"a", (10, 0), 1.0).unwrap();
        deltas.add(b"b", (20, 0), 1.0).unwrap();
        deltas.commit();
        let full = deltas.add(b"c", (30, 0), 1.0).unwrap_err();
        assert!(full.contains("--otlp-delta-series-max"), "{full}");
        deltas.add(b"b", (IDLE_MS + 20, 0), 1.0).unwrap();
        deltas.commit();
        assert_eq!(deltas.add(b"c", (IDLE_MS + 30, 0), 1.0), Ok((1.0, 0)));
        assert_eq!(deltas.len(), 2);
    }
}
