//! Cardinality: which names and labels have how many series, over head and blocks.

use std::ops::ControlFlow;

use hashbrown::{HashMap, HashSet};
use roaring::RoaringBitmap;

use crate::error::Result;
use crate::kind::Kind;
use crate::labels::set::{Labels, SeriesId, put_label};
use crate::store::Store;
use crate::store::snapshot::Snapshot;
use crate::store::visible::Care;
use crate::time::TickRange;

/// Series whose labels are copied under one hold of the index lock.
const SERIES_PER_HOLD: usize = 1024;

/// The label that names a metric.
const METRIC_NAME: &str = "__name__";

/// The most names, labels or pairs that are listed.
const LISTED_MAX: usize = 10_000;

/// How many series a store has, and what they have in common: the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series in memory and in blocks, each counted once.
    pub series: u64,
    /// Metric names, the values of `__name__`, by their series.
    pub metrics: Vec<PairCount>,
    /// Label names by their distinct values.
    pub labels: Vec<LabelCount>,
    /// Labels, name and value, by their series.
    pub pairs: Vec<PairCount>,
}

/// A label name and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCount {
    /// The name.
    pub name: String,
    /// How many values it has.
    pub values: u64,
    /// How many series have it.
    pub series: u64,
}

/// A label, name and value, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairCount {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// How many series have it.
    pub series: u64,
}

impl<K: Kind> Store<K> {
    /// Counts the distinct series of the store by metric name, by label name and by label, and
    /// gives the `limit` largest of each, at most 10,000.
    ///
    /// Goes through the index of every block: for an operator who asks what makes a store large,
    /// not for every scrape. Takes some 30 bytes for each series and 100 for each distinct label
    /// meanwhile. Series of which everything has been deleted do not count; those of which
    /// everything has expired do until their block goes.
    ///
    /// ```
    /// use chronolith_engine::{Batch, Engine, Options};
    /// use chronolith_engine::labels::LabelSet;
    /// use chronolith_engine::metrics::{Sample, Samples};
    /// use chronolith_engine::time::Millis;
    ///
    /// # let name = format!("chronolith-cardinality-{}", std::process::id());
    /// # let directory = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&directory);
    /// let engine = Engine::open(&directory, Options::default())?;
    /// let mut batch = Batch::<Samples>::new();
    /// let up = |pod| LabelSet::from_pairs([("__name__", "up"), ("pod", pod)]);
    /// let sets = [up("a")?, up("b")?, up("c")?];
    /// for set in &sets {
    ///     batch.push(set.as_labels(), Sample::float(Millis(1_700_000_000_000), 1.0));
    /// }
    /// engine.metrics()?.append(&batch)?;
    /// let found = engine.metrics()?.cardinality(10)?;
    /// assert_eq!((found.series, found.metrics[0].series), (3, 3));
    /// assert_eq!((found.labels[0].name.as_str(), found.labels[0].values), ("pod", 3));
    /// engine.close()?;
    /// # std::fs::remove_dir_all(&directory).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    pub fn cardinality(&self, limit: usize) -> Result<Cardinality> {
        let snapshot = self.snapshot();
        let mut count = Count::default();
        count.blocks(&snapshot)?;
        count.head(&snapshot)?;
        Ok(count.finish(limit.min(LISTED_MAX)))
    }
}

/// What has been counted so far.
#[derive(Default)]
struct Count {
    seen: HashSet<SeriesId, foldhash::fast::RandomState>,
    /// Series by the canonical bytes of a label.
    pairs: HashMap<Box<[u8]>, u64, foldhash::fast::RandomState>,
    pair: Vec<u8>,
}

impl Count {
    fn blocks<K: Kind>(&mut self, snapshot: &Snapshot<K>) -> Result<()> {
        let view = &snapshot.view;
        for (place, block) in view.state.blocks.iter().enumerate() {
            let Some(range) = view.retained.in_block(&block.entry, TickRange::ALL) else {
                continue;
            };
            let shown = view.shown_in_block(place, None, range, Care::Exact)?;
            let is_shown = |ordinal| shown.as_ref().is_none_or(|shown| shown.contains(ordinal));
            let reader = &block.reader;
            let mut fresh = RoaringBitmap::new();
            for ordinal in 0..reader.series_count() {
                if is_shown(ordinal) && self.seen.insert(reader.series_id(ordinal)?) {
                    fresh.insert(ordinal);
                }
            }
            reader.for_each_labels(&fresh, |_, labels| {
                self.add(labels);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }

    fn head<K: Kind>(&mut self, snapshot: &Snapshot<K>) -> Result<()> {
        let view = &snapshot.view;
        let Some(born) = view.head_series(TickRange::ALL) else {
            return Ok(());
        };
        let shown = view.shown_in_head(born.clone(), TickRange::ALL, Care::Exact)?;
        let numbers: Vec<u32> = shown.iter().collect();
        let mut bytes = Vec::new();
        for hold in numbers.chunks(SERIES_PER_HOLD) {
            let index = view.core.head.index().read();
            for number in hold {
                // A number given to another series meanwhile was not seen by this snapshot.
                if index.series[*number].born > view.hold.seq() {
                    continue;
                }
                bytes.clear();
                index.labels(*number, &mut bytes);
                let labels = Labels::trusted(&bytes);
                if self.seen.insert(labels.id()) {
                    self.add(labels);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, labels: Labels<'_>) {
        for (name, value) in labels.iter() {
            self.pair.clear();
            put_label(&mut self.pair, name, value);
            match self.pairs.get_mut(&self.pair[..]) {
                Some(count) => *count += 1,
                None => {
                    self.pairs.insert(self.pair[..].into(), 1);
                }
            }
        }
    }

    fn finish(self, limit: usize) -> Cardinality {
        let mut labels: HashMap<&str, LabelCount, foldhash::fast::RandomState> = HashMap::default();
        let (mut metrics, mut pairs) = (Vec::new(), Vec::with_capacity(self.pairs.len()));
        for (pair, series) in &self.pairs {
            let pair = Labels::trusted(pair);
            let (name, _) = only_label(pair);
            let label = labels.entry(name).or_insert_with(|| LabelCount {
                name: name.to_owned(),
                values: 0,
                series: 0,
            });
            label.values += 1;
            label.series += series;
            if name == METRIC_NAME {
                metrics.push((*series, pair));
            }
            pairs.push((*series, pair));
        }
        let mut labels: Vec<LabelCount> = labels.into_values().collect();
        labels.sort_unstable_by(|left, right| {
            let by_values = right.values.cmp(&left.values);
            by_values.then_with(|| left.name.cmp(&right.name))
        });
        labels.truncate(limit);
        Cardinality {
            series: self.seen.len() as u64,
            metrics: largest(metrics, limit),
            labels,
            pairs: largest(pairs, limit),
        }
    }
}

fn only_label(pair: Labels<'_>) -> (&str, &str) {
    pair.iter().next().expect("a pair is one label")
}

/// The largest of some pairs; of equal ones those that come first in label order.
fn largest(mut pairs: Vec<(u64, Labels<'_>)>, limit: usize) -> Vec<PairCount> {
    let order = |left: &(u64, Labels<'_>), right: &(u64, Labels<'_>)| {
        right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1))
    };
    if limit < pairs.len() {
        pairs.select_nth_unstable_by(limit, order);
        pairs.truncate(limit);
    }
    pairs.sort_unstable_by(order);
    let counts = pairs.into_iter().map(|(series, pair)| {
        let (name, value) = only_label(pair);
        PairCount {
            name: name.to_owned(),
            value: value.to_owned(),
            series,
        }
    });
    counts.collect()
}
