//! [`EngineSource`]: the metrics of the engine as a source.

use std::collections::BTreeMap;
use std::sync::Arc;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{SampleColumn, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Snapshot};

use crate::promql::error::Result;
use crate::promql::histogram::{ChunkHints, Histogram};
use crate::promql::source::{Request, Source, SourceSeries};

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

    /// The hints as they stand at the start of a range, by the series that had a histogram not long
    /// before.
    fn earlier_hints(&self, request: &Request<'_>) -> Result<BTreeMap<LabelSet, ChunkHints>> {
        let start = request.start.saturating_sub(HINT_LOOK_MS);
        let end = request.start.saturating_sub(1);
        let selector = Selector::new(request.matchers.to_vec()).between(Millis(start), Millis(end));
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

impl Source for EngineSource {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        let selector = Selector::new(request.matchers.to_vec())
            .between(Millis(request.start), Millis(request.end));
        let mut found = Vec::new();
        // Looked for at the first histogram: most selectors find none.
        let mut earlier = None;
        for series in self.snapshot.select(&selector)? {
            let mut columns = SourceSeries {
                labels: series.labels().to_set(),
                ..SourceSeries::default()
            };
            let mut hints = None;
            for run in series.cursor()? {
                let run = run?;
                let start = |index: usize| run.starts().map_or(0, |starts| starts[index]);
                match run.values() {
                    SampleColumn::Floats(values) => {
                        hints = Some(ChunkHints::default());
                        if run.starts().is_none() && columns.floats.starts.is_none() {
                            columns.floats.times.extend_from_slice(run.times());
                            columns.floats.values.extend_from_slice(values);
                            continue;
                        }
                        for (index, value) in values.iter().enumerate() {
                            columns
                                .floats
                                .push(run.times()[index], *value, start(index));
                        }
                    }
                    SampleColumn::Histograms(values) => {
                        if hints.is_none() && earlier.is_none() {
                            earlier = Some(self.earlier_hints(request)?);
                        }
                        let hints = hints.get_or_insert_with(|| {
                            let known = earlier.as_mut();
                            let known = known.and_then(|known| known.remove(&columns.labels));
                            known.unwrap_or_default()
                        });
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
            if !columns.floats.is_empty() || !columns.histograms.is_empty() {
                found.push(columns);
            }
        }
        Ok(found)
    }
}
