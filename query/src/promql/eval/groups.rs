//! [`Groups`]: which group of an aggregation a series belongs to.
//!
//! Canonical bytes of the labels that stay tell a group; labels are made of those of a new one
//! only.

use std::collections::HashMap;

use chronolith_engine::labels::{LabelSet, Labels};
use foldhash::fast::RandomState;

use crate::promql::error::Result;
use crate::promql::eval::column::Series;
use crate::promql::eval::labels::put_grouped;
use crate::promql::syntax::Grouping;

/// Groups in order of first appearance, each with what is kept of it.
pub(super) struct Groups<'g, G> {
    grouping: &'g Grouping,
    places: HashMap<Vec<u8>, usize, RandomState>,
    found: Vec<(LabelSet, G)>,
    key: Vec<u8>,
}

impl<'g, G> Groups<'g, G> {
    pub(super) fn of(grouping: &'g Grouping) -> Self {
        Groups {
            grouping,
            places: HashMap::default(),
            found: Vec::new(),
            key: Vec::new(),
        }
    }

    /// What is kept of the group of a series with these labels; `make` makes that of a new one.
    pub(super) fn group(
        &mut self,
        labels: Labels<'_>,
        make: impl FnOnce() -> Result<G>,
    ) -> Result<&mut G> {
        self.key.clear();
        put_grouped(labels, self.grouping, &mut self.key);
        let place = match self.places.get(&self.key) {
            Some(place) => *place,
            None => {
                let labels = Labels::from_bytes(&self.key)?.to_set();
                self.found.push((labels, make()?));
                self.places.insert(self.key.clone(), self.found.len() - 1);
                self.found.len() - 1
            }
        };
        Ok(&mut self.found[place].1)
    }
}

impl<G> IntoIterator for Groups<'_, G> {
    type Item = (LabelSet, G);
    type IntoIter = std::vec::IntoIter<(LabelSet, G)>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

/// The series of each group by their places.
pub(super) fn members(
    series: &[Series],
    grouping: &Grouping,
) -> Result<Vec<(LabelSet, Vec<usize>)>> {
    let mut groups: Groups<Vec<usize>> = Groups::of(grouping);
    for (place, series) in series.iter().enumerate() {
        let members = groups.group(series.labels.as_labels(), || Ok(Vec::new()))?;
        members.push(place);
    }
    Ok(groups.into_iter().collect())
}
