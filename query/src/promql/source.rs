//! [`Source`]: what a query reads from.
//!
//! The engine's snapshots are one source; anything that can select series by matchers and give
//! their samples as columns is another.

use std::sync::Arc;

use chronolith_engine::labels::{LabelSet, Matcher};

use crate::promql::error::Result;
use crate::promql::histogram::Histogram;

/// Which series, and from when to when, both times included, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the labels must be.
    pub matchers: &'a [Matcher],
    /// The first time.
    pub start: i64,
    /// The last time.
    pub end: i64,
}

/// What a query reads from.
pub trait Source: Sync {
    /// The series that all matchers accept, with their samples of the range, in label order.
    /// Series without a sample in the range may be left out. Stale markers are samples.
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>>;

    /// The same series, not read yet: several threads read them, and each is gone before others
    /// come. A source that can read its series one by one says so here.
    fn find<'s>(&'s self, request: &Request<'_>) -> Result<Vec<Box<dyn Unread + 's>>> {
        let series = self.select(request)?.into_iter();
        Ok(series
            .map(|series| Box::new(series) as Box<dyn Unread>)
            .collect())
    }
}

/// A series that was found and not read.
pub trait Unread: Send {
    /// Reads it; of one without a sample in the range the columns are empty.
    fn read(self: Box<Self>) -> Result<SourceSeries>;
}

impl Unread for SourceSeries {
    fn read(self: Box<Self>) -> Result<SourceSeries> {
        Ok(*self)
    }
}

/// A series as columns; floats and histograms lie apart.
#[derive(Clone, Debug, Default)]
pub struct SourceSeries {
    /// The labels.
    pub labels: LabelSet,
    /// The floats.
    pub floats: Points<f64>,
    /// The histograms.
    pub histograms: Points<Arc<Histogram>>,
    /// How many stored bytes were read for them, as far as that is known.
    pub bytes_read: u64,
}

impl SourceSeries {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }
}

/// Samples of one sort in time order.
#[derive(Clone, Debug)]
pub struct Points<V> {
    /// When.
    pub times: Vec<i64>,
    /// What.
    pub values: Vec<V>,
    /// When the counters began, 0 where that is not known; absent where it never is.
    pub starts: Option<Vec<i64>>,
}

impl<V> Default for Points<V> {
    fn default() -> Self {
        Points {
            times: Vec::new(),
            values: Vec::new(),
            starts: None,
        }
    }
}

impl<V> Points<V> {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Appends a sample; `start` is 0 where it is not known.
    pub fn push(&mut self, time: i64, value: V, start: i64) {
        if start != 0 && self.starts.is_none() {
            self.starts = Some(vec![0; self.times.len()]);
        }
        if let Some(starts) = &mut self.starts {
            starts.push(start);
        }
        self.times.push(time);
        self.values.push(value);
    }

    /// Keeps the samples that `keep` accepts.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        if self.values.iter().all(&keep) {
            return;
        }
        let kept: Vec<bool> = self.values.iter().map(keep).collect();
        fn filter<T>(column: &mut Vec<T>, kept: &[bool]) {
            let mut kept = kept.iter();
            column.retain(|_| *kept.next().unwrap_or(&false));
        }
        filter(&mut self.times, &kept);
        filter(&mut self.values, &kept);
        if let Some(starts) = &mut self.starts {
            filter(starts, &kept);
        }
    }
}
