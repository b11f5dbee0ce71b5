//! [`Deltas`]: points that say how much came since the point before, added up to how much came at
//! all.
//!
//! What has been added up is in memory only: after a restart counters begin anew, which rates take
//! for what it is. A request that could not be stored is taken back, so that it can be sent again:
//! until it is stored others that add up wait for it ([`Turn`]).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::exponential::Exponential;

/// A series whose newest point is so much older than the newest of all may be forgotten to make
/// room.
const IDLE_MS: i64 = 60 * 60 * 1000;

/// As many buckets of a histogram take as much room as a series.
const BUCKETS_OF_A_SERIES: usize = 8;

/// What has been added up, series by series.
#[derive(Debug)]
pub(crate) struct Deltas {
    sums: HashMap<Box<[u8]>, Sum>,
    /// The room that all of them take, in series.
    room: usize,
    /// What there was before the request at hand.
    before: Vec<(Box<[u8]>, Option<Sum>)>,
    series_max: usize,
    newest: i64,
}

#[derive(Clone, Debug, PartialEq)]
struct Sum {
    total: Total,
    start: i64,
    time: i64,
}

#[derive(Clone, Debug, PartialEq)]
enum Total {
    Float(f64),
    Histogram(Box<Exponential>),
}

impl Total {
    fn room(&self) -> usize {
        match self {
            Total::Float(_) => 1,
            Total::Histogram(histogram) => 1 + histogram.len().div_ceil(BUCKETS_OF_A_SERIES),
        }
    }
}

impl Deltas {
    /// Nothing yet, for at most so many series.
    pub(crate) fn new(series_max: usize) -> Self {
        Deltas {
            sums: HashMap::new(),
            room: 0,
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
        series: Vec<u8>,
        times: (i64, i64),
        value: f64,
    ) -> Result<(f64, i64), String> {
        let mut sum = value;
        let start = self.grow(series, times, |held| {
            if let Some(Total::Float(held)) = held {
                sum = held + value;
            }
            Ok(Total::Float(sum))
        })?;
        Ok((sum, start))
    }

    /// Adds a histogram, which is another series than numbers with the same name and labels.
    pub(super) fn add_histogram(
        &mut self,
        mut series: Vec<u8>,
        times: (i64, i64),
        more: Exponential,
    ) -> Result<(Exponential, i64), String> {
        if !more.zero_threshold.is_finite() {
            return Err("the width of its zero bucket is no number".to_owned());
        }
        series.push(0xfe);
        let mut sum = more.clone();
        let start = self.grow(series, times, |held| {
            if let Some(Total::Histogram(held)) = held {
                let added = held.plus(more);
                sum = added.ok_or("added up, its buckets are out of range")?;
            }
            Ok(Total::Histogram(Box::new(sum.clone())))
        })?;
        Ok((sum, start))
    }

    /// Puts what `total` makes of what there was in its place. Gives since when that counts.
    fn grow(
        &mut self,
        series: Vec<u8>,
        (time, start): (i64, i64),
        total: impl FnOnce(Option<Total>) -> Result<Total, String>,
    ) -> Result<i64, String> {
        let held = self.sums.get(series.as_slice()).cloned();
        if let Some(held) = held.as_ref().filter(|held| time <= held.time) {
            return Err(format!(
                "a point of delta temporality at {time} ms is not after the one before, at {} ms",
                held.time
            ));
        }
        let room = held.as_ref().map_or(0, |held| held.total.room());
        let start = held.as_ref().map_or(start, |held| held.start);
        let total = total(held.map(|held| held.total))?;
        self.make_room(total.room().saturating_sub(room))?;
        self.newest = self.newest.max(time);
        let sum = Sum { total, start, time };
        let series = series.into_boxed_slice();
        let held = self.put(series.clone(), Some(sum));
        self.before.push((series, held));
        Ok(start)
    }

    /// Puts a sum, or none, in the place of what there was.
    fn put(&mut self, series: Box<[u8]>, sum: Option<Sum>) -> Option<Sum> {
        self.room += sum.as_ref().map_or(0, |sum| sum.total.room());
        let held = match sum {
            Some(sum) => self.sums.insert(series, sum),
            None => self.sums.remove(&series),
        };
        self.room -= held.as_ref().map_or(0, |held| held.total.room());
        held
    }

    fn make_room(&mut self, more: usize) -> Result<(), String> {
        let is_full = |room: usize| more > 0 && room + more > self.series_max;
        if is_full(self.room) && self.before.is_empty() {
            let oldest = self.newest.saturating_sub(IDLE_MS);
            self.sums.retain(|_, sum| sum.time >= oldest);
            self.room = self.sums.values().map(|sum| sum.total.room()).sum();
        }
        match is_full(self.room) {
            false => Ok(()),
            true => Err(format!(
                "there are {} series of delta temporality, the most that are added up: raise \
                 --otlp-delta-series-max or send cumulative points",
                self.series_max
            )),
        }
    }

    /// What was added is stored.
    fn commit(&mut self) {
        self.before.clear();
    }

    /// Takes back what was added since the last commit.
    fn roll_back(&mut self) {
        for (series, held) in std::mem::take(&mut self.before).into_iter().rev() {
            self.put(series, held);
        }
    }
}

/// A request's turn at adding up, which begins with its first point of delta temporality and ends
/// with itself: what was not committed by then is taken back.
pub(crate) struct Turn<'d> {
    deltas: &'d Mutex<Deltas>,
    held: Option<MutexGuard<'d, Deltas>>,
}

impl<'d> Turn<'d> {
    /// A turn that has not begun.
    pub(crate) fn new(deltas: &'d Mutex<Deltas>) -> Self {
        Turn { deltas, held: None }
    }

    /// Waits for the turn, if it has not begun.
    pub(super) fn deltas(&mut self) -> &mut Deltas {
        let deltas = self.deltas;
        self.held.get_or_insert_with(|| {
            // Who panicked has taken back what it added, like everybody.
            deltas.lock().unwrap_or_else(PoisonError::into_inner)
        })
    }

    /// What was added is stored.
    pub(crate) fn commit(mut self) {
        if let Some(held) = &mut self.held {
            held.commit();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(held) = &mut self.held {
            held.roll_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::exponential::Side;
    use super::*;

    #[test]
    fn points_add_up_and_keep_their_first_start() {
        let mut deltas = Deltas::new(10);
        assert_eq!(deltas.add(b"a".to_vec(), (10, 5), 2.0), Ok((2.0, 5)));
        assert_eq!(deltas.add(b"b".to_vec(), (10, 6), 7.0), Ok((7.0, 6)));
        assert_eq!(deltas.add(b"a".to_vec(), (20, 10), 3.0), Ok((5.0, 5)));
        let again = deltas.add(b"a".to_vec(), (20, 10), 3.0).unwrap_err();
        assert!(
            again.contains("not after the one before, at 20 ms"),
            "{again}"
        );
    }

    #[test]
    fn what_could_not_be_stored_can_be_sent_again() {
        let mut deltas = Deltas::new(10);
        deltas.add(b"a".to_vec(), (10, 0), 2.0).unwrap();
        deltas.commit();
        deltas.add(b"a".to_vec(), (20, 0), 3.0).unwrap();
        deltas.add(b"a".to_vec(), (30, 0), 4.0).unwrap();
        deltas.add(b"b".to_vec(), (30, 0), 4.0).unwrap();
        deltas.roll_back();
        assert_eq!(deltas.len(), 1);
        assert_eq!(deltas.add(b"a".to_vec(), (20, 0), 3.0), Ok((5.0, 0)));
    }

    #[test]
    fn series_are_bounded_and_idle_ones_make_room() {
        let mut deltas = Deltas::new(2);
        deltas.add(b"a".to_vec(), (10, 0), 1.0).unwrap();
        deltas.add(b"b".to_vec(), (20, 0), 1.0).unwrap();
        deltas.commit();
        let full = deltas.add(b"c".to_vec(), (30, 0), 1.0).unwrap_err();
        assert!(full.contains("--otlp-delta-series-max"), "{full}");
        deltas.add(b"b".to_vec(), (IDLE_MS + 20, 0), 1.0).unwrap();
        deltas.commit();
        assert_eq!(
            deltas.add(b"c".to_vec(), (IDLE_MS + 30, 0), 1.0),
            Ok((1.0, 0))
        );
        assert_eq!(deltas.len(), 2);
    }

    #[test]
    fn histograms_take_more_room_and_are_other_series_than_numbers() {
        let mut wide = Exponential::default();
        let side = Side {
            offset: 0,
            counts: vec![1; 16],
        };
        assert!(wide.fill(0, &side, &Side::default()));
        wide.count = 16;
        let mut deltas = Deltas::new(4);
        deltas.add(b"a".to_vec(), (10, 0), 1.0).unwrap();
        deltas
            .add_histogram(b"a".to_vec(), (10, 5), wide.clone())
            .unwrap();
        deltas.commit();
        assert_eq!((deltas.len(), deltas.room), (2, 4));
        assert!(deltas.add(b"b".to_vec(), (10, 0), 1.0).is_err());
        let (sum, start) = deltas
            .add_histogram(b"a".to_vec(), (20, 10), wide.clone())
            .unwrap();
        assert_eq!((sum.count, start), (32, 5));
        deltas.roll_back();
        let (sum, _) = deltas.add_histogram(b"a".to_vec(), (20, 10), wide).unwrap();
        assert_eq!((sum.count, deltas.room), (32, 4));
    }

    #[test]
    fn a_turn_that_is_not_committed_is_taken_back() {
        let deltas = Mutex::new(Deltas::new(10));
        let mut turn = Turn::new(&deltas);
        turn.deltas().add(b"a".to_vec(), (10, 0), 2.0).unwrap();
        drop(turn);
        let mut turn = Turn::new(&deltas);
        assert_eq!(turn.deltas().add(b"a".to_vec(), (10, 0), 2.0), Ok((2.0, 0)));
        turn.commit();
        let mut turn = Turn::new(&deltas);
        assert_eq!(turn.deltas().add(b"a".to_vec(), (20, 0), 2.0), Ok((4.0, 0)));
    }
}
