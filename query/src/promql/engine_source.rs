//! [`EngineSource`]: the metrics of the engine as a source.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chronolith_engine::labels::{LabelSet, Matcher};
use chronolith_engine::metrics::{SampleColumn, SampleRun, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Series, Snapshot};

use crate::promql::error::Result;
use crate::promql::histogram::{ChunkHints, Histogram};
use crate::promql::source::{Points, Request, Source, SourceSeries, Unread};

/// How far in front of a range the histogram before the first one is looked for, in milliseconds.
const HINT_LOOK_MS: i64 = 15 * 60 * 1000;

/// A snapshot of a tenant's metrics as a source.
///
/// Hints about counter resets are worked out as Prometheus' storage does, from each histogram and
/// the one before it. Of the first one of a range they are known if the one before is at most
/// fifteen minutes older than the range.
pub struct EngineSource {
    snapshot: Snapshot<Samples>,
}

impl EngineSource {
    /// Reads from this snapshot.
    pub fn new(snapshot: Snapshot<Samples>) -> Self {
        EngineSource { snapshot }
    }
}

impl Source for EngineSource {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        let mut found = Vec::new();
        for series in self.find(request)? {
            let series = series.read()?;
            if !series.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }

    fn find<'s>(&'s self, request: &Request<'_>) -> Result<Vec<Box<dyn Unread + 's>>> {
        let selector = Selector::new(request.matchers.to_vec())
            .between(Millis(request.start), Millis(request.end));
        let earlier = Arc::new(Earlier {
            snapshot: self.snapshot.clone(),
            matchers: request.matchers.to_vec(),
            start: request.start,
            hints: Mutex::new(None),
        });
        let series = self.snapshot.select(&selector)?.into_iter();
        let unread = series.map(|series| {
            let earlier = Arc::clone(&earlier);
            Box::new(Found { series, earlier }) as Box<dyn Unread>
        });
        Ok(unread.collect())
    }
}

/// A series of the engine, not read yet.
struct Found {
    series: Series<Samples>,
    earlier: Arc<Earlier>,
}

impl Unread for Found {
    fn read(self: Box<Self>) -> Result<SourceSeries> {
        let Found { series, earlier } = *self;
        let mut cursor = series.cursor()?;
        let mut columns = SourceSeries {
            labels: series.into_labels(),
            ..SourceSeries::default()
        };
        let mut hints = None;
        for run in cursor.by_ref() {
            let run = run?;
            let start = |index: usize| run.starts().map_or(0, |starts| starts[index]);
            match run.values() {
                SampleColumn::Floats(_) => {
                    hints = Some(ChunkHints::default());
                    columns.floats.append(run);
                }
                SampleColumn::Histograms(values) => {
                    let hints = match &mut hints {
                        Some(hints) => hints,
                        None => hints.insert(earlier.take(&columns.labels)?),
                    };
                    for (index, stored) in values.iter().enumerate() {
                        let histogram = Histogram::from(stored.as_ref());
                        let hint = hints.next(&histogram);
                        let histogram = Arc::new(histogram.with_hint(hint));
                        let time = run.times()[index];
                        columns.histograms.push(time, histogram, start(index));
                    }
                }
            }
        }
        columns.bytes_read = cursor.bytes_read();
        Ok(columns)
    }
}

impl Points<f64> {
    /// Appends a run of floats, of which the first gives its columns as they are.
    fn append(&mut self, run: SampleRun) {
        if run.starts().is_some() || self.starts.is_some() {
            let values = run.floats().unwrap_or_default();
            for (index, (time, value)) in run.times().iter().zip(values).enumerate() {
                let start = run.starts().map_or(0, |starts| starts[index]);
                self.push(*time, *value, start);
            }
            return;
        }
        let (times, values) = run.into_floats().unwrap_or_default();
        if self.is_empty() {
            (self.times, self.values) = (times, values);
        } else {
            self.times.extend_from_slice(&times);
            self.values.extend_from_slice(&values);
        }
    }
}

/// What stands in front of a range, looked for when the first series has a histogram: most
/// selectors find none.
struct Earlier {
    snapshot: Snapshot<Samples>,
    matchers: Vec<Matcher>,
    start: i64,
    hints: Mutex<Option<BTreeMap<LabelSet, ChunkHints>>>,
}

impl Earlier {
    /// The hints of a series as they stand at the start of the range.
    fn take(&self, labels: &LabelSet) -> Result<ChunkHints> {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match &mut *hints {
            Some(known) => known,
            None => hints.insert(self.find()?),
        };
        Ok(known.remove(labels).unwrap_or_default())
    }

    /// By the series that had a histogram not long before the range.
    fn find(&self) -> Result<BTreeMap<LabelSet, ChunkHints>> {
        let start = self.start.saturating_sub(HINT_LOOK_MS);
        let end = self.start.saturating_sub(1);
        let selector = Selector::new(self.matchers.clone()).between(Millis(start), Millis(end));
        let mut found = BTreeMap::new();
        for series in self.snapshot.select(&selector)? {
            let mut last = None;
            for run in series.cursor()? {
                last = match run?.values() {
                    SampleColumn::Floats(_) => None,
                    SampleColumn::Histograms(values) => values.last().cloned(),
                };
            }
            if let Some(last) = last {
                let mut hints = ChunkHints::default();
                hints.next(&Histogram::from(last.as_ref()));
                found.insert(series.labels().to_set(), hints);
            }
        }
        Ok(found)
    }
}
