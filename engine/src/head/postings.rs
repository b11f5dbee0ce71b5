//! The series of one pair in the head: most pairs have few, some have nearly all.

use roaring::RoaringBitmap;

use crate::index::postings::Gather;

/// Numbers up to which a sorted vector is smaller than a bitmap.
const FEW_MAX: usize = 64;

/// A run up to this long is added to a union number by number.
const FEW_RUN: u32 = 64;

/// A growing set of series numbers.
///
/// Neighbouring series share most of their pairs, so a set mostly grows by the number behind its
/// last one: that run is kept apart and costs an addition.
#[derive(Debug, Default)]
pub(crate) struct HeadPostings {
    /// The newest run, `run_start` included, `run_end` not.
    run_start: u32,
    run_end: u32,
    rest: Rest,
}

/// The numbers outside of the run.
#[derive(Debug, Default)]
enum Rest {
    #[default]
    None,
    /// Sorted.
    Few(Vec<u32>),
    Many(Box<RoaringBitmap>),
}

impl HeadPostings {
    /// Adds a number that is not in the set.
    #[inline]
    pub(crate) fn insert(&mut self, series: u32) {
        if series == self.run_end && self.run_start < self.run_end {
            self.run_end += 1;
        } else {
            self.flush();
            // Series numbers stay below `u32::MAX`.
            (self.run_start, self.run_end) = (series, series + 1);
        }
    }

    /// Moves the run to the rest.
    fn flush(&mut self) {
        let run = self.run_start..self.run_end;
        (self.run_start, self.run_end) = (0, 0);
        if run.is_empty() {
            return;
        }
        if matches!(self.rest, Rest::None) {
            self.rest = Rest::Few(Vec::with_capacity(run.len().min(4)));
        }
        match &mut self.rest {
            Rest::Few(few) if few.len() + run.len() <= FEW_MAX => {
                let place = few.partition_point(|number| *number < run.start);
                few.splice(place..place, run);
            }
            Rest::Few(few) => {
                let mut many: RoaringBitmap = few.iter().copied().collect();
                many.insert_range(run);
                self.rest = Rest::Many(Box::new(many));
            }
            Rest::Many(many) => {
                if run.len() > 1 || many.try_push(run.start).is_err() {
                    many.insert_range(run);
                }
            }
            Rest::None => unreachable!("made just above"),
        }
    }

    pub(crate) fn remove(&mut self, series: u32) {
        self.flush();
        match &mut self.rest {
            Rest::None => {}
            Rest::Few(few) => {
                if let Ok(place) = few.binary_search(&series) {
                    few.remove(place);
                }
            }
            Rest::Many(many) => {
                many.remove(series);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let is_rest_empty = match &self.rest {
            Rest::None => true,
            Rest::Few(few) => few.is_empty(),
            Rest::Many(many) => many.is_empty(),
        };
        is_rest_empty && self.run_start == self.run_end
    }

    pub(crate) fn to_bitmap(&self) -> RoaringBitmap {
        let mut bitmap = match &self.rest {
            Rest::None => RoaringBitmap::new(),
            Rest::Few(few) => few.iter().copied().collect(),
            Rest::Many(many) => RoaringBitmap::clone(many),
        };
        bitmap.insert_range(self.run_start..self.run_end);
        bitmap
    }

    /// Adds this set to a union.
    #[inline]
    pub(crate) fn add_to(&self, gather: &mut Gather) {
        match &self.rest {
            Rest::None => {}
            Rest::Few(few) => few.iter().for_each(|number| gather.put(*number)),
            Rest::Many(many) => gather.add_bitmap(RoaringBitmap::clone(many)),
        }
        match self.run_end - self.run_start {
            0..FEW_RUN => (self.run_start..self.run_end).for_each(|number| gather.put(number)),
            _ => {
                let mut run = RoaringBitmap::new();
                run.insert_range(self.run_start..self.run_end);
                gather.add_bitmap(run);
            }
        }
    }

    /// Whether this set and `other` share a number.
    pub(crate) fn meets(&self, other: &RoaringBitmap) -> bool {
        let in_run = other.range_cardinality(self.run_start..self.run_end) > 0;
        in_run
            || match &self.rest {
                Rest::None => false,
                Rest::Few(few) => few.iter().any(|number| other.contains(*number)),
                Rest::Many(many) => !many.is_disjoint(other),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_of_any_history_holds_what_a_bitmap_holds(
            steps in prop::collection::vec((0u32..300, 0u32..20, any::<bool>()), 1..60)
        ) {
            let (mut postings, mut expected) = (HeadPostings::default(), RoaringBitmap::new());
            for (start, length, remove) in steps {
                for number in start..start + length {
                    match remove {
                        true => { postings.remove(number); expected.remove(number); }
                        false => if expected.insert(number) { postings.insert(number); }
                    }
                }
                prop_assert_eq!(postings.to_bitmap(), expected.clone());
                prop_assert_eq!(postings.is_empty(), expected.is_empty());
                let mut gather = Gather::new(320);
                postings.add_to(&mut gather);
                prop_assert_eq!(gather.finish(), expected.clone());
                let probe: RoaringBitmap = [start, start + 150].into_iter().collect();
                prop_assert_eq!(postings.meets(&probe), !expected.is_disjoint(&probe));
            }
        }
    }
}
