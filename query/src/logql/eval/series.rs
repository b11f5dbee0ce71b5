//! [`SeriesTable`]: which series a line belongs to.

use std::collections::HashMap;

use chronolith_engine::labels::LabelSet;
use foldhash::fast::RandomState;

use crate::logql::Result;
use crate::logql::answer::LabelPairs;
use crate::logql::pipeline::LineLabels;
use crate::logql::syntax::ast::Grouping;

/// Which labels of a line are those of its series.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// All but this one, if there is one: the label that was unwrapped.
    All(Option<String>),
    /// These.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

impl Identity {
    pub(super) fn of(grouping: Option<&Grouping>, unwrapped: Option<&str>) -> Identity {
        let names = |grouping: &Grouping| {
            let mut names = grouping.labels.clone();
            names.sort();
            names.dedup();
            names
        };
        match grouping {
            None => Identity::All(unwrapped.map(str::to_owned)),
            Some(grouping) if grouping.is_without => {
                let mut names = names(grouping);
                names.extend(unwrapped.map(str::to_owned));
                Identity::Without(names)
            }
            Some(grouping) => Identity::By(names(grouping)),
        }
    }

    fn hash(&self, labels: &LineLabels<'_>) -> u64 {
        match self {
            Identity::All(None) => labels.hash(),
            Identity::All(Some(name)) => labels.hash_without(std::slice::from_ref(name)),
            Identity::By(names) => labels.hash_by(names),
            Identity::Without(names) => labels.hash_without(names),
        }
    }

    /// Whether a label is one of the series.
    pub(super) fn keeps(&self, name: &str) -> bool {
        match self {
            Identity::All(unwrapped) => unwrapped.as_deref() != Some(name),
            Identity::By(names) => names.iter().any(|by| by == name),
            Identity::Without(names) => !names.iter().any(|without| without == name),
        }
    }

    /// The labels of a line's series; empty ones are the same as none.
    fn pairs<'l>(
        &'l self,
        labels: &'l LineLabels<'_>,
    ) -> impl Iterator<Item = (&'l str, &'l str)> + use<'l> {
        let kept = |(name, value): &(&str, &str)| !value.is_empty() && self.keeps(name);
        labels.iter().filter(kept)
    }

    fn set(&self, labels: &LineLabels<'_>) -> LabelSet {
        LabelSet::from_pairs(self.pairs(labels)).unwrap_or_default()
    }
}

/// The series found so far, each with what is known of it.
pub(super) struct SeriesTable<T> {
    identity: Identity,
    by_hash: HashMap<u64, Vec<usize>, RandomState>,
    by_labels: HashMap<LabelSet, usize>,
    labels: Vec<LabelPairs>,
    states: Vec<T>,
}

impl<T> SeriesTable<T> {
    pub(super) fn new(identity: Identity) -> Self {
        SeriesTable {
            identity,
            by_hash: HashMap::default(),
            by_labels: HashMap::new(),
            labels: Vec::new(),
            states: Vec::new(),
        }
    }

    /// The place of the series of a line; `new` makes what is known of one that is new.
    pub(super) fn place(
        &mut self,
        line: &LineLabels<'_>,
        new: impl FnOnce() -> Result<T>,
    ) -> Result<usize> {
        let hash = self.identity.hash(line);
        let places = self.by_hash.get(&hash);
        let same = |place: &&usize| self.labels[**place].is(self.identity.pairs(line));
        if let Some(place) = places.and_then(|places| places.iter().find(same)) {
            return Ok(*place);
        }
        let set = self.identity.set(line);
        let place = self.place_of(set, new)?;
        self.by_hash.entry(hash).or_default().push(place);
        Ok(place)
    }

    /// The place of a series by its labels.
    pub(super) fn place_of(
        &mut self,
        labels: LabelSet,
        new: impl FnOnce() -> Result<T>,
    ) -> Result<usize> {
        if let Some(place) = self.by_labels.get(&labels) {
            return Ok(*place);
        }
        let place = self.states.len();
        self.states.push(new()?);
        self.labels.push(LabelPairs::of(labels.as_labels().iter()));
        self.by_labels.insert(labels, place);
        Ok(place)
    }

    pub(super) fn state(&mut self, place: usize) -> &mut T {
        &mut self.states[place]
    }

    /// The series with what is known of them, in no order.
    pub(super) fn into_series(self) -> impl Iterator<Item = (LabelSet, T)> {
        let mut states: Vec<Option<T>> = self.states.into_iter().map(Some).collect();
        let places = self.by_labels.into_iter();
        places.filter_map(move |(labels, place)| Some((labels, states[place].take()?)))
    }
}
