//! The series of one pair in the head: most pairs have few, some have nearly all.

use roaring::RoaringBitmap;

/// Numbers up to which a sorted vector is smaller than a bitmap.
const FEW_MAX: usize = 64;

/// A growing set of series numbers.
#[derive(Debug)]
pub(crate) enum HeadPostings {
    /// At most one, which is what a value of a high-cardinality label has.
    One(Option<u32>),
    /// Sorted.
    Few(Vec<u32>),
    Many(Box<RoaringBitmap>),
}

impl Default for HeadPostings {
    fn default() -> Self {
        HeadPostings::One(None)
    }
}

impl HeadPostings {
    pub(crate) fn insert(&mut self, series: u32) {
        match self {
            HeadPostings::One(None) => *self = HeadPostings::One(Some(series)),
            HeadPostings::One(Some(first)) if *first == series => {}
            HeadPostings::One(Some(first)) => {
                let mut few = Vec::with_capacity(4);
                few.extend([(*first).min(series), (*first).max(series)]);
                *self = HeadPostings::Few(few);
            }
            HeadPostings::Few(few) => {
                // New series mostly have the highest number yet.
                match few.last() {
                    Some(last) if *last < series => few.push(series),
                    _ => {
                        if let Err(place) = few.binary_search(&series) {
                            few.insert(place, series);
                        }
                    }
                }
                if few.len() > FEW_MAX {
                    let many = few.iter().copied().collect();
                    *self = HeadPostings::Many(Box::new(many));
                }
            }
            HeadPostings::Many(many) => {
                if many.try_push(series).is_err() {
                    many.insert(series);
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, series: u32) {
        match self {
            HeadPostings::One(one) => {
                if *one == Some(series) {
                    *one = None;
                }
            }
            HeadPostings::Few(few) => {
                if let Ok(place) = few.binary_search(&series) {
                    few.remove(place);
                }
            }
            HeadPostings::Many(many) => {
                many.remove(series);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            HeadPostings::One(one) => one.is_none(),
            HeadPostings::Few(few) => few.is_empty(),
            HeadPostings::Many(many) => many.is_empty(),
        }
    }

    pub(crate) fn to_bitmap(&self) -> RoaringBitmap {
        match self {
            HeadPostings::One(one) => one.iter().copied().collect(),
            HeadPostings::Few(few) => few.iter().copied().collect(),
            HeadPostings::Many(many) => RoaringBitmap::clone(many),
        }
    }

    /// Adds this set to `union`.
    pub(crate) fn add_to(&self, union: &mut RoaringBitmap) {
        match self {
            HeadPostings::One(one) => union.extend(one.iter().copied()),
            HeadPostings::Few(few) => union.extend(few.iter().copied()),
            HeadPostings::Many(many) => *union |= &**many,
        }
    }

    /// Whether this set and `other` share a number.
    pub(crate) fn meets(&self, other: &RoaringBitmap) -> bool {
        match self {
            HeadPostings::One(one) => one.is_some_and(|number| other.contains(number)),
            HeadPostings::Few(few) => few.iter().any(|number| other.contains(*number)),
            HeadPostings::Many(many) => !many.is_disjoint(other),
        }
    }
}
